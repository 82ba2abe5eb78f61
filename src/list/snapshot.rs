//! One version of a list: what one zone publishes of the bans in force.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::Rule;
use super::part::{Part, Parts};
use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet};
use crate::store::{BanTable, Held};

/// Never listed, whatever is banned (RFC 5782, section 5).
const NEVER: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// So many bans that do not count are passed over in search of one that does; then it is taken for granted.
const LONGEST_SEARCH: usize = 1000;

/// A prefix that is listed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing<'a> {
    /// What is listed.
    pub prefix: Prefix,
    /// Who listed it.
    pub jail: &'a str,
    /// Which publish rule of the zone it falls under.
    pub rule: u16,
    /// When the ban began.
    pub since: Timestamp,
    /// When it ends; `None` is never.
    pub until: Option<Timestamp>,
}

/// The listings of an address; most have none or one.
pub type Listings<'a> = SmallVec<[Listing<'a>; 2]>;

/// An immutable version of a list, cheap to clone. What it shares with other zones and other versions is there once.
#[derive(Clone)]
pub struct List {
    bans: BanTable,
    parts: Arc<Parts>,
    allow: Arc<PrefixSet>,
    serial: u32,
}

impl List {
    /// A list for `rules` with its test points, in which nobody is banned; its serial is 0.
    pub fn new(rules: &[Rule]) -> Self {
        Self {
            bans: BanTable::default(),
            parts: Arc::new(Parts::new(rules, &[])),
            allow: Arc::new(std::iter::once(Prefix::from(NEVER)).collect()),
            serial: 0,
        }
    }

    /// The listings in force at `now` that cover `address`: [`View::find`] of all that the zone publishes.
    pub fn find(&self, address: IpAddr, now: Timestamp) -> Listings<'_> {
        self.view(None).find(address, now)
    }

    /// What the sublist of this number publishes, or the zone.
    pub fn view(&self, sublist: Option<u16>) -> View<'_> {
        View { list: self, part: self.parts.get(sublist) }
    }

    /// Whether the allowlist has `address`, so that nothing but a test point may say that it is listed.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow.contains(address)
    }

    /// Whether the allowlist has all of `prefix`.
    pub fn allows_all(&self, prefix: Prefix) -> bool {
        self.allow.covers(prefix)
    }

    /// Goes on with `bans`, a later version of the same table; `rules` are those that the list was made for.
    pub(super) fn set_bans(&mut self, bans: BanTable, rules: &[Rule]) {
        // A table only ever gets jails, so that their number tells whether all are known.
        if self.parts.whole.publishing.len() != bans.jails().len() {
            self.parts = Arc::new(Parts::new(rules, bans.jails()));
        }
        self.bans = bans;
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
        let jails = self.bans.jails().iter().enumerate();
        let published = jails.filter(|(jail, _)| self.parts.whole.publishing.rule_at(*jail).is_some());
        self.parts.whole.points.len() + published.map(|(_, jail)| jail.bans()).sum::<usize>()
    }

    /// Whether there is no listing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A list as it is seen under one name: the zone's, or a sublist's.
#[derive(Clone, Copy)]
pub struct View<'a> {
    list: &'a List,
    part: &'a Part,
}

impl<'a> View<'a> {
    /// The listings in force at `now` that cover `address`, those of the most specific prefix first, then by rule and jail.
    /// None but a test point's if the allowlist has the address. IPv4-mapped IPv6 is IPv4.
    pub fn find(self, address: IpAddr, now: Timestamp) -> Listings<'a> {
        let host = Prefix::host(address);
        let mut found = Listings::new();
        // Zones of nothing but data sets publish no jail.
        if self.part.publishing.is_any() {
            self.list.bans.each_covering(host, |prefix, held| {
                if let Some(listing) = self.listing(prefix, held, now) {
                    found.push(listing);
                }
            });
        }
        if !found.is_empty() && self.list.allow.covers(host) {
            found.clear();
        }
        if let Some(point) = self.part.points.get(host) {
            found.push(point);
        }
        if found.len() > 1 {
            found.sort_by_key(|listing| (Reverse(listing.prefix.len()), listing.rule, listing.jail));
        }
        found
    }

    /// Has `take` see the bans in force at `now` that cover `address` as they are published, in no order, and says whether these are
    /// all. Test points and the allowlist are not looked at.
    #[inline]
    pub fn each_packed(self, address: Ipv4Addr, now: Timestamp, mut take: impl FnMut(Listing<'a>)) -> bool {
        self.list.bans.each_packed(address, |prefix, held| {
            if let Some(listing) = self.listing(prefix, held, now) {
                take(listing);
            }
        })
    }

    /// Whether any address inside `prefix` is listed at `now`: by itself, by its network, or by a network around all
    /// of `prefix`. Says which reversed partial names exist (RFC 4592, section 2.2.2; RFC 8020, section 2). Where very many
    /// bans inside are not published here, the answer is yes; a name that exists without need does no harm.
    pub fn any_within(self, prefix: Prefix, now: Timestamp) -> bool {
        if self.part.points.any_within(prefix) {
            return true;
        }
        let counts = |common: Prefix, held: Held| {
            self.listing(common, held, now).is_some() && !self.list.allow.covers(common)
        };
        let mut is_around = false;
        self.list.bans.each_covering(prefix, |_, held| is_around = is_around || counts(prefix, held));
        let mut inside = self.inside(prefix).enumerate();
        is_around || inside.any(|(passed, (network, held))| passed == LONGEST_SEARCH || counts(network, held))
    }

    /// The bans inside `prefix`; those of IPv4 stand inside `::/0`, as their IPv6 names do in the DNS.
    fn inside(self, prefix: Prefix) -> impl Iterator<Item = (Prefix, Held)> + 'a {
        let (first, last) = prefix.bounds();
        let (mapped_first, mapped_last) = Prefix::all_ipv4().bounds();
        let holds_ipv4 = !prefix.is_ipv4() && first <= mapped_first && mapped_last <= last;
        let ipv4 = holds_ipv4.then(|| self.list.bans.within(Prefix::all_ipv4()));
        self.list.bans.within(prefix).chain(ipv4.into_iter().flatten())
    }

    /// The ban `held` of `prefix` as this zone publishes it at `now`, if it does.
    #[inline]
    fn listing(self, prefix: Prefix, held: Held, now: Timestamp) -> Option<Listing<'a>> {
        let rule = self.part.publishing.rule(held.jail)?;
        let jail = &*self.list.bans.jails()[held.jail.index()].name;
        held.in_force(now).then_some(Listing { prefix, jail, rule, since: held.since, until: held.until })
    }
}

#[cfg(test)]
mod tests;
