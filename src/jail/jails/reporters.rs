//! What people do about those who report, what a restart brings back of them, and what can be seen of it.

use std::sync::Arc;
use std::time::Duration;

use super::Jails;
use super::reporting::Listing;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::reports::{
    Answered, HeldListing, KnownBy, ReportChange, ReportSettings, Reporter, ReporterId, Tally, Vote,
};
use crate::jail::{Effects, Refusal, ReporterOrder};

/// What people do about those who report.
impl Jails {
    /// Carries out an order about an organisation; how many listings began or ended by it.
    pub(super) fn order_reporter(
        &mut self,
        name: &Arc<str>,
        order: &ReporterOrder,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let listing = self.listing()?;
        let reporter = match order {
            // It may be told before the first report comes.
            ReporterOrder::Trust(_) | ReporterOrder::CutOff => self.reports.reporters.known(name)?,
            ReporterOrder::Admit | ReporterOrder::Withdraw => {
                self.reports.reporters.find(name).ok_or_else(|| Refusal::UnknownReporter(Arc::clone(name)))?
            }
        };
        let known = self.reports.reporters.get_mut(reporter);
        match order {
            ReporterOrder::Trust(trust) => known.trust = Some(*trust),
            ReporterOrder::CutOff => known.cut_off = Some(known.cut_off.unwrap_or(now)),
            ReporterOrder::Admit => known.cut_off = None,
            ReporterOrder::Withdraw => {}
        }
        effects.reports.push(ReportChange::Reporter(Arc::clone(name), known.clone()));
        Ok(match order {
            ReporterOrder::Admit => 0,
            ReporterOrder::Trust(_) => {
                let voted = self.reports.votes.voted_by(reporter);
                self.reweigh_all(&listing, &voted, name, now, effects)
            }
            ReporterOrder::CutOff | ReporterOrder::Withdraw => {
                self.withdraw(&listing, reporter, name, now, effects)
            }
        })
    }

    /// Takes all votes of an organisation back.
    fn withdraw(
        &mut self,
        listing: &Listing,
        reporter: ReporterId,
        name: &Arc<str>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> usize {
        let voted = self.reports.votes.voted_by(reporter);
        for prefix in &voted {
            self.reports.votes.withdraw(*prefix, reporter);
        }
        effects.reports.push(ReportChange::Withdrawn(Arc::clone(name)));
        self.reweigh_all(listing, &voted, name, now, effects)
    }

    fn reweigh_all(
        &mut self,
        listing: &Listing,
        prefixes: &[Prefix],
        name: &Arc<str>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> usize {
        prefixes.iter().filter(|prefix| self.reweigh(listing, **prefix, name, now, effects)).count()
    }

    /// Puts the listings in force that are held back inside `prefix`, or all of them; how many.
    pub(super) fn release(
        &mut self,
        prefix: Option<Prefix>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let listing = self.listing()?;
        let held = self.held_within(prefix)?;
        let before = effects.changes.len();
        for prefix in held {
            self.let_go(prefix, effects);
            let sum = self.reports.sum(prefix, &listing.settings, now);
            if let Some(until) = listing.settings.consensus.end(sum, now)
                && self.list(&listing, prefix, until, now, effects)
            {
                // Somebody has looked at it.
                self.reports.guard.released(prefix);
            }
        }
        Ok(effects.changes.len() - before)
    }

    /// Forgets the listings that are held back inside `prefix`, or all of them, and the votes for them; how many.
    pub(super) fn discard(
        &mut self,
        prefix: Option<Prefix>,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let held = self.held_within(prefix)?;
        for prefix in &held {
            self.forget_votes_for(*prefix, effects);
            self.let_go(*prefix, effects);
        }
        Ok(held.len())
    }

    fn forget_votes_for(&mut self, prefix: Prefix, effects: &mut Effects) {
        if let Some((prefix, reporters)) = self.reports.votes.remove(prefix) {
            self.forgotten(prefix, &reporters, effects);
        }
    }

    fn held_within(&self, prefix: Option<Prefix>) -> Result<Vec<Prefix>, Refusal> {
        let held = self.reports.guard.all_held().map(|(held, _)| held);
        let held: Vec<Prefix> =
            held.filter(|held| prefix.is_none_or(|prefix| prefix.covers(*held))).collect();
        match prefix {
            Some(prefix) if held.is_empty() => Err(Refusal::NotHeld(prefix)),
            _ => Ok(held),
        }
    }
}

/// What a restart brings back.
impl Jails {
    /// Takes over an organisation that the store kept.
    pub fn restore_reporter(&mut self, name: &Arc<str>, reporter: Reporter) {
        if let Ok(id) = self.reports.reporters.known(name) {
            *self.reports.reporters.get_mut(id) = reporter;
        }
    }

    /// Takes over how a batch is known again.
    pub fn restore_known(&mut self, name: &Arc<str>, known_by: &KnownBy, at: Timestamp, tally: Tally) {
        let reporters = &mut self.reports.reporters;
        let Ok(id) = reporters.known(name) else { return };
        match known_by {
            KnownBy::Nothing => {}
            KnownBy::Spool { spool, last } => drop(reporters.reach(id, *spool, *last, at)),
            KnownBy::Key { key, fingerprint } => {
                reporters.answer(id, key, Answered { at, fingerprint: *fingerprint, tally });
            }
        }
    }

    /// Takes over a vote that the store kept.
    pub fn restore_vote(&mut self, name: &Arc<str>, prefix: Prefix, time: Timestamp) {
        let horizon = self.reports.jail.as_ref().map_or(Duration::MAX, |(_, jail)| jail.consensus.horizon());
        if let Ok(reporter) = self.reports.reporters.known(name) {
            self.reports.votes.cast(prefix, Vote { reporter, time }, horizon);
        }
    }

    /// Takes over a listing that was held back.
    pub fn restore_held(&mut self, prefix: Prefix, held: HeldListing) {
        self.reports.guard.hold(prefix, held);
    }
}

/// What can be seen of reports.
impl Jails {
    /// The jail of reports and its settings.
    pub fn reports(&self) -> Option<&(Arc<str>, ReportSettings)> {
        self.reports.jail.as_ref()
    }

    /// Every organisation that is known, with how many votes it has.
    pub fn reporters(&self) -> impl Iterator<Item = (&Arc<str>, &Reporter, usize)> {
        let all = self.reports.reporters.all();
        all.map(|(id, name, reporter)| (name, reporter, self.reports.votes.of(id)))
    }

    /// The listings that are held back, in order.
    pub fn held_listings(&self) -> impl ExactSizeIterator<Item = (Prefix, HeldListing)> {
        self.reports.guard.all_held()
    }

    /// Those of them behind `after`.
    pub fn held_behind(&self, after: Option<Prefix>) -> impl Iterator<Item = (Prefix, HeldListing)> {
        self.reports.guard.held_behind(after)
    }

    /// Who votes for `prefix`, when they saw it last, and what that weighs at `now`.
    pub fn votes(&self, prefix: Prefix, now: Timestamp) -> Vec<(Arc<str>, Timestamp, f64)> {
        let Some((_, settings)) = &self.reports.jail else { return Vec::new() };
        let weights = self.reports.weights(prefix, settings, now);
        weights
            .map(|(reporter, time, weight)| (self.reports.reporters.name(reporter), time, weight))
            .collect()
    }
}
