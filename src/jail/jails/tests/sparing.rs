//! Whole networks, and those that are never banned.

use super::*;

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
