//! What other servers report: one vote for each organisation and prefix, and a listing where enough of them agree.
//!
//! A batch of reports comes in; a receipt for its rows goes out, and a [`ReportChange`] for everything that must survive.
//! [`Consensus`] says when votes make a listing, [`Guard`] what of it waits for a person. The bans themselves are those of the
//! jail, like all others.

mod batch;
mod consensus;
mod guard;
mod reporters;
mod votes;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ip::Prefix;

pub use batch::{
    Identity, KnownBy, MAX_ROWS, Outcome, ParseSpoolError, Receipt, Report, ReportBatch, ReportKind,
    RowRefused, SpoolId, Tally,
};
pub use consensus::Consensus;
pub use guard::{Guard, GuardSettings, HeldListing, HoldReason};
pub use reporters::{Answered, Reporter, ReporterId, Reporters};
pub use votes::{Cast, Vote, Votes};

/// What makes a jail one of reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportSettings {
    /// When votes make a listing.
    pub consensus: Consensus,
    /// The trust in an organisation for which nobody has set another.
    pub trust: f64,
    /// How much the listed space may grow.
    pub guard: GuardSettings,
}

/// Something that a restart must find again.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportChange {
    /// Reports were taken.
    Taken(Box<TakenReports>),
    /// What is known of an organisation is this now.
    Reporter(Arc<str>, Reporter),
    /// All votes of an organisation are gone.
    Withdrawn(Arc<str>),
    /// The votes of these organisations for a prefix are gone.
    Forgotten(Prefix, Vec<Arc<str>>),
    /// A listing is held back, or no longer.
    Held(Prefix, Option<HeldListing>),
}

/// Reports that were taken at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenReports {
    /// Whose.
    pub reporter: Arc<str>,
    /// When they came.
    pub at: Timestamp,
    /// What became of the rows.
    pub tally: Tally,
    /// By what the batch is known again.
    pub known_by: KnownBy,
    /// The spool that is forgotten for it.
    pub forgotten_spool: Option<SpoolId>,
    /// The keys that are forgotten for it.
    pub forgotten_keys: Vec<Arc<str>>,
    /// What categories the sightings name.
    pub categories: Vec<Arc<str>>,
    /// The rows that count.
    pub sightings: Vec<Sighting>,
}

/// A row that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Who, as votes are counted.
    pub prefix: Prefix,
    /// When.
    pub time: Timestamp,
    /// How many failures.
    pub failures: u32,
    /// Its place in [`TakenReports::categories`].
    pub category: u16,
    /// Whether it is a vote.
    pub is_vote: bool,
}

/// All that is known of reports.
#[derive(Debug, Default)]
pub struct Reports {
    /// The jail that lists by them, if there is one.
    pub jail: Option<(Arc<str>, ReportSettings)>,
    /// Who reports.
    pub reporters: Reporters,
    /// What they say.
    pub votes: Votes,
    /// What waits for a person.
    pub guard: Guard,
}

impl Reports {
    /// The weights of all votes for `prefix` together.
    pub fn sum(&self, prefix: Prefix, settings: &ReportSettings, now: Timestamp) -> f64 {
        let weights = self.weights(prefix, settings, now);
        weights.map(|(_, _, weight)| weight).sum()
    }

    /// Whether the votes for `prefix` as they are suffice for a listing: they did when the last of them was cast, and have not
    /// decayed to half of the threshold since.
    pub fn suffices(&self, prefix: Prefix, settings: &ReportSettings, now: Timestamp) -> bool {
        let newest = self.votes.get(prefix).iter().map(|vote| vote.time).max();
        let began =
            newest.is_some_and(|newest| settings.consensus.begins(self.sum(prefix, settings, newest)));
        began && settings.consensus.end(self.sum(prefix, settings, now), now).is_some()
    }

    /// Who votes for `prefix`, when they did, and what their votes weigh.
    pub fn weights(
        &self,
        prefix: Prefix,
        settings: &ReportSettings,
        now: Timestamp,
    ) -> impl Iterator<Item = (ReporterId, Timestamp, f64)> {
        let (consensus, default) = (settings.consensus, settings.trust);
        self.votes.get(prefix).iter().map(move |vote| {
            let trust = self.reporters.get(vote.reporter).trust.unwrap_or(default);
            (vote.reporter, vote.time, consensus.weight(trust, vote.time, now))
        })
    }
}

#[cfg(test)]
mod tests;
