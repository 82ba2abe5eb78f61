//! What attackers and slips of the pen put into logs and filters of fail2ban's kind: it takes bounded time and memory, and
//! what could not be looked at is told. A filter that includes itself is among the bad configurations.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use banzone::clock::Clock;
use serde_json::json;

use crate::env::{self, Env, until};

/// What a program may use: address space in kilobytes, most of it for threads and their stacks, and seconds. The time is
/// many times what an idle machine takes.
const MEMORY: usize = 600_000;
const SECONDS: usize = 120;

/// The second pattern needs backtracking, and has exponentially many ways to try in vain.
const FILTER: &str = "
[Definition]
failregex = ^ mx door: knock by <HOST>$
            ^ mx door: (?:a+)+(?! from) from <ADDR>$
";

const KNOCK: &str = "Nov 20 06:00:00 mx door: knock by 192.0.2.7\n";

#[test]
fn a_line_of_ten_megabytes_is_a_miss_like_others() {
    let line = format!("Nov 20 06:00:00 mx door: {}\n", "a".repeat(10_000_000));
    let output = test_filter([KNOCK, &line, KNOCK].concat().as_bytes());
    assert_eq!(outcomes(&output), ["match", "miss", "match"]);
}

#[test]
fn a_pattern_without_an_end_is_stopped_and_named() {
    let line = format!("Nov 20 06:00:00 mx door: {} from 192.0.2.9\n", "a".repeat(60_000));
    let output = test_filter((line.repeat(20) + KNOCK).as_bytes());
    let outcomes = outcomes(&output);
    assert_eq!(outcomes[20], "match");
    assert!(outcomes[..20].iter().all(|outcome| outcome == "miss"));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(messages.contains("failregex 2 was stopped 20 times"), "{messages}");
}

#[test]
fn binary_garbage_matches_nothing() {
    // Every byte comes up behind every other one, line feeds among them.
    let mut log: Vec<u8> =
        (0..=255u8).flat_map(|one| (0..=255u8).flat_map(move |other| [one, other])).collect();
    log.extend_from_slice(b"\nNov 20 06:00:00 mx door: knock by \xff\xfe\n\0\0\0");
    log.extend_from_slice(format!("\n{KNOCK}").as_bytes());
    let output = test_filter(&log.repeat(10));
    let outcomes = outcomes(&output);
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "match").count(), 10);
    assert_eq!(outcomes.last().map(String::as_str), Some("match"));
}

#[test]
fn the_daemon_goes_on_and_names_a_pattern_that_was_stopped() {
    let env = Env::new("");
    fs::create_dir_all(env.path("etc/filter.d")).unwrap();
    fs::write(env.path("etc/filter.d/door.conf"), FILTER).unwrap();
    let jail = format!(
        "[door]\nenabled = true\nfilter = door\nbackend = polling\nmaxretry = 1\nlogpath = {}\n",
        env.path("log/door.log").display()
    );
    fs::write(env.path("etc/jail.conf"), jail).unwrap();
    env.configure(&format!("[fail2ban]\ndir = '{}'\n", env.path("etc").display()));
    let log = env.log("door.log");
    log.append("");
    let daemon = env.start();
    let date = env::written(Clock::System.now());
    log.append(&format!("{date} mx door: {} from 192.0.2.9\n", "a".repeat(60_000)).repeat(3));
    log.append(&format!("{date} mx door: knock by 192.0.2.7\n"));
    until("the lines are read", || env.get("/api/v1/bans").body.contains("192.0.2.7"));
    let metrics = env.get("/metrics").body;
    let expected = "banzone_patterns_stopped_total{jail=\"door\",pattern=\"failregex 2\"} 3";
    assert!(metrics.contains(expected), "{metrics}");
    let stopped = json!([{ "jail": "door", "pattern": "failregex 2", "lines": 3 }]);
    assert_eq!(env.get("/api/v1/status").json()["patterns_stopped"], stopped);
    let mut status = Command::new(env!("CARGO_BIN_EXE_banzone"));
    let messages = status.arg("-c").arg(env.config()).arg("status").output().unwrap().stderr;
    let messages = String::from_utf8(messages).unwrap();
    assert!(messages.starts_with("warning: jail door: failregex 2 was stopped on 3 lines"), "{messages}");
    until("the log says so", || daemon.messages().contains("failregex 2 was stopped on "));
    assert!(daemon.terminate().success());
}

/// Runs the filter over a log within the limits.
fn test_filter(log: &[u8]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("door.conf"), FILTER).unwrap();
    fs::write(path("log"), log).unwrap();
    let output = limited(&path("door.conf"), &path("log"));
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

fn limited(filter: &Path, log: &Path) -> Output {
    let limits = format!("ulimit -v {MEMORY} && exec timeout --signal=KILL {SECONDS} \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_banzone")]);
    command.args(["test-filter", "--json", "--raw", "--now", "2026-11-20T07:00:00Z", "--filter-file"]);
    command.arg(filter).arg(log).env("TZ", "UTC").output().unwrap()
}

/// What became of each line.
fn outcomes(output: &Output) -> Vec<String> {
    let lines = str::from_utf8(&output.stdout).unwrap().lines();
    let objects = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    objects.map(|object| object["outcome"].as_str().unwrap().to_owned()).collect()
}
