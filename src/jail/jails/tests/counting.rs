//! Failures become bans, and bans grow.

use super::*;

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
