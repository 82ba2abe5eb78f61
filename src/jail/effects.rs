//! What goes into the jails and what comes out.

use std::sync::Arc;

use foldhash::HashMap;

use super::{Ask, Change, Counter, Offender, ReportChange};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// A failure found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Who failed.
    pub prefix: Prefix,
    /// When, by the line's own date where it can be believed.
    pub time: Timestamp,
    /// The user, if known.
    pub user: Option<&'a str>,
    /// The lines before this one that are part of the same failure, oldest first.
    pub earlier: &'a [String],
    /// The line.
    pub line: &'a str,
}

/// What a batch of failures and orders did; the store commits all of it at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Changes of bans and of the allowlist, in order.
    pub changes: Vec<Change>,
    /// The counters that differ now: their state, or `None` where they are gone.
    pub counters: Vec<(Arc<str>, Prefix, Option<Counter>)>,
    /// Whose earlier bans are forgotten, by jail and network.
    pub forgiven: Vec<(Arc<str>, Prefix)>,
    /// Whose earlier bans are known now without a new one: what another program knew of them.
    pub remembered: Vec<(Arc<str>, Prefix, Offender)>,
    /// Failures by jail, full hour and address.
    pub failures: HashMap<(Arc<str>, Timestamp, Prefix), u32>,
    /// How often user names were tried, by jail and day in UTC; a name may stand there twice.
    pub users: Vec<(Arc<str>, Timestamp, Box<str>, u32)>,
    /// What became of reports, in order.
    pub reports: Vec<ReportChange>,
    /// Failures that wait for an answer from outside; nothing of them is committed yet.
    pub asks: Vec<Ask>,
}

impl Effects {
    /// Whether nothing happened that is to be committed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.counters.is_empty()
            && self.forgiven.is_empty()
            && self.remembered.is_empty()
            && self.failures.is_empty()
            && self.users.is_empty()
            && self.reports.is_empty()
    }
}

/// What a jail has done so far and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Addresses that have failed lately and are not banned.
    pub currently_failed: usize,
    /// Failures ever.
    pub total_failed: u64,
    /// Bans in force.
    pub currently_banned: usize,
    /// Those of them that are of IPv6.
    pub currently_banned_ipv6: usize,
    /// Bans ever.
    pub total_banned: u64,
    /// Failures that the allowlist, an ignoreip or a reserved range excused since the start.
    pub ignored: u64,
    /// Failures since the start that nothing can be listed for: of unknown hosts, and of things that are no address.
    pub without_address: u64,
}
