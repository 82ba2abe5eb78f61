//! Reports through the jails: what is listed, what is not, what is held back, and what is written.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ip::PrefixSet;
use crate::jail::{BanOrder, Change, Effects, EndCause, Jails, Order, Refusal, ReporterOrder, Settings};

const DAY: i64 = 86_400;
const HALF_LIFE: Duration = Duration::from_secs(DAY as u64);
const SHARED: &str = "shared";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_000 * DAY + seconds)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn settings(guard: GuardSettings) -> Settings {
    let consensus = Consensus { threshold: 1.5, half_life: HALF_LIFE };
    let reports = Some(ReportSettings { consensus, trust: 1.0, guard });
    Settings { ipv6_prefix: 64, reports, ..Settings::plain(SHARED) }
}

const NO_GUARD: GuardSettings = GuardSettings { share: 0.0, window: HALF_LIFE, least: u64::MAX };

/// A hub that allows 198.51.100.0/24.
struct Hub {
    jails: Jails,
    effects: Effects,
}

impl Hub {
    fn new(guard: GuardSettings) -> Self {
        let allow: PrefixSet = [prefix("198.51.100.0/24")].into_iter().collect();
        let jails = Jails::new(vec![settings(guard)], allow, PrefixSet::default(), 1);
        Self { jails, effects: Effects::default() }
    }

    fn send(&mut self, batch: &ReportBatch, now: Timestamp) -> Result<Receipt, Refusal> {
        self.jails.report(batch, now, &mut self.effects)
    }

    /// Says that `reporter` has seen all of `prefixes` just now.
    fn report(&mut self, reporter: &str, prefixes: &[&str], now: Timestamp) -> Receipt {
        let rows: Vec<_> = prefixes.iter().map(|prefix| (*prefix, now)).collect();
        self.send(&batch(reporter, Identity::Unknown, &rows), now).unwrap()
    }

    fn order(&mut self, order: &Order, now: Timestamp) -> Result<usize, Refusal> {
        self.jails.order(order, now, &mut self.effects)
    }

    fn about(&mut self, name: &str, order: ReporterOrder, now: Timestamp) -> Result<usize, Refusal> {
        self.order(&Order::Reporter { name: name.into(), order }, now)
    }

    fn listed(&self) -> Vec<String> {
        self.jails.bans().of(SHARED).iter().map(ToString::to_string).collect()
    }

    fn held(&self) -> Vec<String> {
        self.jails.held_listings().map(|(prefix, held)| format!("{prefix} {:?}", held.reason)).collect()
    }

    fn until(&self, text: &str) -> Timestamp {
        let bans = self.jails.bans().iter();
        bans.filter(|(held, _)| *held == prefix(text)).find_map(|(_, held)| held.until).unwrap()
    }
}

fn batch(reporter: &str, identity: Identity, rows: &[(&str, Timestamp)]) -> ReportBatch {
    let report = |(row, (text, time)): (u32, &(&str, Timestamp))| Report {
        row,
        prefix: prefix(text),
        time: *time,
        failures: 1,
        category: 0,
        kind: ReportKind::Ban,
    };
    ReportBatch {
        reporter: reporter.into(),
        identity,
        reports: (0..).zip(rows).map(report).collect(),
        categories: vec!["sasl".into()],
        rows: rows.len() as u32,
    }
}

#[test]
fn two_organisations_list_and_one_does_not() {
    let mut hub = Hub::new(NO_GUARD);
    hub.report("one", &["192.0.2.1", "192.0.2.2", "2001:db8::1"], at(0));
    hub.report("one", &["192.0.2.1"], at(60));
    assert_eq!(hub.listed(), [""; 0]);
    hub.report("two", &["192.0.2.1", "2001:db8::2"], at(60));
    assert_eq!(hub.listed(), ["192.0.2.1", "2001:db8::/64"]);
    let Some(Change::Banned(ban)) = hub.effects.changes.first() else { panic!("no ban") };
    assert_eq!((ban.origin.clone(), ban.since), (crate::jail::Origin::Reports, at(60)));
    assert_eq!(ban.evidence.len(), 2, "{:?}", ban.evidence);
    // The sum is 2, and half of the threshold 0.75.
    let lasts = hub.until("192.0.2.1").since(at(60)).as_secs_f64() / DAY as f64;
    assert!((lasts - (2.0f64 / 0.75).log2()).abs() < 1e-6, "{lasts}");
}

#[test]
fn a_listing_ends_when_its_votes_have_decayed_and_lasts_longer_with_new_ones() {
    let mut hub = Hub::new(NO_GUARD);
    hub.report("one", &["192.0.2.1"], at(0));
    hub.report("two", &["192.0.2.1"], at(0));
    let until = hub.until("192.0.2.1");
    hub.report("one", &["192.0.2.1"], at(60));
    assert_eq!(hub.until("192.0.2.1"), until, "a minute more is no change");
    hub.report("one", &["192.0.2.1"], at(DAY));
    let later = hub.until("192.0.2.1");
    assert!(later > until);
    hub.jails.expire(later - Duration::from_secs(1), &mut hub.effects);
    assert_eq!(hub.listed(), ["192.0.2.1"]);
    hub.jails.expire(later, &mut hub.effects);
    assert_eq!(hub.listed(), [""; 0]);
    assert!(matches!(hub.effects.changes.last(), Some(Change::Unbanned { cause: EndCause::Expired, .. })));
    hub.effects.reports.clear();
    hub.jails.expire(at(11 * DAY), &mut hub.effects);
    let names: Vec<Arc<str>> = vec!["one".into(), "two".into()];
    assert_eq!(hub.effects.reports, [ReportChange::Forgotten(prefix("192.0.2.1"), names)]);
    assert_eq!(hub.jails.votes(prefix("192.0.2.1"), at(11 * DAY)), []);
}

#[test]
fn rows_are_refused_one_by_one() {
    let mut hub = Hub::new(NO_GUARD);
    let now = at(20 * DAY);
    let (soon, late) = (now + Duration::from_secs(299), now + Duration::from_secs(301));
    let rows = [
        ("192.0.2.1", now, None),
        ("192.0.2.1", now, Some(Outcome::Duplicate)),
        ("192.0.2.2", soon, None),
        ("192.0.2.3", late, Some(Outcome::Refused(RowRefused::Future))),
        ("192.0.2.4", at(10 * DAY), None),
        ("192.0.2.5", at(10 * DAY - 1), Some(Outcome::Refused(RowRefused::TooOld))),
        ("10.0.0.1", now, Some(Outcome::Refused(RowRefused::Reserved))),
        ("127.0.0.1", now, Some(Outcome::Refused(RowRefused::Reserved))),
        ("::2", now, Some(Outcome::Refused(RowRefused::Reserved))),
        ("198.51.100.7", now, Some(Outcome::Refused(RowRefused::Allowlisted))),
        ("203.0.0.0/15", now, Some(Outcome::Refused(RowRefused::TooWide))),
        ("2001:db8::/31", now, Some(Outcome::Refused(RowRefused::TooWide))),
    ];
    let sent: Vec<_> = rows.iter().map(|(prefix, time, _)| (*prefix, *time)).collect();
    let mut batch = batch("one", Identity::Unknown, &sent);
    // One that could not be read.
    batch.rows += 1;
    let receipt = hub.send(&batch, now).unwrap();
    let expected: Vec<_> =
        (0..).zip(&rows).filter_map(|(row, (_, _, outcome))| Some((row, (*outcome)?))).collect();
    assert_eq!(receipt.others, expected);
    assert_eq!(receipt.tally, Tally { accepted: 3, duplicate: 1, refused: 9 });
}

#[test]
fn rows_of_a_spool_count_once() {
    let mut hub = Hub::new(NO_GUARD);
    let spool = SpoolId(7);
    let rows = [("192.0.2.1", at(0)), ("192.0.2.2", at(0)), ("192.0.2.3", at(0))];
    let from = |first| Identity::Rows { spool, first };
    let mut accepted = |first, rows: &[_]| {
        let receipt = hub.send(&batch("one", from(first), rows), at(0)).unwrap();
        (receipt.tally.accepted, receipt.repeated, receipt.reached.unwrap())
    };
    assert_eq!(accepted(1, &rows[..2]), (2, false, 2));
    assert_eq!(accepted(1, &rows[..2]), (0, true, 2));
    assert_eq!(
        accepted(2, &rows[1..]),
        (1, false, 3),
        "the sender has made a new batch of what was not confirmed"
    );
    assert_eq!(accepted(1, &rows[..1]), (0, true, 3));
    assert_eq!(accepted(9, &[("192.0.2.9", at(0))]), (1, false, 9), "what the sender has lost is lost");
    assert_eq!(accepted(4, &[("192.0.2.4", at(0))]), (0, true, 9));
    let reached = hub.effects.reports.iter().filter_map(|change| match change {
        ReportChange::Taken(taken) => Some(taken.known_by.clone()),
        _ => None,
    });
    assert_eq!(reached.collect::<Vec<_>>(), [2, 2, 3, 3, 9, 9].map(|last| KnownBy::Spool { spool, last }));
    let other = Identity::Rows { spool: SpoolId(8), first: 1 };
    let same = batch("one", other, &rows[..1]);
    assert_eq!(
        hub.send(&same, at(0)).unwrap().tally.accepted,
        1,
        "another server may see the same at the same time"
    );
}

#[test]
fn a_row_that_cannot_be_read_is_refused_once() {
    let mut hub = Hub::new(NO_GUARD);
    let sent = |places: &[u32], rows| {
        let hosts: Vec<String> = places.iter().map(|place| format!("192.0.2.{place}")).collect();
        let read: Vec<_> = hosts.iter().map(|host| (host.as_str(), at(0))).collect();
        let mut batch = batch("one", Identity::Rows { spool: SpoolId(7), first: 1 }, &read);
        batch.reports.iter_mut().zip(places).for_each(|(report, place)| report.row = *place);
        ReportBatch { rows, ..batch }
    };
    // Row 1 of both can't be read, nor can row 4 of the second.
    let first = hub.send(&sent(&[0, 2], 3), at(0)).unwrap();
    let second = hub.send(&sent(&[0, 2, 3], 5), at(0)).unwrap();
    assert_eq!((first.tally.accepted, first.tally.refused), (2, 1));
    assert_eq!((second.tally.accepted, second.tally.refused, second.from), (1, 1, 3));
}

#[test]
fn a_request_with_a_key_counts_once() {
    let mut hub = Hub::new(NO_GUARD);
    let key = |fingerprint| Identity::Key { key: "a".into(), fingerprint };
    let rows = [("192.0.2.1", at(0)), ("10.0.0.1", at(0))];
    let first = hub.send(&batch("one", key(1), &rows), at(0)).unwrap();
    let again = hub.send(&batch("one", key(1), &rows), at(60)).unwrap();
    assert_eq!((again.tally, again.repeated), (first.tally, true));
    assert_eq!(hub.send(&batch("one", key(2), &rows), at(60)), Err(Refusal::KeyReused("a".into())));
    assert!(!hub.send(&batch("two", key(2), &rows), at(60)).unwrap().repeated);
    assert!(!hub.send(&batch("one", key(2), &rows), at(DAY)).unwrap().repeated, "it is forgotten by then");
}

#[test]
fn whoever_is_cut_off_has_said_nothing() {
    let mut hub = Hub::new(NO_GUARD);
    for reporter in ["one", "two", "three"] {
        hub.report(reporter, &["192.0.2.1"], at(0));
    }
    hub.report("one", &["192.0.2.2"], at(0));
    hub.report("three", &["192.0.2.2"], at(0));
    assert_eq!(hub.listed(), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(hub.about("three", ReporterOrder::CutOff, at(60)), Ok(1));
    assert_eq!(hub.listed(), ["192.0.2.1"]);
    let cause = EndCause::Withdrawn("three".into());
    let unbanned = Change::Unbanned { prefix: prefix("192.0.2.2"), jail: SHARED.into(), at: at(60), cause };
    assert_eq!(hub.effects.changes.last(), Some(&unbanned));
    assert!(hub.effects.reports.contains(&ReportChange::Withdrawn("three".into())));
    let late = batch("three", Identity::Unknown, &[("192.0.2.2", at(60))]);
    assert_eq!(hub.send(&late, at(60)), Err(Refusal::CutOff("three".into())));
    assert_eq!(hub.about("three", ReporterOrder::Admit, at(61)), Ok(0));
    assert_eq!(hub.send(&late, at(61)).unwrap().tally.accepted, 1);
    assert_eq!(hub.listed(), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(hub.about("one", ReporterOrder::Withdraw, at(62)), Ok(2));
    assert_eq!(
        hub.about("nobody", ReporterOrder::Withdraw, at(62)),
        Err(Refusal::UnknownReporter("nobody".into()))
    );
}

#[test]
fn trust_weighs_votes_that_are_there() {
    let mut hub = Hub::new(NO_GUARD);
    hub.report("one", &["192.0.2.1"], at(0));
    assert_eq!(hub.about("one", ReporterOrder::Trust(3.0), at(0)), Ok(1));
    assert_eq!(hub.listed(), ["192.0.2.1"]);
    let until = hub.until("192.0.2.1");
    assert_eq!(
        hub.about("one", ReporterOrder::Trust(1.5), at(DAY / 2)),
        Ok(0),
        "it goes on, but not as long"
    );
    assert!(hub.until("192.0.2.1") < until);
    assert_eq!(hub.about("one", ReporterOrder::Trust(1.4), at(DAY / 2)), Ok(1));
    assert_eq!(hub.listed(), [""; 0]);
    assert_eq!(hub.about("new", ReporterOrder::Trust(2.0), at(0)), Ok(0));
    hub.report("new", &["192.0.2.9"], at(0));
    assert_eq!(hub.listed(), ["192.0.2.9"]);
}

#[test]
fn too_much_at_once_waits_for_a_person() {
    let guard = GuardSettings { share: 0.5, window: Duration::from_secs(3600), least: 2 };
    let mut hub = Hub::new(guard);
    let all = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
    hub.report("one", &all, at(0));
    hub.report("two", &all, at(0));
    assert_eq!(hub.listed(), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(hub.held(), ["192.0.2.3 Growth", "192.0.2.4 Growth"]);
    hub.report("three", &["192.0.2.3"], at(7200));
    assert_eq!(hub.held().len(), 2, "it waits for a person, however late");
    assert_eq!(hub.order(&Order::Release { prefix: Some(prefix("192.0.2.3")) }, at(7200)), Ok(1));
    assert_eq!(hub.order(&Order::Discard { prefix: None }, at(7200)), Ok(1));
    assert_eq!((hub.listed().len(), hub.held().len()), (3, 0));
    assert_eq!(hub.jails.votes(prefix("192.0.2.4"), at(7200)), []);
    assert_eq!(
        hub.order(&Order::Release { prefix: Some(prefix("192.0.2.4")) }, at(7200)),
        Err(Refusal::NotHeld(prefix("192.0.2.4")))
    );
}

#[test]
fn what_is_held_goes_with_its_votes() {
    let mut hub = Hub::new(GuardSettings { least: 0, ..NO_GUARD });
    for reporter in ["one", "two"] {
        hub.report(reporter, &["192.0.2.1", "192.0.2.2", "192.0.2.3"], at(0));
    }
    assert_eq!(hub.held().len(), 3);
    hub.order(
        &Order::Allow { prefix: prefix("192.0.2.1"), note: String::new(), owner: String::new(), until: None },
        at(0),
    )
    .unwrap();
    assert_eq!(hub.held().len(), 2);
    hub.jails.expire(at(2 * DAY), &mut hub.effects);
    assert_eq!(hub.held(), [""; 0], "too little is left of the votes");
}

#[test]
fn a_network_around_an_allowlisted_address_waits() {
    let mut hub = Hub::new(NO_GUARD);
    for reporter in ["one", "two"] {
        hub.report(reporter, &["198.51.0.0/16", "203.0.113.0/24"], at(0));
    }
    assert_eq!(hub.listed(), ["203.0.113.0/24"]);
    assert_eq!(hub.held(), ["198.51.0.0/16 Allowlisted"]);
    assert_eq!(hub.order(&Order::Release { prefix: None }, at(0)), Ok(1));
    assert_eq!(hub.listed(), ["198.51.0.0/16", "203.0.113.0/24"]);
}

#[test]
fn an_unban_forgets_the_votes() {
    let mut hub = Hub::new(NO_GUARD);
    hub.report("one", &["192.0.2.1"], at(0));
    hub.report("two", &["192.0.2.1"], at(0));
    let unban =
        Order::Unban { prefix: Some(prefix("192.0.2.0/24")), jail: None, by: "root".into(), forgive: true };
    assert_eq!(hub.order(&unban, at(1)), Ok(1));
    hub.report("three", &["192.0.2.1"], at(2));
    assert_eq!(hub.listed(), [""; 0]);
}

#[test]
fn nobody_bans_past_the_reporters() {
    let mut hub = Hub::new(NO_GUARD);
    let (jail, prefix) = (Arc::from(SHARED), prefix("192.0.2.1"));
    let ban = BanOrder { prefix, jail, since: None, time: None, reason: None, by: "root".into() };
    assert_eq!(hub.order(&Order::Ban(ban), at(0)), Err(Refusal::ListsByReports(SHARED.into())));
}

#[test]
fn without_a_jail_for_them_reports_go_nowhere() {
    let mut jails = Jails::new(vec![Settings::plain("sasl")], PrefixSet::default(), PrefixSet::default(), 1);
    let batch = batch("one", Identity::Unknown, &[("192.0.2.1", at(0))]);
    assert_eq!(jails.report(&batch, at(0), &mut Effects::default()), Err(Refusal::NoReports));
}

#[test]
fn failures_are_figures_and_no_votes() {
    let mut hub = Hub::new(NO_GUARD);
    for reporter in ["one", "two"] {
        let mut batch = batch(reporter, Identity::Unknown, &[("192.0.2.1", at(0))]);
        batch.reports[0] = Report { kind: ReportKind::Failures, failures: 5, ..batch.reports[0] };
        assert_eq!(hub.send(&batch, at(0)).unwrap().tally.accepted, 1);
    }
    assert_eq!(hub.listed(), [""; 0]);
    let counted = hub.effects.failures.get(&(SHARED.into(), at(0).start_of_hour(), prefix("192.0.2.1")));
    assert_eq!(counted, Some(&10));
    assert_eq!(hub.jails.status(SHARED).unwrap().total_failed, 10);
}

#[test]
fn no_organisation_has_more_spools_and_keys_than_are_remembered() {
    let mut reporters = Reporters::default();
    let id = reporters.known(&"one".into()).unwrap();
    let forgotten: Vec<_> =
        (0..1002).filter_map(|number| reporters.reach(id, SpoolId(number), 1, at(number as i64))).collect();
    assert_eq!(forgotten, [SpoolId(0), SpoolId(1)]);
    let answered = |second| Answered { at: at(second), fingerprint: 0, tally: Tally::default() };
    let mut forgotten = Vec::new();
    for number in 0..1001 {
        forgotten.extend(reporters.answer(id, &number.to_string().into(), answered(number)));
    }
    assert_eq!(forgotten, [Arc::from("0")]);
    assert_eq!(reporters.answer(id, &"late".into(), answered(2 * DAY)).len(), 1000);
}
