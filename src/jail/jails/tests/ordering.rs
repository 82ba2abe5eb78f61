//! What people order: bans, pardons, failures, other settings, and bans of another program.

use super::*;

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
