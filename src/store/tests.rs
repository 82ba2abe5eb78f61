//! What the store keeps, gives back, forgets and refuses.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{Active, Counter, Effects, Offender, Remembered};
use crate::source::{Fingerprint, Position};

const DAY: Duration = Duration::from_secs(86_400);

fn settings(folder: &TempDir) -> Settings {
    Settings {
        path: folder.path().join("banzone.db"),
        evidence_retention: DAY * 30,
        history_retention: DAY * 365,
    }
}

fn open(settings: &Settings) -> Store {
    Store::open(settings, at(1_000)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn ban(text: &str, since: i64) -> Ban {
    Ban {
        prefix: prefix(text),
        jail: "sasl".into(),
        since: at(since),
        until: Some(at(since + 600)),
        first: Some(at(since - 4)),
        origin: Origin::Order("root".into()),
        failures: 3,
        count: 1,
        evidence: vec!["one".into(), "two".into()],
    }
}

fn work(changes: Vec<Change>) -> Work {
    Work { effects: Effects { changes, ..Effects::default() }, ..Work::default() }
}

fn unban(text: &str, second: i64, cause: EndCause) -> Change {
    Change::Unbanned { prefix: prefix(text), jail: "sasl".into(), at: at(second), cause }
}

fn position(offset: u64) -> Position {
    Position {
        source: "/var/log/mail.log".into(),
        path: "/var/log/mail.log".into(),
        device: u64::MAX,
        inode: 7,
        offset,
        fingerprint: Fingerprint { length: 256, hash: u64::MAX - 1 },
        finished: false,
    }
}

fn in_force(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    store
        .bans_in_force(|jail, prefix, active, _| found.push(format!("{jail} {prefix} {:?}", active.until)))
        .unwrap();
    found.sort();
    found
}

#[test]
fn a_restart_takes_up_what_was_committed() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let counter = Counter {
        first: at(1),
        last: at(2),
        retry: 2,
        failures: 2,
        lines: ["naïve \u{0} line"].iter().collect(),
    };
    let allow = Allow {
        prefix: prefix("198.51.100.0/24"),
        note: "office".into(),
        owner: "alice".into(),
        since: at(3),
        until: None,
    };
    let mut effects = Effects::default();
    effects.counters.push(("sasl".into(), prefix("2001:db8::/64"), Some(counter.clone())));
    effects.counters.push(("sasl".into(), prefix("192.0.2.9"), None));
    effects.failures.insert(("sasl".into(), at(3600), prefix("192.0.2.1")), 5);
    effects.changes = vec![Change::Banned(ban("192.0.2.1", 10)), Change::Allowed(allow.clone())];
    let work = Work { positions: vec![position(99)], effects, ..Work::default() };
    let recorded = store.commit(&[work]).unwrap();
    assert_eq!(recorded.iter().map(|recorded| recorded.number).collect::<Vec<_>>(), [1, 2]);
    drop(store);

    let store = open(&settings);
    let kept = store.kept().unwrap();
    assert_eq!(kept.positions, [position(99)]);
    assert_eq!(kept.counters, [("sasl".into(), prefix("2001:db8::/64"), counter)]);
    assert_eq!(kept.totals, [(Arc::<str>::from("sasl"), 5, 1)]);
    assert_eq!(kept.allowlist, [allow]);
    assert_eq!(kept.offenders, [], "a ban in force speaks for itself");
    assert_eq!(in_force(&store), ["sasl 192.0.2.1 Some(1970-01-01T00:10:10Z)"]);
    assert_eq!((store.last_number(), store.serial_base()), (2, 1_000));
}

#[test]
fn failures_add_up_by_jail_and_hour_and_day() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let failed = |counts: &[(&str, i64, &str, u32)]| {
        let counts = counts
            .iter()
            .map(|(jail, hour, address, count)| (((*jail).into(), at(hour * 3600), prefix(address)), *count));
        let failures = counts.collect();
        Work { effects: Effects { failures, ..Effects::default() }, ..Work::default() }
    };
    let mut first = failed(&[
        ("sasl", 1, "192.0.2.1", 1),
        ("sasl", 2, "192.0.2.1", 2),
        ("sasl", 2, "2001:db8::/64", 4),
        ("sasl", 25, "192.0.2.1", 8),
        ("ftp", 2, "192.0.2.1", 16),
    ]);
    let bans = [("192.0.2.1", 7201), ("192.0.2.2", 7202), ("192.0.2.3", 14400)];
    first.effects.changes = bans.map(|(address, since)| Change::Banned(ban(address, since))).into();
    store.commit(&[first, failed(&[("sasl", 2, "192.0.2.1", 32)])]).unwrap();
    store.commit(&[failed(&[("sasl", 2, "192.0.2.1", u32::MAX), ("sasl", 3, "192.0.2.1", 1)])]).unwrap();

    let many = i64::from(u32::MAX);
    let totals = "SELECT name, 0, total_banned, total_failed FROM jails";
    assert_eq!(counts(&settings.path, totals), [("ftp".into(), 0, 0, 16), ("sasl".into(), 0, 3, 48 + many)]);
    let by_hour = "SELECT name, hour / 3600000, bans, failures FROM failures_by_hour JOIN jails ON id = jail";
    assert_eq!(
        counts(&settings.path, by_hour),
        [
            ("ftp".into(), 2, 0, 16),
            ("sasl".into(), 1, 0, 1),
            ("sasl".into(), 2, 2, 38 + many),
            ("sasl".into(), 3, 0, 1),
            ("sasl".into(), 4, 1, 0),
            ("sasl".into(), 25, 0, 8),
        ]
    );
    let by_day = "SELECT name, day / 86400000, length, failures FROM failures_by_day JOIN jails ON id = jail";
    assert_eq!(
        counts(&settings.path, by_day),
        [
            ("ftp".into(), 0, 128, 16),
            ("sasl".into(), 0, 64, 4),
            ("sasl".into(), 0, 128, 36 + many),
            ("sasl".into(), 1, 128, 8),
        ]
    );
}

/// The rows of a query in order: a name and three numbers.
fn counts(path: &Path, query: &str) -> Vec<(String, i64, i64, i64)> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(&format!("{query} ORDER BY 1, 2, 3")).unwrap();
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn what_differs_later_takes_the_place_of_what_was_kept() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let (sasl, ftp): (Arc<str>, Arc<str>) = ("sasl".into(), "ftp".into());
    let address = prefix("192.0.2.1");
    let counter = |second: i64, lines: &[&str]| Counter {
        first: at(second),
        last: at(second + 1),
        retry: second as u32 + 2,
        failures: second as u32 + 3,
        lines: lines.iter().map(|line| Arc::from(*line)).collect(),
    };
    let offender =
        |count: u32| Offender::of(Active { since: at(count.into()), until: Some(at(1000)) }, count);
    let remembered = |value: Option<&str>| Remembered {
        source: "mail.log".into(),
        jail: sasl.clone(),
        key: "a".into(),
        value: value.map(str::to_owned),
    };
    let mut first = Work { remembered: vec![remembered(Some("one"))], ..Work::default() };
    first.effects.counters = vec![
        (sasl.clone(), prefix("192.0.2.2"), Some(counter(1, &["gone"]))),
        (ftp.clone(), address, Some(counter(2, &["stays"]))),
        (sasl.clone(), address, Some(counter(3, &["old", "\"quoted\""]))),
    ];
    first.effects.remembered = vec![(sasl.clone(), address, offender(1))];
    let mut second = Work { remembered: vec![remembered(Some("two"))], ..Work::default() };
    second.effects.counters = vec![
        (sasl.clone(), prefix("192.0.2.2"), None),
        (sasl.clone(), address, Some(counter(10, &["old", "new"]))),
    ];
    second.effects.remembered = vec![(sasl.clone(), address, offender(2))];
    store.commit(&[first]).unwrap();
    store.commit(&[second]).unwrap();

    let mut kept = store.kept().unwrap();
    kept.counters.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let expected =
        [(ftp, address, counter(2, &["stays"])), (sasl.clone(), address, counter(10, &["old", "new"]))];
    assert_eq!(kept.counters, expected);
    assert_eq!(kept.offenders, [(sasl.clone(), address, offender(2))]);
    assert_eq!(kept.remembered, [remembered(Some("two"))]);
}

#[test]
fn history_tells_every_ban_with_its_evidence_and_its_end() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let extended = Change::Extended {
        prefix: prefix("192.0.2.1"),
        jail: "sasl".into(),
        at: at(20),
        until: Some(at(700)),
    };
    store.commit(&[work(vec![Change::Banned(ban("192.0.2.1", 10)), extended])]).unwrap();
    store.commit(&[work(vec![unban("192.0.2.1", 700, EndCause::Expired)])]).unwrap();
    let again = Ban { count: 2, evidence: vec!["three".into()], ..ban("192.0.2.1", 800) };
    store.commit(&[work(vec![Change::Banned(again)])]).unwrap();

    let reader = Reader::open(&settings.path).unwrap();
    let history = reader.history(prefix("192.0.2.1"), |_| true).unwrap();
    let told: Vec<_> =
        history.iter().map(|past| (past.ban.count, past.ban.evidence.len(), past.cause.clone())).collect();
    assert_eq!(told, [(2, 1, None), (1, 2, Some(EndCause::Expired))]);
    assert_eq!(history[1].ban.until, Some(at(700)));
}

#[test]
fn a_ban_in_force_is_told_however_many_are_over() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let mut changes = vec![Change::Banned(Ban { jail: "recidive".into(), ..ban("192.0.2.1", 10) })];
    for second in (100..).step_by(10).take(150) {
        changes.push(Change::Banned(ban("192.0.2.1", second)));
        changes.push(unban("192.0.2.1", second + 5, EndCause::Expired));
    }
    store.commit(&[work(changes)]).unwrap();
    let reader = Reader::open(&settings.path).unwrap();
    let history = reader.history(prefix("192.0.2.1"), |_| true).unwrap();
    assert_eq!((history.len(), &*history[0].ban.jail, history[0].ended), (101, "recidive", None));
    let own = reader.history(prefix("192.0.2.1"), |jail| jail == "recidive").unwrap();
    assert_eq!(own.len(), 1);
}

#[test]
fn the_last_of_many_ends_of_a_ban_is_kept() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let extended = |second: i64, until: i64| Change::Extended {
        prefix: prefix("192.0.2.1"),
        jail: "sasl".into(),
        at: at(second),
        until: Some(at(until)),
    };
    let changes = vec![
        Change::Banned(ban("192.0.2.1", 10)),
        extended(20, 700),
        extended(30, 800),
        unban("192.0.2.1", 800, EndCause::Expired),
        Change::Banned(Ban { count: 2, ..ban("192.0.2.1", 900) }),
        extended(910, 1900),
        extended(920, 2000),
    ];
    assert_eq!(store.commit(&[work(changes)]).unwrap().len(), 7);
    let history = Reader::open(&settings.path).unwrap().history(prefix("192.0.2.1"), |_| true).unwrap();
    let ends: Vec<_> = history.iter().map(|past| (past.ban.until, past.ended)).collect();
    assert_eq!(ends, [(Some(at(2000)), None), (Some(at(800)), Some(at(800)))]);
    let active = Active { since: at(900), until: Some(at(2000)) };
    assert_eq!(
        store.kept().unwrap().offenders,
        [("sasl".into(), prefix("192.0.2.1"), Offender::of(active, 2))]
    );
}

#[test]
fn an_offender_is_remembered_until_pardoned_and_longer_when_prolonged() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let prolonged = Change::Extended {
        prefix: prefix("192.0.2.1"),
        jail: "sasl".into(),
        at: at(20),
        until: Some(at(1010)),
    };
    let bans = ["192.0.2.1", "192.0.2.2"].map(|address| Change::Banned(ban(address, 10)));
    let mut first = work(bans.into());
    first.effects.changes.push(prolonged);
    let mut second = work(vec![unban("192.0.2.1", 1010, EndCause::Expired)]);
    second.effects.forgiven = vec![("sasl".into(), prefix("192.0.2.2"))];
    store.commit(&[first, second]).unwrap();
    let offenders = store.kept().unwrap().offenders;
    let active = Active { since: at(10), until: Some(at(1010)) };
    assert_eq!(offenders, [("sasl".into(), prefix("192.0.2.1"), Offender::of(active, 1))]);
}

#[test]
fn a_ban_that_is_over_leaves_an_offender_unless_pardoned() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let bans = ["192.0.2.1", "192.0.2.2"].map(|address| Change::Banned(Ban { count: 3, ..ban(address, 10) }));
    let mut second = work(vec![
        unban("192.0.2.1", 610, EndCause::Expired),
        unban("192.0.2.2", 610, EndCause::Order("root".into())),
    ]);
    second.effects.forgiven = vec![("sasl".into(), prefix("192.0.2.2"))];
    store.commit(&[work(bans.into()), second]).unwrap();
    let active = Active { since: at(10), until: Some(at(610)) };
    let expected = [("sasl".into(), prefix("192.0.2.1"), Offender::of(active, 3))];
    assert_eq!(store.kept().unwrap().offenders, expected);
}

#[test]
fn a_new_ban_alone_says_how_often_after_a_restart() {
    let banned = |count, since| Change::Banned(Ban { count, ..ban("192.0.2.1", since) });
    let extended = Change::Extended {
        prefix: prefix("192.0.2.1"),
        jail: "sasl".into(),
        at: at(90_100),
        until: Some(at(90_900)),
    };
    for (then, end) in [
        (vec![], at(90_600)),
        (vec![extended.clone()], at(90_900)),
        (vec![unban("192.0.2.1", 90_600, EndCause::Expired)], at(90_600)),
        (vec![extended, unban("192.0.2.1", 90_900, EndCause::Expired)], at(90_900)),
    ] {
        let folder = TempDir::new().unwrap();
        let mut store = open(&settings(&folder));
        // The five bans are forgotten before they are out of the table.
        let before = vec![banned(5, 10), unban("192.0.2.1", 610, EndCause::Expired)];
        store.commit(&[work(before), work(vec![banned(1, 90_000)]), work(then.clone())]).unwrap();
        store.retain(at(90_950)).unwrap();
        drop(store);
        let known = known(&open(&settings(&folder)));
        let active = Active { since: at(90_000), until: Some(end) };
        assert!(
            !known.is_empty() && known.iter().all(|one| *one == Offender::of(active, 1)),
            "{then:?}: {known:?}"
        );
    }
}

/// What the bans in force and the offenders that are kept say, one after the other.
fn known(store: &Store) -> Vec<Offender> {
    let mut known = Vec::new();
    store.bans_in_force(|_, _, active, count| known.push(Offender::of(active, count))).unwrap();
    known.extend(store.kept().unwrap().offenders.into_iter().map(|(.., offender)| offender));
    known
}

#[test]
fn a_failed_commit_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    // The same ban twice breaks a rule of the table.
    let twice = vec![Change::Banned(ban("192.0.2.1", 10)), Change::Banned(ban("192.0.2.1", 11))];
    let failing = Work { positions: vec![position(5)], ..work(twice) };
    assert!(store.commit(&[work(vec![Change::Banned(ban("192.0.2.3", 10))]), failing]).is_err());
    assert_eq!(in_force(&store), [""; 0]);
    assert_eq!(store.kept().unwrap().positions, []);
    let recorded = store.commit(&[work(vec![Change::Banned(ban("192.0.2.2", 10))])]).unwrap();
    assert_eq!(recorded[0].number, 1);
}

#[test]
fn a_finished_file_is_forgotten() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let read = Work { positions: vec![position(5)], ..Work::default() };
    let gone = Work { positions: vec![Position { finished: true, ..position(9) }], ..Work::default() };
    store.commit(&[read]).unwrap();
    assert_eq!(store.kept().unwrap().positions.len(), 1);
    store.commit(&[gone]).unwrap();
    assert_eq!(store.kept().unwrap().positions, []);
}

#[test]
fn what_is_old_enough_goes_and_the_numbers_go_on() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let changes = vec![Change::Banned(ban("192.0.2.1", 10)), unban("192.0.2.1", 610, EndCause::Expired)];
    store.commit(&[work(changes)]).unwrap();
    let count = |table: &str| -> i64 {
        let connection = Connection::open(&settings.path).unwrap();
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let counts = || ["evidence", "bans", "offenders", "changes"].map(count);
    assert!(!store.retain(at(0) + DAY * 29).unwrap());
    assert_eq!(counts(), [2, 1, 0, 2]);
    store.retain(at(0) + DAY * 31).unwrap();
    assert_eq!(counts(), [0, 1, 0, 2]);
    store.retain(at(0) + DAY * 366).unwrap();
    assert_eq!(counts(), [0, 0, 0, 1]);
    drop(store);
    assert_eq!(open(&settings).last_number(), 2);
}

fn refusal(settings: &Settings) -> String {
    Store::open(settings, at(1)).unwrap_err().to_string()
}

fn execute(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_database_that_cannot_be_used_is_refused_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let held = open(&settings);
    assert!(refusal(&settings).contains("another banzone is using this database"));
    drop(held);

    execute(&settings.path, "PRAGMA user_version = 999");
    assert!(refusal(&settings).contains("has version 999, this banzone knows up to"));

    let other = Settings { path: folder.path().join("other.db"), ..settings.clone() };
    execute(&other.path, "CREATE TABLE theirs (x)");
    assert!(refusal(&other).contains("another program"));

    std::fs::write(&other.path, "not a database, but long enough to be looked at".repeat(100)).unwrap();
    assert!(refusal(&other).contains("damaged"), "{}", refusal(&other));

    let nowhere = Settings { path: folder.path().join("no/such/folder.db"), ..settings };
    assert!(refusal(&nowhere).contains("the folder must exist"), "{}", refusal(&nowhere));
}

#[test]
fn a_damaged_page_is_found_at_the_start() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let many = (0..200u32).map(|n| Change::Banned(ban(&format!("192.0.2.{n}"), 10))).collect();
    store.commit(&[work(many)]).unwrap();
    drop(store);
    let mut bytes = std::fs::read(&settings.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&settings.path, bytes).unwrap();
    assert!(refusal(&settings).contains("damaged"), "{}", refusal(&settings));
}

#[test]
fn a_lock_held_elsewhere_passes() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    store.connection().busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(&settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(&[work(vec![Change::Banned(ban("192.0.2.1", 10))])]).unwrap_err();
    assert!(error.to_string().contains("locked by another program"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(&[work(vec![Change::Banned(ban("192.0.2.1", 10))])]).unwrap();
    assert_eq!(in_force(&store).len(), 1);
}

#[test]
fn many_bans_are_all_read_or_end_with_whoever_takes_them() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let hosts = (0..40_000_u32).map(|number| Ipv4Addr::from_bits(number * 100_003).to_string());
    let bans: Vec<Change> = hosts.map(|host| Change::Banned(ban(&host, 10))).collect();
    store.commit(&[work(bans)]).unwrap();
    let mut found = HashSet::new();
    store.bans_in_force(|_, prefix, _, _| assert!(found.insert(prefix))).unwrap();
    assert_eq!(found.len(), 40_000);
    let panics = || store.bans_in_force(|_, _, _, _| panic!("as asked"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err(), "nobody waits for ever");
}

#[test]
fn an_active_ban_is_read_with_its_times() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let forever = Ban { until: None, ..ban("2001:db8::/48", 10) };
    store.commit(&[work(vec![Change::Banned(forever)])]).unwrap();
    let mut found = Vec::new();
    store.bans_in_force(|_, prefix, active, _| found.push((prefix, active))).unwrap();
    assert_eq!(found, [(prefix("2001:db8::/48"), Active { since: at(10), until: None })]);
}

#[test]
fn what_another_program_knew_of_an_offender_stays_known() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    let (jail, address): (Arc<str>, _) = ("sasl".into(), prefix("192.0.2.1"));
    let prolonged =
        Change::Extended { prefix: address, jail: jail.clone(), at: at(20), until: Some(at(1010)) };
    let active = Active { since: at(10), until: Some(at(20)) };
    let mut first = work(vec![Change::Banned(ban("192.0.2.1", 10))]);
    first.effects.remembered = vec![
        (jail.clone(), address, Offender::of(active, 5)),
        (jail.clone(), prefix("192.0.2.2"), Offender::of(active, 2)),
    ];
    store.commit(&[first, work(vec![prolonged])]).unwrap();
    let counts: Vec<u32> =
        store.kept().unwrap().offenders.iter().map(|(.., offender)| offender.count).collect();
    assert_eq!(counts, [5, 2]);
}

#[test]
fn what_is_written_beside_is_all_there_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let mut store = open(&settings);
    let token = |id: &str| TokenRow {
        id: id.to_owned(),
        name: "ci".to_owned(),
        hash: [7; 32],
        granted: "{}".to_owned(),
        created: at(1),
        until: None,
        used: None,
    };
    let count = |store: &mut Store| store.write(|transaction| transaction.count_tokens()).unwrap();
    let twice = store.write(|transaction| {
        transaction.insert_token(&token("a"))?;
        transaction.insert_token(&token("a"))
    });
    assert!(matches!(twice, Err(Error::Sqlite { .. })), "{twice:?}");
    assert_eq!(count(&mut store), 0);
    store.write(|transaction| transaction.insert_token(&token("b"))).unwrap();
    drop(store);
    assert_eq!(count(&mut open(&settings)), 1);
    assert_eq!(Reader::open(&settings.path).unwrap().token("b").unwrap(), Some(token("b")));
}

#[test]
fn tokens_that_ended_long_ago_go() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&settings(&folder));
    for (id, until) in [("never", None), ("late", Some(at(1_000))), ("early", Some(at(0)))] {
        let row = TokenRow {
            id: id.to_owned(),
            name: id.to_owned(),
            hash: [7; 32],
            granted: "{}".to_owned(),
            created: at(0),
            until,
            used: None,
        };
        store.write(|transaction| transaction.insert_token(&row)).unwrap();
    }
    store.retain(at(1_000) + DAY * 90).unwrap();
    let left = Reader::open(store.path()).unwrap().tokens(10).unwrap();
    assert_eq!(left.iter().map(|token| &*token.id).collect::<Vec<_>>(), ["late", "never"]);
}
