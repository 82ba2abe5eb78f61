//! Reports: a made-up log of two weeks goes through jails and store, and comes out in every format as `tests/data/report` has
//! it; and the command asks the running daemon.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::config;
use banzone::filter::Pace;
use banzone::jail::{Effects, Jails, Lines, Readers};
use banzone::list::Rule;
use banzone::report::{Asked, Day, Figures, Format, Geo, Length, Period, Publishing, Settings, gather};
use banzone::source::read_once;
use banzone::store::{self, Reader, Store, Work};
use tempfile::TempDir;

use crate::env::{Env, SASL, failure, until};

/// In the week behind the log; a Thursday.
const NOW: &str = "2026-11-26";

/// Writes the files that reports are compared with anew: look at what changed before you commit it.
const BLESS: &str = "BANZONE_BLESS";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report").join(name)
}

fn now() -> Timestamp {
    NOW.parse::<Day>().unwrap().start() + Duration::from_secs(8 * 3600)
}

/// A database with what the log does to two jails, and with answers of DNS.
fn replayed() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("banzone.db");
    let month = Duration::from_secs(30 * 86_400);
    let settings =
        store::Settings { path: path.clone(), evidence_retention: month, history_retention: month };
    let start = "2026-11-09".parse::<Day>().unwrap().start();
    let mut store = Store::open(&settings, start).unwrap();
    store.commit(&[replay(folder.path())]).unwrap();
    let answers = [("198.51.100.7", 41), ("198.51.100.8", 7), ("2001:db8:1:2::1", 3)];
    for (day, factor) in [(3, 1), (10, 2)] {
        let answers = answers.map(|(prefix, answers)| (prefix.parse().unwrap(), answers * factor));
        store.asked(&answers, 60 * factor, start + Duration::from_secs(day * 86_400)).unwrap();
    }
    (folder, path)
}

fn replay(folder: &Path) -> Work {
    let log = data("mail.log");
    let jail = "logpath = 'mail.log'\nmaxretry = 3\nbantime = '2h'\n";
    let filters = Path::new(env!("CARGO_MANIFEST_DIR")).join("filters");
    let text =
        format!("filters = ['{}']\n[jail.dovecot]\n{jail}[jail.postfix-sasl]\n{jail}", filters.display());
    let config = folder.join("banzone.toml");
    fs::write(&config, text).unwrap();
    let mut settings = config::load(&config).unwrap().jails;
    settings.retain(|jail| !jail.sources.is_empty());
    let mut readers = Readers::new(&settings, now()).unwrap();
    let source = Arc::clone(&settings[0].sources[0].path);
    let mut jails = Jails::new(settings, [].into_iter().collect(), [].into_iter().collect(), 1);
    let (log, mut effects) = (read_once(&log).unwrap(), Effects::default());
    let reader = readers.get_mut(&source).unwrap();
    for batch in log {
        let batch = batch.unwrap();
        let lines = Lines { text: batch.text(), spans: batch.spans(), times: &[] };
        reader.read(lines, Pace::Replaying { before: now() }, |jail, found, now| {
            jails.expire(now, &mut effects);
            jails.found(jail, found, now, &mut effects);
        });
    }
    jails.finish(&mut effects);
    Work { effects, ..Work::default() }
}

fn figures(database: &Path, period: Period, jail: Option<&str>) -> Figures {
    let rule =
        |jail: &str, code: [u8; 4]| Rule { jails: vec![jail.into()], code: code.into(), sublist: None };
    let zones = [Publishing {
        zone: "bl.example.".into(),
        rules: vec![rule("dovecot", [127, 0, 0, 3]), rule("*", [127, 0, 0, 4])],
        sublists: vec![Some("imap".into()), None],
    }];
    let places = Settings {
        countries: vec![data("geoip"), data("geoip6"), "/nowhere/countries.mmdb".into()],
        networks: vec![data("places.mmdb")],
    };
    let asked = Asked { period, jail: jail.map(str::to_owned), top: 5 };
    gather(&Reader::open(database).unwrap(), &asked, &zones, &Geo::open(&places), now()).unwrap()
}

fn week() -> Period {
    Period::last(Length::Week, NOW.parse().unwrap())
}

#[test]
fn every_format_tells_the_week() {
    let (_folder, database) = replayed();
    let figures = figures(&database, week(), None);
    for name in Format::names() {
        let written = name.parse::<Format>().unwrap().write(&figures);
        // The version is another one in each release.
        let written = written.replace(concat!("banzone ", env!("CARGO_PKG_VERSION")), "banzone VERSION");
        let path = data("week").with_extension(name);
        if std::env::var_os(BLESS).is_some() {
            fs::write(&path, &written).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        assert!(
            written == expected,
            "{} differs; where the new report is right, {BLESS}=1 cargo test reports:: writes it. It is:\n{written}",
            path.display()
        );
    }
}

#[test]
fn figures_come_back_as_they_were_sent() {
    let (_folder, database) = replayed();
    let figures = figures(&database, week(), Some("dovecot"));
    assert_eq!(serde_json::from_str::<Figures>(&Format::Json.write(&figures)).unwrap(), figures);
}

/// What the log itself says, counted without banzone.
#[test]
fn the_sums_are_those_of_the_log() {
    let (_folder, database) = replayed();
    let figures = figures(&database, week(), None);
    let log = fs::read_to_string(data("mail.log")).unwrap();
    let in_week = |line: &&str| ("2026-11-16".."2026-11-23").contains(&&line[..10]) && line.contains("auth");
    let mut by_address: BTreeMap<&str, u64> = BTreeMap::new();
    let mut all = 0;
    for line in log.lines().filter(in_week) {
        let behind = line.split_once("rip=").map(|(_, rest)| rest.split(',').next().unwrap());
        let address = behind.unwrap_or_else(|| line.split(['[', ']']).nth(3).unwrap());
        *by_address.entry(address).or_default() += 1;
        all += 1;
    }
    assert_eq!(figures.totals.failures.now, all);
    for row in &figures.addresses.rows {
        assert_eq!(by_address[&*row.name], row.count.now, "{}", row.name);
    }
    let most = by_address.values().max().unwrap();
    assert_eq!(figures.addresses.rows[0].count.now, *most);
    let shown: u64 = figures.addresses.rows.iter().map(|row| row.count.now).sum();
    assert_eq!(shown + figures.addresses.others, all);
    assert_eq!(figures.course.failures.iter().map(|step| step.now).sum::<u64>(), all);
    assert_eq!(figures.jails.iter().map(|jail| jail.failures.now).sum::<u64>(), all);
    assert_eq!(figures.waits.iter().map(|wait| wait.bans.now).sum::<u64>(), figures.totals.bans.now);
}

/// What strangers sent is text in a page, and no name of a user is in any format.
#[test]
fn nothing_that_strangers_sent_is_markup() {
    let (_folder, database) = replayed();
    let figures = figures(&database, week(), Some("<img src=x>"));
    for name in Format::names() {
        let written = name.parse::<Format>().unwrap().write(&figures);
        assert!(!written.contains("alice") && !written.contains("alert("), "{name}");
        assert!(name != "html" || !written.contains("<img"), "{written}");
    }
    let html = Format::Html.write(&self::figures(&database, week(), None));
    for outside in ["<script", "src=", "href=", "url(", "@import", " style=", " onload="] {
        assert!(!html.contains(outside), "{outside}");
    }
}

/// What the command writes.
fn report(env: &Env, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
    let output = command.arg("--config").arg(env.config()).arg("report").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_asks_the_daemon() {
    let env = Env::new(SASL);
    let daemon = env.start();
    for _ in 0..3 {
        env.log("mail.log").append(&failure("198.51.100.7"));
    }
    until("the ban is answered", || daemon.lists("198.51.100.7"));
    let today = Day::of(banzone::clock::Clock::System.now());
    let run = |args: &[&str]| report(&env, args);
    let since = today.plus(-1).to_string();
    let text = run(&["--since", &since]);
    assert!(text.contains("Failures") && text.contains("198.51.100.7") && text.contains("so far"), "{text}");
    let json: Figures = serde_json::from_str(&run(&["--since", &since, "--json"])).unwrap();
    assert_eq!((json.totals.failures.now, json.totals.bans.now), (3, 1));
    assert!(json.totals.again.now == 0 && json.period.days() == 2);
    let html = env.path("report.html");
    assert_eq!(run(&["--period", "week", "-f", "html", "-o", html.to_str().unwrap()]), "");
    assert!(fs::read_to_string(html).unwrap().starts_with("<!doctype html>"));
    for (query, status) in [
        ("from=2026-11-02&until=2026-11-02", 422),
        ("from=2020-11-02&until=2026-11-02", 422),
        ("from=2026-11-02", 400),
        ("from=yesterday&until=2026-11-02", 400),
        ("from=2026-11-02&until=2026-11-03&jail=nobody", 404),
        ("from=2026-11-02&until=2026-11-03&jail=postfix-sasl&top=250", 200),
        ("from=2026-11-02&until=2026-11-03&jail=postfix-sasl&top=251", 422),
    ] {
        assert_eq!(env.get(&format!("/api/v1/figures?{query}")).status, status, "{query}");
    }
}
