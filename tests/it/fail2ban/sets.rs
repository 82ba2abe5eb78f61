//! Small configurations of fail2ban's in `tests/data/fail2ban`, each with what must come of it in `expected`.
//!
//! Those in `good` have a log, and `expected` is what `banzone replay` bans; those in `bad` are refused by `banzone check`
//! with the messages in `expected`, which stand there without the folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::copy;

#[test]
fn good_configurations_find_what_they_should() {
    check("good", |set| {
        let log = set.join("log");
        let output = banzone(set, &["replay", "--now", "2026-11-20T07:00:00Z", log.to_str().unwrap()]);
        assert!(output.status.success(), "{}: {}", set.display(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    });
}

#[test]
fn bad_configurations_are_refused_with_their_place() {
    check("bad", |set| {
        let output = banzone(set, &["check"]);
        assert_eq!(output.status.code(), Some(1), "{} is accepted", set.display());
        let messages = String::from_utf8(output.stderr).unwrap();
        messages.lines().filter(|line| !is_by_the_way(line)).map(|line| format!("{line}\n")).collect()
    });
}

/// Holds what `run` makes of each set of a kind against what it should. It works on a copy, as a configuration names its
/// own folder.
fn check(kind: &str, run: impl Fn(&Path) -> String) {
    let sets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fail2ban").join(kind);
    let mut wrong = Vec::new();
    for set in fs::read_dir(sets).unwrap().map(|entry| entry.unwrap().path()) {
        let folder = tempfile::tempdir().unwrap();
        copy(&set, folder.path());
        let found = run(folder.path()).replace(&format!("{}/", folder.path().display()), "");
        if found != fs::read_to_string(set.join("expected")).unwrap_or_default() {
            wrong.push(format!("{}:\n{found}", set.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What does not make a configuration wrong, and how many errors there are.
fn is_by_the_way(line: &str) -> bool {
    line.starts_with("notice: ") || line.starts_with("warning: ") || line.contains("banzone.toml: ")
}

fn banzone(set: &Path, arguments: &[&str]) -> Output {
    let config = set.join("banzone.toml");
    fs::write(&config, format!("[fail2ban]\ndir = '{}'\n", set.display())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
    command.arg("--config").arg(config).args(arguments).env("TZ", "UTC").output().unwrap()
}
