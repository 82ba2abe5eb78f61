//! What is never banned: entries added at run time, and what the configuration adds.

use std::collections::BTreeMap;

use super::{Allow, Refusal, Settings};
use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet};

/// The set is built anew with every entry; more than this would make that slow.
const MAX_ENTRIES: usize = 100_000;

/// What no jail of these bans and no zone lists: what the configuration allows, and this host's `own` addresses, unless a
/// jail may ban those.
pub fn never_listed(jails: &[Settings], allow: &PrefixSet, own: &PrefixSet) -> PrefixSet {
    let own_is_safe = jails.iter().all(|jail| jail.ignore_self);
    allow.iter().chain(own.iter().filter(|_| own_is_safe)).collect()
}

/// The allowlist. It wins over every ban.
#[derive(Debug, Default)]
pub struct Allowlist {
    entries: BTreeMap<Prefix, Allow>,
    configured: PrefixSet,
    /// Entries and configuration together.
    all: PrefixSet,
    /// When the next entry ends by itself.
    next_end: Option<Timestamp>,
}

impl Allowlist {
    /// Takes what the configuration allows in every jail.
    pub fn configure(&mut self, configured: PrefixSet) {
        self.configured = configured;
        self.rebuild();
    }

    /// Adds an entry, or changes its note and end.
    pub fn insert(&mut self, allow: Allow) -> Result<(), Refusal> {
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&allow.prefix) {
            return Err(Refusal::AllowlistFull(MAX_ENTRIES));
        }
        self.entries.insert(allow.prefix, allow);
        self.rebuild();
        Ok(())
    }

    /// Takes over all entries that the store kept.
    pub fn restore(&mut self, entries: impl IntoIterator<Item = Allow>) {
        self.entries = entries.into_iter().map(|allow| (allow.prefix, allow)).collect();
        self.rebuild();
    }

    /// Removes an entry.
    pub fn remove(&mut self, prefix: Prefix) -> Result<(), Refusal> {
        self.entries.remove(&prefix).ok_or(Refusal::NotAllowed(prefix))?;
        self.rebuild();
        Ok(())
    }

    /// Takes out one entry whose time is up.
    pub fn pop_ended(&mut self, now: Timestamp) -> Option<Prefix> {
        if self.next_end? > now {
            return None;
        }
        let ended = self.entries.values().find(|allow| allow.until.is_some_and(|until| until <= now));
        let prefix = ended?.prefix;
        self.entries.remove(&prefix);
        self.rebuild();
        Some(prefix)
    }

    /// When the next entry ends by itself.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.next_end
    }

    /// Which entry covers all of `prefix`, in words.
    pub fn covering(&self, prefix: Prefix) -> Option<String> {
        if let Some(allow) = self.entries.values().find(|allow| allow.prefix.covers(prefix)) {
            return Some(format!("the allowlist entry {}", allow.prefix));
        }
        if self.configured.covers(prefix) {
            return Some(
                "the configuration (`ignoreip` in [defaults], or an address of this host)".to_owned(),
            );
        }
        self.all.covers(prefix).then(|| "several allowlist entries together".to_owned())
    }

    /// Whether nothing may list `prefix`.
    pub fn covers(&self, prefix: Prefix) -> bool {
        self.all.covers(prefix)
    }

    /// Whether an address of `prefix` may not be listed.
    pub fn overlaps(&self, prefix: Prefix) -> bool {
        self.all.overlaps(prefix)
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = &Allow> {
        self.entries.values()
    }

    fn rebuild(&mut self) {
        let entries = self.entries.keys().copied();
        self.all = entries.chain(self.configured.iter()).collect();
        self.next_end = self.entries.values().filter_map(|allow| allow.until).min();
    }
}
