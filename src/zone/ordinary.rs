//! The ordinary question: for the code or the text of an IPv4 address, in a zone without keys, by a client that no list turns away.
//!
//! Nearly all questions are such, and as little as possible is read of them. What is no ordinary question goes the general way
//! ([`answer_any`](super::answer::answer_any)), even if that is found out when half of the reply is written; there, ordinary ones would get the same reply.

use std::net::Ipv4Addr;

use super::lookup::{TYPE_A, TYPE_TXT, add_listing, add_records, deny};
use super::options::Told;
use super::outcome::{Outcome, Peer, Rcode, Subject, Transport};
use super::query::{Flags, HEADER, Opt};
use super::reply::Reply;
use super::{Moment, Zone};
use crate::clock::Timestamp;
use crate::dataset::{Acl, Action, Asked, Records};
use crate::ip::{Prefix, read_octet};
use crate::list::{List, Published};

/// The counts of a header: one question, and nothing else or one additional record.
const ONE_QUESTION: u64 = 1 << 48;
const AND_EDNS: u64 = ONE_QUESTION | 1;

/// Type and class.
const KIND: usize = 4;

/// A and TXT in class IN.
const A: [u8; KIND] = [0, 1, 0, 1];
const TXT: [u8; KIND] = [0, 16, 0, 1];

/// What was taken for an ordinary question is none.
pub(super) struct NotOrdinary;

/// An ordinary question that is read.
#[derive(Clone, Copy)]
pub(super) struct Ordinary {
    flags: Flags,
    address: Ipv4Addr,
    /// The index of the zone.
    zone: usize,
    /// Where its origin begins in the packet.
    origin: u16,
    kind: u16,
    /// Where the question ends in the packet.
    end: usize,
    opt: Option<Opt>,
}

impl Ordinary {
    /// Reads `query`; `None` if it is another one, or broken.
    pub(super) fn read(query: &[u8], moment: &Moment<'_>) -> Option<Self> {
        let (header, rest) = query.split_first_chunk::<HEADER>()?;
        let (flags, question, opt) = split(header, rest)?;
        let (name, kind) = question.split_last_chunk::<KIND>()?;
        let kind = match *kind {
            A => TYPE_A,
            TXT => TYPE_TXT,
            _ => return None,
        };
        let (address, origin) = read_address(name)?;
        // All test points of bans are there.
        if address.is_loopback() || could_be_nibbles(address) {
            return None;
        }
        let zone = moment.zones.exactly(&name[origin..])?;
        let published = &moment.published[zone];
        if !published.is_of_addresses || moment.zones.zones()[zone].has_keys() {
            return None;
        }
        published.prefetch(address.into());
        let (origin, end) = ((HEADER + origin) as u16, HEADER + question.len());
        Some(Self { flags, address, zone, origin, kind, end, opt })
    }

    /// Writes the reply to `query`, which this is, into `out`, which is cleared first. If it is no ordinary question after all, anything
    /// may be in `out`.
    #[inline]
    pub(super) fn answer(
        &self,
        query: &[u8],
        moment: &Moment<'_>,
        peer: &Peer,
        out: &mut Vec<u8>,
    ) -> Option<Outcome> {
        let zone = &moment.zones.zones()[self.zone];
        let passes = |acl: &Acl| acl.action(peer.address) == Action::Pass;
        if !moment.zones.server().clients.as_deref().is_none_or(passes) || !zone.clients().is_none_or(passes)
        {
            return None;
        }
        out.clear();
        let over_tcp = peer.transport != Transport::Udp;
        let told = Told::default();
        let mut reply = Reply::to(query, self.flags, self.end, self.opt, &told, over_tcp, out);
        let published = &moment.published[self.zone];
        let prefix = self.find_ban(zone, &published.list, moment.now, &mut reply).ok()?;
        let listed = self.find_in_sets(zone, published, moment.now, &mut reply).ok()? || prefix.is_some();
        if !reply.has_answer() {
            deny(zone, &published.list, self.origin, &mut reply);
        }
        let rcode = if listed { Rcode::NoError } else { Rcode::NxDomain };
        Some(Outcome::Replied {
            records: self.end,
            truncated: reply.finish(rcode as u16, true),
            rcode,
            zone: Some(self.zone),
            listed,
            subject: Subject::Address { address: self.address.into(), listing: prefix },
            qtype: Some(self.kind),
            refusal: None,
            known: false,
        })
    }

    /// Adds what is asked for of the only ban of the address, and says what is banned, if anything is.
    #[inline]
    fn find_ban(
        &self,
        zone: &Zone,
        list: &List,
        now: Timestamp,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Prefix>, NotOrdinary> {
        if !zone.publishes_bans() {
            return Ok(None);
        }
        let (mut prefix, mut count) = (None, 0);
        let are_all = list.view(None).each_packed(self.address, now, |listing| {
            count += 1;
            // What is written is thrown away if a second one comes.
            if count == 1 {
                prefix = Some(listing.prefix);
                let ttl = zone.ttl(&listing, now);
                add_listing(&listing, self.address.into(), self.kind, ttl, zone, reply);
            }
        });
        match count {
            0 if are_all => Ok(None),
            1 if are_all && !list.allows(self.address.into()) => Ok(prefix),
            // The records of several have an order.
            _ => Err(NotOrdinary),
        }
    }

    /// Adds what is asked for of what the data sets have, and says whether they have anything.
    #[inline]
    fn find_in_sets(
        &self,
        zone: &Zone,
        published: &Published,
        now: Timestamp,
        reply: &mut Reply<'_>,
    ) -> Result<bool, NotOrdinary> {
        let fresh = || published.sets.iter().filter(|one| one.is_fresh(now));
        // As with `Lookup::has_data`.
        if !zone.publishes_bans() && !fresh().any(|one| !one.is_test) {
            return Err(NotOrdinary);
        }
        if published.sets.is_empty() {
            return Ok(false);
        }
        let asked = Asked::of_address(self.address.into()).at(now);
        let mut records = Records::new();
        let found = fresh().fold(false, |found, one| one.find(&published.list, &asked, &mut records) | found);
        add_records(&records, self.kind, zone, reply);
        Ok(found)
    }
}

/// The flags of a query that has one question and nothing else but EDNS without options, the question, and EDNS.
fn split<'a>(header: &[u8; HEADER], rest: &'a [u8]) -> Option<(Flags, &'a [u8], Option<Opt>)> {
    let [_, _, flags @ .., _, _, _, _, _, _, _, _] = *header;
    let [.., a, b, c, d, e, f, g, h] = *header;
    let flags = Flags(u16::from_be_bytes(flags));
    if !flags.ask() {
        return None;
    }
    match u64::from_be_bytes([a, b, c, d, e, f, g, h]) {
        ONE_QUESTION => Some((flags, rest, None)),
        AND_EDNS => {
            let (question, opt) = rest.split_last_chunk()?;
            Some((flags, question, Some(Opt::bare(opt)?)))
        }
        _ => None,
    }
}

/// The address whose four octets are the first labels of `name`, and where the next label is.
fn read_address(name: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let (mut address, mut rest) = (0, name);
    for _ in 0..4 {
        // A name that ends sooner is left to the general way.
        let label = u32::from_le_bytes(*rest.first_chunk()?);
        address = address >> 8 | u32::from(read_octet(label)?) << 24;
        let length = (label & 0xff) as usize;
        rest = &rest[1 + length..];
    }
    Some((Ipv4Addr::from_bits(address), name.len() - rest.len()))
}

/// Whether the octets could be single digits, which lead to IPv6 addresses as well. Some that could not are turned away with them, as
/// this takes one look.
fn could_be_nibbles(address: Ipv4Addr) -> bool {
    address.to_bits() & 0xf0f0_f0f0 == 0
}

#[cfg(test)]
mod tests;
