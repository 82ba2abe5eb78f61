//! fail2ban's own configuration: every filter and every jail that comes with it, read by banzone and by fail2ban itself,
//! must be the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use banzone::config::fail2ban::{Directory, filter_file};
use banzone::config::{self, Config};
use banzone::filter::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CONFIG, copy, is_installed};

const PYTHON: &str = "/usr/bin/python3";

/// What the filters that come with fail2ban are told by their samples.
const MODES: &[&str] =
    &["normal", "ddos", "extra", "aggressive", "auth", "more", "rbl", "errors", "dovecot", "sasl"];
const LOGTYPES: &[&str] = &["file", "short", "journal", "rfc5424"];

/// Asks fail2ban's readers: cases come in as JSON, what they make of each goes out.
const FILTERS: &str = r#"
import json, logging, sys
logging.disable(logging.CRITICAL)
from fail2ban.client.filterreader import FilterReader
shared = {}
def read(name, options, journal):
    reader = FilterReader(name, "jail", dict(options), basedir="/etc/fail2ban", share_config=shared)
    try:
        assert reader.read()
        reader.applyAutoOptions("systemd" if journal else "auto")
        reader.getOptions(None)
        return reader.convert()
    except Exception as failed:
        return None
json.dump([read(*case) for case in json.load(sys.stdin)], sys.stdout)
"#;

/// The same for the jails of the folder that is named.
const JAILS: &str = r#"
import json, logging, sys
logging.disable(logging.CRITICAL)
from fail2ban.client.jailsreader import JailsReader
reader = JailsReader(basedir=json.load(sys.stdin), share_config={})
reader.read()
reader.getOptions()
json.dump(reader.convert(allow_no_files=True), sys.stdout)
"#;

#[test]
fn every_filter_is_read_as_fail2ban_reads_it() {
    let cases = filter_cases();
    let Some(expected) = ask(FILTERS, &json!(cases)) else {
        return;
    };
    let mut wrong = Vec::new();
    for ((name, options, journal), expected) in cases.iter().zip(expected.as_array().unwrap()) {
        let path = Path::new(CONFIG).join(format!("filter.d/{name}.conf"));
        let found = filter_file(&path, options, *journal).ok().map(|loaded| patterns(&loaded.settings));
        let expected = expected.as_array().map(|commands| patterns_of(commands));
        if found != expected {
            wrong.push(format!(
                "{name} {options:?} {journal}:\n  banzone  {found:?}\n  fail2ban {expected:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 500, "only {} cases: are there no filters?", cases.len());
}

#[test]
fn every_jail_is_read_as_fail2ban_reads_it() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new(CONFIG), folder.path());
    let local = "[DEFAULT]\nenabled = true\nsystemd_if_nologs = false\n";
    fs::write(folder.path().join("jail.local"), local).unwrap();
    let commands = ask(JAILS, &json!(folder.path())).unwrap();
    let mut expected: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for command in commands.as_array().unwrap() {
        let name = if command[0] == "config-error" { continue } else { command[1].as_str().unwrap() };
        expected.entry(name).or_default().push(command.clone());
    }
    let jails = Directory::new(folder.path()).jails().unwrap();
    let names: Vec<_> = jails.enabled.iter().map(|jail| &*jail.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected.keys().copied().collect::<Vec<_>>());
    for jail in jails.enabled.iter().filter(|jail| !jail.counts_bans) {
        assert_eq!(patterns(&jail.filter), patterns_of(&expected[&*jail.name]), "{}", jail.name);
    }
    assert_eq!(names.len() - 1, jails.enabled.iter().filter(|jail| !jail.sources.is_empty()).count());
}

/// A configuration of banzone and one of fail2ban beside it.
fn load(main: &str) -> (Result<Config, String>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for name in ["f2b", "f2b/filter.d"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    write("banzone.toml", main);
    write("f2b/filter.d/web.conf", "[Definition]\nfailregex = ^<mode> <HOST>\nmode = a\n");
    write("f2b/filter.d/own.conf", "[Definition]\nfailregex = ^b <HOST>\n");
    write(
        "f2b/jail.local",
        "[DEFAULT]\nbackend = polling\naction = mail\nlogpath = /nowhere/log\n\
         [web]\nenabled = true\nfilter = web\n[off]\nfilter = web\n",
    );
    let prefix = format!("{}/", folder.path().display());
    let config = config::load(&folder.path().join("banzone.toml"));
    (config.map_err(|errors| errors.to_string().replace(&prefix, "")), folder)
}

#[test]
fn the_jails_of_both_run_side_by_side() {
    let zone = "[[zone]]\norigin = \"bl.example.\"\nns = [\"ns.example.\"]\n[[zone.publish]]\n";
    let main = "[fail2ban]\ndir = \"f2b\"\n[jail.mine]\nfilter = \"own\"\nlogpath = \"/nowhere/log\"\n\
                [jail.aggressive]\nfilter = \"web[mode=c]\"\nlogpath = \"/nowhere/log\"\n\
                [jail.path]\nfilter = \"f2b/filter.d/web.conf[mode=d]\"\nlogpath = \"/nowhere/log\"\n";
    let (config, folder) = load(&format!("{main}{zone}jails = [\"web\", \"off\", \"mine\"]\n"));
    let config = config.unwrap();
    let jails: Vec<_> =
        config.jails.iter().map(|jail| (&*jail.name, jail.filter.failregex.join(","))).collect();
    let expected = [
        ("aggressive", "^c <HOST>"),
        ("manual", ""),
        ("mine", "^b <HOST>"),
        ("path", "^d <HOST>"),
        ("web", "^a <HOST>"),
    ];
    assert_eq!(jails, expected.map(|(name, failregex)| (name, failregex.to_owned())));
    let notices: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("f2b/jail.local:3: `action` is accepted and ignored"), "{notices:?}");
    for name in ["f2b/jail.local", "f2b/filter.d/web.conf", "f2b/filter.d/own.conf"] {
        assert!(config.files.contains(&folder.path().join(name)), "{name}: {:?}", config.files);
    }
}

#[test]
fn what_is_wrong_between_the_two_is_named() {
    for (main, expected) in [
        (
            "[fail2ban]\ndir = \"f2b\"\n[jail.web]\nfilter = \"own\"\nlogpath = \"/nowhere/log\"\n",
            "f2b/jail.local:5: jail `web` is already defined in banzone.toml:3:1",
        ),
        ("[fail2ban]\ndir = \"none\"\n", "none: there is neither jail.conf nor jail.local"),
        (
            "[fail2ban]\ndir = \"f2b\"\n[jail.a]\nfilter = \"web[mode]\"\nlogpath = \"/nowhere/log\"\n",
            "banzone.toml:4:10: `mode` is not of the form OPTION=VALUE",
        ),
        (
            "[jail.a]\nfilter = \"none.conf\"\nlogpath = \"/nowhere/log\"\n",
            "banzone.toml:2:10: there is no such file",
        ),
    ] {
        let found = load(main).0.unwrap_err();
        assert!(found.contains(expected), "{found}");
    }
}

type Case = (String, Vec<(String, String)>, bool);

/// Every filter, with every mode it may have and every kind of line.
fn filter_cases() -> Vec<Case> {
    let entries = fs::read_dir(Path::new(CONFIG).join("filter.d")).into_iter().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".conf")?.to_owned()))
        .collect();
    names.sort();
    let mut cases = Vec::new();
    for name in names {
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        cases.push((name.clone(), Vec::new(), false));
        cases.push((name.clone(), Vec::new(), true));
        cases.extend(MODES.iter().map(|mode| (name.clone(), vec![option("mode", mode)], false)));
        cases.extend(LOGTYPES.iter().map(|logtype| (name.clone(), vec![option("logtype", logtype)], false)));
    }
    cases
}

/// What a filter finds, in the form of fail2ban's commands.
type Patterns = BTreeMap<&'static str, Vec<String>>;

fn patterns(settings: &Settings) -> Patterns {
    BTreeMap::from([
        ("prefregex", settings.prefregex.iter().cloned().collect()),
        ("addfailregex", settings.failregex.clone()),
        ("addignoreregex", settings.ignoreregex.clone()),
        ("datepattern", settings.datepattern.clone()),
        ("maxlines", vec![settings.maxlines.to_string()]),
    ])
}

fn patterns_of(commands: &[Value]) -> Patterns {
    let mut patterns = patterns(&Settings { maxlines: 1, ..Settings::default() });
    for command in commands {
        let Some(values) = command[2].as_str().and_then(|name| patterns.get_mut(name)) else {
            continue;
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match command[2].as_str().unwrap() {
            "addfailregex" | "addignoreregex" => match command[3].as_array() {
                Some(many) => values.extend(many.iter().map(text)),
                None => values.push(text(&command[3])),
            },
            "datepattern" => {
                let lines = text(&command[3]);
                *values = lines
                    .lines()
                    .map(|line| line.trim().to_owned())
                    .filter(|line| !line.is_empty())
                    .collect();
            }
            _ => *values = vec![text(&command[3])],
        }
    }
    patterns
}

/// What `script` answers; `None` if fail2ban is missing.
fn ask(script: &str, question: &Value) -> Option<Value> {
    if !is_installed() {
        return None;
    }
    let mut asked = Command::new(PYTHON)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    asked.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = asked.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
