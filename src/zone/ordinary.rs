//! The ordinary question: for the code or the text of an IPv4 address, in a zone without keys, by a client that no list turns away.
//!
//! Nearly all questions are such, and as little as possible is read of them. What is no ordinary question goes the general way
//! ([`answer_any`](super::answer::answer_any)), even if that is found out when half of the reply is written; there, ordinary ones would get the same reply.

mod plain;

use std::net::Ipv4Addr;

use self::plain::Plain;
use super::lookup::{TYPE_A, TYPE_TXT, add_listing, add_records, deny};
use super::outcome::{Peer, Rcode, Replied, Subject};
use super::query::{Flags, HEADER, OPT_SIZE, Opt};
use super::{Moment, Zone};
use crate::clock::Timestamp;
use crate::dataset::{Acl, Action, Asked, Records};
use crate::ip::read_octet;
use crate::list::{List, Listing, Published};

/// The counts of a header: one question, and nothing else or one additional record.
const ONE_QUESTION: u64 = 1 << 48;
const AND_EDNS: u64 = ONE_QUESTION | 1;

/// Type and class.
const KIND: usize = 4;

/// A and TXT in class IN.
const A: u32 = 0x0001_0001;
const TXT: u32 = 0x0010_0001;

/// What was taken for an ordinary question is none.
struct NotOrdinary;

/// An ordinary question that is read. The packet is still there when it is answered: flags and EDNS are read only then.
#[derive(Clone, Copy)]
pub(super) struct Ordinary {
    /// The index of the zone.
    zone: usize,
    address: Ipv4Addr,
    /// Where its origin begins in the packet.
    origin: u16,
    /// Where the question ends in the packet.
    end: u16,
    kind: u16,
}

impl Ordinary {
    /// Reads `query`; `None` if it is another one, or broken. Whether what stands behind the question is EDNS is not looked at.
    pub(super) fn read(query: &[u8], moment: &Moment<'_>) -> Option<Self> {
        let (header, rest) = query.split_first_chunk::<HEADER>()?;
        let question = question(header, rest)?;
        let (name, kind) = question.split_last_chunk::<KIND>()?;
        let kind = match u32::from_be_bytes(*kind) {
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
        // No more than an address, an origin, type and class.
        let [origin, end] = [origin, question.len()].map(|place| (HEADER + place) as u16);
        Some(Self { zone, address, origin, end, kind })
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
    ) -> Option<Replied> {
        let zone = &moment.zones.zones()[self.zone];
        if !pass([moment.zones.server().clients.as_deref(), zone.clients()], peer) {
            return None;
        }
        let published = &moment.published[self.zone];
        let listing = self.find_ban(zone, &published.list, moment.now).ok()?;
        let (question, behind) = query.split_at_checked(self.end.into())?;
        let opt = if behind.is_empty() { None } else { Some(Opt::bare(behind.as_array()?)?) };
        let mut reply = Plain::to(question, out);
        if let Some(listing) = &listing {
            let ttl = zone.ttl(listing, moment.now);
            add_listing(listing, self.address.into(), self.kind, ttl, zone, &mut reply);
        }
        let is_in_sets = self.find_in_sets(zone, published, moment.now, &mut reply)?;
        if !reply.has_answer() {
            deny(zone, &published.list, self.origin, &mut reply);
        }
        let listed = is_in_sets || listing.is_some();
        let rcode = if listed { Rcode::NoError } else { Rcode::NxDomain };
        reply.finish(Flags::of(question)?, opt, rcode)?;
        Some(Replied {
            records: question.len(),
            truncated: false,
            rcode,
            zone: Some(self.zone),
            listed,
            subject: Subject::Address {
                address: self.address.into(),
                listing: listing.map(|listing| listing.prefix),
            },
            qtype: Some(self.kind),
            refusal: None,
            known: false,
        })
    }

    /// The listing of the only ban of the address, if there is one.
    #[inline]
    fn find_ban<'a>(
        &self,
        zone: &Zone,
        list: &'a List,
        now: Timestamp,
    ) -> Result<Option<Listing<'a>>, NotOrdinary> {
        if !zone.publishes_bans() {
            return Ok(None);
        }
        let (mut only, mut count) = (None, 0);
        let are_all = list.view(None).each_packed(self.address, now, |listing| {
            only = Some(listing);
            count += 1;
        });
        // The records of several have an order.
        if !are_all || count > 1 || count == 1 && list.allows(self.address.into()) {
            return Err(NotOrdinary);
        }
        Ok(only)
    }

    /// Adds what is asked for of what the data sets have, and says whether they have anything; `None` if nothing is left to answer from.
    #[inline]
    fn find_in_sets(
        &self,
        zone: &Zone,
        published: &Published,
        now: Timestamp,
        reply: &mut Plain<'_>,
    ) -> Option<bool> {
        let has_data = || published.sets.iter().any(|one| one.is_fresh(now) && !one.is_test);
        // As with `Lookup::has_data`.
        if !zone.publishes_bans() && !has_data() {
            return None;
        }
        Some(!published.sets.is_empty() && self.find_in_all(zone, published, now, reply))
    }

    /// The same where there are data sets. Apart, so that a zone without any does not pay for them.
    #[inline(never)]
    fn find_in_all(&self, zone: &Zone, published: &Published, now: Timestamp, reply: &mut Plain<'_>) -> bool {
        let fresh = published.sets.iter().filter(|one| one.is_fresh(now));
        let asked = Asked::of_address(self.address.into()).at(now);
        let mut records = Records::new();
        let found = fresh.fold(false, |found, one| one.find(&published.list, &asked, &mut records) | found);
        add_records(&records, self.kind, zone, reply);
        found
    }
}

/// Whether none of these lists has anything to say of who asks.
#[inline]
fn pass(lists: [Option<&Acl>; 2], peer: &Peer) -> bool {
    lists.into_iter().flatten().all(|acl| acl.action(peer.address) == Action::Pass)
}

/// The question of a query that has one, and nothing else but what could be EDNS without options.
fn question<'a>(header: &[u8; HEADER], rest: &'a [u8]) -> Option<&'a [u8]> {
    let [.., a, b, c, d, e, f, g, h] = *header;
    if !Flags::of(header)?.ask() {
        return None;
    }
    match u64::from_be_bytes([a, b, c, d, e, f, g, h]) {
        ONE_QUESTION => Some(rest),
        AND_EDNS => rest.split_last_chunk::<OPT_SIZE>().map(|(question, _)| question),
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
