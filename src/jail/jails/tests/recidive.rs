//! Jails that count the bans of others.

use super::*;

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

#[test]
fn bans_by_ordered_failures_are_failures_where_bans_are_counted() {
    let sasl = Settings { maxretry: 1, ..settings("sasl") };
    let mut jails = jails(vec![sasl, Settings { maxretry: 1, ..recidive("recidive") }]);
    let expected = ["sasl bans 192.0.2.1 at 7 until 3607 #1", "recidive bans 192.0.2.1 at 7 until 604807 #1"];
    assert_eq!(order(&mut jails, fail("192.0.2.1", &[]), 7).unwrap(), expected);
}
