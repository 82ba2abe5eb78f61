//! Any packet to the DNS server. The first byte of the input says how the packet comes, the rest is the packet.
//!
//! Whatever it is, there is no panic; what is replied keeps its size limit, repeats id and question, and can be read by
//! hickory-proto; and a plain question for an address gets the codes that cover it, and no others.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::ip::PrefixSet;
use banzone::jail::{BanTable, Held};
use banzone::list::Publisher;
use banzone::zone::{Outcome, Peer, Publish, Settings, Transport, Zone, Zones, answer};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, RecordType};
use libfuzzer_sys::fuzz_target;

/// The largest replies: without EDNS, with it, over TCP.
const PLAIN: usize = 512;
const EDNS: usize = 1232;
const TCP: usize = 65_535;

const HEADER: usize = 12;

/// 2026-11-22T08:04:12Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

const ORIGIN: &str = "bl.example.";

static ZONES: LazyLock<Zones> = LazyLock::new(zones);

fuzz_target!(|input: &[u8]| {
    let Some((choice, query)) = input.split_first() else {
        return;
    };
    let transport = if choice & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    let peer = Peer { address: Ipv4Addr::new(192, 0, 2, 53).into(), transport };
    let mut out = vec![0xff; usize::from(*choice)];
    match answer(&ZONES, query, &peer, NOW, &mut out) {
        Outcome::Silent(_) => {
            assert!(out.is_empty());
            assert!(query.len() < HEADER || query[2] & 0x80 != 0, "a query without a reply");
        }
        Outcome::Replied { rcode, truncated, .. } => {
            let reply = Message::from_vec(&out).expect("a reply that can be read");
            check_header(query, &reply, rcode as u16, truncated);
            check_question(query, &out, &reply);
            check_size(query, &out, transport);
            check_codes(query, &reply);
        }
    }
});

fn check_header(query: &[u8], reply: &Message, rcode: u16, truncated: bool) {
    let header = &reply.metadata;
    assert_eq!(header.id.to_be_bytes(), query[..2]);
    assert_eq!(header.message_type, MessageType::Response);
    assert_eq!(u8::from(header.op_code), query[2] >> 3 & 0xf);
    assert_eq!(u16::from(header.response_code), rcode);
    assert_eq!(header.truncation, truncated);
    assert!(!truncated || reply.answers.is_empty());
}

/// The question comes back octet for octet, or not at all where it was not understood.
fn check_question(query: &[u8], out: &[u8], reply: &Message) {
    let understood = reply.queries.len() == 1;
    assert!(understood || reply.all_sections().next().is_none());
    if understood {
        let end = HEADER + question_length(&out[HEADER..]);
        assert_eq!(out[HEADER..end], query[HEADER..end]);
    }
}

/// The length of a name that is not compressed, with type and class behind it.
fn question_length(question: &[u8]) -> usize {
    let mut at = 0;
    while question[at] != 0 {
        at += 1 + usize::from(question[at]);
    }
    at + 5
}

fn check_size(query: &[u8], out: &[u8], transport: Transport) {
    let most = match (transport, Message::from_vec(query)) {
        (Transport::Tcp, _) => TCP,
        (Transport::Udp, Ok(query)) => {
            query.edns.map_or(PLAIN, |edns| usize::from(edns.max_payload()).clamp(PLAIN, EDNS))
        }
        // What hickory-proto cannot read may still have EDNS.
        (Transport::Udp, Err(_)) => EDNS,
    };
    assert!(out.len() <= most, "{} octets where {most} are allowed", out.len());
}

/// Reads the address out of the question by other means, and compares the answer with the list.
fn check_codes(query: &[u8], reply: &Message) {
    let Ok(query) = Message::from_vec(query) else {
        return;
    };
    let [question] = &query.queries[..] else { return };
    let plain = query.metadata.op_code == OpCode::Query
        && matches!(question.query_class, DNSClass::IN)
        && question.query_type == RecordType::A
        && query.edns.is_none_or(|edns| edns.version() == 0);
    let Some(address) = address(question).filter(|_| plain) else {
        return;
    };
    if reply.metadata.response_code == ResponseCode::FormErr {
        return;
    }
    let mut expected: Vec<Ipv4Addr> = (ZONES.listed(address, NOW).iter())
        .filter(|listed| listed.zone == ORIGIN.trim_end_matches('.'))
        .map(|listed| listed.code)
        .collect();
    expected.sort();
    expected.dedup();
    let mut given: Vec<Ipv4Addr> = reply
        .answers
        .iter()
        .map(|record| match &record.data {
            RData::A(code) => code.0,
            other => panic!("{other} for a question of type A"),
        })
        .collect();
    given.sort();
    assert!(given == expected || reply.metadata.truncation, "{address}: {given:?}, not {expected:?}");
}

/// The address whose reversed name stands before the origin.
fn address(question: &Query) -> Option<IpAddr> {
    let name = question.name.to_ascii().to_ascii_lowercase();
    let reversed = name.strip_suffix(ORIGIN)?.strip_suffix('.')?;
    let parts: Vec<&str> = reversed.split('.').rev().collect();
    match parts.len() {
        4 => parts.join(".").parse().map(IpAddr::V4).ok(),
        32 if parts.iter().all(|nibble| nibble.len() == 1) => {
            let number = u128::from_str_radix(&parts.concat(), 16).ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(number)))
        }
        _ => None,
    }
}

/// Nested zones with listings of both families that overlap, end and are allowed.
fn zones() -> Zones {
    let zones = [ORIGIN, "spam.deep.bl.example.", "example.", "other.example."];
    let zones = zones.map(|origin| Zone::new(settings(origin)).expect("settings without a fault"));
    let zones = Zones::new(zones.into()).expect("zones that go together");
    let allow: PrefixSet = ["198.51.100.7"].iter().filter_map(|prefix| prefix.parse().ok()).collect();
    let mut publisher = Publisher::new(Arc::clone(zones.lists()), 2_026_000_000, allow);
    let mut bans = BanTable::default();
    for (jail, prefix, left) in listings() {
        let prefix = prefix.parse().expect("a prefix");
        let until = left.map(|left| NOW + Duration::from_secs(left));
        let jail = bans.jail(&jail.into());
        bans.set(prefix, Held { jail, since: NOW, until, count: 1 });
    }
    publisher.start(bans, [], 1, NOW);
    zones
}

fn listings() -> Vec<(String, String, Option<u64>)> {
    let mut listings = vec![
        ("imap", "192.0.2.0/24", None),
        ("smtp", "192.0.2.1", Some(60)),
        ("imap", "192.0.2.2", Some(0)),
        ("imap", "198.51.100.0/22", Some(1)),
        ("imap", "1.2.3.4", None),
        ("imap", "2001:db8::/32", None),
        ("smtp", "2001:db8::1", Some(10)),
        ("smtp", "2001:db8:0:1::/64", Some(1_000_000_000)),
        ("smtp", "1234:5678::/64", None),
    ]
    .into_iter()
    .map(|(jail, prefix, left)| (jail.to_owned(), prefix.to_owned(), left))
    .collect::<Vec<_>>();
    // More texts than fit into a datagram.
    listings.extend((0..40).map(|jail| (format!("jail-{jail}"), "203.0.113.9".to_owned(), None)));
    listings
}

fn settings(origin: &str) -> Settings {
    let publish = |jail: &str, last, sublist: Option<&str>| Publish {
        sublist: sublist.map(|name| name.parse().expect("a name")),
        jails: vec![jail.into()],
        code: Ipv4Addr::new(127, 0, 0, last),
        text: "https://bl.example/ip/$ip banned by $jail until $until, $prefix".parse().expect("a template"),
    };
    Settings {
        origin: origin.parse().expect("a name"),
        primary: "ns1.example".parse().expect("a name"),
        ns_ttl: Duration::from_secs(3600),
        name_servers: ["ns1.example", "ns2.example"].map(|name| name.parse().expect("a name")).into(),
        contact: "hostmaster.example".parse().expect("a name"),
        ttl: Duration::from_secs(300),
        soa_ttl: Duration::from_secs(3600),
        refresh: Duration::from_secs(7200),
        retry: Duration::from_secs(900),
        expire: Duration::from_secs(1_209_600),
        negative_ttl: Duration::from_secs(60),
        publish: vec![publish("imap", 4, None), publish("smtp", 3, Some("smtp")), publish("*", 2, None)],
        data_sets: Vec::new(),
        file: "zones/fuzz.toml".into(),
    }
}
