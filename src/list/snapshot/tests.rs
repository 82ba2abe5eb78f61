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

/// What the model lists: a ban of one of two jails, of which the second is published under the first rule.
type Ban = (Prefix, &'static str, Option<i64>);

fn ban() -> impl Strategy<Value = Ban> {
    (prefix(), prop_oneof![Just("a"), Just("b"), Just("hidden")], proptest::option::of(0i64..6))
}

fn rules() -> Vec<Rule> {
    let rule = |jail: &str, last| Rule {
        jails: vec![jail.into()],
        code: Ipv4Addr::new(127, 0, 0, last),
        sublist: None,
    };
    vec![rule("b", 2), rule("a", 4)]
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(1_600_000_000 + second)
}

/// A version that lists `bans`.
fn list(bans: &[Ban], allow: &[Prefix]) -> List {
    let mut table = BanTable::default();
    for (prefix, jail, until) in bans {
        let jail = table.jail(&(*jail).into());
        table.set(*prefix, Held { jail, since: at(0), until: until.map(at), count: 1 });
    }
    let mut list = List::new(&rules());
    list.set_bans(table, &rules());
    list.set_allow(Arc::new(allow.iter().copied().collect()));
    list
}

struct Model {
    bans: Vec<Ban>,
    allow: Vec<Prefix>,
    now: i64,
}

impl Model {
    fn find(&self, address: IpAddr) -> Vec<(Prefix, u16)> {
        let address = address.to_canonical();
        if let Some((_, rule)) = POINTS.iter().find(|(point, _)| *point == address) {
            return vec![(Prefix::host(address), *rule)];
        }
        if address == NEVER || self.allow.iter().any(|prefix| prefix.contains(address)) {
            return Vec::new();
        }
        let listed = self.bans.iter().filter(|(prefix, jail, until)| {
            prefix.contains(address) && *jail != "hidden" && until.is_none_or(|until| self.now < until)
        });
        let mut found: Vec<(Prefix, u16)> =
            listed.map(|(prefix, jail, _)| (*prefix, u16::from(*jail == "a"))).collect();
        found.sort_by_key(|(prefix, rule)| (128 - prefix.to_bytes().1, *rule));
        found
    }

    /// Asks for every address of a prefix of up to 6 bits.
    fn any_within(&self, prefix: Prefix) -> bool {
        let (first, last) = prefix.bounds();
        (first..=last).any(|address| !self.find(Ipv6Addr::from(address).into()).is_empty())
    }
}

proptest! {
    #[test]
    fn the_list_finds_what_the_model_finds(
        bans in proptest::collection::vec(ban(), 0..12),
        allow in proptest::collection::vec(prefix(), 0..3),
        asked in proptest::collection::vec((address(), 0u8..6), 8),
        now in 0i64..7,
    ) {
        // The last ban of a prefix by a jail is the one in force.
        let latest = |(index, ban): &(usize, &Ban)| !bans[index + 1..].iter().any(|later| (later.0, later.1) == (ban.0, ban.1));
        let in_force: Vec<Ban> = bans.iter().enumerate().filter(latest).map(|(_, ban)| *ban).collect();
        let list = list(&bans, &allow);
        let published = in_force.iter().filter(|(_, jail, _)| *jail != "hidden");
        prop_assert_eq!(list.len(), published.count() + POINTS.len());
        let model = Model { bans: in_force, allow, now };
        let now = at(now);
        for (address, short) in asked {
            let found: Vec<_> = list.find(address, now).iter().map(|found| (found.prefix, found.rule)).collect();
            prop_assert_eq!(found, model.find(address), "{}", address);
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let prefix = Prefix::new(address, bits - short).unwrap();
            prop_assert_eq!(list.view(None).any_within(prefix, now), model.any_within(prefix), "{}", prefix);
        }
    }
}

/// The test points of the rules.
const POINTS: [(Ipv4Addr, u16); 2] = [(Ipv4Addr::new(127, 0, 0, 2), 0), (Ipv4Addr::new(127, 0, 0, 4), 1)];

fn listed(prefixes: &[&str]) -> List {
    let bans: Vec<Ban> = prefixes.iter().map(|prefix| (prefix.parse().unwrap(), "a", None)).collect();
    list(&bans, &[])
}

#[test]
fn the_most_specific_listing_comes_first() {
    let list = listed(&["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7", "::/0"]);
    let found = list.find("::ffff:192.0.2.7".parse().unwrap(), at(0));
    let found: Vec<String> = found.iter().map(|listing| listing.prefix.to_string()).collect();
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
        ("127.0.0.0/8", true),
        ("127.0.0.4", true),
        ("127.0.0.3", false),
    ] {
        let prefix = within.parse().unwrap();
        assert_eq!(list.view(None).any_within(prefix, at(0)), expected, "{within}");
    }
}

#[test]
fn a_search_among_bans_that_do_not_count_has_an_end() {
    let hidden = |count: usize| -> Vec<Ban> {
        let hosts = (0..count).map(|host| Ipv4Addr::from_bits(0xc000_0000 + host as u32));
        hosts.map(|host| (host.into(), "hidden", None)).collect()
    };
    let network = "192.0.0.0/16".parse().unwrap();
    for (count, expected) in [(LONGEST_SEARCH, false), (LONGEST_SEARCH + 1, true)] {
        assert_eq!(list(&hidden(count), &[]).view(None).any_within(network, at(0)), expected, "{count}");
    }
}
