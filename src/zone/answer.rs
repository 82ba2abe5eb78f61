//! Answers DNS queries: ordinary ones with less work, all others the general way.

use std::net::IpAddr;

use super::admission::{Refusal, Refused, by_client};
use super::chaos;
use super::cookie::Worth;
use super::lookup::{Found, Lookup, TYPE_TXT, deny};
use super::outcome::{Outcome, Peer, Rcode, Replied, Silence, Subject, Transport};
use super::pending::{Pending, below_with_quota};
use super::query::{Edns, Header, Malformed, OPCODE_QUERY, Question};
use super::reply::{CLASS_IN, Reply, Sections, write_text};
use super::{Moment, Zone, Zones};
use crate::clock::Timestamp;

const TYPE_IXFR: u16 = 251;
const TYPE_AXFR: u16 = 252;

const CLASS_ANY: u16 = 255;

/// The text of a challenge is another one the next time.
const CHALLENGE_TTL: u32 = 1;

const OPCODE_NOTIFY: u8 = 4;

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
    let moment = zones.at(now);
    let mut pending = Pending::default();
    pending.read(&moment, query);
    match answer_ordinary(&pending, &moment, query, peer, out) {
        Some(replied) => Outcome::Replied(replied),
        None => answer_other(&mut pending, &moment, query, peer, out),
    }
}

/// Answers `query`, which has been read at the same `moment` as `pending`, if it is an ordinary one; nearly all are. If not, anything
/// may be in `out`, and [`answer_other`] has to follow.
#[inline]
pub fn answer_ordinary(
    pending: &Pending,
    moment: &Moment<'_>,
    query: &[u8],
    peer: &Peer,
    out: &mut Vec<u8>,
) -> Option<Replied> {
    pending.ordinary.as_ref()?.answer(query, moment, peer, out)
}

/// Answers a query that [`answer_ordinary`] has no answer for.
pub fn answer_other(
    pending: &mut Pending,
    moment: &Moment<'_>,
    query: &[u8],
    peer: &Peer,
    out: &mut Vec<u8>,
) -> Outcome {
    if pending.ordinary.is_some() {
        pending.read_all(moment, query);
    }
    answer_any(pending, moment, query, peer, out)
}

/// Answers a query the general way, be it ordinary or not, if it has been read for that.
pub(super) fn answer_any(
    pending: &Pending,
    moment: &Moment<'_>,
    query: &[u8],
    peer: &Peer,
    out: &mut Vec<u8>,
) -> Outcome {
    out.clear();
    let Some(header) = pending.header else {
        return Outcome::Silent(Silence::Short);
    };
    if header.flags.is_response() {
        return Outcome::Silent(Silence::Response);
    }
    // What other opcodes carry is not read, and need not be to turn them down.
    if header.flags.opcode() != OPCODE_QUERY {
        let rcode = opcode_refused(header.flags.opcode());
        let mut reply = Reply::bare(query, header.flags, out);
        return finish(&mut reply, Verdict::refusal(rcode), Understood::default());
    }
    let read = pending.question().ok_or(Malformed);
    let read = read.and_then(|question| Ok((question, header.read_behind(query, question)?)));
    let Ok((question, edns)) = read else {
        return answer_without_question(moment, query, header, peer, out);
    };
    let (told, worth) = match &edns {
        Some(edns) => moment.zones.server().tell(&edns.asked, peer, moment.now),
        None => Default::default(),
    };
    let over_tcp = peer.transport != Transport::Udp;
    let opt = edns.map(|edns| edns.opt);
    let mut reply = Reply::to(query, header.flags, question.end, opt, &told, over_tcp, out);
    let verdict = match refused(question, edns.as_ref(), peer.transport) {
        Some(rcode) => Ok(Verdict::refusal(rcode)),
        None => look_up(moment, pending, question, peer.address, &mut reply),
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
    moment: &Moment<'_>,
    query: &[u8],
    header: Header,
    peer: &Peer,
    out: &mut Vec<u8>,
) -> Outcome {
    let reply = Reply::bare(query, header.flags, out);
    let told = header.read_without_question(query).map(|edns| {
        let (told, worth) = moment.zones.server().tell(&edns.asked, peer, moment.now);
        (edns, told, worth)
    });
    match told.filter(|(_, told, _)| told.cookie.is_some()) {
        None => finish(&mut { reply }, Verdict::refusal(Rcode::FormErr), Understood::default()),
        Some((edns, told, worth)) => {
            let rcode = if worth == Worth::Bad { Rcode::BadCookie } else { Rcode::NoError };
            let understood = Understood { qtype: None, known: worth == Worth::Good };
            finish(&mut reply.with_edns(edns.opt, &told), Verdict::refusal(rcode), understood)
        }
    }
}

fn finish(reply: &mut Reply<'_>, verdict: Verdict, understood: Understood) -> Outcome {
    Outcome::Replied(Replied {
        records: reply.records_begin(),
        truncated: reply.finish(verdict.rcode as u16, verdict.authoritative),
        rcode: verdict.rcode,
        zone: verdict.zone,
        listed: verdict.listed,
        subject: verdict.subject,
        qtype: understood.qtype,
        refusal: verdict.refusal,
        known: understood.known,
    })
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

/// Adds what a certificate authority looks for. It may ask from anywhere.
#[cold]
fn challenge(
    moment: &Moment<'_>,
    index: usize,
    origin: usize,
    question: &Question,
    texts: &[String],
    reply: &mut Reply<'_>,
) -> Verdict {
    if question.kind == TYPE_TXT {
        for text in texts {
            reply.answer(TYPE_TXT, CHALLENGE_TTL, |out| {
                write_text(out, |out| out.extend_from_slice(text.as_bytes()));
            });
        }
    } else {
        let (zone, list) = (&moment.zones.zones()[index], &moment.published[index].list);
        deny(zone, list, question.offset(origin), reply);
    }
    Verdict { authoritative: true, zone: Some(index), ..Verdict::refusal(Rcode::NoError) }
}

/// Adds the answer, unless the client gets silence.
fn look_up(
    moment: &Moment<'_>,
    pending: &Pending,
    question: &Question,
    client: IpAddr,
    reply: &mut Reply<'_>,
) -> Result<Verdict, Refusal> {
    let (zones, now) = (moment.zones, moment.now);
    let index = pending.zone.map(|(index, _)| index);
    let zone = index.map(|index| &zones.zones()[index]);
    if let (Some((index, origin)), Some(texts)) = (pending.zone, zones.challenges().of(question)) {
        return Ok(challenge(moment, index, origin, question, &texts, reply));
    }
    let refused = |refused: Refused| {
        if refused.silently { Err(refused.why) } else { Ok(Verdict::refused(refused.why, index)) }
    };
    let listed = match by_client([zones.server().clients.as_deref(), zone.and_then(Zone::clients)], client) {
        Ok(listed) => listed,
        Err(client) => return refused(client),
    };
    if question.class == chaos::CLASS {
        return Ok(chaos(zones, question, reply));
    }
    let (Some((index, origin)), Some(zone)) = (pending.zone, zone) else {
        return Ok(Verdict::refusal(Rcode::Refused));
    };
    let counted;
    let below = match &pending.below {
        Some(below) => below,
        None => match below_with_quota(zone, question, origin, zones, now) {
            Ok(below) => {
                counted = below;
                &counted
            }
            Err(key) => return refused(key),
        },
    };
    let listed = match listed.or_by_key(zone.key_acl(), below.action) {
        Ok(listed) => listed,
        Err(key) => return refused(key),
    };
    let (list, sets) = (&moment.published[index].list, &*moment.published[index].sets);
    let lookup = Lookup { zone, list, sets, question, origin, below, now };
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
