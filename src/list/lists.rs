//! Where readers find the latest version of each zone's list.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{List, PublishedSet, Rule};

/// The list of each zone, by the zone's index. Readers take no lock and never wait for the writer.
pub struct Lists(Vec<OfZone>);

struct OfZone {
    rules: Vec<Rule>,
    current: ArcSwap<Published>,
}

/// What a zone publishes at some time.
#[derive(Clone)]
pub struct Published {
    /// The bans.
    pub list: List,
    /// The data sets beside them.
    pub sets: Arc<[PublishedSet]>,
}

impl Published {
    /// Has what the data sets look at for `address` fetched from memory.
    pub fn prefetch(&self, address: IpAddr) {
        self.sets.iter().for_each(|published| published.set.prefetch(address));
    }
}

impl Lists {
    /// One list for each zone with these publish rules; until the first [`Lists::publish`] it has the zone's test
    /// points and nothing else.
    pub fn new(zones: impl IntoIterator<Item = Vec<Rule>>) -> Self {
        let zones = zones.into_iter().map(|rules| OfZone {
            current: ArcSwap::from_pointee(Published { list: List::new(&rules), sets: Arc::default() }),
            rules,
        });
        Self(zones.collect())
    }

    /// How many zones there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no zone at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What `zone`, an index under [`Lists::len`], publishes at present. Hold it for one answer, not longer.
    pub fn latest(&self, zone: usize) -> Guard<Arc<Published>> {
        self.0[zone].current.load()
    }

    /// Makes `list` the latest version of the list of `zone`.
    pub fn publish(&self, zone: usize, list: &List) {
        self.0[zone].current.rcu(|now| Published { list: list.clone(), sets: Arc::clone(&now.sets) });
    }

    /// Puts `sets` in the place of the data sets of `zone`.
    pub fn publish_sets(&self, zone: usize, sets: &Arc<[PublishedSet]>) {
        self.0[zone].current.rcu(|now| Published { list: now.list.clone(), sets: Arc::clone(sets) });
    }

    /// The publish rules of each zone.
    pub(super) fn rules(&self) -> impl Iterator<Item = &[Rule]> {
        self.0.iter().map(|zone| &*zone.rules)
    }
}
