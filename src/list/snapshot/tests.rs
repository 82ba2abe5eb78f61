//! The list against a naive model of it: a vector that is searched from end to end.

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;

/// Addresses close enough together that random prefixes meet: 192.0.2.0/28, 2001:db8::/124, and the same IPv4
/// addresses by their IPv6 names.
fn address() -> impl Strategy<Value = IpAddr> {
    let four = (0u8..16).prop_map(|low| IpAddr::from([192, 0, 2, low]));
    let six = (0u16..16).prop_map(|low| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, low]));
    let mapped = (0u8..16).prop_map(|low| Ipv4Addr::new(192, 0, 2, low).to_ipv6_mapped().into());
    prop_oneof![four, six, mapped, Just(Ipv4Addr::LOCALHOST.into())]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (address(), prop_oneof![0u8..6, Just(40u8)]).prop_map(|(address, short)| {
        let bits = if address.is_ipv4() { 32u8 } else { 128 };
        Prefix::new(address, bits.saturating_sub(short)).unwrap()
    })
}

fn listing() -> impl Strategy<Value = Listing> {
    (prop_oneof![Just("a"), Just("b")], 0u16..3, proptest::option::of(0i64..6), any::<bool>()).prop_map(
        |(jail, rule, until, test)| Listing {
            jail: jail.into(),
            rule,
            since: Timestamp::default(),
            until: until.map(Timestamp::from_secs),
            test,
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Prefix, Listing),
    Remove(Prefix, &'static str),
    DropExpired(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prefix(), listing()).prop_map(|(prefix, listing)| {
            // Test points are single addresses.
            let prefix = if listing.test { Prefix::host(prefix.address()) } else { prefix };
            Step::Insert(prefix, listing)
        }),
        2 => (prefix(), prop_oneof![Just("a"), Just("b")]).prop_map(|(prefix, jail)| Step::Remove(prefix, jail)),
        1 => (0i64..4).prop_map(Step::DropExpired),
    ]
}

#[derive(Default)]
struct Model(Vec<(Prefix, Listing)>);

impl Model {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Insert(prefix, listing) => {
                let same = |held: &Listing| held.jail == listing.jail && held.test == listing.test;
                self.0.retain(|(at, held)| !(at == prefix && same(held)));
                self.0.push((*prefix, listing.clone()));
            }
            Step::Remove(prefix, jail) => {
                self.0.retain(|(at, held)| held.test || !(at == prefix && &*held.jail == *jail));
            }
            Step::DropExpired(now) => self.0.retain(|(_, held)| held.in_force(Timestamp::from_secs(*now))),
        }
    }

    fn find(&self, address: IpAddr, allow: &[Prefix], now: Timestamp) -> Vec<(Prefix, Listing)> {
        let address = address.to_canonical();
        let allowed = address == NEVER || allow.iter().any(|prefix| prefix.contains(address));
        let mut found: Vec<(Prefix, Listing)> = self
            .0
            .iter()
            .filter(|(prefix, held)| {
                prefix.contains(address) && held.in_force(now) && (held.test || !allowed)
            })
            .cloned()
            .collect();
        found.sort_by_key(|(prefix, held)| {
            (128 - prefix.to_bytes().1, held.rule, held.jail.clone(), held.test)
        });
        found
    }

    /// Asks for every address of a prefix of up to 6 bits.
    fn any_within(&self, prefix: Prefix, allow: &[Prefix], now: Timestamp) -> bool {
        let (first, length) = key_of(prefix);
        let mut addresses = (0..1u128 << (128 - length)).map(|offset| Ipv6Addr::from(first + offset));
        addresses.any(|address| !self.find(address.into(), allow, now).is_empty())
    }
}

fn build(steps: &[Step], allow: &[Prefix]) -> (List, Model) {
    let (mut list, mut model) = (List::new(), Model::default());
    list.set_allow(Arc::new(allow.iter().copied().collect()));
    for step in steps {
        let before = model.0.len();
        model.take(step);
        match step {
            Step::Insert(prefix, listing) => list.insert(*prefix, listing.clone()),
            Step::Remove(prefix, jail) => assert_eq!(list.remove(*prefix, jail), model.0.len() < before),
            Step::DropExpired(now) => {
                assert_eq!(list.drop_expired(Timestamp::from_secs(*now)), before - model.0.len());
            }
        }
    }
    (list, model)
}

proptest! {
    #[test]
    fn the_list_finds_what_the_model_finds(
        steps in proptest::collection::vec(step(), 0..12),
        allow in proptest::collection::vec(prefix(), 0..3),
        asked in proptest::collection::vec((address(), 0u8..6), 8),
        now in (0i64..7).prop_map(Timestamp::from_secs),
    ) {
        let (list, model) = build(&steps, &allow);
        prop_assert_eq!(list.len(), model.0.len());
        prop_assert_eq!(list.iter().count(), model.0.len());
        for (address, short) in asked {
            let mut found: Vec<_> = list.find(address, now).map(|(at, held)| (at, held.clone())).collect();
            // A test point and a ban of the same rule and jail have no order between them.
            found.sort_by_key(|(at, held)| (128 - at.to_bytes().1, held.rule, held.jail.clone(), held.test));
            prop_assert_eq!(found, model.find(address, &allow, now), "{}", address);
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let prefix = Prefix::new(address, bits - short).unwrap();
            prop_assert_eq!(list.any_within(prefix, now), model.any_within(prefix, &allow, now), "{}", prefix);
        }
    }
}

fn listed(prefixes: &[&str]) -> List {
    let mut list = List::new();
    for prefix in prefixes {
        let listing =
            Listing { jail: "imap".into(), rule: 0, since: Timestamp::default(), until: None, test: false };
        list.insert(prefix.parse().unwrap(), listing);
    }
    list
}

#[test]
fn the_most_specific_listing_comes_first() {
    let list = listed(&["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7", "::/0"]);
    let found: Vec<String> = list
        .find("::ffff:192.0.2.7".parse().unwrap(), Timestamp::default())
        .map(|(prefix, _)| prefix.to_string())
        .collect();
    assert_eq!(found, ["192.0.2.7", "192.0.2.0/24", "0.0.0.0/0"]);
}

#[test]
fn an_ipv4_address_exists_below_its_ipv6_name() {
    let list = listed(&["192.0.2.7"]);
    for (within, expected) in [
        ("::/16", true),
        ("::ffff:0:0/96", true),
        ("::ffff:192.0.2.0/120", true),
        ("::fffe:0:0/96", false),
        ("100::/8", false),
        ("192.0.2.0/24", true),
        ("192.0.3.0/24", false),
    ] {
        let prefix = within.parse().unwrap();
        assert_eq!(list.any_within(prefix, Timestamp::default()), expected, "{within}");
    }
}

#[test]
fn a_clone_keeps_its_version() {
    let mut list = listed(&["192.0.2.7"]);
    let before = list.clone();
    list.remove("192.0.2.7".parse().unwrap(), "imap");
    assert!(list.is_empty());
    assert_eq!(before.len(), 1);
}
