//! The guard against reports gone wrong: how much the listed space may grow in a while, and what is held back beyond that.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::schedule::Schedule;

/// The window moves on in so many steps.
const STEPS: u32 = 60;

/// How much the listed space may grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardSettings {
    /// By this share of what was listed before, for each family.
    pub share: f64,
    /// In this time.
    pub window: Duration,
    /// So many addresses may be added in any case: to a small list every listing is a large share.
    pub least: u64,
}

/// Why a listing is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// The listed space would have grown by more than the guard allows.
    Growth,
    /// The prefix holds an address that is allowlisted or ignored.
    Allowlisted,
}

/// A listing that waits for somebody to look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldListing {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: HoldReason,
    /// When its votes will weigh too little for a listing.
    pub until: Timestamp,
}

/// Addresses of IPv4, and networks of 64 bits of IPv6.
type Space = [u64; 2];

/// The state of the guard.
#[derive(Debug, Default)]
pub struct Guard {
    listed: Space,
    /// What was added, by steps of the window.
    grown: BTreeMap<i64, Space>,
    /// Listings that somebody released, which are no growth.
    released: BTreeSet<Prefix>,
    held: BTreeMap<Prefix, HeldListing>,
    ends: Schedule<Prefix>,
}

impl Guard {
    /// Whether the space may grow by `prefix` now.
    pub fn admits(&mut self, prefix: Prefix, settings: &GuardSettings, now: Timestamp) -> bool {
        let oldest = step(now - settings.window, settings);
        self.grown = self.grown.split_off(&oldest);
        let (family, size) = size_of(prefix);
        let grown: u64 = self.grown.values().map(|space| space[family]).fold(0, u64::saturating_add);
        let before = self.listed[family].saturating_sub(grown);
        let share = (before as f64 * settings.share) as u64;
        grown.saturating_add(size) <= share.max(settings.least)
    }

    /// Counts a listing that begins.
    pub fn begun(&mut self, prefix: Prefix, since: Timestamp, settings: &GuardSettings) {
        let (family, size) = size_of(prefix);
        self.listed[family] = self.listed[family].saturating_add(size);
        let grown = self.grown.entry(step(since, settings)).or_default();
        grown[family] = grown[family].saturating_add(size);
    }

    /// Counts a listing that begins and is no growth to be guarded against.
    pub fn released(&mut self, prefix: Prefix) {
        let (family, size) = size_of(prefix);
        self.listed[family] = self.listed[family].saturating_add(size);
        self.released.insert(prefix);
    }

    /// Counts a listing that began at `since` and has ended: what has come and gone is no growth.
    pub fn ended(&mut self, prefix: Prefix, since: Timestamp, settings: &GuardSettings) {
        let (family, size) = size_of(prefix);
        self.listed[family] = self.listed[family].saturating_sub(size);
        let was_growth = !self.released.remove(&prefix);
        if let Some(grown) = self.grown.get_mut(&step(since, settings)).filter(|_| was_growth) {
            grown[family] = grown[family].saturating_sub(size);
        }
    }

    /// Counts from nothing.
    pub fn recount(&mut self, listings: impl Iterator<Item = (Prefix, Timestamp)>, settings: &GuardSettings) {
        (self.listed, self.grown) = (Space::default(), BTreeMap::new());
        let released = std::mem::take(&mut self.released);
        for (prefix, since) in listings {
            if released.contains(&prefix) {
                self.released(prefix);
            } else {
                self.begun(prefix, since, settings);
            }
        }
    }

    /// Holds a listing back, or says until when it is one.
    pub fn hold(&mut self, prefix: Prefix, held: HeldListing) {
        self.held.insert(prefix, held);
        self.ends.add(held.until, prefix);
    }

    /// The listing of `prefix` if it is held back.
    pub fn held(&self, prefix: Prefix) -> Option<HeldListing> {
        self.held.get(&prefix).copied()
    }

    /// Everything held back, in order.
    pub fn all_held(&self) -> impl ExactSizeIterator<Item = (Prefix, HeldListing)> {
        self.held.iter().map(|(prefix, held)| (*prefix, *held))
    }

    /// What is held back behind `after`, in order.
    pub fn held_behind(&self, after: Option<Prefix>) -> impl Iterator<Item = (Prefix, HeldListing)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.held.range((from, Bound::Unbounded)).map(|(prefix, held)| (*prefix, *held))
    }

    /// Holds `prefix` back no longer; whether it was.
    pub fn let_go(&mut self, prefix: Prefix) -> bool {
        let was = self.held.remove(&prefix).is_some();
        let ends = self.held.iter().map(|(prefix, held)| (held.until, *prefix));
        self.ends.leave_out_gone(self.held.len(), ends);
        was
    }

    /// A prefix that is held back and whose votes weigh too little now.
    pub fn first_ended(&mut self, now: Timestamp) -> Option<Prefix> {
        let until = |prefix| self.held.get(&prefix).map(|held| held.until);
        self.ends.first_due(now, until).map(|(_, prefix)| prefix)
    }
}

fn step(time: Timestamp, settings: &GuardSettings) -> i64 {
    let length = (settings.window / STEPS).as_millis().max(1);
    time.as_millis().div_euclid(i64::try_from(length).unwrap_or(i64::MAX))
}

/// Which family, and how much of its space.
fn size_of(prefix: Prefix) -> (usize, u64) {
    let (family, bits) = if prefix.is_ipv4() { (0, 32) } else { (1, 64) };
    (family, 1u64.checked_shl((bits - prefix.len().min(bits)).into()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    /// When, what is to be listed, and whether that is admitted: a fifth in an hour, but 4 in any case.
    const CASES: &[(i64, &str, bool)] = &[
        (0, "192.0.2.1", true),
        (0, "192.0.2.2/31", true),
        (10, "192.0.2.4/31", false),
        (10, "192.0.2.4", true),
        (20, "192.0.2.5", false),
        (20, "2001:db8::/62", true),
        (20, "2001:db8:1::/64", false),
        // The hour is over, and a fifth of 4 is less than 4.
        (3700, "192.0.2.8/30", true),
        (3700, "192.0.2.5", false),
    ];

    #[test]
    fn the_space_grows_by_its_share_in_a_window() {
        let settings = GuardSettings { share: 0.2, window: HOUR, least: 4 };
        let mut guard = Guard::default();
        for (second, prefix, admitted) in CASES {
            let (prefix, now) = (prefix.parse().unwrap(), at(*second));
            assert_eq!(guard.admits(prefix, &settings, now), *admitted, "{prefix} at {second}");
            if *admitted {
                guard.begun(prefix, now, &settings);
            }
        }
    }

    #[test]
    fn a_large_list_may_grow_by_more() {
        let settings = GuardSettings { share: 0.25, window: HOUR, least: 4 };
        let (old, new) = ("192.0.2.0/24".parse().unwrap(), "198.51.100.0/26".parse().unwrap());
        let mut guard = Guard::default();
        guard.recount([(old, at(0))].into_iter(), &settings);
        assert!(!guard.admits(new, &settings, at(60)), "it is as large only since a minute ago");
        assert!(guard.admits(new, &settings, at(8000)));
        guard.begun(new, at(8000), &settings);
        assert!(!guard.admits("203.0.113.1".parse().unwrap(), &settings, at(8001)));
        guard.ended(new, at(8000), &settings);
        assert!(guard.admits("203.0.113.1".parse().unwrap(), &settings, at(8001)), "it has come and gone");
        guard.begun(new, at(8002), &settings);
        guard.ended(old, at(0), &settings);
        assert!(!guard.admits("203.0.113.1".parse().unwrap(), &settings, at(8003)));
    }

    #[test]
    fn what_somebody_has_looked_at_is_no_growth() {
        let settings = GuardSettings { share: 0.25, window: HOUR, least: 4 };
        let mut guard = Guard::default();
        guard.released("198.51.100.0/26".parse().unwrap());
        assert!(guard.admits("203.0.113.0/28".parse().unwrap(), &settings, at(1)), "a quarter of 64");
        assert!(!guard.admits("203.0.113.0/27".parse().unwrap(), &settings, at(1)));
        // The end of what was released makes no room for others.
        guard.begun("203.0.113.0/28".parse().unwrap(), at(1), &settings);
        guard.ended("198.51.100.0/26".parse().unwrap(), at(1), &settings);
        assert!(!guard.admits("203.0.113.64/28".parse().unwrap(), &settings, at(2)));
    }

    #[test]
    fn what_is_held_ends_with_its_votes() {
        let mut guard = Guard::default();
        let prefix = "192.0.2.1".parse().unwrap();
        let held = |until| HeldListing { since: at(0), reason: HoldReason::Growth, until: at(until) };
        guard.hold(prefix, held(10));
        guard.hold(prefix, held(20));
        assert_eq!(guard.first_ended(at(15)), None);
        assert_eq!(guard.first_ended(at(20)), Some(prefix));
        assert!(guard.let_go(prefix) && !guard.let_go(prefix));
        assert_eq!(guard.first_ended(at(20)), None);
    }
}
