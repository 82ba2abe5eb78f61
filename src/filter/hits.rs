//! How often each pattern of a filter matched: in comes what the filter said of a line, out go counts. Whoever drives the
//! filter keeps them.

use super::{Settings, Verdict};
use crate::clock::Timestamp;

/// The counts of one filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// What was before is not in them.
    pub since: Timestamp,
    /// Lines that were read for it, looked at or not.
    pub lines: u64,
    /// Of each failregex, in order.
    pub failregex: Vec<Hit>,
    /// Of each ignoreregex, in order.
    pub ignoreregex: Vec<Hit>,
}

/// The count of one pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// How often it was the one that decided what a line is.
    pub count: u64,
    /// The time of the latest of these lines.
    pub last: Option<Timestamp>,
}

impl Hits {
    /// None yet, at `since`.
    pub fn new(settings: &Settings, since: Timestamp) -> Self {
        let of = |patterns: &[String]| vec![Hit::default(); patterns.len()];
        Self { since, lines: 0, failregex: of(&settings.failregex), ignoreregex: of(&settings.ignoreregex) }
    }

    /// Counts what the filter said of a line of `time`. One line counts for one pattern, as in fail2ban-regex.
    pub fn count(&mut self, verdict: &Verdict<'_>, time: Timestamp) {
        let hit = match verdict {
            Verdict::Miss => None,
            Verdict::Ignored { ignoreregex, .. } => self.ignoreregex.get_mut(*ignoreregex),
            Verdict::Noted { failregex } | Verdict::Pending { failregex } => {
                self.failregex.get_mut(*failregex)
            }
            Verdict::Failure(failure) => self.failregex.get_mut(failure.failregex),
        };
        if let Some(hit) = hit {
            hit.count += 1;
            hit.last = hit.last.max(Some(time));
        }
    }

    /// The counts of the same filter on one more log.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.since = self.since.min(other.since);
        self.lines += other.lines;
        let all = self.failregex.iter_mut().chain(&mut self.ignoreregex);
        for (hit, other) in all.zip(other.failregex.iter().chain(&other.ignoreregex)) {
            hit.count += other.count;
            hit.last = hit.last.max(other.last);
        }
        self
    }

    /// Lines that a failregex matched and no ignoreregex took back.
    pub fn matched(&self) -> u64 {
        self.failregex.iter().map(|hit| hit.count).sum()
    }
}
