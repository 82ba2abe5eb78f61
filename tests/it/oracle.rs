//! Any packet, and the reply that `model.rs` works out for it in another way.

use std::net::IpAddr;

use banzone::ip::write_reversed;
use banzone::zone::Transport;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{DNSClass, Name, RecordType};
use proptest::prelude::*;

use crate::model;
use crate::model::options::{SECRETS, made};

/// A name in, between, above or outside of the zones, in letters of any case.
fn name() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        8 => prop::sample::select(model::addresses()),
        1 => any::<IpAddr>(),
    ];
    let label = prop_oneof![
        (0u8..=255).prop_map(|octet| octet.to_string()),
        "[0-9a-f]",
        "0[0-9]{1,2}",
        Just("*".to_owned()),
        "[a-z_][a-z_-]{0,20}"
    ];
    let extra = prop::collection::vec(label.clone(), 0..3);
    let reversed = (address, any::<bool>(), any::<prop::sample::Index>(), any::<bool>(), extra).prop_map(
        |(address, mapped, skipped, whole, extra)| {
            let address = match address {
                IpAddr::V4(v4) if mapped => v4.to_ipv6_mapped().into(),
                address => address,
            };
            let reversed = write_reversed(address);
            let labels: Vec<&str> = reversed.split('.').collect();
            let skipped = if whole { 0 } else { skipped.index(labels.len()) };
            let front = if extra.len() > 1 { extra } else { Vec::new() };
            front.into_iter().chain(labels[skipped..].iter().map(|label| (*label).to_owned())).collect()
        },
    );
    let front = prop_oneof![6 => reversed, 1 => prop::collection::vec(label, 0..6)];
    let origins = model::ORIGINS.into_iter().chain(["deep.bl.example.", "id.server.", "test.", "."]);
    let origin = prop::sample::select(origins.collect::<Vec<_>>());
    let mark = prop::sample::select(
        model::KEYS.map(|(key, _)| key).into_iter().chain([model::SUBLIST]).collect::<Vec<_>>(),
    );
    let marks = prop::collection::vec(mark, 0..3);
    (front, marks, origin, any::<u64>()).prop_map(|(labels, marks, origin, case)| {
        let labels = labels.iter().map(String::as_str).chain(marks);
        let name = labels.fold(String::new(), |name, label| name + label + ".") + origin;
        let name = if name.len() > 1 { name.replace("..", ".") } else { name };
        let upper = |at: usize| case >> (at % 64) & 1 == 1;
        let letters = name.char_indices();
        letters.map(|(at, c)| if upper(at) { c.to_ascii_uppercase() } else { c }).collect()
    })
}

/// A cookie: the client's part alone, or with a server's that was good once, will be, or never is.
fn cookie() -> impl Strategy<Value = Vec<u8>> {
    let client = any::<[u8; 8]>();
    let secret = prop::sample::select(SECRETS.to_vec());
    let made = (client, -400..4000i64, secret).prop_map(|(client, ago, secret)| made(&client, ago, &secret));
    prop_oneof![
        1 => client.prop_map(Vec::from),
        4 => made,
        1 => prop::collection::vec(any::<u8>(), 16..=40),
    ]
}

/// Options of EDNS, by code and data.
fn options() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let other = (65_001u16..65_010, prop::collection::vec(any::<u8>(), 0..8));
    let option =
        prop_oneof![1 => Just((3, Vec::new())), 2 => cookie().prop_map(|cookie| (10, cookie)), 1 => other];
    prop::collection::vec(option, 0..3)
}

/// Name, type and class.
fn question() -> impl Strategy<Value = (String, u16, u16)> {
    let kind = prop_oneof![4 => Just(1), 4 => Just(16), 1 => prop::sample::select(vec![2, 6, 15, 28, 251, 252, 255]), 1 => 1u16..300];
    // Type 41 is no type to ask for, and hickory-proto refuses to read it.
    let kind = kind.prop_map(|kind| if kind == 41 { 1 } else { kind });
    let class = prop_oneof![8 => Just(1), 1 => Just(255), 1 => Just(3), 1 => 1u16..300];
    let of_server =
        prop::sample::select(model::CHAOS_NAMES.to_vec()).prop_map(|name| (name.to_owned(), 16, 3));
    prop_oneof![40 => (name(), kind, class), 1 => of_server]
}

fn edns() -> impl Strategy<Value = Edns> {
    let version = prop_oneof![6 => Just(0), 1 => any::<u8>()];
    (any::<u16>(), version, any::<bool>(), options()).prop_map(|(size, version, dnssec, options)| {
        let mut edns = Edns::new();
        edns.set_max_payload(size).set_version(version).set_dnssec_ok(dnssec);
        for (code, data) in options {
            edns.options_mut().insert(EdnsOption::Unknown(code, data));
        }
        edns
    })
}

/// A query that hickory-proto writes, with one question or, seldom, without.
fn query() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![9 => Just(0), 1 => 0u8..16];
    let question = prop::option::weighted(0.95, question());
    (any::<u16>(), opcode, any::<bool>(), question, prop::option::of(edns())).prop_map(
        |(id, opcode, recursion, question, edns)| {
            let mut message = Message::new(id, MessageType::Query, OpCode::from_u8(opcode));
            message.metadata.recursion_desired = recursion;
            if let Some((name, kind, class)) = question {
                let mut question = Query::query(Name::from_ascii(name).unwrap(), RecordType::from(kind));
                question.set_query_class(DNSClass::from(class));
                message.add_query(question);
            }
            if let Some(edns) = edns {
                message.set_edns(edns);
            }
            message.to_vec().unwrap()
        },
    )
}

/// A query that something happened to on its way.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let more = prop::collection::vec(any::<u8>(), 0..20);
    (query(), damage, any::<prop::sample::Index>(), 0u8..3, more).prop_map(
        |(mut packet, damage, cut, ending, more)| {
            for (at, octet) in damage {
                let at = at.index(packet.len());
                packet[at] = octet;
            }
            match ending {
                0 => packet.truncate(cut.index(packet.len())),
                1 => packet.extend(more),
                _ => {}
            }
            packet
        },
    )
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn queries_are_answered_as_the_model_says(query in query(), transport in transport()) {
        prop_assert!(model::check(&query, transport), "what hickory-proto wrote is known");
    }

    #[test]
    fn damaged_queries_do_no_harm(query in damaged(), transport in transport()) {
        model::check(&query, transport);
    }

    #[test]
    fn noise_does_no_harm(query in prop::collection::vec(any::<u8>(), 0..600), transport in transport()) {
        model::check(&query, transport);
    }
}
