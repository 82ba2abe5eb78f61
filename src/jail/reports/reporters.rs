//! The organisations that report: their trust, what was taken from them, and how far each of their spools was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::batch::{SpoolId, Tally};
use crate::clock::Timestamp;
use crate::jail::Refusal;

/// An organisation that is known; more than that no operator looks after.
const MAX_REPORTERS: usize = 10_000;

/// Spools of one organisation, one for each of its servers. Beyond that the one that was quiet longest is forgotten, which
/// matters only to one whose last batch was not confirmed.
const MAX_SPOOLS: usize = 1_000;

/// Requests with an `Idempotency-Key` that are remembered for each organisation.
const MAX_KEYS: usize = 1_000;

/// So long they are remembered: a sender that has not given up by then sends something new.
const KEY_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// The number of an organisation in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReporterId(u16);

/// What is known of an organisation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reporter {
    /// Its trust, if somebody has set it.
    pub trust: Option<f64>,
    /// Since when nothing is taken from it.
    pub cut_off: Option<Timestamp>,
    /// When it reported first.
    pub first_seen: Option<Timestamp>,
    /// When it reported last.
    pub last_seen: Option<Timestamp>,
    /// What became of its rows.
    pub tally: Tally,
}

/// What a request with a key was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// A hash of what was sent.
    pub fingerprint: u64,
    /// The answer.
    pub tally: Tally,
}

/// The last row of a spool that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reached {
    sequence: u64,
    at: Timestamp,
}

#[derive(Debug, Default)]
struct Entry {
    reporter: Reporter,
    spools: BTreeMap<SpoolId, Reached>,
    /// In the order in which they came.
    keys: IndexMap<Arc<str>, Answered>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Reporters(IndexMap<Arc<str>, Entry>);

impl Reporters {
    /// The number of `name`, which is known from now on.
    pub fn known(&mut self, name: &Arc<str>) -> Result<ReporterId, Refusal> {
        let place = match self.0.get_index_of(name) {
            Some(place) => place,
            None if self.0.len() >= MAX_REPORTERS => return Err(Refusal::TooManyReporters(MAX_REPORTERS)),
            None => self.0.insert_full(Arc::clone(name), Entry::default()).0,
        };
        Ok(ReporterId(u16::try_from(place).expect("there are fewer than 65536 reporters")))
    }

    /// The number of `name`, if it is known.
    pub fn find(&self, name: &str) -> Option<ReporterId> {
        self.0.get_index_of(name).and_then(|place| u16::try_from(place).ok()).map(ReporterId)
    }

    /// Every organisation with its name and number, in the order in which they came.
    pub fn all(&self) -> impl Iterator<Item = (ReporterId, &Arc<str>, &Reporter)> {
        (0..).map(ReporterId).zip(&self.0).map(|(id, (name, entry))| (id, name, &entry.reporter))
    }

    /// Its name.
    pub fn name(&self, id: ReporterId) -> Arc<str> {
        let (name, _) =
            self.0.get_index(id.0.into()).expect("numbers are given out for those that are known");
        Arc::clone(name)
    }

    /// What is known of it.
    pub fn get(&self, id: ReporterId) -> &Reporter {
        &self.0[usize::from(id.0)].reporter
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: ReporterId) -> &mut Reporter {
        &mut self.entry(id).reporter
    }

    fn entry(&mut self, id: ReporterId) -> &mut Entry {
        &mut self.0[usize::from(id.0)]
    }

    /// The last row of a spool that was taken; 0 before the first.
    pub fn reached(&self, id: ReporterId, spool: SpoolId) -> u64 {
        self.0[usize::from(id.0)].spools.get(&spool).map_or(0, |reached| reached.sequence)
    }

    /// Says how far a spool was taken; the one that had to be forgotten for it comes back.
    pub fn reach(&mut self, id: ReporterId, spool: SpoolId, sequence: u64, at: Timestamp) -> Option<SpoolId> {
        let spools = &mut self.entry(id).spools;
        spools.insert(spool, Reached { sequence, at });
        if spools.len() <= MAX_SPOOLS {
            return None;
        }
        let quiet = spools.iter().filter(|(id, _)| **id != spool).min_by_key(|(_, reached)| reached.at);
        let quiet = *quiet?.0;
        spools.remove(&quiet);
        Some(quiet)
    }

    /// What a request with this key was answered, if that is remembered.
    pub fn answered(&self, id: ReporterId, key: &str, now: Timestamp) -> Option<Answered> {
        let answered = self.0[usize::from(id.0)].keys.get(key).copied();
        answered.filter(|answered| now.since(answered.at) < KEY_MEMORY)
    }

    /// Remembers what a request with this key was answered; the keys that are forgotten by that come back.
    pub fn answer(&mut self, id: ReporterId, key: &Arc<str>, answered: Answered) -> Vec<Arc<str>> {
        let keys = &mut self.entry(id).keys;
        keys.shift_remove(key);
        keys.insert(Arc::clone(key), answered);
        let is_old = |held: &Answered| answered.at.since(held.at) >= KEY_MEMORY;
        let old = keys.values().take_while(|held| is_old(held)).count();
        let count = old.max(keys.len().saturating_sub(MAX_KEYS));
        keys.drain(..count).map(|(key, _)| key).collect()
    }
}
