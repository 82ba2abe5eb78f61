//! What jails need beyond the lines of their log: names, files, a command, the bans of other jails, another encoding.

use std::fs;
use std::process::Command;

use super::env::{Env, PUBLISH, failure, failure_at, until};
use banzone::clock::Timestamp;

/// A jail that bans at once, and `rest` of it.
fn jail(rest: &str) -> String {
    format!("[jail.postfix-sasl]\nlogpath = 'log/mail.log'\nmaxretry = 1\nstart = 'head'\n{rest}\n")
}

#[test]
fn a_command_excuses_whom_it_likes() {
    let env = Env::new(&jail("ignore_command = '/bin/sh excuse.sh <ip> \"<F-USER>\"'"));
    let script = env.path("excuse.sh");
    fs::write(&script, "test $# = 2 || exit 9\ntest \"$1\" = 192.0.2.1\n").unwrap();
    env.log("mail.log").append(&(failure("192.0.2.1") + &failure("192.0.2.3")));
    let mut command = env.command();
    command.current_dir(env.path(""));
    let daemon = env.start_as(command);
    until("the other one is listed", || daemon.lists("192.0.2.3"));
    let figure = "banzone_allowlist_hits_total{jail=\"postfix-sasl\"} 1";
    until("the first one is excused", || env.get("/metrics").body.contains(figure));
    assert!(!daemon.lists("192.0.2.1"));
    let asked = "banzone_outside_asked_total{kind=\"ignore_command\"} 2";
    assert!(env.get("/metrics").body.contains(asked), "{}", env.get("/metrics").body);
    assert!(daemon.terminate().success());
}

#[test]
fn answers_that_are_on_their_way_are_waited_for_at_the_end() {
    let env = Env::new(&jail("ignore_command = 'until test -e go; do sleep 0.05; done; exit 1'"));
    env.log("mail.log").append(&failure("192.0.2.1"));
    let mut command = env.command();
    command.current_dir(env.path(""));
    let mut daemon = env.start_as(command);
    let waiting = "banzone_outside_waiting{kind=\"ignore_command\"} 1";
    until("the command runs", || env.get("/metrics").body.contains(waiting));
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    fs::write(env.path("go"), "").unwrap();
    assert!(daemon.wait().success());
    assert_eq!(env.counted(), 1);
}

#[test]
fn names_and_files_in_ignoreip_are_known_before_the_first_line() {
    // The system takes this name for 198.51.100.7 without asking anybody.
    let env = Env::new(&jail("ignoreip = ['0xc6336407', 'file:spared', '203.0.113.0/24']"));
    fs::write(env.path("spared"), "192.0.2.0/28  # office\n").unwrap();
    let all = ["198.51.100.7", "192.0.2.1", "203.0.113.1", "198.51.100.8"];
    env.log("mail.log").append(&all.map(failure).concat());
    let daemon = env.start();
    until("the last one is listed", || daemon.lists("198.51.100.8"));
    assert!(all[..3].iter().all(|address| !daemon.lists(address)));
    // A reload reads the file at once.
    fs::write(env.path("spared"), "").unwrap();
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    env.log("mail.log").append(&(failure("192.0.2.3") + &failure("198.51.100.7")));
    until("the office is listed", || daemon.lists("192.0.2.3"));
    assert!(!daemon.lists("198.51.100.7"));
    assert!(daemon.terminate().success());
}

#[test]
fn whoever_is_banned_again_and_again_is_banned_by_the_jail_that_counts_bans() {
    let env = Env::new(&jail(""));
    let recidive = "[jail.recidive]\ncounts_bans = true\nmaxretry = 2\nfindtime = '1d'\nbantime = '1w'\n";
    env.configure(&format!("{}{recidive}{PUBLISH}", jail("bantime = '10m'")));
    let at = |seconds: i64, address| failure_at(Timestamp::from_secs(1_795_334_400 + seconds), address);
    let log = [at(0, "192.0.2.1"), at(10, "192.0.2.2"), at(3600, "192.0.2.1")].concat();
    env.log("mail.log").append(&log);
    let mut replay = Command::new(env!("CARGO_BIN_EXE_banzone"));
    replay.args(["--config"]).arg(env.config()).arg("replay").arg(&env.log("mail.log").0);
    let output = replay.output().unwrap();
    let bans = String::from_utf8(output.stdout).unwrap();
    let expected = [
        "2026-11-22T08:00:00Z postfix-sasl bans 192.0.2.1 until 2026-11-22T08:10:00Z (1 failures, ban 1)",
        "2026-11-22T08:00:10Z postfix-sasl bans 192.0.2.2 until 2026-11-22T08:10:10Z (1 failures, ban 1)",
        "2026-11-22T09:00:00Z postfix-sasl bans 192.0.2.1 until 2026-11-22T09:10:00Z (1 failures, ban 2)",
        "2026-11-22T09:00:00Z recidive bans 192.0.2.1 until 2026-11-29T09:00:00Z (2 failures, ban 1)",
    ];
    assert_eq!(bans.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_log_is_read_in_its_encoding() {
    let env = Env::new(&jail("encoding = 'iso-8859-1'\nfilter = './odd.toml'"));
    fs::write(env.path("odd.toml"), "failregex = ['^refusé: <HOST>$']\n").unwrap();
    let line = [b"refus\xe9: 192.0.2.1\n".to_vec(), "refusé: 192.0.2.2\n".into()].concat();
    fs::write(&env.log("mail.log").0, &line).unwrap();
    let mut replay = Command::new(env!("CARGO_BIN_EXE_banzone"));
    replay.args(["--config"]).arg(env.config()).arg("replay").arg(&env.log("mail.log").0);
    let output = replay.output().unwrap();
    let bans = String::from_utf8(output.stdout).unwrap();
    assert!(bans.contains("bans 192.0.2.1 ") && !bans.contains("192.0.2.2"), "{bans}");
}
