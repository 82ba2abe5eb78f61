//! Reports on their way into votes, and from there into listings.

use std::sync::Arc;
use std::time::Duration;

use super::{Jail, Jails, Wanted};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::bans::Active;
use crate::jail::reports::{
    Answered, Cast, HeldListing, HoldReason, Identity, KnownBy, Outcome, Receipt, Report, ReportBatch,
    ReportChange, ReportKind, ReportSettings, ReporterId, RowRefused, Sighting, TakenReports, Tally, Vote,
};
use crate::jail::table::Held;
use crate::jail::{Change, Effects, EndCause, Evidence, Origin, Refusal, Settings};

/// The clocks of other servers may be ahead by so much.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// The widest networks that can be reported, for IPv4 and IPv6.
const WIDEST: (u8, u8) = (16, 32);

/// The jail that lists by reports, while something is done for it.
#[derive(Clone)]
pub(super) struct Listing {
    /// Where it stands.
    pub(super) place: usize,
    pub(super) settings: ReportSettings,
}

/// Whose rows are counted.
#[derive(Clone, Copy)]
struct Sender {
    reporter: ReporterId,
    /// Whether they have numbers, by which they are known again. Without them it is the time that tells.
    is_numbered: bool,
}

/// How a batch is met that may have come before.
enum Met {
    /// The rows from this one on are new.
    From(u32),
    /// It came before, and was answered this.
    Before(Tally),
}

impl Jails {
    /// Takes reports over the votes of their organisation into the list.
    pub fn report(
        &mut self,
        batch: &ReportBatch,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Receipt, Refusal> {
        let listing = self.listing()?;
        let reporter = self.reports.reporters.known(&batch.reporter)?;
        if self.reports.reporters.get(reporter).cut_off.is_some() {
            return Err(Refusal::CutOff(Arc::clone(&batch.reporter)));
        }
        let from = match self.meet(reporter, batch, now)? {
            Met::From(row) => row,
            Met::Before(tally) => return Ok(Receipt { tally, repeated: true, ..Receipt::default() }),
        };
        let (mut receipt, sightings) = self.count_reports(&listing, reporter, batch, from, now, effects);
        let taken = self.taken(reporter, batch, &receipt, sightings, now);
        if let KnownBy::Spool { last, .. } = taken.known_by {
            receipt.reached = Some(last);
        }
        effects.reports.push(ReportChange::Taken(Box::new(taken)));
        Ok(receipt)
    }

    pub(super) fn listing(&self) -> Result<Listing, Refusal> {
        let jail = self.reports.jail.as_ref();
        let found = jail.and_then(|(name, settings)| Some((self.place(name)?, *settings)));
        let (place, settings) = found.ok_or(Refusal::NoReports)?;
        Ok(Listing { place, settings })
    }

    /// What of a batch is new.
    fn meet(&self, reporter: ReporterId, batch: &ReportBatch, now: Timestamp) -> Result<Met, Refusal> {
        match &batch.identity {
            Identity::Unknown => Ok(Met::From(0)),
            Identity::Rows { spool, first } => {
                let reached = self.reports.reporters.reached(reporter, *spool);
                let known = (reached + 1).saturating_sub(*first);
                Ok(Met::From(u32::try_from(known).unwrap_or(u32::MAX)))
            }
            Identity::Key { key, fingerprint } => match self.reports.reporters.answered(reporter, key, now) {
                None => Ok(Met::From(0)),
                Some(answered) if answered.fingerprint == *fingerprint => Ok(Met::Before(answered.tally)),
                Some(_) => Err(Refusal::KeyReused(Arc::clone(key))),
            },
        }
    }

    /// Counts the rows from `from` on; those before were counted when they came first.
    fn count_reports(
        &mut self,
        listing: &Listing,
        reporter: ReporterId,
        batch: &ReportBatch,
        from: u32,
        now: Timestamp,
        effects: &mut Effects,
    ) -> (Receipt, Vec<Sighting>) {
        let mut receipt =
            Receipt { repeated: from >= batch.rows && batch.rows > 0, from, ..Receipt::default() };
        let read = batch.reports.iter().filter(|report| report.row >= from).count();
        receipt.tally.refused = (batch.rows.saturating_sub(from) as usize).saturating_sub(read) as u64;
        let mut sightings = Vec::with_capacity(batch.reports.len());
        let sender = Sender { reporter, is_numbered: matches!(batch.identity, Identity::Rows { .. }) };
        for report in &batch.reports {
            let outcome = if report.row < from {
                Outcome::Duplicate
            } else {
                self.count_report(listing, sender, report, now, &mut sightings, effects)
            };
            match outcome {
                Outcome::Accepted => receipt.tally.accepted += 1,
                Outcome::Duplicate => receipt.tally.duplicate += 1,
                Outcome::Refused(_) => receipt.tally.refused += 1,
            }
            if outcome != Outcome::Accepted {
                receipt.others.push((report.row, outcome));
            }
        }
        self.tally_reports(listing, &sightings, effects);
        (receipt, sightings)
    }

    fn count_report(
        &mut self,
        listing: &Listing,
        Sender { reporter, is_numbered }: Sender,
        report: &Report,
        now: Timestamp,
        sightings: &mut Vec<Sighting>,
        effects: &mut Effects,
    ) -> Outcome {
        let prefix = match self.reportable(listing, report, now) {
            Ok(prefix) => prefix,
            Err(refused) => return Outcome::Refused(refused),
        };
        let time = report.time.min(now);
        let is_vote = report.kind == ReportKind::Ban;
        if is_vote {
            let horizon = listing.settings.consensus.horizon();
            match self.reports.votes.cast(prefix, Vote { reporter, time }, horizon) {
                Cast::Counted => self.weigh(listing, prefix, now, effects),
                Cast::Same if !is_numbered => return Outcome::Duplicate,
                Cast::Older | Cast::Same => {}
                Cast::Full => return Outcome::Refused(RowRefused::Full),
            }
        }
        let (failures, category) = (report.failures, report.category);
        sightings.push(Sighting { prefix, time, failures, category, is_vote });
        Outcome::Accepted
    }

    /// The prefix that a report is counted for, if it may be.
    fn reportable(&self, listing: &Listing, report: &Report, now: Timestamp) -> Result<Prefix, RowRefused> {
        let Some(settings) = &self.jails[listing.place].settings else {
            return Err(RowRefused::Full);
        };
        let widest = if report.prefix.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
        if report.time > now + AHEAD {
            return Err(RowRefused::Future);
        }
        if report.time < now - listing.settings.consensus.horizon() {
            return Err(RowRefused::TooOld);
        }
        if report.prefix.len() < widest {
            return Err(RowRefused::TooWide);
        }
        let prefix = report.prefix.widen(32, settings.ipv6_prefix);
        let wider = || (prefix != report.prefix).then(|| self.refusal(settings, prefix)).flatten();
        match self.refusal(settings, report.prefix).or_else(wider) {
            None => Ok(prefix),
            Some(Refusal::Reserved { .. }) => Err(RowRefused::Reserved),
            Some(_) => Err(RowRefused::Allowlisted),
        }
    }

    /// Adds what was seen to the figures of the jail.
    fn tally_reports(&mut self, listing: &Listing, sightings: &[Sighting], effects: &mut Effects) {
        let jail = &mut self.jails[listing.place];
        for Sighting { prefix, time, failures, .. } in sightings {
            jail.total_failed += u64::from(*failures);
            let key = (Arc::clone(&jail.name), time.start_of_hour(), *prefix);
            let counted = effects.failures.entry(key).or_default();
            *counted = counted.saturating_add(*failures);
        }
    }

    /// Remembers that a batch was taken, and says what must be written of it.
    fn taken(
        &mut self,
        reporter: ReporterId,
        batch: &ReportBatch,
        receipt: &Receipt,
        sightings: Vec<Sighting>,
        at: Timestamp,
    ) -> TakenReports {
        let reporters = &mut self.reports.reporters;
        let known = reporters.get_mut(reporter);
        known.first_seen.get_or_insert(at);
        known.last_seen = Some(at);
        known.tally.add(receipt.tally);
        let (mut forgotten_spool, mut forgotten_keys) = (None, Vec::new());
        let known_by = match batch.identity.clone() {
            Identity::Unknown => KnownBy::Nothing,
            Identity::Rows { spool, first } => {
                let last = first.saturating_add(batch.rows.into()).saturating_sub(1);
                let last = last.max(reporters.reached(reporter, spool));
                forgotten_spool = reporters.reach(reporter, spool, last, at);
                KnownBy::Spool { spool, last }
            }
            Identity::Key { key, fingerprint } => {
                let answered = Answered { at, fingerprint, tally: receipt.tally };
                forgotten_keys = reporters.answer(reporter, &key, answered);
                KnownBy::Key { key, fingerprint }
            }
        };
        TakenReports {
            reporter: Arc::clone(&batch.reporter),
            at,
            tally: receipt.tally,
            known_by,
            forgotten_spool,
            forgotten_keys,
            categories: batch.categories.clone(),
            sightings,
        }
    }

    /// Lets a listing begin, last longer or end, as the votes for `prefix` weigh now.
    fn weigh(&mut self, listing: &Listing, prefix: Prefix, now: Timestamp, effects: &mut Effects) {
        let consensus = listing.settings.consensus;
        let sum = self.reports.sum(prefix, &listing.settings, now);
        let end = consensus.end(sum, now);
        let jail = &self.jails[listing.place];
        match (self.bans.get(jail.id, prefix), end) {
            (Some(Active { until: Some(old), .. }), Some(new)) if consensus.moves(old, new) => {
                let (jail, id) = (Arc::clone(&jail.name), jail.id);
                self.bans.prolong(id, prefix, Some(new));
                effects.changes.push(Change::Extended { prefix, jail, at: now, until: Some(new) });
            }
            (None, Some(until)) if consensus.begins(sum) => {
                self.list_or_hold(listing, prefix, until, now, effects);
            }
            _ => {}
        }
    }

    fn list_or_hold(
        &mut self,
        listing: &Listing,
        prefix: Prefix,
        until: Timestamp,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let held = self.reports.guard.held(prefix);
        let reason = held.map(|held| held.reason).or_else(|| self.objection(listing, prefix, now));
        let Some(reason) = reason else {
            if self.list(listing, prefix, until, now, effects) {
                self.reports.guard.begun(prefix, now, &listing.settings.guard);
            }
            return;
        };
        let since = held.map_or(now, |held| held.since);
        if held.is_none_or(|held| listing.settings.consensus.moves(held.until, until)) {
            let held = HeldListing { since, reason, until };
            self.reports.guard.hold(prefix, held);
            effects.reports.push(ReportChange::Held(prefix, Some(held)));
        }
    }

    /// Why a person should look at a listing before it is in force.
    fn objection(&mut self, listing: &Listing, prefix: Prefix, now: Timestamp) -> Option<HoldReason> {
        let settings = self.jails[listing.place].settings.as_ref()?;
        if self.allowlist.overlaps(prefix) || self.spares_part_of(settings, prefix) {
            return Some(HoldReason::Allowlisted);
        }
        let admitted = self.reports.guard.admits(prefix, &listing.settings.guard, now);
        (!admitted).then_some(HoldReason::Growth)
    }

    /// Whether the listing began.
    pub(super) fn list(
        &mut self,
        listing: &Listing,
        prefix: Prefix,
        until: Timestamp,
        now: Timestamp,
        effects: &mut Effects,
    ) -> bool {
        let evidence = self.votes_in_words(listing, prefix, now);
        let active = Active { since: now, until: Some(until) };
        let origin = Origin::Reports;
        let wanted =
            Wanted { place: listing.place, prefix, active, origin, failures: 0, first: None, evidence };
        self.ban(wanted, now, effects)
    }

    /// The votes that weigh the most, as evidence.
    fn votes_in_words(&self, listing: &Listing, prefix: Prefix, now: Timestamp) -> Evidence {
        let most = self.jails[listing.place].settings.as_ref().map_or(0, |settings| settings.max_matches);
        let mut votes: Vec<_> = self.reports.weights(prefix, &listing.settings, now).collect();
        votes.sort_by(|(_, _, one), (_, _, other)| other.total_cmp(one));
        let words = |(reporter, time, weight): (ReporterId, Timestamp, f64)| {
            format!(
                "{} reported it, seen at {time}: weighs {weight:.2}",
                self.reports.reporters.name(reporter)
            )
        };
        let words: Vec<String> = votes.into_iter().take(most).map(words).collect();
        words.iter().collect()
    }

    /// Looks at a listing again whose votes weigh less, or more, than before. Tells whether it began or ended.
    pub(super) fn reweigh(
        &mut self,
        listing: &Listing,
        prefix: Prefix,
        reporter: &Arc<str>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> bool {
        let before = effects.changes.len();
        if self.reports.suffices(prefix, &listing.settings, now) {
            self.weigh(listing, prefix, now, effects);
        } else {
            let cause = EndCause::Withdrawn(reporter.to_string());
            let ended = self.bans.free(Some(self.jails[listing.place].id), Some(prefix));
            self.tell_freed(&ended, &cause, now, effects);
            self.let_go(prefix, effects);
        }
        effects.changes[before..].iter().any(|change| !matches!(change, Change::Extended { .. }))
    }

    pub(super) fn let_go(&mut self, prefix: Prefix, effects: &mut Effects) {
        if self.reports.guard.let_go(prefix) {
            effects.reports.push(ReportChange::Held(prefix, None));
        }
    }

    /// Whether the jail at `place`, or any without one, is that of reports.
    pub(super) fn lists_by_reports(&self, place: Option<usize>) -> bool {
        self.listing().is_ok_and(|listing| place.is_none_or(|place| place == listing.place))
    }

    /// How many prefixes have votes and no listing, if the jail is that of reports.
    pub(super) fn voted_without_ban(&self, jail: &Jail) -> usize {
        let reports = self.reports.jail.as_ref().filter(|(name, _)| *name == jail.name);
        reports.map_or(0, |_| self.reports.votes.prefixes().saturating_sub(self.bans.count(jail.id)))
    }

    /// Counts bans of the jail of reports that ended.
    pub(super) fn note_ended(&mut self, ended: &[(Prefix, Held)]) {
        let Ok(listing) = self.listing() else { return };
        let jail = self.jails[listing.place].id;
        for (prefix, held) in ended.iter().filter(|(_, held)| held.jail == jail) {
            self.reports.guard.ended(*prefix, held.since, &listing.settings.guard);
        }
    }

    /// Forgets the votes for everything inside `prefix`, or everywhere, and what is held back there.
    pub(super) fn forget_votes(&mut self, prefix: Option<Prefix>, effects: &mut Effects) {
        for (prefix, reporters) in self.reports.votes.remove_within(prefix) {
            self.forgotten(prefix, &reporters, effects);
        }
    }

    pub(super) fn forgotten(&mut self, prefix: Prefix, reporters: &[ReporterId], effects: &mut Effects) {
        let names = reporters.iter().map(|reporter| self.reports.reporters.name(*reporter)).collect();
        effects.reports.push(ReportChange::Forgotten(prefix, names));
        self.let_go(prefix, effects);
    }

    /// Forgets votes that weigh nothing any more.
    pub(super) fn expire_votes(&mut self, now: Timestamp, effects: &mut Effects) {
        let Ok(listing) = self.listing() else { return };
        let horizon = listing.settings.consensus.horizon();
        while let Some((prefix, reporters)) = self.reports.votes.pop_forgotten(now, horizon) {
            self.forgotten(prefix, &reporters, effects);
        }
        while let Some(prefix) = self.reports.guard.first_ended(now) {
            self.let_go(prefix, effects);
        }
    }

    /// Says which of the jails is that of reports.
    pub(super) fn configure_reports(&mut self, settings: &[Settings]) {
        let jail = settings.iter().find_map(|jail| Some((Arc::clone(&jail.name), jail.reports?)));
        if self.reports.jail == jail {
            return;
        }
        if let Some((_, settings)) = &jail {
            self.reports.votes.reschedule(settings.consensus.horizon());
        }
        self.reports.jail = jail;
        self.recount_listed();
    }

    /// Counts the listed space anew.
    pub(super) fn recount_listed(&mut self) {
        let Ok(listing) = self.listing() else { return };
        let jail = self.jails[listing.place].id;
        let of_jail = self.bans.table().iter().filter(|(_, held)| held.jail == jail);
        let listings = of_jail.map(|(prefix, held)| (prefix, held.since));
        self.reports.guard.recount(listings, &listing.settings.guard);
    }
}
