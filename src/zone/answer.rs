//! The one function that answers DNS queries.

use std::net::IpAddr;

use super::admission::{ListedFor, Refusal, Refused, by_client};
use super::chaos;
use super::cookie::Worth;
use super::keys::Keys;
use super::query::{Edns, Header, Malformed, Question};
use super::reply::{CLASS_IN, Reply};
use super::{Zone, Zones};
use crate::clock::Timestamp;
use crate::dataset::{Asked, Data, Records};
use crate::ip::{Prefix, Reversed, leading_nibbles, read_reversed};
use crate::list::{List, Listing, PublishedSet};

const TYPE_A: u16 = 1;
const TYPE_NS: u16 = 2;
const TYPE_SOA: u16 = 6;
const TYPE_MX: u16 = 15;
pub(super) const TYPE_TXT: u16 = 16;
const TYPE_IXFR: u16 = 251;
const TYPE_AXFR: u16 = 252;
const TYPE_ANY: u16 = 255;

const CLASS_ANY: u16 = 255;

const OPCODE_QUERY: u8 = 0;
const OPCODE_NOTIFY: u8 = 4;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the query came from.
    pub address: IpAddr,
    /// How it came; the reply goes back the same way.
    pub transport: Transport,
}

/// How messages are carried, which says how large a reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram: 512 octets, with EDNS up to 1232.
    Udp,
    /// A stream with a length before each message: 65535 octets, as with all that follow.
    Tcp,
    /// The same, encrypted (RFC 7858).
    Tls,
    /// The body of an HTTP response (RFC 8484).
    Https,
    /// A QUIC stream for each query (RFC 9250).
    Quic,
}

/// A response code (RFC 1035, section 4.1.1; RFC 6891, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Rcode {
    /// The name exists, with or without what was asked for.
    NoError = 0,
    /// The query is broken.
    FormErr = 1,
    /// The zone has nothing left that it could answer from.
    ServFail = 2,
    /// The name does not exist.
    NxDomain = 3,
    /// A kind of query that is not implemented.
    NotImp = 4,
    /// Not a zone of this server, or nothing it gives to anyone.
    Refused = 5,
    /// A version of EDNS that is not implemented.
    BadVers = 16,
    /// The query asks whether its cookie is good, and it is not (RFC 7873, section 8).
    BadCookie = 23,
}

/// Why a packet gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Silence {
    /// It has no header: nothing to reply to.
    Short,
    /// It is a response itself; two servers would answer each other for ever.
    Response,
    /// Who asks is refused, and not told.
    Refused(Refusal),
}

/// What became of a query; for counters and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is a reply.
    Replied {
        /// Its response code.
        rcode: Rcode,
        /// The index of the zone that was asked.
        zone: Option<usize>,
        /// Whether the question was for an address that is listed.
        listed: bool,
        /// The type that was asked for, if the question could be read.
        qtype: Option<u16>,
        /// What a name of the zone stands for.
        subject: Subject,
        /// Where the records begin in the reply.
        records: usize,
        /// Whether the answer did not fit.
        truncated: bool,
        /// Why it is no answer, if that is so because of who asks.
        refusal: Option<Refusal>,
        /// Whether a cookie shows that the client has the address it claims to have.
        known: bool,
    },
    /// There is none.
    Silent(Silence),
}

/// What was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The zone itself, a part of an address, a name that is listed, or nothing that a zone has.
    Zone,
    /// A name that is neither an address, nor a part of one, nor listed.
    Name,
    /// An address.
    Address {
        /// The address itself.
        address: IpAddr,
        /// The most specific prefix whose listing was the answer. None where it came from a data set.
        listing: Option<Prefix>,
    },
}

/// What the reply will say of itself.
struct Verdict {
    rcode: Rcode,
    authoritative: bool,
    zone: Option<usize>,
    listed: bool,
    subject: Subject,
    refusal: Option<Refusal>,
}

impl Verdict {
    fn refusal(rcode: Rcode) -> Self {
        let subject = Subject::Zone;
        Self { rcode, authoritative: false, zone: None, listed: false, subject, refusal: None }
    }

    /// `zone` does not answer, because of who asks.
    fn refused(why: Refusal, zone: Option<usize>) -> Self {
        Self { zone, refusal: Some(why), ..Self::refusal(Rcode::Refused) }
    }
}

/// The query, as far as it was understood, for what becomes of it.
#[derive(Clone, Copy, Default)]
struct Understood {
    qtype: Option<u16>,
    known: bool,
}

/// Writes the reply to `query` into `out`, which is cleared first, or says why there is none. Nothing is allocated for
/// an address once `out` has grown to the size of a reply.
pub fn answer(zones: &Zones, query: &[u8], peer: &Peer, now: Timestamp, out: &mut Vec<u8>) -> Outcome {
    out.clear();
    let Some(header) = Header::read(query) else {
        return Outcome::Silent(Silence::Short);
    };
    if header.is_response() {
        return Outcome::Silent(Silence::Response);
    }
    // What other opcodes carry is not read, and need not be to turn them down.
    if header.opcode() != OPCODE_QUERY {
        let rcode = opcode_refused(header.opcode());
        let mut reply = Reply::bare(query, header, out);
        return finish(&mut reply, Verdict::refusal(rcode), Understood::default());
    }
    let mut question = Question::empty();
    let edns = match header.read_body(query, &mut question) {
        Ok(edns) => edns,
        Err(Malformed) => return answer_without_question(zones, query, header, peer, now, out),
    };
    let (told, worth) = match &edns {
        Some(edns) => zones.server().tell(&edns.asked, peer.address, now),
        None => Default::default(),
    };
    let over_tcp = peer.transport != Transport::Udp;
    let mut reply = Reply::to(query, header, question.end, edns.as_ref(), &told, over_tcp, out);
    let verdict = match refused(&question, edns.as_ref(), peer.transport) {
        Some(rcode) => Ok(Verdict::refusal(rcode)),
        None => look_up(zones, &question, peer.address, now, &mut reply),
    };
    match verdict {
        Ok(verdict) => {
            let understood = Understood { qtype: Some(question.kind), known: worth == Worth::Good };
            finish(&mut reply, verdict, understood)
        }
        Err(why) => {
            out.clear();
            Outcome::Silent(Silence::Refused(why))
        }
    }
}

/// A query without a question has no use but to get a cookie, or to have one checked (RFC 7873, section 5.4).
#[cold]
fn answer_without_question(
    zones: &Zones,
    query: &[u8],
    header: Header,
    peer: &Peer,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Outcome {
    let reply = Reply::bare(query, header, out);
    let told = header.read_without_question(query).map(|edns| {
        let (told, worth) = zones.server().tell(&edns.asked, peer.address, now);
        (edns, told, worth)
    });
    match told.filter(|(_, told, _)| told.cookie.is_some()) {
        None => finish(&mut { reply }, Verdict::refusal(Rcode::FormErr), Understood::default()),
        Some((edns, told, worth)) => {
            let rcode = if worth == Worth::Bad { Rcode::BadCookie } else { Rcode::NoError };
            let understood = Understood { qtype: None, known: worth == Worth::Good };
            finish(&mut reply.with_edns(&edns, &told), Verdict::refusal(rcode), understood)
        }
    }
}

fn finish(reply: &mut Reply<'_>, verdict: Verdict, understood: Understood) -> Outcome {
    Outcome::Replied {
        records: reply.records_begin(),
        truncated: reply.finish(verdict.rcode as u16, verdict.authoritative),
        rcode: verdict.rcode,
        zone: verdict.zone,
        listed: verdict.listed,
        subject: verdict.subject,
        qtype: understood.qtype,
        refusal: verdict.refusal,
        known: understood.known,
    }
}

/// This server is nobody's secondary, so that nobody has to notify it (RFC 1996, section 3.10); the rest it does not
/// know (RFC 1035, section 4.1.1; RFC 2136, section 3.1).
fn opcode_refused(opcode: u8) -> Rcode {
    if opcode == OPCODE_NOTIFY { Rcode::Refused } else { Rcode::NotImp }
}

/// What is turned down whatever the name.
fn refused(question: &Question, edns: Option<&Edns<'_>>, transport: Transport) -> Option<Rcode> {
    // RFC 6891, section 6.1.3.
    if edns.is_some_and(|edns| edns.version > 0) {
        return Some(Rcode::BadVers);
    }
    match (question.kind, transport) {
        (TYPE_TXT, _) if question.class == chaos::CLASS => None,
        _ if !matches!(question.class, CLASS_IN | CLASS_ANY) => Some(Rcode::Refused),
        // AXFR is not defined over UDP (RFC 5936, section 4.2).
        (TYPE_AXFR, Transport::Udp) => Some(Rcode::NotImp),
        (TYPE_AXFR | TYPE_IXFR, _) => Some(Rcode::Refused),
        _ => None,
    }
}

/// Adds the answer about the server itself, if there is one.
fn chaos(zones: &Zones, question: &Question, reply: &mut Reply<'_>) -> Verdict {
    let Some(name) = chaos::find(zones.server(), question) else {
        return Verdict::refusal(Rcode::Refused);
    };
    reply.set_class(chaos::CLASS);
    reply.answer(TYPE_TXT, 0, |out| write_text(out, |out| out.extend_from_slice(name)));
    Verdict { authoritative: true, ..Verdict::refusal(Rcode::NoError) }
}

/// Adds the answer, unless the client gets silence.
fn look_up(
    zones: &Zones,
    question: &Question,
    client: IpAddr,
    now: Timestamp,
    reply: &mut Reply<'_>,
) -> Result<Verdict, Refusal> {
    let found = zones.find(question);
    let index = found.map(|(index, _)| index);
    let zone = index.map(|index| &zones.zones()[index]);
    let refused = |refused: Refused| {
        if refused.silently { Err(refused.why) } else { Ok(Verdict::refused(refused.why, index)) }
    };
    let listed = match by_client([zones.server().clients.as_deref(), zone.and_then(Zone::acl)], client) {
        Ok(listed) => listed,
        Err(client) => return refused(client),
    };
    if question.class == chaos::CLASS {
        return Ok(chaos(zones, question, reply));
    }
    let (Some((index, origin)), Some(zone)) = (found, zone) else {
        return Ok(Verdict::refusal(Rcode::Refused));
    };
    let asked = match zone.keys() {
        None => Below::new(zone, question, origin),
        Some(keys) => match with_key(keys, zone, question, origin, zones, now) {
            Ok(asked) => asked,
            Err(key) => return refused(key),
        },
    };
    let published = zones.lists().latest(index);
    let (list, sets) = (&published.list, &*published.sets);
    let Below { labels: below, sublist, reversed, has_key } = asked;
    let lookup = Lookup { zone, list, sets, question, origin, sublist, below, reversed, has_key, now };
    if !lookup.has_data() {
        return Ok(Verdict { zone: Some(index), ..Verdict::refusal(Rcode::ServFail) });
    }
    let found = lookup.find_for(listed, client, zones, reply);
    if !reply.has_answer() {
        lookup.deny(reply);
    }
    Ok(Verdict {
        rcode: if found == Found::Nothing { Rcode::NxDomain } else { Rcode::NoError },
        // An answer to class ANY is no authoritative one (RFC 1035, section 3.7.1).
        authoritative: question.class == CLASS_IN,
        zone: Some(index),
        listed: matches!(found, Found::Listed(_)),
        subject: lookup.subject(found),
        refusal: None,
    })
}

/// What stands before the origin, and before the key and the name of the sublist there.
struct Below {
    /// How many labels.
    labels: usize,
    /// The sublist that is asked alone.
    sublist: Option<u16>,
    /// What the labels mean as a reversed address.
    reversed: Option<Reversed>,
    /// Whether a key stands there that is known.
    has_key: bool,
}

impl Below {
    /// Of the first `labels`, which stand before the origin or the key.
    fn new(zone: &Zone, question: &Question, labels: usize) -> Self {
        let last = question.labels(labels).iter().next_back();
        let sublist = last.and_then(|label| zone.sublists().number(label));
        let labels = labels - usize::from(sublist.is_some());
        Self { labels, sublist, reversed: read_reversed(question.labels(labels).iter()), has_key: false }
    }
}

/// What stands before the key, which counts as used where a listing could be the answer. The zone itself and the names that
/// lead to a zone in it are there without a key: resolvers ask for them on their way (RFC 9156).
fn with_key(
    keys: &Keys,
    zone: &Zone,
    question: &Question,
    origin: usize,
    zones: &Zones,
    now: Timestamp,
) -> Result<Below, Refused> {
    let Some(label) = question.labels(origin).iter().next_back() else {
        return Ok(Below::new(zone, question, origin));
    };
    if zones.is_between(question.name_from(0)) {
        return Ok(Below::new(zone, question, origin));
    }
    let key = keys.find(label, now)?;
    let below = Below::new(zone, question, origin - 1);
    if !matches!(below.reversed, Some(Reversed::Partial { .. })) {
        keys.spend(key, now)?;
    }
    Ok(Below { has_key: true, ..below })
}

/// Whether a name exists, and as what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// No such name.
    Nothing,
    /// A name of the zone itself, or one that only has names below it.
    Name,
    /// An address or a name that is listed: by a data set, or by the listing of this prefix.
    Listed(Option<Prefix>),
}

/// A question inside a zone.
struct Lookup<'a> {
    zone: &'a Zone,
    list: &'a List,
    sets: &'a [PublishedSet],
    question: &'a Question,
    /// How many labels the question has before the origin.
    origin: usize,
    /// The sublist that is asked alone.
    sublist: Option<u16>,
    /// How many labels the question has before the origin, or before the key and the name of the sublist there.
    below: usize,
    /// What they mean as a reversed address.
    reversed: Option<Reversed>,
    /// Whether a key stands there that is known.
    has_key: bool,
    now: Timestamp,
}

impl Lookup<'_> {
    /// Whether there is anything to answer from. Where no bans are published and all data sets are too old or could not be
    /// read, saying that nothing is listed would be a lie: a resolver has to ask another server (RFC 2308, section 7.1).
    fn has_data(&self) -> bool {
        let publishes_bans = match self.sublist {
            None => !self.zone.settings().publish.is_empty(),
            Some(sublist) => self.zone.sublists().has_rules(sublist),
        };
        let is_data = |one: &PublishedSet| !one.is_test && one.is_in(self.sublist) && one.is_fresh(self.now);
        publishes_bans || self.sets.iter().any(is_data)
    }

    /// What the question is about, of whose name this was found.
    fn subject(&self, found: Found) -> Subject {
        match (self.reversed, found) {
            (Some(Reversed::Address(address)), Found::Listed(listing)) => {
                Subject::Address { address, listing }
            }
            (Some(Reversed::Address(address)), _) => Subject::Address { address, listing: None },
            (None, Found::Nothing) => Subject::Name,
            _ => Subject::Zone,
        }
    }

    /// Adds what answers the question of a client for whom this is listed.
    fn find_for(&self, listed: ListedFor<'_>, client: IpAddr, zones: &Zones, reply: &mut Reply<'_>) -> Found {
        // The name of a key has nothing at it and everything below it.
        if self.below == 0 && self.origin > usize::from(self.sublist.is_some()) {
            return Found::Name;
        }
        match (listed, self.reversed) {
            (ListedFor::Zone, _) => self.find(zones, reply).max(self.find_in_sets(true, reply)),
            (ListedFor::Everybody(acl, value), Some(Reversed::Address(_))) => {
                let mut records = Records::new();
                acl.records(value, client, &mut records);
                self.add_records(&records, reply);
                Found::Listed(None)
            }
            _ if self.below == 0 => self.find(zones, reply).max(self.find_in_sets(false, reply)),
            _ if zones.is_between(self.question.name_from(0)) => Found::Name,
            _ => self.find_in_sets(false, reply),
        }
    }

    /// Adds what answers the question.
    fn find(&self, zones: &Zones, reply: &mut Reply<'_>) -> Found {
        if self.origin == 0 {
            self.apex(reply);
        }
        if self.below == 0 {
            return Found::Name;
        }
        match self.reversed {
            Some(Reversed::Address(address)) => self.address(address, reply),
            Some(Reversed::Partial { ipv4, ipv6 }) if self.any_within([ipv4, ipv6]) => Found::Name,
            _ if zones.is_between(self.question.name_from(0)) => Found::Name,
            _ => Found::Nothing,
        }
    }

    /// ANY gets one set of records, not all (RFC 8482, section 4.1).
    fn apex(&self, reply: &mut Reply<'_>) {
        let ttl = self.zone.soa_ttl();
        match self.question.kind {
            TYPE_SOA | TYPE_ANY => {
                reply.answer(TYPE_SOA, ttl, |out| self.zone.write_soa(self.list.serial(), out));
            }
            TYPE_NS => {
                for name in &self.zone.settings().name_servers {
                    reply.answer(TYPE_NS, self.zone.ns_ttl(), |out| out.extend_from_slice(name.as_wire()));
                }
            }
            _ => {}
        }
    }

    /// Adds what the data sets of the zone have; not `all`: only those that are for everybody.
    fn find_in_sets(&self, all: bool, reply: &mut Reply<'_>) -> Found {
        let is_asked = |one: &&PublishedSet| {
            (all || one.set.is_for_everybody()) && one.is_fresh(self.now) && one.is_in(self.sublist)
        };
        let mut sets = self.sets.iter().filter(is_asked).peekable();
        if sets.peek().is_none() {
            return Found::Nothing;
        }
        let labels = self.question.labels(self.below);
        let asked = Asked::new(labels, self.reversed).at(self.now).with_key(self.has_key);
        let mut records = Records::new();
        // Every data set is asked, even if one has the name already.
        if sets.clone().fold(false, |found, one| one.find(self.list, &asked, &mut records) | found) {
            self.add_records(&records, reply);
            return if self.below == 0 { Found::Name } else { Found::Listed(None) };
        }
        if sets.any(|one| one.set.has_below(&asked)) { Found::Name } else { Found::Nothing }
    }

    /// Adds those of the type that was asked for.
    fn add_records(&self, records: &Records<'_>, reply: &mut Reply<'_>) {
        let wanted = |data: &Data<'_>| match data {
            Data::Address(_) => matches!(self.question.kind, TYPE_A | TYPE_ANY),
            Data::Text(..) => self.question.kind == TYPE_TXT,
            Data::Exchange { .. } => self.question.kind == TYPE_MX,
        };
        for record in records.iter().filter(|record| wanted(&record.data)) {
            if !reply.fits() {
                return;
            }
            let ttl = record.ttl.unwrap_or_else(|| self.zone.ttl_of_sets());
            match &record.data {
                Data::Address(code) => reply.answer(TYPE_A, ttl, |out| out.extend_from_slice(&code.octets())),
                Data::Text(text, subject) => {
                    reply.answer(TYPE_TXT, ttl, |out| write_text(out, |out| subject.write(text, out)));
                }
                Data::Exchange { preference, name } => reply.answer(TYPE_MX, ttl, |out| {
                    out.extend_from_slice(&preference.to_be_bytes());
                    out.extend_from_slice(name);
                }),
            }
        }
    }

    fn address(&self, address: IpAddr, reply: &mut Reply<'_>) -> Found {
        let listings = self.list.view(self.sublist).find(address, self.now);
        // The records of one set have one time to live (RFC 2181, section 5.2).
        let ttls = listings.iter().map(|listing| self.zone.ttl(listing, self.now));
        let Some(ttl) = ttls.min() else {
            return self.unlisted(address);
        };
        match self.question.kind {
            TYPE_A | TYPE_ANY => self.codes(&listings, ttl, reply),
            TYPE_TXT => self.texts(address, &listings, ttl, reply),
            _ => {}
        }
        Found::Listed(listings.first().map(|listing| listing.prefix))
    }

    /// An address that is not listed does not exist (RFC 5782, section 2.1): mail servers take NODATA for a listing or
    /// an error. But four single digits also lead IPv6 addresses, and if one of those is listed, the name exists, and
    /// saying otherwise would hide them all (RFC 8020, section 2).
    fn unlisted(&self, address: IpAddr) -> Found {
        let leads = match address {
            IpAddr::V4(address) => leading_nibbles(address),
            IpAddr::V6(_) => None,
        };
        if self.any_within([leads, None]) { Found::Name } else { Found::Nothing }
    }

    fn any_within(&self, prefixes: [Option<Prefix>; 2]) -> bool {
        let mut prefixes = prefixes.into_iter().flatten();
        prefixes.any(|prefix| self.list.view(self.sublist).any_within(prefix, self.now))
    }

    fn codes(&self, listings: &[Listing<'_>], ttl: u32, reply: &mut Reply<'_>) {
        for listing in listings {
            let code = self.zone.publish(listing).code;
            reply.answer(TYPE_A, ttl, |out| out.extend_from_slice(&code.octets()));
        }
    }

    fn texts(&self, address: IpAddr, listings: &[Listing<'_>], ttl: u32, reply: &mut Reply<'_>) {
        for listing in listings {
            if self.zone.publish(listing).text.is_empty() || !reply.fits() {
                continue;
            }
            reply.answer(TYPE_TXT, ttl, |out| {
                write_text(out, |out| self.zone.write_text(address, listing, out));
            });
        }
    }

    /// "No such name" and "no such type" say how long that holds (RFC 2308, section 3).
    fn deny(&self, reply: &mut Reply<'_>) {
        let owner = self.question.offset(self.origin);
        reply.authority(owner, TYPE_SOA, self.zone.negative_ttl(), |out| {
            self.zone.write_soa(self.list.serial(), out);
        });
    }
}

/// Writes one character-string: its length, then the text (RFC 1035, section 3.3).
fn write_text(out: &mut Vec<u8>, render: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    render(out);
    out[start] = (out.len() - start - 1) as u8;
}
