//! A fail2ban-server of a test's own: its configuration, database, socket and log are in a folder, nothing else is
//! touched. It speaks UTC.
//!
//! ```text
//! etc/       the configuration
//! log/       the logs, and fail2ban's own
//! fail2ban/  its database, socket and process number
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use banzone::clock::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::env::{DEADLINE, Env, until};

/// So many lines of its log are shown when a test fails.
const SHOWN: usize = 40;

/// What is banned by which jail, from when, and until when if it ends.
pub type Bans = BTreeMap<(String, String), (Timestamp, Option<Timestamp>)>;

/// A running server; it is killed when it is dropped.
pub struct Fail2ban {
    etc: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    child: Child,
}

/// Where a server for `env` puts what is its own, as lines of `fail2ban.conf`.
pub fn settings(env: &Env) -> String {
    let path = |name: &str| env.path(name).display().to_string();
    format!(
        "logtarget = {}\nsocket = {}\npidfile = {}\ndbfile = {}\n",
        path("log/fail2ban.log"),
        path("fail2ban/socket"),
        path("fail2ban/pid"),
        path("fail2ban/database"),
    )
}

impl Fail2ban {
    /// Starts it with the configuration in `etc` of `env`, to which [`settings`] belong, and waits until it answers.
    pub fn start(env: &Env) -> Self {
        let (etc, folder, log) = (env.path("etc"), env.path("fail2ban"), env.path("log/fail2ban.log"));
        fs::create_dir_all(&folder).unwrap();
        let child = spawn(&etc, &folder);
        let mut server = Self { etc, folder, log, child };
        server.wait();
        server
    }

    /// Stops it in order and starts it again; it restores its bans.
    pub fn restart(&mut self) {
        self.end();
        self.child = spawn(&self.etc, &self.folder);
        self.wait();
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ask(&["stop"]);
        until("fail2ban-server ends", || self.child.try_wait().unwrap().is_some());
    }

    fn wait(&mut self) {
        until("fail2ban-server answers", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                let messages = fs::read_to_string(self.folder.join("messages")).unwrap();
                panic!("fail2ban-server ended with {status}:\n{messages}");
            }
            self.says(&["ping"]).code == 0
        });
    }

    /// What its client says.
    pub fn says(&self, words: &[&str]) -> Said {
        Said::of(Command::new("fail2ban-client").arg("-c").arg(&self.etc).args(words))
    }

    /// The same, which must be an answer.
    fn ask(&self, words: &[&str]) -> String {
        let said = self.says(words);
        assert_eq!(said.code, 0, "fail2ban-client {words:?}: {}", said.out);
        said.out
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("database")
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
        let database =
            Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        database.busy_timeout(DEADLINE).unwrap();
        let sql = "SELECT count(*) FROM bips WHERE jail = ? AND ip = ?";
        database.query_row(sql, params![jail, address], |row| row.get::<_, u32>(0)).unwrap() > 0
    }
}

impl Drop for Fail2ban {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- fail2ban's log\n{}", lines[lines.len().saturating_sub(SHOWN)..].join("\n"));
        }
    }
}

fn spawn(etc: &Path, folder: &Path) -> Child {
    let mut command = Command::new("fail2ban-server");
    command.arg("-c").arg(etc).args(["-f", "start"]).current_dir(folder).env("TZ", "UTC");
    let messages = File::create(folder.join("messages")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages).spawn().unwrap()
}

/// What a client printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub out: String,
}

impl Said {
    /// Runs the client.
    pub fn of(client: &mut Command) -> Self {
        let Output { status, stdout, .. } = client.env("TZ", "UTC").stdin(Stdio::null()).output().unwrap();
        Self { code: status.code().unwrap(), out: String::from_utf8(stdout).unwrap() }
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
