//! What the jails do with failures, orders and time, told as short stories: a line per step, then the changes.

use std::time::Duration;

use super::*;
use crate::jail::BanOrder;
use crate::jail::{Adjustment, Ask, BanTime, Escalate, Failure, KnownBan, MANUAL, Question};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn prefixes(texts: &[&str]) -> PrefixSet {
    texts.iter().map(|text| text.parse::<Prefix>().unwrap()).collect()
}

/// Three failures in 600 s ban for 3600 s.
fn settings(name: &str) -> Settings {
    Settings { bantime: BanTime::For(Duration::from_secs(3600)), ..Settings::plain(name) }
}

fn doubling() -> Option<Increment> {
    Some(Increment {
        factor: 1.0,
        formula: None,
        multipliers: Vec::new(),
        max_time: None,
        random_time: Duration::ZERO,
        overall_jails: false,
    })
}

fn jails(settings: Vec<Settings>) -> Jails {
    Jails::new(settings, PrefixSet::default(), PrefixSet::default(), 1)
}

/// Runs failures `(second, address)` through the jail `sasl` with the clock at each, and shows the changes.
fn run(jails: &mut Jails, failures: &[(i64, &str)]) -> Vec<String> {
    let mut effects = Effects::default();
    for (second, address) in failures {
        let now = at(*second);
        jails.expire(now, &mut effects);
        let failure =
            Failure { prefix: address.parse().unwrap(), time: now, user: None, earlier: &[], line: "line" };
        jails.failure("sasl", &failure, now, &mut effects);
    }
    effects.changes.iter().map(show).collect()
}

fn show(change: &Change) -> String {
    let end =
        |until: &Option<Timestamp>| until.map_or("ever".to_owned(), |until| until.as_secs().to_string());
    match change {
        Change::Banned(ban) => {
            format!(
                "{} bans {} at {} until {} #{}",
                ban.jail,
                ban.prefix,
                ban.since.as_secs(),
                end(&ban.until),
                ban.count
            )
        }
        Change::Extended { prefix, until, .. } => format!("{prefix} until {}", end(until)),
        Change::Unbanned { prefix, at, cause, .. } => format!("{prefix} free at {} {cause:?}", at.as_secs()),
        Change::Allowed(allow) => format!("allow {}", allow.prefix),
        Change::Disallowed { prefix, .. } => format!("disallow {prefix}"),
    }
}

fn order(jails: &mut Jails, order: Order, second: i64) -> Result<Vec<String>, String> {
    let mut effects = Effects::default();
    jails.order(&order, at(second), &mut effects).map_err(|refusal| refusal.to_string())?;
    Ok(effects.changes.iter().map(show).collect())
}

fn ban(prefix: &str) -> Order {
    Order::Ban(BanOrder {
        prefix: prefix.parse().unwrap(),
        jail: "sasl".into(),
        since: None,
        time: None,
        reason: None,
        by: "test".into(),
    })
}

#[test]
fn one_failure_too_many_is_a_ban_that_ends() {
    let mut jails = jails(vec![settings("sasl")]);
    let changes = run(&mut jails, &[(0, "192.0.2.1"), (1, "192.0.2.2"), (5, "192.0.2.1"), (9, "192.0.2.1")]);
    assert_eq!(changes, ["sasl bans 192.0.2.1 at 9 until 3609 #1"]);
    assert_eq!(jails.next_expiry(), Some(at(3609)));
    let status = jails.status("sasl").unwrap();
    assert_eq!((status.currently_failed, status.total_failed, status.total_banned), (1, 4, 1));
    assert_eq!(run(&mut jails, &[(3609, "192.0.2.9")]), ["192.0.2.1 free at 3609 Expired"]);
}

#[test]
fn failures_of_somebody_banned_prolong_the_ban() {
    let mut jails = jails(vec![settings("sasl")]);
    let address = "192.0.2.1";
    run(&mut jails, &[(0, address), (0, address), (0, address)]);
    assert_eq!(run(&mut jails, &[(60, address), (60, address), (60, address)]), ["192.0.2.1 until 3660"]);
}

#[test]
fn those_that_come_back_are_banned_sooner_and_longer() {
    let mut jails = jails(vec![Settings { increment: doubling(), maxretry: 4, ..settings("sasl") }]);
    let address = "192.0.2.1";
    assert_eq!(run(&mut jails, &[(0, address); 4]), ["sasl bans 192.0.2.1 at 0 until 3600 #1"]);
    // Each failure weighs 2 now.
    let changes = run(&mut jails, &[(4000, address); 2]);
    assert_eq!(changes, ["192.0.2.1 free at 3600 Expired", "sasl bans 192.0.2.1 at 4000 until 11200 #2"]);
}

#[test]
fn bans_of_other_jails_count_when_told_to() {
    let increment = doubling().map(|increment| Increment { overall_jails: true, ..increment });
    let mut jails = jails(vec![Settings { increment, ..settings("sasl") }, settings("sshd")]);
    let offender = Offender { count: 1, since: at(0), forget: None };
    jails.restore_offender(&"sshd".into(), "192.0.2.1".parse().unwrap(), offender);
    // They make the ban longer, and don't bring it nearer.
    assert_eq!(run(&mut jails, &[(9, "192.0.2.1"); 2]), [""; 0]);
    assert_eq!(run(&mut jails, &[(9, "192.0.2.1")]), ["sasl bans 192.0.2.1 at 9 until 7209 #2"]);
}

#[test]
fn a_ban_that_is_over_already_does_not_grow() {
    let bantime = BanTime::For(Duration::from_secs(60));
    let mut jails = jails(vec![Settings { increment: doubling(), maxretry: 1, bantime, ..settings("sasl") }]);
    let offender = Offender { count: 3, since: at(0), forget: None };
    jails.restore_offender(&"sasl".into(), "192.0.2.1".parse().unwrap(), offender);
    for (now, bans) in [(161, 0), (160, 1)] {
        let mut effects = Effects::default();
        let prefix = "192.0.2.1".parse().unwrap();
        let failure = Failure { prefix, time: at(100), user: None, earlier: &[], line: "line" };
        jails.failure("sasl", &failure, at(now), &mut effects);
        assert_eq!(effects.changes.len(), bans, "at {now}");
    }
}

#[test]
fn failures_from_before_a_ban_weigh_no_more_for_it() {
    let mut jails = jails(vec![Settings { increment: doubling(), ..settings("sasl") }]);
    let offender = Offender { count: 4, since: at(100), forget: None };
    jails.restore_offender(&"sasl".into(), "192.0.2.1".parse().unwrap(), offender);
    assert_eq!(run(&mut jails, &[(99, "192.0.2.1"), (100, "192.0.2.1")]), [""; 0]);
    assert_eq!(run(&mut jails, &[(101, "192.0.2.1")]), ["sasl bans 192.0.2.1 at 101 until 57701 #5"]);
}

#[test]
fn addresses_of_one_ipv6_network_count_together_when_told_to() {
    let mut jails = jails(vec![Settings { ipv6_prefix: 64, ..settings("sasl") }]);
    let changes = run(&mut jails, &[(0, "2001:db8::1"), (1, "2001:db8::2"), (2, "2001:db8::ffff:3")]);
    assert_eq!(changes, ["sasl bans 2001:db8::/64 at 2 until 3602 #1"]);
}

#[test]
fn enough_banned_hosts_ban_their_network() {
    let escalate = Some(Escalate { hosts: 2, ipv4: 24, ipv6: 48 });
    let mut jails = jails(vec![Settings { escalate, maxretry: 1, ..settings("sasl") }]);
    let changes = run(&mut jails, &[(0, "192.0.2.1"), (10, "198.51.100.1"), (20, "192.0.2.2")]);
    let last = &changes[2..];
    assert_eq!(
        last,
        ["sasl bans 192.0.2.2 at 20 until 3620 #1", "sasl bans 192.0.2.0/24 at 20 until 3620 #1"]
    );
    // A third host keeps the network listed as long as itself.
    let changes = run(&mut jails, &[(30, "192.0.2.3")]);
    assert_eq!(changes, ["sasl bans 192.0.2.3 at 30 until 3630 #1", "192.0.2.0/24 until 3630"]);
}

#[test]
fn the_allowlist_wins_over_every_ban() {
    let own = prefixes(&["203.0.113.5"]);
    let sasl = Settings { ignore: prefixes(&["198.51.100.0/24"]), maxretry: 1, ..settings("sasl") };
    let mut jails = Jails::new(vec![sasl], prefixes(&["192.0.2.0/28"]), own, 1);
    let never = ["192.0.2.1", "198.51.100.7", "203.0.113.5", "127.0.0.1", "10.0.0.1", "::ffff:192.0.2.1"];
    for address in never {
        assert_eq!(run(&mut jails, &[(0, address)]), [""; 0], "{address}");
        assert!(order(&mut jails, ban(address), 0).is_err(), "{address}");
    }
    assert_eq!(jails.status("sasl").unwrap().ignored, never.len() as u64);
    run(&mut jails, &[(0, "192.0.2.77")]);
    let allow = Order::Allow {
        prefix: "192.0.2.64/26".parse().unwrap(),
        note: "office".into(),
        owner: "alice".into(),
        until: Some(at(50)),
    };
    let changes = order(&mut jails, allow, 5).unwrap();
    assert_eq!(changes, ["allow 192.0.2.64/26", "192.0.2.77 free at 5 Allowed"]);
    let mut effects = Effects::default();
    assert_eq!(jails.next_expiry(), Some(at(50)));
    jails.expire(at(50), &mut effects);
    assert_eq!(effects.changes.iter().map(show).collect::<Vec<_>>(), ["disallow 192.0.2.64/26"]);
}

#[test]
fn orders_are_carried_out_or_refused_with_the_reason() {
    let mut jails = jails(vec![settings("sasl"), settings(MANUAL)]);
    assert_eq!(
        order(&mut jails, ban("192.0.2.0/25"), 7).unwrap(),
        ["sasl bans 192.0.2.0/25 at 7 until 3607 #1"]
    );
    assert_eq!(
        order(&mut jails, ban("192.0.2.0/25"), 7).unwrap(),
        [""; 0],
        "the second time changes nothing"
    );
    for (prefix, words) in [
        ("0.0.0.0/0", "too wide"),
        ("192.0.0.0/7", "too wide"),
        ("2001::/15", "too wide"),
        ("192.168.7.0/24", "private"),
        ("127.0.0.1", "loopback"),
    ] {
        let refusal = order(&mut jails, ban(prefix), 7).unwrap_err();
        assert!(refusal.contains(words), "{prefix}: {refusal}");
    }
    let everything = Order::Allow {
        prefix: "::/0".parse().unwrap(),
        note: String::new(),
        owner: String::new(),
        until: None,
    };
    assert!(order(&mut jails, everything, 7).unwrap_err().contains("too wide"));
    let elsewhere = Order::Unban { prefix: None, jail: Some("ftp".into()), by: "test".into(), forgive: true };
    assert_eq!(
        order(&mut jails, elsewhere, 7).unwrap_err(),
        "there is no jail `ftp`; there are: manual, sasl"
    );
    let wide = Order::Unban {
        prefix: Some("192.0.2.0/24".parse().unwrap()),
        jail: None,
        by: "test".into(),
        forgive: true,
    };
    assert_eq!(order(&mut jails, wide.clone(), 8).unwrap(), ["192.0.2.0/25 free at 8 Order(\"test\")"]);
    assert_eq!(order(&mut jails, wide, 8).unwrap(), [""; 0]);
    // Forgiven: the next ban is a first one.
    assert_eq!(
        order(&mut jails, ban("192.0.2.0/25"), 9).unwrap(),
        ["sasl bans 192.0.2.0/25 at 9 until 3609 #1"]
    );
}

#[test]
fn lines_older_than_the_findtime_are_left_out() {
    let mut jails = jails(vec![Settings { maxretry: 1, ..settings("sasl") }]);
    let mut effects = Effects::default();
    let failure =
        Failure { prefix: "192.0.2.1".parse().unwrap(), time: at(0), user: None, earlier: &[], line: "line" };
    jails.failure("sasl", &failure, at(601), &mut effects);
    assert!(effects.is_empty());
    jails.failure("sasl", &failure, at(600), &mut effects);
    assert_eq!(effects.changes.len(), 1);
}

#[test]
fn a_jail_that_is_gone_keeps_its_bans_until_they_end() {
    let mut jails = jails(vec![Settings { maxretry: 1, ..settings("sasl") }]);
    run(&mut jails, &[(0, "192.0.2.1")]);
    jails.reconfigure(vec![settings("other")], PrefixSet::default(), PrefixSet::default());
    assert_eq!(run(&mut jails, &[(1, "192.0.2.2")]), [""; 0], "it counts no more");
    let mut effects = Effects::default();
    jails.expire(at(3600), &mut effects);
    assert_eq!(effects.changes.len(), 1);
}

#[test]
fn effects_hold_counters_and_failures_by_hour() {
    let mut jails = jails(vec![settings("sasl")]);
    let mut effects = Effects::default();
    for (second, line) in [(3599, "one"), (3600, "two"), (3601, "three")] {
        let failure = Failure {
            prefix: "192.0.2.1".parse().unwrap(),
            time: at(second),
            user: None,
            earlier: &[],
            line,
        };
        jails.failure("sasl", &failure, at(second), &mut effects);
    }
    jails.finish(&mut effects);
    let prefix: Prefix = "192.0.2.1".parse().unwrap();
    assert_eq!(effects.counters, [("sasl".into(), prefix, None)]);
    let mut hours: Vec<(i64, u32)> =
        effects.failures.iter().map(|((_, hour, _), count)| (hour.as_secs(), *count)).collect();
    hours.sort_unstable();
    assert_eq!(hours, [(0, 1), (3600, 2)]);
    let Change::Banned(ban) = &effects.changes[0] else { panic!("no ban") };
    assert_eq!(ban.evidence, ["one".into(), "two".into(), "three".into()] as [Arc<str>; 3]);
}

#[test]
fn a_network_is_not_banned_over_somebody_the_jail_spares() {
    let escalate = Some(Escalate { hosts: 1, ipv4: 24, ipv6: 48 });
    let ignore = prefixes(&["192.0.2.77", "2001:db8:0:1::77"]);
    let sasl = Settings { escalate, ignore, ipv6_prefix: 64, maxretry: 1, ..settings("sasl") };
    let mut jails = jails(vec![sasl]);
    let changes = run(&mut jails, &[(0, "192.0.2.1"), (1, "2001:db8:0:1::1"), (2, "198.51.100.1")]);
    let expected = [
        "sasl bans 192.0.2.1 at 0 until 3600 #1",
        "sasl bans 2001:db8:0:1::1 at 1 until 3601 #1",
        "sasl bans 198.51.100.1 at 2 until 3602 #1",
        "sasl bans 198.51.100.0/24 at 2 until 3602 #1",
    ];
    assert_eq!(changes, expected);
    assert!(order(&mut jails, ban("192.0.2.0/24"), 3).unwrap_err().contains("in part"));
}

#[test]
fn pardoning_everybody_forgets_everything() {
    let mut jails = jails(vec![settings("sasl")]);
    let address = "192.0.2.1";
    run(&mut jails, &[(0, address), (0, address), (0, address), (3600, "192.0.2.2"), (3600, "192.0.2.2")]);
    let all = Order::Unban { prefix: None, jail: None, by: "test".into(), forgive: true };
    assert_eq!(order(&mut jails, all, 3601).unwrap(), [""; 0], "the ban was over already");
    let changes = run(&mut jails, &[(3602, "192.0.2.2"), (3602, address), (3602, address), (3602, address)]);
    assert_eq!(changes, ["sasl bans 192.0.2.1 at 3602 until 7202 #1"]);
}

#[test]
fn who_is_freed_without_pardon_is_banned_for_longer_the_next_time() {
    let mut jails = jails(vec![Settings { increment: doubling(), ..settings("sasl") }]);
    let (address, free) = ("192.0.2.1", |forgive| Order::Unban {
        prefix: Some("192.0.2.1".parse().unwrap()),
        jail: Some("sasl".into()),
        by: "test".into(),
        forgive,
    });
    run(&mut jails, &[(0, address); 3]);
    assert_eq!(order(&mut jails, free(false), 10).unwrap(), ["192.0.2.1 free at 10 Order(\"test\")"]);
    assert_eq!(run(&mut jails, &[(11, address)]), [""; 0], "failures begin anew");
    assert_eq!(run(&mut jails, &[(12, address)]), ["sasl bans 192.0.2.1 at 12 until 7212 #2"]);
    order(&mut jails, free(true), 20).unwrap();
    assert_eq!(run(&mut jails, &[(21, address); 3]), ["sasl bans 192.0.2.1 at 21 until 3621 #1"]);
}

#[test]
fn an_offender_is_remembered_from_the_end_of_a_prolonged_ban() {
    let mut jails = jails(vec![Settings { increment: doubling(), ..settings("sasl") }]);
    run(&mut jails, &[(0, "192.0.2.1"); 3]);
    let month = 30 * 86_400;
    let prolong = Order::Ban(BanOrder {
        since: None,
        time: Some(BanTime::For(Duration::from_secs(month))),
        prefix: "192.0.2.1".parse().unwrap(),
        jail: "sasl".into(),
        reason: None,
        by: "test".into(),
    });
    order(&mut jails, prolong, 0).unwrap();
    let back = month as i64 + 86_400;
    let changes = run(&mut jails, &[(back, "192.0.2.1"), (back, "192.0.2.1")]);
    assert!(changes.last().unwrap().ends_with("#2"), "{changes:?}");
}

/// Counts every ban of the others: two of them ban for a week.
fn recidive(name: &str) -> Settings {
    let week = BanTime::For(Duration::from_secs(604_800));
    Settings {
        counts_bans: true,
        maxretry: 2,
        bantime: week,
        findtime: Duration::from_secs(86_400),
        ..settings(name)
    }
}

#[test]
fn bans_are_failures_where_bans_are_counted() {
    let mut jails = jails(vec![Settings { maxretry: 1, ..settings("sasl") }, recidive("recidive")]);
    let changes = run(&mut jails, &[(0, "192.0.2.1"), (5, "192.0.2.1"), (4000, "192.0.2.1")]);
    let expected = [
        "sasl bans 192.0.2.1 at 0 until 3600 #1",
        // Prolonging a ban is not another one.
        "192.0.2.1 until 3605",
        "192.0.2.1 free at 3605 Expired",
        "sasl bans 192.0.2.1 at 4000 until 7600 #2",
        "recidive bans 192.0.2.1 at 4000 until 608800 #1",
    ];
    assert_eq!(changes, expected);
    assert_eq!(jails.status("recidive").unwrap().total_failed, 2);
}

#[test]
fn a_ban_counts_from_when_it_was_made_and_not_from_the_failure() {
    let sasl = Settings { maxretry: 1, ..settings("sasl") };
    let mut jails = jails(vec![sasl, Settings { maxretry: 1, ..recidive("recidive") }]);
    let mut effects = Effects::default();
    let failure = Failure {
        prefix: "192.0.2.1".parse().unwrap(),
        time: at(100),
        user: None,
        earlier: &[],
        line: "line",
    };
    jails.failure("sasl", &failure, at(400), &mut effects);
    let changes: Vec<String> = effects.changes.iter().map(show).collect();
    let expected =
        ["sasl bans 192.0.2.1 at 100 until 3700 #1", "recidive bans 192.0.2.1 at 400 until 605200 #1"];
    assert_eq!(changes, expected);
    let Change::Banned(ban) = &effects.changes[1] else { panic!("no ban") };
    assert_eq!(ban.evidence, ["1970-01-01T00:01:40Z sasl bans 192.0.2.1 (ban 1)".into()] as [Arc<str>; 1]);
}

#[test]
fn jails_that_count_bans_come_to_an_end_among_themselves() {
    let twice = |name: &str| Settings { maxretry: 1, ..recidive(name) };
    let mut jails = jails(vec![
        Settings { maxretry: 1, ..settings("sasl") },
        twice("once"),
        twice("twice"),
        twice("thrice"),
    ]);
    assert_eq!(run(&mut jails, &[(0, "192.0.2.1")]).len(), 4, "each bans once");
    let status = jails.status("once").unwrap();
    assert_eq!((status.total_banned, status.currently_banned), (1, 1));
}

#[test]
fn ordered_bans_of_single_addresses_are_failures_and_those_of_networks_are_not() {
    let escalate = Some(Escalate { hosts: 1, ipv4: 24, ipv6: 48 });
    let sasl = Settings { escalate, ..settings("sasl") };
    let mut jails = jails(vec![sasl, Settings { maxretry: 1, ..recidive("recidive") }]);
    order(&mut jails, ban("198.51.100.0/24"), 7).unwrap();
    let changes = order(&mut jails, ban("192.0.2.1"), 7).unwrap();
    let expected = [
        "sasl bans 192.0.2.1 at 7 until 3607 #1",
        "sasl bans 192.0.2.0/24 at 7 until 3607 #1",
        "recidive bans 192.0.2.1 at 7 until 604807 #1",
    ];
    assert_eq!(changes, expected);
}

/// Lets the jail `sasl` take what a filter found, and shows what it asks and changes.
fn find(jails: &mut Jails, who: crate::filter::Who, second: i64) -> (Vec<Ask>, Vec<String>) {
    let mut effects = Effects::default();
    let user = Some("joe".into());
    let failure = crate::filter::Failure {
        who,
        user,
        users: Vec::new(),
        failregex: 0,
        earlier: vec!["before".to_owned()],
        excused: false,
    };
    jails.found(
        "sasl",
        &crate::jail::Found { failure, time: at(second), line: "line" },
        at(second),
        &mut effects,
    );
    (effects.asks, effects.changes.iter().map(show).collect())
}

fn answer(
    jails: &mut Jails,
    ask: &Ask,
    answer: &crate::jail::Answer,
    second: i64,
) -> (Vec<Ask>, Vec<String>) {
    let mut effects = Effects::default();
    jails.answered(ask, answer, at(second), &mut effects);
    (effects.asks, effects.changes.iter().map(show).collect())
}

#[test]
fn a_host_name_fails_with_each_of_its_addresses_at_the_time_of_the_line() {
    use crate::filter::Who;
    use crate::jail::Answer;
    let mut jails = jails(vec![Settings { maxretry: 1, ..settings("sasl") }]);
    let (asks, changes) = find(&mut jails, Who::Name("host.example".to_owned()), 100);
    assert_eq!(changes, [""; 0]);
    let [ask] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(ask.question, Question::Addresses { name: "host.example".to_owned(), tell: true });
    assert_eq!(
        (ask.user.as_deref(), &ask.lines[..]),
        (Some("joe"), &["before".to_owned(), "line".to_owned()][..])
    );
    let addresses = ["192.0.2.1", "2001:db8::1", "127.0.0.1"].map(|address| address.parse().unwrap());
    let (asks, changes) = answer(&mut jails, ask, &Answer::Addresses(addresses.to_vec()), 130);
    assert!(asks.is_empty());
    let expected = ["sasl bans 192.0.2.1 at 100 until 3700 #1", "sasl bans 2001:db8::1 at 100 until 3700 #1"];
    assert_eq!(changes, expected);
    answer(&mut jails, ask, &Answer::Addresses(Vec::new()), 130);
    find(&mut jails, Who::Id("session 7".to_owned()), 131);
    let status = jails.status("sasl").unwrap();
    assert_eq!((status.total_failed, status.ignored, status.without_address), (2, 1, 2));
}

#[test]
fn a_command_is_asked_before_a_failure_counts() {
    use crate::filter::Who;
    use crate::jail::Answer;
    let ignore_command = Some(IgnoreCommand { command: "true".to_owned(), cache: None });
    let ignore = prefixes(&["198.51.100.0/24"]);
    let mut jails = jails(vec![Settings { maxretry: 1, ignore, ignore_command, ..settings("sasl") }]);
    let (asks, _) = find(&mut jails, Who::Prefix("198.51.100.1".parse().unwrap()), 0);
    assert!(asks.is_empty(), "what is excused already needs no command");
    let (asks, changes) = find(&mut jails, Who::Prefix("192.0.2.1".parse().unwrap()), 100);
    assert_eq!((asks.len(), changes.len()), (1, 0));
    assert_eq!(answer(&mut jails, &asks[0], &Answer::Excused(true), 101).1, [""; 0]);
    let banned = answer(&mut jails, &asks[0], &Answer::Excused(false), 101);
    assert_eq!(banned, (Vec::new(), vec!["sasl bans 192.0.2.1 at 100 until 3700 #1".to_owned()]));
    // A host name is looked up first, and then the command is asked for each address.
    let (asks, _) = find(&mut jails, Who::Name("host.example".to_owned()), 100);
    let addresses = ["192.0.2.8", "192.0.2.9"].map(|address| address.parse().unwrap());
    let (asks, changes) = answer(&mut jails, &asks[0], &Answer::Addresses(addresses.to_vec()), 101);
    assert_eq!((asks.len(), changes.len()), (2, 0));
    assert_eq!(jails.status("sasl").unwrap().ignored, 2);
}

#[test]
fn what_is_learned_is_spared_until_something_else_is() {
    let learned = |address: &str| [("sasl".into(), prefixes(&[address]))].into();
    let mut jails = jails(vec![Settings { maxretry: 1, ..settings("sasl") }]);
    jails.learn(learned("192.0.2.1"));
    assert_eq!(run(&mut jails, &[(0, "192.0.2.1")]), [""; 0]);
    // A reload keeps it.
    let again = Settings { maxretry: 1, ignore: prefixes(&["192.0.2.7"]), ..settings("sasl") };
    jails.reconfigure(vec![again], PrefixSet::default(), PrefixSet::default());
    assert_eq!(run(&mut jails, &[(0, "192.0.2.1"), (0, "192.0.2.7")]), [""; 0]);
    jails.learn(learned("192.0.2.2"));
    let changes = run(&mut jails, &[(0, "192.0.2.1"), (0, "192.0.2.2"), (0, "192.0.2.7")]);
    assert_eq!(changes, ["sasl bans 192.0.2.1 at 0 until 3600 #1"]);
}

#[test]
fn a_ban_by_order_counts_from_when_it_says() {
    let mut jails = jails(vec![settings("sasl")]);
    let since = |second| match ban("192.0.2.1") {
        Order::Ban(order) => Order::Ban(BanOrder { since: Some(at(second)), ..order }),
        other => other,
    };
    assert_eq!(order(&mut jails, since(0), 3600).unwrap(), [""; 0], "it is over already");
    assert_eq!(order(&mut jails, since(100), 3600).unwrap(), ["sasl bans 192.0.2.1 at 100 until 3700 #1"]);
    assert_eq!(
        order(&mut jails, since(9000), 3600).unwrap(),
        ["192.0.2.1 until 7200"],
        "not from the future"
    );
}

fn fail(address: &str, lines: &[&str]) -> Order {
    let lines = lines.iter().map(ToString::to_string).collect();
    Order::Fail { prefix: address.parse().unwrap(), jail: "sasl".into(), lines, by: "test".into() }
}

#[test]
fn failures_by_order_count_like_those_of_a_log() {
    let mut jails = jails(vec![settings("sasl")]);
    run(&mut jails, &[(0, "192.0.2.1")]);
    assert_eq!(order(&mut jails, fail("192.0.2.1", &[]), 0).unwrap(), [""; 0]);
    let third = order(&mut jails, fail("192.0.2.1", &[]), 1).unwrap();
    assert_eq!(third, ["sasl bans 192.0.2.1 at 1 until 3601 #1"]);
    let mut effects = Effects::default();
    jails.order(&fail("192.0.2.2", &["a", "b", "c", "d"]), at(2), &mut effects).unwrap();
    let [Change::Banned(ban)] = &effects.changes[..] else { panic!("{effects:?}") };
    assert_eq!((ban.failures, &ban.evidence[..]), (4, &["b".into(), "c".into(), "d".into()][..]));
    assert_eq!(jails.status("sasl").unwrap().total_failed, 4, "an order is one failure");
    order(&mut jails, fail("10.0.0.1", &[]), 3).unwrap_err();
}

#[test]
fn bans_by_ordered_failures_are_failures_where_bans_are_counted() {
    let sasl = Settings { maxretry: 1, ..settings("sasl") };
    let mut jails = jails(vec![sasl, Settings { maxretry: 1, ..recidive("recidive") }]);
    let expected = ["sasl bans 192.0.2.1 at 7 until 3607 #1", "recidive bans 192.0.2.1 at 7 until 604807 #1"];
    assert_eq!(order(&mut jails, fail("192.0.2.1", &[]), 7).unwrap(), expected);
}

fn adjust(jails: &mut Jails, adjustment: Adjustment) -> Result<usize, String> {
    let order = Order::Adjust { jail: "sasl".into(), adjustment };
    let mut effects = Effects::default();
    let changed = jails.order(&order, at(0), &mut effects).map_err(|refusal| refusal.to_string());
    assert!(effects.is_empty(), "nothing of it is kept");
    changed
}

#[test]
fn settings_change_until_the_next_reload() {
    let mut jails = jails(vec![settings("sasl")]);
    assert_eq!(adjust(&mut jails, Adjustment::MaxRetry(2.try_into().unwrap())), Ok(1));
    assert_eq!(adjust(&mut jails, Adjustment::MaxRetry(2.try_into().unwrap())), Ok(0));
    assert_eq!(adjust(&mut jails, Adjustment::BanTime(BanTime::Permanent)), Ok(1));
    assert_eq!(adjust(&mut jails, Adjustment::FindTime(Duration::from_secs(60))), Ok(1));
    assert_eq!(run(&mut jails, &[(0, "192.0.2.1"), (61, "192.0.2.1")]), [""; 0]);
    assert_eq!(run(&mut jails, &[(62, "192.0.2.1")]), ["sasl bans 192.0.2.1 at 62 until ever #1"]);
    jails.reconfigure(vec![settings("sasl")], PrefixSet::default(), PrefixSet::default());
    let back = jails.settings_in_force("sasl").unwrap();
    assert_eq!((back.maxretry, back.findtime.as_secs()), (3, 600));
}

#[test]
fn entries_of_an_ignore_list_come_and_go_one_by_one() {
    let mut jails =
        jails(vec![Settings { ignore: prefixes(&["192.0.2.9"]), maxretry: 1, ..settings("sasl") }]);
    let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Prefix>>();
    // Together they are one network, but each is an entry of its own.
    let added = list(&["198.51.100.0/25", "198.51.100.128/25", "192.0.2.9", "198.51.100.0/25"]);
    assert_eq!(adjust(&mut jails, Adjustment::Ignore(added)), Ok(2));
    assert_eq!(run(&mut jails, &[(0, "198.51.100.1"), (0, "198.51.100.200")]), [""; 0]);
    assert_eq!(adjust(&mut jails, Adjustment::Unignore("198.51.100.0/25".parse().unwrap())), Ok(1));
    let changes = run(&mut jails, &[(0, "198.51.100.1"), (0, "198.51.100.200")]);
    assert_eq!(changes, ["sasl bans 198.51.100.1 at 0 until 3600 #1"]);
    assert_eq!(jails.ignored_by("sasl"), list(&["192.0.2.9", "198.51.100.128/25"]));
    let refused = adjust(&mut jails, Adjustment::Unignore("192.0.2.1".parse().unwrap())).unwrap_err();
    assert!(refused.contains("192.0.2.1 is no entry"), "{refused}");
    let many = (0..10_000u32).map(|n| Prefix::host(std::net::Ipv4Addr::from(n + (198 << 24)).into()));
    assert!(adjust(&mut jails, Adjustment::Ignore(many.collect())).unwrap_err().contains("already"));
}

fn known(address: &str, since: i64, time: Option<BanTime>, count: u32) -> Order {
    Order::TakeOver(KnownBan {
        prefix: address.parse().unwrap(),
        jail: "sasl".into(),
        since: at(since),
        time,
        count,
        failures: 3,
        evidence: vec!["one".to_owned(), "two".to_owned(), "three".to_owned(), "four".to_owned()],
        by: "test".into(),
    })
}

#[test]
fn bans_of_another_program_are_taken_over_once() {
    let mut jails = jails(vec![Settings { increment: doubling(), ..settings("sasl") }]);
    let day = Some(BanTime::For(Duration::from_secs(86_400)));
    let take = |jails: &mut Jails, order_: Order| order(jails, order_, 50_000);
    let running = known("192.0.2.1", 1000, day, 4);
    assert_eq!(take(&mut jails, running.clone()).unwrap(), ["sasl bans 192.0.2.1 at 1000 until 87400 #4"]);
    assert_eq!(take(&mut jails, running).unwrap(), [""; 0]);
    let permanent = known("192.0.2.2", 1000, Some(BanTime::Permanent), 1);
    assert_eq!(take(&mut jails, permanent).unwrap(), ["sasl bans 192.0.2.2 at 1000 until ever #1"]);
    // As long as the jail bans, and that is over.
    let over = known("192.0.2.3", 1000, None, 2);
    let mut effects = Effects::default();
    assert_eq!(jails.order(&over, at(50_000), &mut effects), Ok(1));
    assert_eq!((effects.changes.len(), effects.remembered.len()), (0, 1));
    assert_eq!(jails.order(&over, at(50_000), &mut effects), Ok(0), "it is known");
    let changes = run(&mut jails, &[(50_001, "192.0.2.3"), (50_001, "192.0.2.3")]);
    assert_eq!(changes, ["sasl bans 192.0.2.3 at 50001 until 64401 #3"]);
    // A higher count of a ban in force is remembered, a lower one is not.
    assert_eq!(jails.order(&known("192.0.2.2", 1000, day, 5), at(50_000), &mut effects), Ok(1));
    assert_eq!(jails.order(&known("192.0.2.2", 1000, day, 3), at(50_000), &mut effects), Ok(0));
    // Whoever stayed away for long enough is forgotten.
    assert_eq!(jails.order(&known("192.0.2.4", 0, None, 9), at(1_000_000), &mut effects), Ok(0));
    take(&mut jails, known("127.0.0.1", 1000, day, 1)).unwrap_err();
}
