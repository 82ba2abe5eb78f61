//! The ordinary way answers what it takes as the general way does: the same bytes, and the same of what became of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::dataset::{self, Clients, Options, Source, Treatment, load};
use crate::ip::PrefixSet;
use crate::jail::{BanTable, Held};
use crate::list::{PublishedSet, Publisher};
use crate::zone::answer::{answer_any, answer_ordinary, answer_other};
use crate::zone::testing::settings;
use crate::zone::{
    Admission, KeyRules, KeySettings, Outcome, Pending, Publish, Secret, Secrets, Server, Settings,
    StaticList, Transport, Zones,
};

const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

/// The zones, and the type of data set each has: of bans, of one inside it, of data sets, of both, and such as have no ordinary
/// questions: of names, and with keys.
const ORIGINS: [(&str, &str); 7] = [
    ("bl.example", ""),
    ("deep.inner.bl.example", ""),
    ("sets.example", "ip4trie"),
    ("both.example", "ip4set"),
    ("names.example", "dnset"),
    (KEYED, ""),
    ("a-zone-that-has-a-long-name.of-several-labels.example", "ip4tset"),
];

const KEYED: &str = "keys.example";

/// Jail, prefix, and the seconds it has left.
const BANS: [(&str, &str, Option<u64>); 12] = [
    ("imap", "192.0.2.1/32", Some(60)),
    ("smtp", "192.0.2.1/32", None),
    ("smtp", "192.0.2.16/28", Some(10_000)),
    ("smtp", "192.0.2.17/32", Some(1)),
    ("smtp", "192.0.2.18/32", Some(0)),
    ("imap", "192.0.2.33/32", Some(20)),
    ("quiet", "203.0.113.0/24", None),
    ("smtp", "12.0.0.0/7", None),
    ("smtp", "198.51.100.0/30", None),
    ("other", "192.0.2.200/32", None),
    ("smtp", "2001::/16", None),
    ("imap", "10.99.1.0/24", None),
];

const ALLOWED: &str = "198.51.100.2";

/// A client that the server turns away, whatever the zone.
const REFUSED: &str = "198.51.100.13";

/// Entries of a data set that is good, of one that is too old, and of one of test points.
const ENTRIES: [&str; 3] = [
    "192.0.2.1\n192.0.2.0/28 :4:$ of a set\n!192.0.2.5\n198.51.100.2\n203.0.113.64/26 :5:\n10.99.0.0/16\n\
     192.0.2.60 :8:later @ ts=1795334752\n192.0.2.61 :8:by key @ key=require\n192.0.2.62 :8:since @ ts=1795334651\n",
    "198.51.100.77 :9:old\n192.0.2.50 :9:old\n",
    "127.0.0.2\n192.0.2.90 :10:point\n198.51.100.2 :10:point\n",
];

static ZONES: LazyLock<Zones> = LazyLock::new(zones);

fn zones() -> Zones {
    let zones = Zones::new(ORIGINS.map(|(origin, kind)| zone(origin, kind)).into()).unwrap();
    let allow = std::iter::once(ALLOWED.parse().unwrap()).collect();
    let mut bans = BanTable::default();
    for (jail, prefix, left) in BANS {
        let until = left.map(|left| NOW + Duration::from_secs(left));
        let jail = bans.jail(&jail.into());
        bans.set(prefix.parse().unwrap(), Held { jail, since: NOW, until, count: 1 });
    }
    Publisher::new(Arc::clone(zones.lists()), 1, allow).start(bans, [], 1, NOW);
    zones.lists().publish_sets(&ORIGINS.map(|(_, kind)| data_sets(kind)));
    let refused = Clients { networks: vec![REFUSED.parse().unwrap()], treatment: Treatment::Refuse };
    let cookies = Some(Secrets::Shared { newest: Secret::new([7; 16]), others: Vec::new() });
    let (nsid, idle_timeout) = (Some("ns1".parse().unwrap()), Some(Duration::from_secs(10)));
    let clients = Some(Arc::new(Acl::new(&[refused])));
    zones.with_server(Server { clients, nsid, cookies, idle_timeout })
}

fn zone(origin: &str, kind: &str) -> Zone {
    let rule = |jail: &str, last: u8, text: &str| Publish {
        jails: vec![jail.into()],
        code: [127, 0, 0, last].into(),
        text: text.parse().unwrap(),
        sublist: (jail == "imap").then(|| "sasl".parse().unwrap()),
    };
    let publish = vec![
        rule("imap", 4, "$ip by $jail until $until"),
        rule("smtp", 3, "$prefix of $zone since $since"),
        rule("quiet", 5, ""),
    ];
    let set = dataset::Settings { kind: kind.into(), files: Vec::new(), options: Options::default() };
    let set = StaticList { settings: set, allow_reserved: None, sublist: None };
    let clients = [("198.51.100.9", Treatment::Refuse), ("198.51.100.10", Treatment::Ignore)];
    let more = [("198.51.100.11", Treatment::Empty), ("198.51.100.12", Treatment::Pass)];
    let clients = clients
        .into_iter()
        .chain(more)
        .map(|(client, treatment)| Clients { networks: vec![client.parse().unwrap()], treatment });
    let key = KeySettings {
        name: "a".into(),
        label: "0123456789abcdef".parse().unwrap(),
        per_second: None,
        per_day: None,
        expires: None,
    };
    let keys = KeyRules { keys: vec![key], silently: false };
    Zone::new(Settings {
        publish: if kind == "ip4trie" { Vec::new() } else { publish },
        data_sets: vec![set],
        admission: Admission { clients: clients.collect(), keys: (origin == KEYED).then_some(keys) },
        ..settings(origin)
    })
    .unwrap()
}

/// One that is good, one that is too old, and one of test points.
fn data_sets(kind: &str) -> Arc<[PublishedSet]> {
    let long = [("4", "a"), ("7", "b")].map(|(code, c)| format!("192.0.2.32/27 :{code}:{}\n", c.repeat(250)));
    let more = if kind == "ip4trie" { "2001:db8::/32\n" } else { &*long.concat() };
    let all = if kind == "dnset" { ["1.2.0.192\n", "", ""] } else { ENTRIES };
    let sets =
        all.into_iter().zip([None, Some(NOW), None]).enumerate().map(|(number, (entries, expires))| {
            let entries = if number == 0 { format!("{entries}{more}") } else { entries.to_owned() };
            let source = Source { name: "list", bytes: entries.as_bytes() };
            PublishedSet {
                set: load(kind, &[source], &Options::default(), NOW).unwrap().set.into(),
                title: "list".into(),
                sublist: None,
                expires,
                is_test: number == 2,
                allow_reserved: Some(PrefixSet::default()),
            }
        });
    if kind.is_empty() { Arc::default() } else { sets.collect() }
}

/// A query for a name with these flags, counts, type and class, and what stands behind the question.
fn query(name: &str, [flags, additional, kind, class]: [u16; 4], behind: &[u8]) -> Vec<u8> {
    let mut query = vec![7, 7];
    for word in [flags, 1, 0, 0, additional] {
        query.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.split_terminator('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend_from_slice(label.as_bytes());
    }
    query.push(0);
    query.extend_from_slice(&kind.to_be_bytes());
    query.extend_from_slice(&class.to_be_bytes());
    query.extend_from_slice(behind);
    query
}

/// Asks both ways, and says whether the query went the ordinary way to its end.
fn check(query: &[u8], peer: &Peer) -> bool {
    let moment = ZONES.at(NOW);
    let (mut given, mut general) = (Vec::new(), Vec::new());
    let mut pending = Pending::default();
    pending.read(&moment, query);
    let ordinary = answer_ordinary(&pending, &moment, query, peer, &mut given);
    let outcome = match ordinary {
        Some(replied) => Outcome::Replied(replied),
        None => answer_other(&mut pending, &moment, query, peer, &mut given),
    };
    pending.read_all(&moment, query);
    assert_eq!(outcome, answer_any(&pending, &moment, query, peer, &mut general), "{query:?}");
    assert_eq!(given, general, "{query:?}");
    ordinary.is_some()
}

const OPT: [u8; 11] = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];

const PEER: Peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Udp };

#[test]
fn most_questions_are_ordinary() {
    for (name, is_ordinary) in [
        ("50.2.0.192.bl.example", true),
        ("16.2.0.192.BL.eXample", true),
        ("1.2.0.192.sets.example", true),
        ("16.2.0.192.deep.inner.bl.example", true),
        ("50.2.0.192.both.example", true),
        ("40.2.0.192.both.example", true),
        ("1.99.99.10.both.example", true),
        ("16.2.0.192.a-zone-that-has-a-long-name.OF-several-labels.example", true),
        // Of several listings, of records with several times to live, of what is allowed, of a test point, and of what could be
        // nibbles.
        ("1.2.0.192.bl.example", false),
        ("33.2.0.192.both.example", false),
        ("2.100.51.198.bl.example", false),
        ("2.0.0.127.bl.example", false),
        ("1.0.0.2.bl.example", false),
        ("50.2.0.192.names.example", false),
        ("50.2.0.192.keys.example", false),
        ("50.2.0.192.0123456789abcdef.keys.example", false),
        ("50.2.0.192.sasl.bl.example", false),
        ("50.2.0.192.example.org", false),
        ("2.0.192.bl.example", false),
    ] {
        for (words, behind) in [([0x100, 0, 1, 1], &[][..]), ([0, 1, 16, 1], &OPT)] {
            assert_eq!(check(&query(name, words, behind), &PEER), is_ordinary, "{name}");
        }
    }
    // A ban and a data set that have the same code, and other texts; texts that are too long without EDNS.
    for (name, kind, behind, is_ordinary) in [
        ("70.113.0.203.both.example", 1, &[][..], false),
        ("70.113.0.203.bl.example", 1, &[], true),
        ("40.2.0.192.both.example", 16, &OPT, true),
        ("40.2.0.192.both.example", 16, &[], false),
    ] {
        let words = [0, u16::from(!behind.is_empty()), kind, 1];
        assert_eq!(check(&query(name, words, behind), &PEER), is_ordinary, "{name} {kind}");
    }
    for (words, behind) in [
        ([0x8000, 0, 1, 1], &[][..]),
        ([0x2000, 0, 1, 1], &[]),
        ([0, 0, 28, 1], &[]),
        ([0, 0, 1, 3], &[]),
        ([0, 0, 1, 1], &OPT),
        ([0, 1, 1, 1], &OPT[1..]),
        // A version that is not there, and an option that is.
        ([0, 1, 1, 1], &[0, 0, 41, 4, 208, 0, 1, 0, 0, 0, 0]),
        ([0, 1, 1, 1], &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0]),
    ] {
        assert!(!check(&query("50.2.0.192.bl.example", words, behind), &PEER), "{words:?} {behind:?}");
    }
}

#[test]
fn clients_of_a_list_are_not_ordinary() {
    let query = query("16.2.0.192.bl.example", [0x100, 0, 1, 1], &[]);
    for (last, is_ordinary) in [(8, true), (9, false), (10, false), (11, false), (12, true), (13, false)] {
        let peer = Peer { address: [198, 51, 100, last].into(), transport: Transport::Udp };
        assert_eq!(check(&query, &peer), is_ordinary, "{last}");
    }
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "1.2.0.192",
        "17.2.0.192",
        "18.2.0.192",
        "5.2.0.192",
        "33.2.0.192",
        "40.2.0.192",
        "50.2.0.192",
        "60.2.0.192",
        "61.2.0.192",
        "62.2.0.192",
        "90.2.0.192",
        "70.113.0.203",
        "2.100.51.198",
        "3.100.51.198",
        "77.100.51.198",
        "1.1.99.10",
        "1.99.99.10",
        "2.0.0.127",
        "1.0.0.2",
    ];
    let octet = prop_oneof![
        6 => "[0-9]{1,2}|1[0-9][0-9]|2[0-9][0-9]",
        1 => "[0-9a-z]{1,4}",
    ];
    let address = prop_oneof![
        1 => prop::collection::vec(octet, 3..6).prop_map(|octets| octets.join(".")),
        2 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
    ];
    let origin = prop_oneof![
        5 => prop::sample::select(ORIGINS.map(|(origin, _)| origin).to_vec()).prop_map(str::to_owned),
        1 => "(sasl\\.)?[bB][lL]\\.e[xX]ample",
        1 => "deep\\.[iI]nner\\.bl\\.example|bl\\.exampl|inner\\.bl\\.example|example",
    ];
    (address, origin).prop_map(|(address, origin)| format!("{address}.{origin}"))
}

/// A query, of which some are damaged.
fn queries() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![8 => Just(0x100), 1 => any::<u16>()];
    let kind = prop::sample::select(vec![1, 1, 1, 1, 16, 16, 16, 28, 255, 6]);
    let class = prop::sample::select(vec![1, 1, 1, 1, 1, 1, 1, 1, 3, 255]);
    let size = prop::option::of(prop_oneof![1 => any::<u16>(), 1 => 500..1300_u16]);
    let damage = prop::option::weighted(0.1, (any::<prop::sample::Index>(), any::<u8>()));
    (name(), flags, kind, class, size, damage).prop_map(|(name, flags, kind, class, size, damage)| {
        let mut opt = OPT;
        opt[3..5].copy_from_slice(&size.unwrap_or_default().to_be_bytes());
        let behind = if size.is_some() { &opt[..] } else { &[] };
        let mut query = query(&name, [flags, size.is_some().into(), kind, class], behind);
        if let Some((place, octet)) = damage {
            let place = place.index(query.len());
            query[place] = octet;
        }
        query
    })
}

#[test]
fn both_ways_answer_the_same() {
    const CASES: u32 = 20_000;
    let peers = (7..21_u8, any::<bool>()).prop_map(|(last, is_udp)| {
        let transport = if is_udp { Transport::Udp } else { Transport::Tcp };
        Peer { address: [198, 51, 100, last].into(), transport }
    });
    let ordinary = AtomicU32::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    TestRunner::new(config)
        .run(&(queries(), peers), |(query, peer)| {
            ordinary.fetch_add(check(&query, &peer).into(), Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    let ordinary = ordinary.into_inner();
    assert!((CASES / 10..CASES / 2).contains(&ordinary), "{ordinary} were ordinary");
}
