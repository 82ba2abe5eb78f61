//! What the server must answer, worked out the slow way: the query is read by hickory-proto, every listing of a short
//! table is compared with the name, and the reply is put together from hickory-proto's records. It shares no code with
//! the answer path. The fuzz target `query` includes this file too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::ip::PrefixSet;
use banzone::jail::{BanTable, Held};
use banzone::list::Publisher;
use banzone::zone::{Admission, Outcome, Peer, Publish, Settings, Transport, Zone, Zones, answer, truncate};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// The largest replies: without EDNS, with it, over TCP.
const PLAIN: usize = 512;
const EDNS: usize = 1232;
const TCP: usize = 65_535;

const HEADER: usize = 12;

/// What OPT takes, and what a record takes beside its data when its name is a pointer.
const OPT: usize = 11;
const RECORD: usize = 12;

/// The number 16 is two codes; hickory-proto reads it as that of TSIG.
const BADVERS: ResponseCode = ResponseCode::BADSIG;

/// When everything is asked: 2026-11-22T08:04:12Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

/// The serial is counted from this number and the number of the last change.
const SERIAL_BASE: u32 = 2_026_000_000;
const CHANGE: u64 = 1;

const TTL: u64 = 300;
const SOA_TTL: u32 = 3600;
const NS_TTL: u32 = 7200;
const NEGATIVE_TTL: u32 = 60;
const TIMES: [u32; 3] = [7200, 900, 1_209_600];

/// One stands below another twice, and there is a name between the two.
pub const ORIGINS: [&str; 4] = ["bl.example.", "spam.deep.bl.example.", "example.", "other.example."];

const NAME_SERVERS: [&str; 2] = ["ns1.example.", "ns2.example."];
const CONTACT: &str = "hostmaster.example.";

/// The rules of every zone: jail, code. Every other jail has the last code.
const RULES: [(&str, u8); 3] = [("imap", 4), ("smtp", 3), ("*", 2)];
const TEXT: &str = "https://bl.example/ip/$ip banned by $jail until $until, $prefix";

/// Jail, prefix, and the seconds it has left.
const LISTINGS: [(&str, &str, u8, Option<u64>); 9] = [
    ("imap", "192.0.2.0", 24, None),
    ("smtp", "192.0.2.1", 32, Some(60)),
    ("imap", "192.0.2.2", 32, Some(0)),
    ("imap", "198.51.100.0", 22, Some(1)),
    ("imap", "1.2.3.4", 32, None),
    ("imap", "2001:db8::", 32, None),
    ("smtp", "2001:db8::1", 128, Some(10)),
    ("smtp", "2001:db8:0:1::", 64, Some(1_000_000_000)),
    ("smtp", "1234:5678::", 64, None),
];

/// So many jails list this address that their texts don't fit into a datagram.
const CROWDED: &str = "203.0.113.9";
const CROWD: usize = 40;

/// On the allowlist.
const ALLOWED: &str = "198.51.100.7";

static ZONES: LazyLock<Zones> = LazyLock::new(zones);
static TABLE: LazyLock<Vec<Listing>> = LazyLock::new(table);

/// Asks the server and panics unless the reply is the one it must be. Whether the query is one that hickory-proto would
/// write itself, so that all of the reply was known beforehand; of others less is.
pub fn check(query: &[u8], transport: Transport) -> bool {
    let peer = Peer { address: Ipv4Addr::new(192, 0, 2, 53).into(), transport };
    // What is left in the buffer from before must not matter.
    let mut out = vec![0xff; query.len() % 64];
    match answer(&ZONES, query, &peer, NOW, &mut out) {
        Outcome::Silent(_) => {
            assert!(out.is_empty());
            assert!(query.len() < HEADER || query[2] & 0x80 != 0, "a query without a reply");
            false
        }
        Outcome::Replied { rcode, truncated, .. } => {
            let reply = read(&out);
            assert_eq!(u16::from(reply.metadata.response_code), rcode as u16);
            assert_eq!(reply.metadata.truncation, truncated);
            check_any(query, &out, &reply, transport);
            check_truncated(&mut out, &reply);
            check_known(query, &reply, transport)
        }
    }
}

/// A message that ends where its counts say.
fn read(reply: &[u8]) -> Message {
    let mut decoder = BinDecoder::new(reply);
    let message = Message::read(&mut decoder).expect("a reply that can be read");
    assert!(decoder.is_empty(), "{} octets behind the last record", decoder.len());
    message
}

/// What holds for the reply to any packet.
fn check_any(query: &[u8], out: &[u8], reply: &Message, transport: Transport) {
    let header = &reply.metadata;
    assert_eq!(header.id.to_be_bytes(), query[..2]);
    assert_eq!(header.message_type, MessageType::Response);
    assert_eq!(u8::from(header.op_code), query[2] >> 3 & 0xf);
    // The question comes back octet for octet, or not at all where it was not understood.
    let understood = reply.queries.len() == 1;
    assert!(understood || reply.all_sections().next().is_none());
    if understood {
        let end = HEADER + question_length(&out[HEADER..]);
        assert_eq!(out[HEADER..end], query[HEADER..end]);
    }
    let most = match (transport, Message::from_vec(query)) {
        (Transport::Udp, Ok(query)) => udp_size(&query),
        // What hickory-proto cannot read may still have EDNS.
        (Transport::Udp, Err(_)) => EDNS,
        _ => TCP,
    };
    assert!(out.len() <= most, "{} octets where {most} are allowed", out.len());
}

/// What is sent where there are too many replies keeps question and EDNS, and nothing else.
fn check_truncated(out: &mut Vec<u8>, reply: &Message) {
    truncate(out);
    let short = read(out);
    assert!(short.metadata.truncation && short.answers.is_empty() && short.authorities.is_empty());
    assert_eq!((&short.queries, &short.edns), (&reply.queries, &reply.edns));
}

/// The length of a name that is not compressed, with type and class behind it.
fn question_length(question: &[u8]) -> usize {
    let mut at = 0;
    while question[at] != 0 {
        at += 1 + usize::from(question[at]);
    }
    at + 5
}

fn udp_size(query: &Message) -> usize {
    query.edns.as_ref().map_or(PLAIN, |edns| usize::from(edns.max_payload()).clamp(PLAIN, EDNS))
}

/// Compares the reply with the expected one, if there is one. Whether there had to be an answer.
fn check_known(query: &[u8], reply: &Message, transport: Transport) -> bool {
    let Ok(message) = Message::from_vec(query) else {
        return false;
    };
    // A header with flags that nobody sets reads back otherwise.
    let written = message.to_vec().is_ok_and(|written| written[4..] == query[4..]);
    if !written && reply.metadata.response_code == ResponseCode::FormErr {
        return false;
    }
    let expected = Expected::to(&message, transport);
    assert_eq!(reply.metadata.response_code, expected.rcode, "{message}");
    assert_eq!(reply.metadata, expected.metadata(&message), "{message}");
    assert_eq!(sorted(&reply.answers), sorted(&expected.answers), "{message}");
    assert_eq!(sorted(&reply.authorities), sorted(&expected.authorities), "{message}");
    assert_eq!(reply.additionals, [], "{message}");
    assert_eq!(reply.queries.len(), usize::from(!expected.bare), "{message}");
    let edns = reply.edns.as_ref().map(|edns| (edns.version(), edns.max_payload(), edns.flags().dnssec_ok));
    let asked = message.edns.as_ref().filter(|_| !expected.bare);
    assert_eq!(edns, asked.map(|edns| (0, EDNS as u16, edns.flags().dnssec_ok)), "{message}");
    written
}

/// The order of records says nothing.
fn sorted(records: &[Record]) -> Vec<String> {
    let mut shown: Vec<String> = records.iter().map(ToString::to_string).collect();
    shown.sort();
    shown
}

/// The reply to a query, without what every reply repeats.
struct Expected {
    rcode: ResponseCode,
    authoritative: bool,
    truncated: bool,
    /// Without the question.
    bare: bool,
    answers: Vec<Record>,
    authorities: Vec<Record>,
}

impl Expected {
    fn refusal(rcode: ResponseCode) -> Self {
        let (answers, authorities) = (Vec::new(), Vec::new());
        Self { rcode, authoritative: false, truncated: false, bare: false, answers, authorities }
    }

    fn to(query: &Message, transport: Transport) -> Self {
        let bare = |rcode| Self { bare: true, ..Self::refusal(rcode) };
        let [question] = &query.queries[..] else {
            return bare(rcode_of_opcode(query).unwrap_or(ResponseCode::FormErr));
        };
        if let Some(rcode) = rcode_of_opcode(query) {
            return bare(rcode);
        }
        if has_malformed_cookie(query) {
            return bare(ResponseCode::FormErr);
        }
        let Some(expected) = refused(query, question, transport).map(Self::refusal).or_else(|| {
            let origin = zone_of(&question.name)?;
            Some(Self::in_zone(question, &origin))
        }) else {
            return Self::refusal(ResponseCode::Refused);
        };
        expected.cut(query, question, transport)
    }

    fn in_zone(question: &Query, origin: &Name) -> Self {
        let found = find(question, origin);
        let rcode = if found.is_some() { ResponseCode::NoError } else { ResponseCode::NXDomain };
        let answers = found.unwrap_or_default();
        let authorities = if answers.is_empty() {
            vec![soa(&question.name.trim_to(origin.num_labels().into()), NEGATIVE_TTL)]
        } else {
            Vec::new()
        };
        let authoritative = question.query_class == DNSClass::IN;
        Self { authoritative, answers, authorities, ..Self::refusal(rcode) }
    }

    /// An answer that does not fit has no records at all (RFC 2181, section 9).
    fn cut(self, query: &Message, question: &Query, transport: Transport) -> Self {
        let room = if transport == Transport::Tcp { TCP } else { udp_size(query) };
        let name: usize = question.name.iter().map(|label| 1 + label.len()).sum();
        let texts = self.answers.iter().map(|record| RECORD + size(&record.data)).sum::<usize>();
        if HEADER + name + 5 + texts + query.edns.as_ref().map_or(0, |_| OPT) <= room {
            return self;
        }
        Self { truncated: true, answers: Vec::new(), authorities: Vec::new(), ..self }
    }

    fn metadata(&self, query: &Message) -> hickory_proto::op::Metadata {
        let asked = &query.metadata;
        let mut metadata = Message::response(asked.id, asked.op_code).metadata;
        metadata.response_code = self.rcode;
        metadata.authoritative = self.authoritative;
        metadata.truncation = self.truncated;
        metadata.recursion_desired = asked.recursion_desired;
        metadata
    }
}

fn rcode_of_opcode(query: &Message) -> Option<ResponseCode> {
    match query.metadata.op_code {
        OpCode::Query => None,
        OpCode::Notify => Some(ResponseCode::Refused),
        _ => Some(ResponseCode::NotImp),
    }
}

/// Whether the first cookie has a length that none has (RFC 7873, section 5.2.2).
fn has_malformed_cookie(query: &Message) -> bool {
    let edns = query.edns.as_ref().filter(|edns| edns.version() == 0);
    let mut options = edns.into_iter().flat_map(|edns| &edns.options().options);
    let cookie = options.find(|(code, _)| u16::from(*code) == 10);
    cookie.is_some_and(|(_, option)| {
        let length = Vec::try_from(option).expect("an option that was read").len();
        length != 8 && !(16..=40).contains(&length)
    })
}

/// What is turned down whatever the name.
fn refused(query: &Message, question: &Query, transport: Transport) -> Option<ResponseCode> {
    if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Some(BADVERS);
    }
    match (question.query_class, question.query_type) {
        (DNSClass::IN | DNSClass::ANY, RecordType::AXFR) if transport == Transport::Udp => {
            Some(ResponseCode::NotImp)
        }
        (DNSClass::IN | DNSClass::ANY, RecordType::AXFR | RecordType::IXFR) => Some(ResponseCode::Refused),
        (DNSClass::IN | DNSClass::ANY, _) => None,
        _ => Some(ResponseCode::Refused),
    }
}

/// The octets of an answer's data, where answers may be many.
fn size(data: &RData) -> usize {
    match data {
        RData::A(_) => 4,
        RData::TXT(text) => text.txt_data.iter().map(|part| 1 + part.len()).sum(),
        _ => 0,
    }
}

/// The most specific zone.
fn zone_of(name: &Name) -> Option<Name> {
    let around = ORIGINS.map(parsed).into_iter().filter(|origin| origin.zone_of(name));
    around.max_by_key(Name::num_labels)
}

/// The records of a name that exists.
fn find(question: &Query, origin: &Name) -> Option<Vec<Record>> {
    if question.name == *origin {
        return Some(apex(question));
    }
    let labels: Vec<String> =
        question.name.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    let below = &labels[..labels.len() - usize::from(origin.num_labels())];
    let ipv4 = octets(below);
    let ipv6 = nibbles(below);
    // The whole of an IPv4 address ends a name; it may lead an IPv6 address as well.
    let whole = [ipv4.filter(|_| below.len() == 4), ipv6.filter(|_| below.len() == 32)];
    let listings: Vec<&Listing> = whole.iter().flatten().flat_map(|(bits, _)| covering(*bits)).collect();
    if let [Some((bits, _)), _] | [_, Some((bits, _))] = whole
        && !listings.is_empty()
    {
        return Some(listed(question, bits, listings));
    }
    let partial = [ipv4.filter(|_| below.len() < 4), ipv6.filter(|_| below.len() < 32)];
    let exists = partial.into_iter().flatten().any(|(bits, length)| any_within(bits, length));
    let above_zone = ORIGINS.map(parsed).iter().any(|inner| question.name.zone_of(inner));
    (exists || above_zone).then(Vec::new)
}

fn apex(question: &Query) -> Vec<Record> {
    match question.query_type {
        RecordType::SOA | RecordType::ANY => vec![soa(&question.name, SOA_TTL)],
        RecordType::NS => {
            let record = |server| RData::NS(NS(parsed(server)));
            let owner = &question.name;
            NAME_SERVERS.map(|server| Record::from_rdata(owner.clone(), NS_TTL, record(server))).into()
        }
        _ => Vec::new(),
    }
}

/// The SOA record of a zone, whose name is written as it was asked.
fn soa(owner: &Name, ttl: u32) -> Record {
    let [refresh, retry, expire] = TIMES.map(|time| time as i32);
    let serial = SERIAL_BASE + CHANGE as u32;
    let (primary, contact) = (parsed(NAME_SERVERS[0]), parsed(CONTACT));
    let data = SOA::new(primary, contact, serial, refresh, retry, expire, NEGATIVE_TTL);
    Record::from_rdata(owner.clone(), ttl, RData::SOA(data))
}

/// The records of an address that is listed: one for each code, one for each text.
fn listed(question: &Query, bits: u128, listings: Vec<&Listing>) -> Vec<Record> {
    let ttl = listings.iter().map(|listing| listing.left.map_or(TTL, |left| left.min(TTL))).min();
    let ttl = ttl.unwrap_or_default() as u32;
    let mut data: Vec<RData> = match question.query_type {
        RecordType::A | RecordType::ANY => listings.iter().map(|listing| RData::A(A(listing.code))).collect(),
        RecordType::TXT => {
            listings.iter().map(|listing| RData::TXT(TXT::new(vec![listing.text(bits)]))).collect()
        }
        _ => Vec::new(),
    };
    let mut seen = Vec::new();
    data.retain(|data| {
        !seen.contains(data) && {
            seen.push(data.clone());
            true
        }
    });
    data.into_iter().map(|data| Record::from_rdata(question.name.clone(), ttl, data)).collect()
}

fn parsed(name: &str) -> Name {
    Name::from_ascii(name).expect("a name")
}

/// An address and how many of its bits a name fixes; an IPv4 address stands behind `::ffff:`.
type Fixed = (u128, u32);

/// Labels as octets.
fn octets(labels: &[String]) -> Option<Fixed> {
    let octets: Option<Vec<u8>> = labels.iter().rev().map(|label| octet(label)).collect();
    let octets = octets.filter(|octets| octets.len() <= 4)?;
    let mut address = [0; 4];
    address[..octets.len()].copy_from_slice(&octets);
    Some((Ipv4Addr::from(address).to_ipv6_mapped().to_bits(), 96 + 8 * octets.len() as u32))
}

/// A decimal number as it is usually written.
fn octet(label: &str) -> Option<u8> {
    let number: u8 = label.parse().ok()?;
    (number.to_string() == label).then_some(number)
}

/// Labels as nibbles.
fn nibbles(labels: &[String]) -> Option<Fixed> {
    let digits: String = labels.iter().rev().map(String::as_str).collect();
    let fits = labels.len() <= 32 && labels.iter().all(|label| label.len() == 1);
    let number = u128::from_str_radix(&format!("{digits:0<32}"), 16).ok()?;
    fits.then_some((number, 4 * labels.len() as u32))
}

/// A line of the table.
struct Listing {
    bits: u128,
    length: u32,
    code: Ipv4Addr,
    jail: String,
    left: Option<u64>,
}

impl Listing {
    fn text(&self, asked: u128) -> String {
        let (ip, jail) = (address(asked), &self.jail);
        let until = self.left.map(|left| (NOW + Duration::from_secs(left)).to_string());
        let until = until.unwrap_or_else(|| "further notice".to_owned());
        let network = address(self.bits);
        let length = self.length - if network.is_ipv4() { 96 } else { 0 };
        let whole = length == if network.is_ipv4() { 32 } else { 128 };
        let prefix = if whole { network.to_string() } else { format!("{network}/{length}") };
        format!("https://bl.example/ip/{ip} banned by {jail} until {until}, {prefix}")
    }

    fn is_test_point(&self) -> bool {
        self.jail == "test point"
    }
}

/// The listings of an address.
fn covering(asked: u128) -> Vec<&'static Listing> {
    let allowed = bits(ALLOWED) == asked;
    let covers = |listing: &&Listing| same(listing.bits, asked, listing.length);
    TABLE.iter().filter(covers).filter(|listing| !allowed || listing.is_test_point()).collect()
}

/// Whether an address that begins with these bits is listed.
fn any_within(asked: u128, length: u32) -> bool {
    TABLE.iter().any(|listing| same(listing.bits, asked, length.min(listing.length)))
}

fn same(left: u128, right: u128, length: u32) -> bool {
    length == 0 || (left ^ right) >> (128 - length) == 0
}

fn bits(address: &str) -> u128 {
    match address.parse().expect("an address") {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(bits: u128) -> IpAddr {
    IpAddr::from(Ipv6Addr::from(bits)).to_canonical()
}

/// Addresses that are listed, ends of networks, and some beside them.
pub fn addresses() -> Vec<IpAddr> {
    let ends = TABLE.iter().flat_map(|listing| {
        let last = listing.bits | u128::MAX.checked_shr(listing.length).unwrap_or(0);
        [listing.bits, last, last.wrapping_add(1), listing.bits.wrapping_sub(1)]
    });
    ends.chain(["127.0.0.1", ALLOWED, "192.0.2.2"].map(bits)).map(address).collect()
}

/// What is in force, test points included (RFC 5782, section 5).
fn table() -> Vec<Listing> {
    let code = |jail: &str| {
        let rule = RULES.iter().find(|(name, _)| *name == jail).unwrap_or(&RULES[2]);
        Ipv4Addr::new(127, 0, 0, rule.1)
    };
    let length = |address: &str, length: u8| u32::from(length) + if address.contains(':') { 0 } else { 96 };
    let bans =
        listings().into_iter().filter(|(.., left)| *left != Some(0)).map(|(jail, network, bound, left)| {
            let (bits, length) = (bits(network), length(network, bound));
            Listing { bits, length, code: code(&jail), jail, left }
        });
    let points = RULES.iter().map(|(_, last)| Ipv4Addr::new(127, 0, 0, *last)).map(|code| Listing {
        bits: code.to_ipv6_mapped().to_bits(),
        length: 128,
        code,
        jail: "test point".to_owned(),
        left: None,
    });
    bans.chain(points).collect()
}

fn listings() -> Vec<(String, &'static str, u8, Option<u64>)> {
    let crowd = (0..CROWD).map(|jail| (format!("jail-{jail}"), CROWDED, 32, None));
    let others = LISTINGS.map(|(jail, network, length, left)| (jail.to_owned(), network, length, left));
    others.into_iter().chain(crowd).collect()
}

/// The same as the server has it.
fn zones() -> Zones {
    let zones = ORIGINS.map(|origin| Zone::new(settings(origin)).expect("settings without a fault"));
    let zones = Zones::new(zones.into()).expect("zones that go together");
    let allow: PrefixSet = std::iter::once(ALLOWED.parse().expect("a prefix")).collect();
    let mut publisher = Publisher::new(Arc::clone(zones.lists()), SERIAL_BASE, allow);
    let mut bans = BanTable::default();
    for (jail, network, length, left) in listings() {
        let prefix = format!("{network}/{length}").parse().expect("a prefix");
        let until = left.map(|left| NOW + Duration::from_secs(left));
        let jail = bans.jail(&jail.into());
        bans.set(prefix, Held { jail, since: NOW, until, count: 1 });
    }
    publisher.start(bans, [], CHANGE, NOW);
    zones
}

fn settings(origin: &str) -> Settings {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let [refresh, retry, expire] = TIMES.map(seconds);
    let publish = RULES.map(|(jail, last)| Publish {
        jails: vec![jail.into()],
        code: Ipv4Addr::new(127, 0, 0, last),
        text: TEXT.parse().expect("a template"),
        sublist: None,
    });
    Settings {
        origin: origin.parse().expect("a name"),
        primary: NAME_SERVERS[0].parse().expect("a name"),
        name_servers: NAME_SERVERS.map(|name| name.parse().expect("a name")).into(),
        ns_ttl: seconds(NS_TTL),
        contact: CONTACT.parse().expect("a name"),
        ttl: Duration::from_secs(TTL),
        soa_ttl: seconds(SOA_TTL),
        refresh,
        retry,
        expire,
        negative_ttl: seconds(NEGATIVE_TTL),
        publish: publish.into(),
        data_sets: Vec::new(),
        admission: Admission::default(),
        file: "zones/model.toml".into(),
    }
}
