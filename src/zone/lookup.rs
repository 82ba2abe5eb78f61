//! What a zone has for a question: its own records, what its list and its data sets say, and what it says where there is nothing.

use std::net::IpAddr;

use super::admission::ListedFor;
use super::outcome::Subject;
use super::pending::Below;
use super::query::Question;
use super::reply::{Reply, Sections, write_text};
use super::{Zone, Zones};
use crate::clock::Timestamp;
use crate::dataset::{Asked, Data, Records};
use crate::ip::{Prefix, Reversed, leading_nibbles};
use crate::list::{List, Listing, PublishedSet};

pub(super) const TYPE_A: u16 = 1;
pub(super) const TYPE_NS: u16 = 2;
pub(super) const TYPE_SOA: u16 = 6;
const TYPE_MX: u16 = 15;
pub(super) const TYPE_TXT: u16 = 16;
const TYPE_ANY: u16 = 255;

/// Whether a name exists, and as what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// No such name.
    Nothing,
    /// A name of the zone itself, or one that only has names below it.
    Name,
    /// An address or a name that is listed: by a data set, or by the listing of this prefix.
    Listed(Option<Prefix>),
}

/// A question inside a zone.
pub(super) struct Lookup<'a> {
    pub(super) zone: &'a Zone,
    pub(super) list: &'a List,
    pub(super) sets: &'a [PublishedSet],
    pub(super) question: &'a Question,
    /// How many labels the question has before the origin.
    pub(super) origin: usize,
    /// What they are.
    pub(super) below: &'a Below,
    pub(super) now: Timestamp,
}

impl Lookup<'_> {
    /// Whether there is anything to answer from. Where no bans are published and all data sets are too old or could not be
    /// read, saying that nothing is listed would be a lie: a resolver has to ask another server (RFC 2308, section 7.1).
    pub(super) fn has_data(&self) -> bool {
        self.publishes_bans() || self.asked_sets().any(|one| !one.is_test)
    }

    /// The data sets that can be answered from: those of the sublist that are not too old.
    fn asked_sets(&self) -> impl Iterator<Item = &PublishedSet> + Clone {
        self.sets.iter().filter(|one| one.is_in(self.below.sublist) && one.is_fresh(self.now))
    }

    fn publishes_bans(&self) -> bool {
        match self.below.sublist {
            None => self.zone.publishes_bans(),
            Some(sublist) => self.zone.sublists().has_rules(sublist),
        }
    }

    /// What the question is about, of whose name this was found.
    pub(super) fn subject(&self, found: Found) -> Subject {
        match (self.below.reversed, found) {
            (Some(Reversed::Address(address)), Found::Listed(listing)) => {
                Subject::Address { address, listing }
            }
            (Some(Reversed::Address(address)), _) => Subject::Address { address, listing: None },
            (None, Found::Nothing) => Subject::Name,
            _ => Subject::Zone,
        }
    }

    /// Adds what answers the question of a client for whom this is listed.
    pub(super) fn find_for(
        &self,
        listed: ListedFor<'_>,
        client: IpAddr,
        zones: &Zones,
        reply: &mut Reply<'_>,
    ) -> Found {
        // The name of a key has nothing at it and everything below it.
        if self.below.labels == 0 && self.origin > usize::from(self.below.sublist.is_some()) {
            return Found::Name;
        }
        match (listed, self.below.reversed) {
            (ListedFor::Zone, _) => self.find(zones, reply).max(self.find_in_sets(true, reply)),
            _ if self.below.labels == 0 => self.find(zones, reply).max(self.find_in_sets(false, reply)),
            _ if zones.is_between(self.question.name_from(0)) => Found::Name,
            (ListedFor::Everybody(actions, value), _) if self.could_be_listed() => {
                let mut records = Records::new();
                actions.records(value, client, &mut records);
                add_records(&records, self.question.kind, self.zone, reply);
                Found::Listed(None)
            }
            // Every address below is listed.
            (ListedFor::Everybody(..), Some(Reversed::Partial { .. })) => Found::Name,
            _ => self.find_in_sets(false, reply),
        }
    }

    /// Whether a list such as the zone has could have what is asked for.
    fn could_be_listed(&self) -> bool {
        let asked = Asked::new(self.question.labels(self.below.labels), self.below.reversed);
        let could_be_banned = || asked.address().is_some() && self.publishes_bans();
        let could_be_in_sets = || self.asked_sets().any(|one| one.set.could_have(&asked));
        !asked.is_never_listed() && (could_be_banned() || could_be_in_sets())
    }

    /// Adds what answers the question.
    fn find(&self, zones: &Zones, reply: &mut Reply<'_>) -> Found {
        if self.origin == 0 {
            self.apex(reply);
        }
        if self.below.labels == 0 {
            return Found::Name;
        }
        match self.below.reversed {
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
        let is_asked = |one: &&PublishedSet| all || one.set.is_for_everybody();
        let mut sets = self.asked_sets().filter(is_asked).peekable();
        if sets.peek().is_none() {
            return Found::Nothing;
        }
        let labels = self.question.labels(self.below.labels);
        let asked = Asked::new(labels, self.below.reversed).at(self.now).with_key(self.below.has_key);
        let mut records = Records::new();
        // Every data set is asked, even if one has the name already.
        if sets.clone().fold(false, |found, one| one.find(self.list, &asked, &mut records) | found) {
            add_records(&records, self.question.kind, self.zone, reply);
            return if self.below.labels == 0 { Found::Name } else { Found::Listed(None) };
        }
        if sets.any(|one| one.set.has_below(&asked)) { Found::Name } else { Found::Nothing }
    }

    fn address(&self, address: IpAddr, reply: &mut Reply<'_>) -> Found {
        let listings = self.list.view(self.below.sublist).find(address, self.now);
        // The records of one set have one time to live (RFC 2181, section 5.2).
        let ttls = listings.iter().map(|listing| self.zone.ttl(listing, self.now));
        let Some(ttl) = ttls.min() else {
            return self.unlisted(address);
        };
        for listing in &listings {
            add_listing(listing, address, self.question.kind, ttl, self.zone, reply);
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
        prefixes.any(|prefix| self.list.view(self.below.sublist).any_within(prefix, self.now))
    }

    /// Adds what says that there is nothing.
    pub(super) fn deny(&self, reply: &mut Reply<'_>) {
        deny(self.zone, self.list, self.question.offset(self.origin), reply);
    }
}

/// "No such name" and "no such type" say how long that holds (RFC 2308, section 3). The zone's name stands at `origin` in the query.
#[inline]
pub(super) fn deny(zone: &Zone, list: &List, origin: u16, reply: &mut impl Sections) {
    reply.authority(origin, TYPE_SOA, zone.negative_ttl(), |out| zone.write_soa(list.serial(), out));
}

/// Adds what is asked for of the listing of an address: its code or its text.
#[inline]
pub(super) fn add_listing(
    listing: &Listing<'_>,
    address: IpAddr,
    kind: u16,
    ttl: u32,
    zone: &Zone,
    reply: &mut impl Sections,
) {
    let publish = zone.publish(listing);
    match kind {
        TYPE_A | TYPE_ANY => reply.answer(TYPE_A, ttl, |out| out.extend_from_slice(&publish.code.octets())),
        TYPE_TXT if !publish.text.is_empty() && reply.fits() => reply.answer(TYPE_TXT, ttl, |out| {
            write_text(out, |out| zone.write_text(address, listing, out));
        }),
        _ => {}
    }
}

/// Adds those of `records` that are of the type that was asked for.
pub(super) fn add_records(records: &Records<'_>, kind: u16, zone: &Zone, reply: &mut impl Sections) {
    let wanted = |data: &Data<'_>| match data {
        Data::Address(_) => matches!(kind, TYPE_A | TYPE_ANY),
        Data::Text(..) => kind == TYPE_TXT,
        Data::Exchange { .. } => kind == TYPE_MX,
    };
    for record in records.iter().filter(|record| wanted(&record.data)) {
        if !reply.fits() {
            return;
        }
        let ttl = record.ttl.unwrap_or_else(|| zone.ttl_of_sets());
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
