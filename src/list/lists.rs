//! Where readers find what each zone publishes.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{List, PublishedSet, Rule};

/// What the zones publish, by the zone's index. Readers take no lock and never wait for the writer.
pub struct Lists {
    rules: Vec<Vec<Rule>>,
    /// In one piece, so that a batch of queries takes hold of it once.
    current: ArcSwap<Vec<Published>>,
}

/// What a zone publishes at some time. Cheap to clone.
#[derive(Clone)]
pub struct Published {
    /// The bans.
    pub list: List,
    /// The data sets beside them.
    pub sets: Arc<[PublishedSet]>,
    /// Whether they look at nothing of a name but the address.
    pub is_of_addresses: bool,
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
        let rules: Vec<Vec<Rule>> = zones.into_iter().collect();
        let published = rules.iter().map(|rules| Published {
            list: List::new(rules),
            sets: Arc::default(),
            is_of_addresses: true,
        });
        Self { current: ArcSwap::from_pointee(published.collect()), rules }
    }

    /// What every zone publishes at present. Hold it for one batch of answers, not longer.
    pub fn latest(&self) -> Guard<Arc<Vec<Published>>> {
        self.current.load()
    }

    /// Puts `lists`, one for each zone, in the place of those there are.
    pub fn publish(&self, lists: &[List]) {
        self.change(|zones| zones.iter_mut().zip(lists).for_each(|(zone, list)| zone.list = list.clone()));
    }

    /// Puts `sets`, those of each zone, in the place of the data sets there are.
    pub fn publish_sets(&self, sets: &[Arc<[PublishedSet]>]) {
        self.change(|zones| {
            for (zone, sets) in zones.iter_mut().zip(sets) {
                zone.is_of_addresses = sets.iter().all(|one| one.set.is_of_addresses());
                zone.sets = Arc::clone(sets);
            }
        });
    }

    fn change(&self, change: impl Fn(&mut [Published])) {
        self.current.rcu(|now| {
            let mut next = Vec::clone(now);
            change(&mut next);
            next
        });
    }

    /// The publish rules of each zone.
    pub(super) fn rules(&self) -> impl Iterator<Item = &[Rule]> {
        self.rules.iter().map(Vec::as_slice)
    }
}
