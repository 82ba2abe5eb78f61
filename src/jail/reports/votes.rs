//! Who says of which prefix that it attacks, and when they said so last: one vote for each organisation and prefix.

use std::time::Duration;

use foldhash::HashMap;
use smallvec::SmallVec;

use super::reporters::ReporterId;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::schedule::Schedule;

/// Prefixes that anybody votes for. Each takes about 120 bytes.
pub const MAX_PREFIXES: usize = 4_000_000;

/// Votes of all organisations; those beyond the second of a prefix take 16 bytes and more.
pub const MAX_VOTES: usize = 16_000_000;

/// Votes of one organisation, so that none can fill the table alone.
pub const MAX_VOTES_OF_ONE: usize = 2_000_000;

/// One vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Whose.
    pub reporter: ReporterId,
    /// The time of the last sighting.
    pub time: Timestamp,
}

/// Most prefixes have few votes.
type Box = SmallVec<[Vote; 2]>;

/// What a vote changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// It counts, as the first of its organisation or in the place of an older one.
    Counted,
    /// The organisation's vote is newer than this.
    Older,
    /// It is the vote that is there.
    Same,
    /// There is no room.
    Full,
}

/// All votes.
#[derive(Debug, Default)]
pub struct Votes {
    by_prefix: HashMap<Prefix, Box>,
    total: usize,
    /// How many of each reporter.
    by_reporter: HashMap<ReporterId, usize>,
    forgets: Schedule<Prefix>,
}

impl Votes {
    /// Casts a vote. It is forgotten `horizon` after its time.
    pub fn cast(&mut self, prefix: Prefix, vote: Vote, horizon: Duration) -> Cast {
        let is_full = self.total >= MAX_VOTES || self.of(vote.reporter) >= MAX_VOTES_OF_ONE;
        let no_room = self.by_prefix.len() >= MAX_PREFIXES;
        match self.by_prefix.get_mut(&prefix) {
            None if is_full || no_room => return Cast::Full,
            None => {
                self.by_prefix.insert(prefix, SmallVec::from_iter([vote]));
                self.forgets.add(vote.time + horizon, prefix);
            }
            Some(votes) => match votes.iter_mut().find(|held| held.reporter == vote.reporter) {
                Some(held) if held.time == vote.time => return Cast::Same,
                Some(held) if held.time > vote.time => return Cast::Older,
                Some(held) => {
                    held.time = vote.time;
                    return Cast::Counted;
                }
                None if is_full => return Cast::Full,
                None => votes.push(vote),
            },
        }
        self.total += 1;
        *self.by_reporter.entry(vote.reporter).or_default() += 1;
        Cast::Counted
    }

    /// The votes for `prefix`.
    pub fn get(&self, prefix: Prefix) -> &[Vote] {
        self.by_prefix.get(&prefix).map_or(&[], |votes| votes)
    }

    /// How many prefixes have votes.
    pub fn prefixes(&self) -> usize {
        self.by_prefix.len()
    }

    /// How many votes `reporter` has.
    pub fn of(&self, reporter: ReporterId) -> usize {
        self.by_reporter.get(&reporter).copied().unwrap_or(0)
    }

    /// Every prefix that `reporter` votes for, in order.
    pub fn voted_by(&self, reporter: ReporterId) -> Vec<Prefix> {
        let is_voter = |votes: &Box| votes.iter().any(|vote| vote.reporter == reporter);
        let mut found: Vec<Prefix> =
            self.by_prefix.iter().filter_map(|(prefix, votes)| is_voter(votes).then_some(*prefix)).collect();
        found.sort_unstable();
        found
    }

    /// Takes the vote of `reporter` for `prefix` back.
    pub fn withdraw(&mut self, prefix: Prefix, reporter: ReporterId) {
        let Some(votes) = self.by_prefix.get_mut(&prefix) else {
            return;
        };
        let before = votes.len();
        votes.retain(|vote| vote.reporter != reporter);
        let gone = before - votes.len();
        if votes.is_empty() {
            self.by_prefix.remove(&prefix);
        }
        self.uncount(reporter, gone);
    }

    /// Takes all votes for the prefixes inside `prefix` away, or all there are; which those were.
    pub fn remove_within(&mut self, prefix: Option<Prefix>) -> Vec<(Prefix, Vec<ReporterId>)> {
        let chosen: Vec<Prefix> = match prefix {
            Some(prefix) if prefix.is_host() => vec![prefix],
            _ => {
                let inside = |held: &Prefix| prefix.is_none_or(|prefix| prefix.covers(*held));
                self.by_prefix.keys().copied().filter(inside).collect()
            }
        };
        chosen.into_iter().filter_map(|prefix| self.remove(prefix)).collect()
    }

    /// Takes all votes for exactly `prefix` away; whose those were.
    pub fn remove(&mut self, prefix: Prefix) -> Option<(Prefix, Vec<ReporterId>)> {
        let votes = self.by_prefix.remove(&prefix)?;
        let reporters: Vec<ReporterId> = votes.iter().map(|vote| vote.reporter).collect();
        reporters.iter().for_each(|reporter| self.uncount(*reporter, 1));
        Some((prefix, reporters))
    }

    fn uncount(&mut self, reporter: ReporterId, votes: usize) {
        self.total -= votes;
        if let Some(held) = self.by_reporter.get_mut(&reporter) {
            *held -= votes;
        }
    }

    /// Takes out a prefix whose last vote is older than `horizon`.
    pub fn pop_forgotten(&mut self, now: Timestamp, horizon: Duration) -> Option<(Prefix, Vec<ReporterId>)> {
        let newest = |votes: &Box| votes.iter().map(|vote| vote.time).max();
        let forget = |prefix| newest(self.by_prefix.get(&prefix)?).map(|time| time + horizon);
        let (_, prefix) = self.forgets.first_due(now, forget)?;
        let removed = self.remove(prefix);
        let forgets =
            self.by_prefix.iter().filter_map(|(prefix, votes)| Some((newest(votes)? + horizon, *prefix)));
        self.forgets.leave_out_gone(self.by_prefix.len(), forgets);
        removed
    }

    /// Counts with another horizon.
    pub fn reschedule(&mut self, horizon: Duration) {
        let mut forgets = Schedule::default();
        for (prefix, votes) in &self.by_prefix {
            let newest = votes.iter().map(|vote| vote.time).max();
            newest.into_iter().for_each(|time| forgets.add(time + horizon, *prefix));
        }
        self.forgets = forgets;
    }
}
