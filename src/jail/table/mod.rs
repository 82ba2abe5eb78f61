//! The bans in force of all jails, as one table. A clone is a version of its own that costs next to nothing: the DNS answers
//! from one version while the next is made, and both share all that did not change.
//!
//! Most bans are of IPv4 addresses and take 15 bytes; those that do not fit that form are kept whole, in an ordered map.

mod blocks;
mod filling;
mod packed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use imbl::OrdMap;
use ipnet::IpNet;

use self::blocks::{Blocks, Chunk};
pub use self::filling::Filling;
use self::packed::{Head, LONGEST, Packed, SHORTEST};
use super::Active;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// The number of a jail in a table, from 0 in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JailId(u32);

impl JailId {
    /// Its place in [`BanTable::jails`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A ban in force of some prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// By which jail.
    pub jail: JailId,
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself; `None` is never.
    pub until: Option<Timestamp>,
    /// 1 for the first ban of the prefix in this jail, 2 for the second, and so on.
    pub count: u32,
}

impl Held {
    /// Its beginning and end.
    pub fn active(&self) -> Active {
        Active { since: self.since, until: self.until }
    }

    /// Whether it is still in force at `now`. The instant of the end itself is free.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The bans in force; at most one for each prefix and jail.
#[derive(Clone, Default)]
pub struct BanTable {
    jails: Arc<Vec<JailOfTable>>,
    packed: Blocks,
    /// What cannot be packed, by prefix.
    whole: OrdMap<Prefix, Arc<[Held]>>,
    /// How many prefixes of IPv4 (`true`) and of each length stand in `whole`: a look-up tries these and no others.
    lengths: BTreeMap<(bool, u8), usize>,
}

/// A jail that has, or had, bans in the table.
#[derive(Clone, Debug)]
pub struct JailOfTable {
    /// Its name.
    pub name: Arc<str>,
    /// How many bans of IPv4 it holds.
    pub ipv4: usize,
    /// How many of IPv6.
    pub ipv6: usize,
}

impl JailOfTable {
    /// How many bans it holds.
    pub fn bans(&self) -> usize {
        self.ipv4 + self.ipv6
    }
}

impl fmt::Debug for BanTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Where a prefix stands that can be packed.
#[derive(Clone, Copy)]
struct Place {
    high: u16,
    low: u16,
    length: u8,
}

impl Place {
    fn of(prefix: Prefix) -> Option<Self> {
        let IpAddr::V4(network) = prefix.address() else {
            return None;
        };
        let [a, b, c, d] = network.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        (prefix.len() >= SHORTEST).then_some(Self { high, low, length: prefix.len() })
    }
}

impl BanTable {
    /// The number of the jail `name`, which gets one if it has none.
    pub fn jail(&mut self, name: &Arc<str>) -> JailId {
        let known = self.jails.iter().position(|jail| jail.name == *name);
        let place = known.unwrap_or_else(|| {
            let jail = JailOfTable { name: Arc::clone(name), ipv4: 0, ipv6: 0 };
            Arc::make_mut(&mut self.jails).push(jail);
            self.jails.len() - 1
        });
        JailId(u32::try_from(place).expect("memory ends before four billion jails"))
    }

    /// The jails by their numbers.
    pub fn jails(&self) -> &[JailOfTable] {
        &self.jails
    }

    /// How many bans there are.
    pub fn len(&self) -> usize {
        self.jails.iter().map(JailOfTable::bans).sum()
    }

    /// Whether nobody is banned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ban of exactly `prefix` by `jail`.
    pub fn get(&self, prefix: Prefix, jail: JailId) -> Option<Held> {
        self.get_packed(prefix, jail).or_else(|| {
            let held = self.whole.get(&prefix)?;
            held.iter().find(|held| held.jail == jail).copied()
        })
    }

    fn get_packed(&self, prefix: Prefix, jail: JailId) -> Option<Held> {
        let place = Place::of(prefix)?;
        let chunk = self.packed.chunk(place.high)?;
        chunk.get(place.low, Head::new(place.length, jail)?).map(Packed::held)
    }

    /// Puts a ban of `prefix` in force, in the place of the one its jail has there.
    pub fn set(&mut self, prefix: Prefix, held: Held) {
        let before = match pack(prefix, &held) {
            Some((place, ban)) => {
                let before = self.packed.edit(place.high, |chunk| chunk.set(place.low, ban));
                before.map(Packed::held).or_else(|| self.remove_whole(prefix, held.jail))
            }
            None => {
                let packed = self.remove_packed(prefix, held.jail);
                self.set_whole(prefix, held).or(packed)
            }
        };
        if before.is_none() {
            *self.counter(prefix, held.jail) += 1;
        }
    }

    /// Ends the ban of exactly `prefix` by `jail`.
    pub fn remove(&mut self, prefix: Prefix, jail: JailId) -> Option<Held> {
        let removed = self.remove_packed(prefix, jail).or_else(|| self.remove_whole(prefix, jail));
        if removed.is_some() {
            *self.counter(prefix, jail) -= 1;
        }
        removed
    }

    /// Where the bans of `jail` are counted that are of the family of `prefix`.
    fn counter(&mut self, prefix: Prefix, jail: JailId) -> &mut usize {
        let jail = &mut Arc::make_mut(&mut self.jails)[jail.index()];
        if prefix.is_ipv4() { &mut jail.ipv4 } else { &mut jail.ipv6 }
    }

    fn remove_packed(&mut self, prefix: Prefix, jail: JailId) -> Option<Held> {
        // Without looking first, a chunk would be copied in vain.
        self.get_packed(prefix, jail)?;
        let place = Place::of(prefix)?;
        let head = Head::new(place.length, jail)?;
        self.packed.edit(place.high, |chunk| chunk.remove(place.low, head)).map(Packed::held)
    }

    fn set_whole(&mut self, prefix: Prefix, held: Held) -> Option<Held> {
        let before = self.remove_whole(prefix, held.jail);
        let others = self.whole.get(&prefix).map_or(&[][..], |others| others);
        if others.is_empty() {
            *self.lengths.entry((prefix.is_ipv4(), prefix.len())).or_default() += 1;
        }
        let all = others.iter().copied().chain([held]).collect();
        self.whole.insert(prefix, all);
        before
    }

    fn remove_whole(&mut self, prefix: Prefix, jail: JailId) -> Option<Held> {
        let all = self.whole.get(&prefix)?;
        let removed = all.iter().find(|held| held.jail == jail).copied()?;
        let rest: Arc<[Held]> = all.iter().filter(|held| held.jail != jail).copied().collect();
        if rest.is_empty() {
            self.whole.remove(&prefix);
            self.leave_length(prefix);
        } else {
            self.whole.insert(prefix, rest);
        }
        Some(removed)
    }

    fn leave_length(&mut self, prefix: Prefix) {
        let length = (prefix.is_ipv4(), prefix.len());
        if let Some(prefixes) = self.lengths.get_mut(&length) {
            *prefixes -= 1;
            if *prefixes == 0 {
                self.lengths.remove(&length);
            }
        }
    }

    /// The bans of all prefixes that cover `prefix`, itself among them: first the packed, then the whole, each in the
    /// order of their lengths, longest first.
    pub fn covering(&self, prefix: Prefix) -> Vec<(Prefix, Held)> {
        let mut found = Vec::new();
        self.each_covering(prefix, |network, held| found.push((network, held)));
        found
    }

    /// Has `take` see the bans of all networks around `address` that are packed, which nearly all are; whether there are no others.
    /// Nothing is faster.
    #[inline]
    pub fn each_packed(&self, address: Ipv4Addr, take: impl FnMut(Prefix, Held)) -> bool {
        let [high, low] = [address.to_bits() >> 16, address.to_bits()].map(|half| half as u16);
        self.each_packed_at(Place { high, low, length: LONGEST }, take);
        self.whole.is_empty() || self.covering_whole(address.into()).next().is_none()
    }

    /// Has `take` see the same as [`Self::covering`] finds, without a place to keep it in.
    pub fn each_covering(&self, prefix: Prefix, mut take: impl FnMut(Prefix, Held)) {
        if let Some(place) = Place::of(prefix) {
            self.each_packed_at(place, &mut take);
        }
        if !self.whole.is_empty() {
            self.covering_whole(prefix).for_each(|(network, held)| take(network, held));
        }
    }

    #[inline]
    fn each_packed_at(&self, place: Place, mut take: impl FnMut(Prefix, Held)) {
        let Some(chunk) = self.packed.chunk(place.high) else { return };
        chunk.each_covering(place.low, place.length, |low, ban| {
            let (network, held) = unpack(place.high, low, ban);
            take(network, held);
        });
    }

    fn covering_whole(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        let family = prefix.is_ipv4();
        let lengths = self.lengths.range((family, 0)..=(family, prefix.len())).rev();
        lengths.flat_map(move |((_, length), _)| {
            let network = prefix.widen(*length, *length);
            let held = self.whole.get(&network).map_or(&[][..], |held| held);
            held.iter().map(move |held| (network, *held))
        })
    }

    /// The bans of all prefixes inside `prefix`, itself among them: the packed ones in the order of addresses, then the whole.
    pub fn within(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        self.within_packed(prefix).chain(self.within_whole(prefix))
    }

    fn within_packed(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        let bounds = ipv4_bounds(prefix);
        bounds.into_iter().flat_map(move |(first, last)| {
            let (first_high, last_high) = ((first >> 16) as u16, (last >> 16) as u16);
            let inside = move |found: &(Prefix, Held)| prefix.covers(found.0);
            self.packed.chunks(first_high, last_high).flat_map(move |(high, chunk)| {
                let from = if high == first_high { first as u16 } else { 0 };
                let to = if high == last_high { last as u16 } else { u16::MAX };
                chunk.range(from, to).map(move |(low, ban)| unpack(high, low, ban)).filter(inside)
            })
        })
    }

    fn within_whole(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        let from_here = self.whole.range(prefix..).take_while(move |(network, _)| prefix.covers(**network));
        from_here.flat_map(|(network, held)| held.iter().map(|held| (*network, *held)))
    }

    /// Every prefix that `jail` bans, in order.
    pub fn of(&self, jail: &str) -> Vec<Prefix> {
        let Some(index) = self.jails().iter().position(|of| *of.name == *jail) else { return Vec::new() };
        let bans = self.iter().filter(|(_, held)| held.jail.index() == index);
        let mut prefixes: Vec<Prefix> = bans.map(|(prefix, _)| prefix).collect();
        // Nearly all of them are in order already.
        prefixes.sort();
        prefixes
    }

    /// Every ban, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, Held)> {
        let packed = self.packed.chunks(0, u16::MAX);
        let packed =
            packed.flat_map(|(high, chunk)| chunk.iter().map(move |(low, ban)| unpack(high, low, ban)));
        let whole = self.whole.iter().flat_map(|(prefix, held)| held.iter().map(|held| (*prefix, *held)));
        packed.chain(whole)
    }
}

/// Bans that end by themselves are looked for a network of 16 bits at a time; wider networks and IPv6 one at a time.
impl BanTable {
    /// The place that `prefix` is looked for in when its time is up.
    pub fn place_of(prefix: Prefix) -> Prefix {
        Place::of(prefix).map_or(prefix, |_| prefix.widen(SHORTEST, 128))
    }

    /// When the next ban of a place ends.
    pub fn next_end(&self, place: Prefix) -> Option<Timestamp> {
        // A start asks for millions of bans, whose prefixes would take longer than all the rest.
        let packed = self.chunk_of(place).and_then(|(_, chunk)| chunk.next_end());
        let whole = self.whole_of(place).filter_map(|(_, held)| held.until).min();
        packed.into_iter().chain(whole).min()
    }

    /// Takes the bans of a place away that are over at `now`.
    pub fn take_ended(&mut self, place: Prefix, now: Timestamp) -> Vec<(Prefix, Held)> {
        let ended: Vec<(Prefix, Held)> =
            self.of_place(place).filter(|(_, held)| !held.in_force(now)).collect();
        for (prefix, held) in &ended {
            *self.counter(*prefix, held.jail) -= 1;
            self.remove_whole(*prefix, held.jail);
        }
        if !ended.is_empty()
            && let Some((high, _)) = self.chunk_of(place)
        {
            self.packed.edit(high, |chunk| chunk.retain(|ban| ban.held().in_force(now)));
        }
        ended
    }

    fn of_place(&self, place: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        let packed = self
            .chunk_of(place)
            .into_iter()
            .flat_map(|(high, chunk)| chunk.iter().map(move |(low, ban)| unpack(high, low, ban)));
        packed.chain(self.whole_of(place))
    }

    /// The packed bans of a place of many.
    fn chunk_of(&self, place: Prefix) -> Option<(u16, &Chunk)> {
        let Place { high, .. } = Place::of(place)?;
        Some((high, self.packed.chunk(high)?))
    }

    fn whole_of(&self, place: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        // What is wider than a place of many has one to itself.
        let is_alone = Place::of(place).is_none();
        self.within_whole(place).take_while(move |(prefix, _)| !is_alone || *prefix == place)
    }

    /// Every place with the time at which something ends there next.
    pub fn ends(&self) -> impl Iterator<Item = (Prefix, Timestamp)> {
        self.places().into_iter().filter_map(|place| Some((place, self.next_end(place)?)))
    }

    /// Every place where anybody is banned.
    fn places(&self) -> BTreeSet<Prefix> {
        let packed = self.packed.chunks(0, u16::MAX).map(|(high, _)| network_of(high, 0, SHORTEST));
        packed.chain(self.whole.keys().map(|prefix| Self::place_of(*prefix))).collect()
    }
}

fn pack(prefix: Prefix, held: &Held) -> Option<(Place, Packed)> {
    let place = Place::of(prefix)?;
    Some((place, Packed::new(Head::new(place.length, held.jail)?, held)?))
}

fn unpack(high: u16, low: u16, ban: Packed) -> (Prefix, Held) {
    (network_of(high, low, ban.head().length()), ban.held())
}

fn network_of(high: u16, low: u16, length: u8) -> Prefix {
    let network = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    Prefix::of_ipv4_network(network, length).expect("packed lengths are those of IPv4")
}

/// The first and the last address of an IPv4 prefix.
fn ipv4_bounds(prefix: Prefix) -> Option<(u32, u32)> {
    match prefix.net() {
        IpNet::V4(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
        IpNet::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
