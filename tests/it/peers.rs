//! Real programs against the real binary: Postfix, postscreen, Exim, Unbound, Rspamd, SpamAssassin, Pebble, Chromium, Schemathesis, dig and kdig, by the scripts in `tests/peers`.
//!
//! Each script runs in namespaces of its own and reports one line per check; `tests/peers/run` says how to run one by
//! hand. Where a script cannot run (no root, a program is missing) its test says so and passes, unless the variable
//! `BANZONE_PEERS` is `required`, as `tests/run` sets it.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The exit code of a script that cannot run here.
const SKIPPED: i32 = 77;

#[test]
fn postfix_refuses_whom_its_own_log_gets_banned() {
    run("postfix-login");
}

#[test]
fn postfix_understands_every_kind_of_listing() {
    run("postfix-list");
}

#[test]
fn postfix_refuses_senders_by_a_file_of_names() {
    run("postfix-names");
}

#[test]
fn postscreen_adds_up_the_codes() {
    run("postscreen");
}

#[test]
fn exim_refuses_clients_and_senders() {
    run("exim");
}

#[test]
fn a_resolver_that_asks_label_by_label_finds_every_listing() {
    run("unbound");
}

#[test]
fn rspamd_sets_symbols_and_finds_the_list_alive() {
    run("rspamd");
}

#[test]
fn spamassassin_finds_clients_and_shows_texts() {
    run("spamassassin");
}

#[test]
fn postfix_refuses_whom_two_organisations_report() {
    run("hub");
}

#[test]
fn an_authority_issues_the_certificate() {
    run("acme");
}

#[test]
fn a_browser_finds_its_way() {
    run("browser");
}

#[test]
fn the_api_answers_as_it_is_described() {
    run("schemathesis");
}

#[test]
fn dig_reads_every_answer() {
    run("dig");
}

#[test]
fn a_report_counts_only_when_complete_and_without_failures() {
    let holds = |report| verdict(report).is_ok();
    assert!(holds("ok - one\nok - two\n1..2\n"));
    assert!(!holds("ok - one\nnot ok - two\n    transcript\n1..2\n"));
    assert!(!holds("ok - one\n1..2\n"));
    assert!(!holds("ok - one\nok - two\n"));
    assert!(!holds("1..0\n"));
    assert!(!holds("ok - one\nBail out! no server\n"));
    assert!(!holds(""));
}

/// Whether a program that a test needs is there. Where it is not, the test is skipped with a notice, or fails if it must
/// not be skipped.
pub fn present(what: &str, is_there: bool, package: &str) -> bool {
    if !is_there {
        assert!(!is_required(), "{what}: install {package} (Debian's name) or let tests/run do it");
        notice(&format!("skipped {what}: install {package} (Debian's name) or let tests/run do it\n"));
    }
    is_there
}

/// Whether a test against a real program that cannot run is a failure.
fn is_required() -> bool {
    env::var("BANZONE_PEERS").is_ok_and(|value| value == "required")
}

/// Writes past the test harness, which shows no output of a test that passes.
fn notice(text: &str) {
    io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Runs one script and fails with its report when a check of it failed.
fn run(name: &str) {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/run"))
        .args([name, env!("CARGO_BIN_EXE_banzone")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let messages = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) && !is_required() {
        notice(&format!("skipped {name}: {messages}"));
        return;
    }
    let verdict = verdict(&report).and_then(|()| match output.status.success() {
        true => Ok(()),
        false => Err(output.status.to_string()),
    });
    if let Err(reason) = verdict {
        panic!("{name}: {reason}\n{report}{messages}");
    }
}

/// Whether a report is complete and every check in it held; if not, what is wrong.
fn verdict(report: &str) -> Result<(), String> {
    let failed: Vec<_> = report.lines().filter_map(|line| line.strip_prefix("not ok - ")).collect();
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join("; ")));
    }
    let held = report.lines().filter(|line| line.starts_with("ok - ")).count();
    let announced = report.lines().last().and_then(|line| line.strip_prefix("1.."));
    match announced.and_then(|count| count.parse::<usize>().ok()) {
        Some(count) if held == count && held > 0 => Ok(()),
        _ => Err(format!("the script ended early, after {held} checks")),
    }
}
