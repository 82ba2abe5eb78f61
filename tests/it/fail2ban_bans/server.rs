//! A fail2ban-server of a test's own: its configuration, database, socket and log are in a folder, nothing else is
//! touched. It speaks UTC.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use banzone::clock::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::env::{DEADLINE, until};

/// What is banned by which jail, from when, and until when if it ends.
pub type Bans = BTreeMap<(String, String), (Timestamp, Option<Timestamp>)>;

/// A running server; it is killed when it is dropped.
pub struct Fail2ban {
    etc: PathBuf,
    database: PathBuf,
    child: Child,
}

impl Fail2ban {
    /// Starts it and waits until it answers.
    pub fn start(etc: PathBuf, database: PathBuf) -> Self {
        let mut command = Command::new("fail2ban-server");
        command.arg("-c").arg(&etc).args(["-f", "start"]).env("TZ", "UTC").stdin(Stdio::null());
        let messages = database.with_extension("messages");
        let child = command.stdout(Stdio::null()).stderr(File::create(&messages).unwrap()).spawn().unwrap();
        let mut server = Self { etc, database, child };
        until("fail2ban-server answers", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("fail2ban-server ended with {status}:\n{}", fs::read_to_string(&messages).unwrap());
            }
            server.try_ask(&["ping"]).is_some()
        });
        server
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(mut self) {
        self.ask(&["stop"]);
        until("fail2ban-server ends", || self.child.try_wait().unwrap().is_some());
    }

    fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).unwrap_or_else(|| panic!("fail2ban-client {words:?}"))
    }

    fn try_ask(&self, words: &[&str]) -> Option<String> {
        let mut client = Command::new("fail2ban-client");
        let output = client.arg("-c").arg(&self.etc).args(words).env("TZ", "UTC").output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// The bans in force. Those that were made longer are so here, and not in the database.
    pub fn bans<'a>(&self, jails: impl IntoIterator<Item = &'a str>) -> Bans {
        let mut bans = Bans::new();
        for jail in jails {
            for line in
                self.ask(&["get", jail, "banip", "--with-time"]).lines().filter(|line| line.contains('\t'))
            {
                let (address, since, until) = parse(line).unwrap_or_else(|| panic!("{line}"));
                bans.insert((jail.to_owned(), address), (since, until));
            }
        }
        bans
    }

    /// Whether the database holds a ban. Another thread writes it after it has made the ban longer.
    pub fn has_stored(&self, jail: &str, address: &str) -> bool {
        let database = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        database.busy_timeout(DEADLINE).unwrap();
        let sql = "SELECT count(*) FROM bips WHERE jail = ? AND ip = ?";
        database.query_row(sql, params![jail, address], |row| row.get::<_, u32>(0)).unwrap() > 0
    }
}

impl Drop for Fail2ban {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `192.0.2.1 <tab>2026-11-20 06:00:04 + 600 = 2026-11-20 06:10:04`; for ever is -1.
fn parse(line: &str) -> Option<(String, Timestamp, Option<Timestamp>)> {
    let (address, times) = line.split_once('\t')?;
    let (since, rest) = times.split_once(" + ")?;
    let (seconds, end) = rest.split_once(" = ")?;
    let time = |text: &str| -> Option<Timestamp> {
        let time: jiff::Timestamp = format!("{}Z", text.trim()).parse().ok()?;
        Some(Timestamp::from_millis(time.as_millisecond()))
    };
    let until = if seconds == "-1" { None } else { Some(time(end)?) };
    Some((address.trim().to_owned(), time(since)?, until))
}
