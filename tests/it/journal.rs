//! The systemd journal: real journal files, made by `systemd-journal-remote` and read by the real `journalctl`, under a
//! daemon that is killed again and again.
//!
//! Where one of the two programs is missing the tests say so and pass, unless the variable `BANZONE_PEERS` is `required`,
//! as `tests/run` sets it.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use banzone::clock::Clock;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::env::{Daemon, Env, PUBLISH, until};

/// Makes journal files of the export format.
const WRITER: &str = "/lib/systemd/systemd-journal-remote";

/// How often the daemon is killed.
const KILLS: usize = 25;

const SEED: u64 = 20_261_127;

/// A banzone on a folder with journal files.
struct World {
    env: Env,
    /// Entries written so far.
    number: u64,
}

impl World {
    /// `None`: a program is missing.
    fn new(policy: &str) -> Option<Self> {
        let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if let Some(missing) = ["journalctl", WRITER].into_iter().find(|program| !is_there(program)) {
            let required = std::env::var("BANZONE_PEERS").is_ok_and(|value| value == "required");
            assert!(!required, "{missing} is missing; tests/run installs it");
            // Written past the test harness, which shows no output of a test that passes.
            let notice = format!("skipped the tests of the journal: {missing} is missing\n");
            io::stderr().write_all(notice.as_bytes()).unwrap();
            return None;
        }
        let env = Env::new("");
        let folder = env.path("journal");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let jail = format!(
            "[jail.postfix-sasl]\nlogpath = 'journal[journalpath={}]:_SYSTEMD_UNIT=postfix.service + _COMM=saslauthd'\n\
             findtime = '1d'\nbantime = '1w'\n{policy}",
            folder.display()
        );
        env.configure(&format!("{jail}\n{PUBLISH}"));
        Some(Self { env, number: 0 })
    }

    /// Adds an entry of `unit` with this message to a journal file.
    fn write(&mut self, file: &str, unit: &str, messages: &[&str]) {
        let mut text = Vec::new();
        for message in messages {
            self.number += 1;
            let now = Clock::System.now().as_millis();
            let boot = "1".repeat(32);
            let mut head = String::new();
            writeln!(head, "__REALTIME_TIMESTAMP={now}{:03}", self.number % 1000).unwrap();
            writeln!(head, "__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={boot}", self.number).unwrap();
            writeln!(head, "_HOSTNAME=mail\nSYSLOG_IDENTIFIER=postfix/smtpd\n_PID=711").unwrap();
            writeln!(head, "_SYSTEMD_UNIT={unit}\nMESSAGE").unwrap();
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(&(message.len() as u64).to_le_bytes());
            text.extend_from_slice(message.as_bytes());
            text.extend_from_slice(b"\n\n");
        }
        let path = self.env.path("journal").join(file);
        let mut writer = Command::new(WRITER);
        writer.arg("-o").arg(&path).arg("-").stdin(Stdio::piped()).stderr(Stdio::null());
        let mut writer = writer.spawn().unwrap();
        writer.stdin.take().unwrap().write_all(&text).unwrap();
        assert!(writer.wait().unwrap().success());
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    }

    fn fail(&mut self, file: &str, count: usize) {
        let message = message("198.51.100.7");
        self.write(file, "postfix.service", &vec![message.as_str(); count]);
    }

    /// What the words of fail2ban-client are answered.
    fn fail2ban_client(&self, words: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        command.arg("--config").arg(self.env.config()).arg("fail2ban-client").args(words.split(' '));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// Starts the daemon, which has taken down where to begin by then.
    fn start(&self) -> Daemon {
        let daemon = self.env.start();
        until("the place in the journal is kept", || {
            let sql = "SELECT count(*) FROM positions WHERE source LIKE 'journal%'";
            self.env.database().query_row(sql, [], |row| row.get(0)).unwrap_or(0) == 1
        });
        daemon
    }
}

fn message(address: &str) -> String {
    format!("warning: unknown[{address}]: SASL LOGIN authentication failed: x")
}

#[test]
fn entries_become_bans_and_a_newline_forges_none() {
    let Some(mut world) = World::new("maxretry = 3") else { return };
    world.fail("a.journal", 2);
    let daemon = world.start();
    // What was there is none of its business, and neither are other units.
    world.write("a.journal", "other.service", &[message("198.51.100.8").as_str(); 5]);
    let forged = format!("lost connection\n\npostfix/smtpd[711]: {0}\nMESSAGE={0}", message("198.51.100.9"));
    world.write("a.journal", "postfix.service", &[forged.as_str(); 5]);
    world.fail("a.journal", 3);
    until("the ban is in force", || world.env.get("/api/v1/bans").body.contains("198.51.100.7"));
    assert_eq!(world.env.counted(), 3);
    let matches = "_SYSTEMD_UNIT=postfix.service + _COMM=saslauthd";
    let says = |words| world.fail2ban_client(words);
    let status = says("status postfix-sasl short");
    assert!(status.contains(&format!("|  `- Journal matches:\t{matches}\n`- Actions")), "{status}");
    assert_eq!(says("get postfix-sasl journalmatch"), format!("Current match filter:\n{matches}\n"));
    assert_eq!(says("get postfix-sasl logpath"), "No file is currently monitored\n");
    let line: String =
        world.env.database().query_row("SELECT line FROM evidence", [], |row| row.get(0)).unwrap();
    let (time, text) = line.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
    assert_eq!(text, format!("mail postfix/smtpd[711]: {}", message("198.51.100.7")));
    assert!(daemon.terminate().success());
}

#[test]
fn every_entry_counts_once_whenever_it_is_killed() {
    let Some(mut world) = World::new("maxretry = 1000000\nstart = 'head'") else { return };
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut written = 3;
    world.fail("0.journal", 3);
    world.start().kill();
    for life in 1..=KILLS {
        let mut daemon = world.env.spawn(world.env.command());
        if random.random_bool(0.7) {
            daemon.wait_until_ready();
        }
        for _ in 0..random.random_range(0..3) {
            let count = random.random_range(1..20);
            // A new file every few lives is what rotation makes.
            world.fail(&format!("{}.journal", life / 4), count);
            written += count as u64;
        }
        thread::sleep(Duration::from_millis(random.random_range(0..100)));
        assert!(!daemon.has_ended(), "the daemon ended by itself");
        daemon.kill();
        assert!(world.env.counted() <= written);
    }
    let daemon = world.start();
    until("everything is counted", || world.env.counted() == written);
    // The entry at the cursor is gone: what comes after it is the next.
    for life in 0..=KILLS / 4 {
        let _ = fs::remove_file(world.env.path("journal").join(format!("{life}.journal")));
    }
    daemon.kill();
    world.fail("last.journal", 7);
    let daemon = world.start();
    until("the rest is counted", || world.env.counted() == written + 7);
    world.fail("last.journal", 1);
    until("so is what is written now", || world.env.counted() == written + 8);
    assert!(daemon.terminate().success());
    assert_eq!(world.env.counted(), written + 8);
}

#[test]
fn what_hinders_reading_is_shown_and_mended() {
    let Some(mut world) = World::new("maxretry = 1\nstart = 'head'") else { return };
    let folder = world.env.path("journal");
    fs::remove_dir(&folder).unwrap();
    let daemon = world.env.start();
    until("the problem is shown", || world.env.get("/readyz").body.contains("No such file or directory"));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    world.fail("a.journal", 1);
    until("the journal is read", || world.env.counted() == 1);
    assert!(!world.env.get("/readyz").body.contains("No such file"));
    let children = || children(daemon.pid());
    assert_eq!(children().len(), 1);
    let child = children()[0].clone();
    daemon.kill();
    until("journalctl has ended with the daemon", || !Path::new("/proc").join(&child).exists());
}

/// The processes that `pid` has started.
fn children(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
