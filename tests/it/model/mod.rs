//! What the server must answer, worked out the slow way: the query is read by hickory-proto, every listing of a short
//! table is compared with the name, and the reply is put together from hickory-proto's records. It shares no code with
//! the answer path. The fuzz target `query` includes it too.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::ip::PrefixSet;
use banzone::jail::{BanTable, Held};
use banzone::list::Publisher;
use banzone::zone::{
    Admission, KeyRules, KeySettings, Outcome, Peer, Pending, Publish, Refusal, Replied, Secret, Secrets,
    Server, Settings, Transport, Zone, Zones, answer_ordinary, answer_other, truncate,
};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use options::Options;

pub mod options;

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

/// The class in which servers are asked about themselves, and the names for that (RFC 4892, section 2.2).
const CHAOS: DNSClass = DNSClass::CH;
pub const CHAOS_NAMES: [&str; 2] = ["id.server.", "hostname.bind."];

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
pub const ORIGINS: [&str; 5] = ["bl.example.", "spam.deep.bl.example.", "example.", "other.example.", KEYED];

/// This one answers to keys only.
const KEYED: &str = "keys.example.";

/// Keys, and the seconds each has left.
pub const KEYS: [(&str, Option<u64>); 3] =
    [("0123456789abcdef", None), ("secretsecretsecret0", Some(1)), ("cafecafecafecafe", Some(0))];

const NAME_SERVERS: [&str; 2] = ["ns1.example.", "ns2.example."];
const CONTACT: &str = "hostmaster.example.";

/// The rules of every zone: jail, code. Every other jail has the last code.
const RULES: [(&str, u8); 3] = [("imap", 4), ("smtp", 3), ("*", 2)];

/// The part of every zone that has what the first rule says.
pub const SUBLIST: &str = "sasl";

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
static TABLE: LazyLock<Vec<Listing>> = LazyLock::new(|| table(&RULES));
static PART: LazyLock<Vec<Listing>> = LazyLock::new(|| table(&RULES[..1]));

thread_local! {
    static READ: RefCell<Pending> = RefCell::default();
}

/// Asks the server and panics unless the reply is the one it must be. Whether the query is one that hickory-proto would
/// write itself, so that all of the reply was known beforehand; of others less is.
pub fn check(query: &[u8], transport: Transport) -> bool {
    let peer = Peer { address: options::CLIENT, transport };
    // What is left from before, in the buffer and where the query is read, must not matter.
    let mut out = vec![0xff; query.len() % 64];
    let outcome = READ.with_borrow_mut(|pending| {
        let moment = ZONES.at(NOW);
        pending.read(&moment, query);
        match answer_ordinary(pending, &moment, query, &peer, &mut out) {
            Some(replied) => Outcome::Replied(replied),
            None => answer_other(pending, &moment, query, &peer, &mut out),
        }
    });
    match outcome {
        Outcome::Silent(_) => {
            assert!(out.is_empty());
            assert!(query.len() < HEADER || query[2] & 0x80 != 0, "a query without a reply");
            false
        }
        Outcome::Replied(Replied { rcode, truncated, refusal, known, .. }) => {
            let reply = read(&out);
            assert_eq!(u16::from(reply.metadata.response_code), rcode as u16);
            assert_eq!(reply.metadata.truncation, truncated);
            check_any(query, &out, &reply, transport);
            check_truncated(&mut out, &reply);
            check_known(query, &reply, transport, (refusal, known))
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

/// Compares the reply with the expected one, if there is one, and why it is a refusal and whether the client is known.
/// Whether there had to be an answer.
fn check_known(query: &[u8], reply: &Message, transport: Transport, about: (Option<Refusal>, bool)) -> bool {
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
    let asked = message.edns.as_ref().filter(|_| expected.options.is_some());
    assert_eq!(edns, asked.map(|edns| (0, EDNS as u16, edns.flags().dnssec_ok)), "{message}");
    check_options(reply, &expected, &message);
    let refusal = expected.needs_key.then_some(Refusal::Key);
    let known = expected.options.is_some_and(|options| options.known == Some(true));
    assert_eq!(about, (refusal, known), "{message}");
    written
}

/// The options of the reply, in any order.
fn check_options(reply: &Message, expected: &Expected, query: &Message) {
    let mut told = reply.edns.as_ref().map(options::options).unwrap_or_default();
    told.sort();
    let expected = expected.options.as_ref().filter(|_| query.edns.is_some());
    assert_eq!(told, expected.map(|options| options.told.clone()).unwrap_or_default(), "{query}");
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
    /// It has no key.
    needs_key: bool,
    /// What EDNS gets, if the query was understood so far.
    options: Option<Options>,
    answers: Vec<Record>,
    authorities: Vec<Record>,
}

impl Expected {
    fn refusal(rcode: ResponseCode) -> Self {
        Self {
            rcode,
            authoritative: false,
            truncated: false,
            bare: false,
            needs_key: false,
            options: None,
            answers: Vec::new(),
            authorities: Vec::new(),
        }
    }

    fn bare(rcode: ResponseCode) -> Self {
        Self { bare: true, ..Self::refusal(rcode) }
    }

    fn to(query: &Message, transport: Transport) -> Self {
        if let Some(rcode) = rcode_of_opcode(query) {
            return Self::bare(rcode);
        }
        let options = Options::to(query.edns.as_ref());
        match &query.queries[..] {
            _ if options.malformed => Self::bare(ResponseCode::FormErr),
            [] if options.has_cookie() => Self::to_cookie(options),
            [question] => {
                let expected = Self::to_question(query, question, transport);
                Self { options: Some(options), ..expected }.cut(query, question, transport)
            }
            _ => Self::bare(ResponseCode::FormErr),
        }
    }

    /// The query is about the cookie alone (RFC 7873, section 5.4).
    fn to_cookie(options: Options) -> Self {
        let rcode =
            if options.known == Some(false) { ResponseCode::BADCOOKIE } else { ResponseCode::NoError };
        Self { options: Some(options), ..Self::bare(rcode) }
    }

    fn to_question(query: &Message, question: &Query, transport: Transport) -> Self {
        match (refused(query, question, transport), zone_of(&question.name)) {
            (Some(rcode), _) => Self::refusal(rcode),
            (None, _) if question.query_class == CHAOS => Self::about_server(question),
            (None, Some(origin)) => Self::in_zone(question, &origin),
            (None, None) => Self::refusal(ResponseCode::Refused),
        }
    }

    fn about_server(question: &Query) -> Self {
        if !CHAOS_NAMES.map(parsed).contains(&question.name) {
            return Self::refusal(ResponseCode::Refused);
        }
        let text = RData::TXT(TXT::new(vec![options::NAME.to_owned()]));
        let mut record = Record::from_rdata(question.name.clone(), 0, text);
        record.dns_class = CHAOS;
        Self { authoritative: true, answers: vec![record], ..Self::refusal(ResponseCode::NoError) }
    }

    fn in_zone(question: &Query, origin: &Name) -> Self {
        let labels = labels_below(&question.name, origin);
        let Some(below) = without_key(&labels, origin) else {
            return Self { needs_key: true, ..Self::refusal(ResponseCode::Refused) };
        };
        let found = find(question, below, origin);
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
        let edns = query.edns.as_ref().map_or(0, |_| OPT + self.options.as_ref().map_or(0, Options::size));
        if HEADER + name + 5 + texts + edns <= room {
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
        (DNSClass::IN | DNSClass::ANY, _) | (CHAOS, RecordType::TXT) => None,
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

/// The labels of a name in small letters, without those of the origin.
fn labels_below(name: &Name, origin: &Name) -> Vec<String> {
    let mut labels: Vec<String> =
        name.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    // Not of the name's `num_labels`, which leaves out a leading asterisk.
    labels.truncate(labels.len() - usize::from(origin.num_labels()));
    labels
}

/// What stands before the key, where there must be one; `None` if there is none that is good.
fn without_key<'a>(labels: &'a [String], origin: &Name) -> Option<&'a [String]> {
    let Some((last, before)) = labels.split_last().filter(|_| *origin == parsed(KEYED)) else {
        return Some(labels);
    };
    KEYS.iter().any(|(key, left)| key == last && *left != Some(0)).then_some(before)
}

/// The records of a name that exists, which has these labels before the origin or the key.
fn find(question: &Query, below: &[String], origin: &Name) -> Option<Vec<Record>> {
    if question.name == *origin {
        return Some(apex(question));
    }
    let (below, table) = match below.split_last() {
        Some((last, before)) if last == SUBLIST => (before, &*PART),
        _ => (below, &*TABLE),
    };
    if below.is_empty() {
        return Some(Vec::new());
    }
    let ipv4 = octets(below);
    let ipv6 = nibbles(below);
    // The whole of an IPv4 address ends a name; it may lead an IPv6 address as well.
    let whole = [ipv4.filter(|_| below.len() == 4), ipv6.filter(|_| below.len() == 32)];
    let listings: Vec<&Listing> =
        whole.iter().flatten().flat_map(|(bits, _)| covering(table, *bits)).collect();
    if let [Some((bits, _)), _] | [_, Some((bits, _))] = whole
        && !listings.is_empty()
    {
        return Some(listed(question, bits, listings));
    }
    let partial = [ipv4.filter(|_| below.len() < 4), ipv6.filter(|_| below.len() < 32)];
    let exists = partial.into_iter().flatten().any(|(bits, length)| any_within(table, bits, length));
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
    let are_digits =
        labels.iter().all(|label| matches!(label.as_bytes(), [digit] if digit.is_ascii_hexdigit()));
    if !are_digits || labels.len() > 32 {
        return None;
    }
    let number = u128::from_str_radix(&format!("{digits:0<32}"), 16).ok()?;
    Some((number, 4 * labels.len() as u32))
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
fn covering(table: &'static [Listing], asked: u128) -> Vec<&'static Listing> {
    let allowed = bits(ALLOWED) == asked;
    let covers = |listing: &&Listing| same(listing.bits, asked, listing.length);
    table.iter().filter(covers).filter(|listing| !allowed || listing.is_test_point()).collect()
}

/// Whether an address that begins with these bits is listed.
fn any_within(table: &[Listing], asked: u128, length: u32) -> bool {
    table.iter().any(|listing| same(listing.bits, asked, length.min(listing.length)))
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

/// What is in force of what these rules publish, test points included (RFC 5782, section 5).
fn table(rules: &[(&str, u8)]) -> Vec<Listing> {
    let length = |address: &str, length: u8| u32::from(length) + if address.contains(':') { 0 } else { 96 };
    let in_force = listings().into_iter().filter(|(.., left)| *left != Some(0));
    let bans = in_force.filter_map(|(jail, network, bound, left)| {
        let rule = RULES.iter().find(|(name, _)| *name == jail).unwrap_or(&RULES[2]);
        let (bits, length, code) = (bits(network), length(network, bound), code(rule.1));
        rules.contains(rule).then_some(Listing { bits, length, code, jail, left })
    });
    let has_two = rules.iter().any(|(_, last)| *last == 2);
    let first = (!has_two).then(|| test_point(2, rules[0].1));
    let points = rules.iter().map(|(_, last)| test_point(*last, *last)).chain(first);
    bans.chain(points).collect()
}

/// The address 127.0.0.N and what it is listed as. Where nothing is listed as 127.0.0.2, that is what the first rule says.
fn test_point(address: u8, last: u8) -> Listing {
    let bits = code(address).to_ipv6_mapped().to_bits();
    Listing { bits, length: 128, code: code(last), jail: "test point".to_owned(), left: None }
}

fn code(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
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
    let [newest, before] = options::SECRETS.map(Secret::new);
    let cookies = Some(Secrets::Shared { newest, others: vec![before] });
    let nsid = Some(options::NAME.parse().expect("a name"));
    zones.with_server(Server { nsid, cookies, ..Server::default() })
}

fn keys() -> KeyRules {
    let keys = KEYS.map(|(label, left)| KeySettings {
        name: label.into(),
        label: label.parse().expect("a key"),
        per_second: None,
        per_day: None,
        expires: left.map(|left| NOW + Duration::from_secs(left)),
    });
    KeyRules { keys: keys.into(), silently: false }
}

fn settings(origin: &str) -> Settings {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let [refresh, retry, expire] = TIMES.map(seconds);
    let publish = RULES.map(|(jail, last)| Publish {
        jails: vec![jail.into()],
        code: code(last),
        text: TEXT.parse().expect("a template"),
        sublist: (jail == RULES[0].0).then(|| SUBLIST.parse().expect("a name")),
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
        admission: Admission { keys: (origin == KEYED).then(keys), ..Admission::default() },
        file: "zones/model.toml".into(),
    }
}
