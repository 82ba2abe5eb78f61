//! One version of a list: what one zone publishes of the bans in force.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::Rule;
use super::rule::{Publishing, TestPoints};
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
    publishing: Arc<Publishing>,
    points: Arc<TestPoints>,
    allow: Arc<PrefixSet>,
    serial: u32,
}

impl List {
    /// A list for `rules` with its test points, in which nobody is banned; its serial is 0.
    pub fn new(rules: &[Rule]) -> Self {
        Self {
            bans: BanTable::default(),
            publishing: Arc::default(),
            points: Arc::new(TestPoints::new(rules)),
            allow: Arc::new(std::iter::once(Prefix::from(NEVER)).collect()),
            serial: 0,
        }
    }

    /// The listings in force at `now` that cover `address`, those of the most specific prefix first, then by rule and jail.
    /// None but a test point's if the allowlist has the address. IPv4-mapped IPv6 is IPv4.
    pub fn find(&self, address: IpAddr, now: Timestamp) -> Listings<'_> {
        let host = Prefix::host(address);
        let bans = self.bans.covering(host);
        let mut found: Listings<'_> =
            bans.filter_map(|(prefix, held)| self.listing(prefix, held, now)).collect();
        if !found.is_empty() && self.allow.covers(host) {
            found.clear();
        }
        found.extend(self.points.get(host));
        if found.len() > 1 {
            found.sort_by_key(|listing| (Reverse(listing.prefix.len()), listing.rule, listing.jail));
        }
        found
    }

    /// Whether the allowlist has `address`, so that nothing but a test point may say that it is listed.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow.contains(address)
    }

    /// Whether any address inside `prefix` is listed at `now`: by itself, by its network, or by a network around all
    /// of `prefix`. Says which reversed partial names exist (RFC 4592, section 2.2.2; RFC 8020, section 2). Where very many
    /// bans inside are not published here, the answer is yes; a name that exists without need does no harm.
    pub fn any_within(&self, prefix: Prefix, now: Timestamp) -> bool {
        if self.points.any_within(prefix) {
            return true;
        }
        let counts = |common: Prefix, held: Held| {
            self.listing(common, held, now).is_some() && !self.allow.covers(common)
        };
        let mut around = self.bans.covering(prefix);
        let mut inside = self.inside(prefix).enumerate();
        around.any(|(_, held)| counts(prefix, held))
            || inside.any(|(passed, (network, held))| passed == LONGEST_SEARCH || counts(network, held))
    }

    /// The bans inside `prefix`; those of IPv4 stand inside `::/0`, as their IPv6 names do in the DNS.
    fn inside(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, Held)> {
        let (first, last) = prefix.bounds();
        let (mapped_first, mapped_last) = Prefix::all_ipv4().bounds();
        let holds_ipv4 = !prefix.is_ipv4() && first <= mapped_first && mapped_last <= last;
        let ipv4 = holds_ipv4.then(|| self.bans.within(Prefix::all_ipv4()));
        self.bans.within(prefix).chain(ipv4.into_iter().flatten())
    }

    /// The ban `held` of `prefix` as this zone publishes it at `now`, if it does.
    fn listing(&self, prefix: Prefix, held: Held, now: Timestamp) -> Option<Listing<'_>> {
        let rule = self.publishing.rule(held.jail)?;
        let jail = &*self.bans.jails()[held.jail.index()].name;
        held.in_force(now).then_some(Listing { prefix, jail, rule, since: held.since, until: held.until })
    }

    /// Goes on with `bans`, of which it lists those that `publishing` says.
    pub(super) fn set_bans(&mut self, bans: BanTable, publishing: Arc<Publishing>) {
        (self.bans, self.publishing) = (bans, publishing);
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
        let published = jails.filter(|(jail, _)| self.publishing.rule_at(*jail).is_some());
        self.points.len() + published.map(|(_, jail)| jail.bans).sum::<usize>()
    }

    /// Whether there is no listing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
