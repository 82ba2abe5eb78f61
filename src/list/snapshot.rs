//! One version of one zone's list: prefixes, who listed them, and until when.
//!
//! A clone shares everything with its original, so the writer clones, changes the clone and hands out the result,
//! while readers keep the version they began with.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet};

/// Never listed, whatever is banned (RFC 5782, section 5); as IPv6, `::ffff:127.0.0.1`, it is the same address.
const NEVER: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Why a prefix is in a list, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The jail that banned it.
    pub jail: Arc<str>,
    /// Which of the zone's publish rules gives its code and text.
    pub rule: u16,
    /// Since when it is banned.
    pub since: Timestamp,
    /// When that ends; `None` is never.
    pub until: Option<Timestamp>,
    /// A test point of RFC 5782, section 5: there whatever is banned, allowed or ordered.
    pub test: bool,
}

impl Listing {
    /// Whether it is still in force at `now`. The instant of `until` itself is free.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether `other` speaks of the same ban.
    fn is_of(&self, other: &Self) -> bool {
        self.test == other.test && self.jail == other.jail
    }
}

/// A prefix as one number and a length of up to 128 bits, IPv4 as IPv4-mapped IPv6. Orders like [`Prefix`] within a
/// family, and an IPv4 address stands inside `::/0`, as its IPv6 name does in the DNS.
type Key = (u128, u8);

/// The shortest key of an IPv4 prefix.
const IPV4_BITS: u8 = 96;

/// An immutable version of a list, cheap to clone.
#[derive(Clone)]
pub struct List {
    /// The listings of each prefix by rule, then jail, so that answers keep their order over a restart.
    listings: OrdMap<Key, Arc<[Listing]>>,
    /// When listings end, soonest first.
    ends: OrdSet<(Timestamp, Key)>,
    /// How many prefixes there are of each length in use: a look-up tries these and no others.
    lengths: BTreeMap<u8, usize>,
    /// How many listings there are.
    count: usize,
    allow: Arc<PrefixSet>,
    serial: u32,
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// A list with nothing in it, and serial 0.
    pub fn new() -> Self {
        Self {
            listings: OrdMap::new(),
            ends: OrdSet::new(),
            lengths: BTreeMap::new(),
            count: 0,
            allow: Arc::new(std::iter::once(Prefix::from(NEVER)).collect()),
            serial: 0,
        }
    }

    /// The listings in force at `now` that cover `address`, those of the most specific prefix first. None but a test
    /// point's if the allowlist has the address. IPv4-mapped IPv6 is IPv4.
    pub fn find(&self, address: IpAddr, now: Timestamp) -> impl Iterator<Item = (Prefix, &Listing)> + Clone {
        let host = Prefix::host(address);
        let allowed = self.allow.covers(host);
        self.covering(host)
            .flat_map(|(key, listings)| listings.iter().map(move |listing| (prefix_of(key), listing)))
            .filter(move |(_, listing)| listing.in_force(now) && (listing.test || !allowed))
    }

    /// Whether any address inside `prefix` is listed at `now`: by itself, by its network, or by a network around all
    /// of `prefix`. Says which reversed partial names exist (RFC 4592, section 2.2.2; RFC 8020, section 2).
    pub fn any_within(&self, prefix: Prefix, now: Timestamp) -> bool {
        let counts = |common: Prefix, listings: &[Listing]| {
            let mut in_force = listings.iter().filter(|listing| listing.in_force(now));
            in_force.any(|listing| listing.test || !self.allow.covers(common))
        };
        let inside = key_of(prefix)..=(prefix.bounds().1, 128);
        self.covering(prefix).any(|(_, listings)| counts(prefix, listings))
            || (self.listings.range(inside)).any(|(key, listings)| counts(prefix_of(*key), listings))
    }

    /// Adds `listing` under `prefix`, in the place of the one that jail has there.
    pub fn insert(&mut self, prefix: Prefix, listing: Listing) {
        self.edit(key_of(prefix), |listings| {
            listings.retain(|held| !held.is_of(&listing));
            listings.push(listing);
        });
    }

    /// Takes away what `jail` listed under exactly `prefix`; whether there was anything. Test points stay.
    pub fn remove(&mut self, prefix: Prefix, jail: &str) -> bool {
        let before = self.count;
        self.edit(key_of(prefix), |listings| {
            listings.retain(|held| held.test || &*held.jail != jail);
        });
        self.count < before
    }

    /// What `jail` listed under exactly `prefix`, whether or not it is in force.
    pub fn get(&self, prefix: Prefix, jail: &str) -> Option<&Listing> {
        let listings = self.listings.get(&key_of(prefix))?;
        listings.iter().find(|held| !held.test && &*held.jail == jail)
    }

    /// Takes away every listing that is not in force at `now`; how many.
    pub fn drop_expired(&mut self, now: Timestamp) -> usize {
        let before = self.count;
        while let Some((_, key)) = self.ends.get_min().copied().filter(|(end, _)| *end <= now) {
            self.edit(key, |listings| listings.retain(|listing| listing.in_force(now)));
        }
        before - self.count
    }

    /// Replaces the allowlist, whose addresses are never found. 127.0.0.1 is always on it.
    pub fn set_allow(&mut self, allow: Arc<PrefixSet>) {
        self.allow = if allow.covers(NEVER.into()) {
            allow
        } else {
            let with_never = allow.iter().chain(std::iter::once(NEVER.into()));
            Arc::new(with_never.collect())
        };
    }

    /// Sets the serial of the zone's SOA for this version.
    pub fn set_serial(&mut self, serial: u32) {
        self.serial = serial;
    }

    /// The serial of the zone's SOA; it moves on with every change (RFC 1982).
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// How many listings there are, test points and those that the allowlist hides among them.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no listing at all.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every listing in the order of addresses, a network before what it holds.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &Listing)> {
        self.listings
            .iter()
            .flat_map(|(key, listings)| listings.iter().map(|listing| (prefix_of(*key), listing)))
    }

    /// What stands under the prefixes that cover `prefix`, itself among them, longest first.
    fn covering(&self, prefix: Prefix) -> impl Iterator<Item = (Key, &[Listing])> + Clone {
        let (address, length) = key_of(prefix);
        let shortest = if prefix.is_ipv4() { IPV4_BITS } else { 0 };
        let lengths = self.lengths.range(shortest..=length).rev();
        lengths.filter_map(move |(length, _)| {
            let key = (address & mask(*length), *length);
            self.listings.get(&key).map(|listings| (key, &**listings))
        })
    }

    /// The only way in: takes the listings of `key` out, lets `edit` change them and puts the rest back.
    fn edit(&mut self, key: Key, edit: impl FnOnce(&mut Vec<Listing>)) {
        let mut listings = self.take(key);
        edit(&mut listings);
        if !listings.is_empty() {
            listings.sort_by(|a, b| (a.rule, &a.jail).cmp(&(b.rule, &b.jail)));
            self.put(key, listings);
        }
    }

    fn take(&mut self, key: Key) -> Vec<Listing> {
        let Some(listings) = self.listings.remove(&key) else {
            return Vec::new();
        };
        for end in listings.iter().filter_map(|listing| listing.until) {
            self.ends.remove(&(end, key));
        }
        if let Some(prefixes) = self.lengths.get_mut(&key.1) {
            *prefixes -= 1;
        }
        self.lengths.retain(|_, prefixes| *prefixes > 0);
        self.count -= listings.len();
        listings.to_vec()
    }

    fn put(&mut self, key: Key, listings: Vec<Listing>) {
        for end in listings.iter().filter_map(|listing| listing.until) {
            self.ends.insert((end, key));
        }
        *self.lengths.entry(key.1).or_default() += 1;
        self.count += listings.len();
        self.listings.insert(key, listings.into());
    }
}

fn key_of(prefix: Prefix) -> Key {
    let (address, length) = prefix.to_bytes();
    (u128::from_be_bytes(address), length)
}

fn prefix_of((address, length): Key) -> Prefix {
    Prefix::from_bytes(address.to_be_bytes(), length).expect("keys come from prefixes")
}

/// The first `length` bits set.
fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
