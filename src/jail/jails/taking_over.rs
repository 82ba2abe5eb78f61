//! Failures by order, and bans that another program made.

use std::sync::Arc;

use super::{Jails, Wanted, shorten};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::bans::{Active, Offender};
use crate::jail::counting::Attempt;
use crate::jail::{Effects, KnownBan, Origin, Refusal};

impl Jails {
    /// Counts failures that nobody found in a log; they become a ban if they are too many.
    pub(super) fn order_failure(
        &mut self,
        address: Prefix,
        jail: &str,
        lines: &[String],
        by: &str,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let (place, settings) = self.bannable(jail, address)?;
        let prefix = self.counted_as(settings, address);
        let maxretry = settings.maxretry;
        let jail = &mut self.jails[place];
        jail.tally(now, address, None);
        jail.counters.expire(now);
        let unseen = [format!("failure ordered by {by}")];
        let lines = if lines.is_empty() { &unseen[..] } else { lines };
        let mut retry = 0;
        for line in lines {
            let line = shorten(line);
            retry = jail.counters.add(prefix, &Attempt { time: now, weight: 1, earlier: &[], line });
        }
        if retry >= maxretry
            && let Some(counter) = jail.counters.remove(prefix)
        {
            self.ban_by_count(place, prefix, counter, now, effects);
        }
        Ok(1)
    }

    /// Whether `jail` holds a ban of exactly `prefix`.
    pub fn is_banned(&self, jail: &str, prefix: Prefix) -> bool {
        self.jail(jail).is_some_and(|jail| self.bans.get(jail.id, prefix).is_some())
    }

    /// Puts a ban that another program made in force, if it is not over; and remembers how often it banned. What is known
    /// already changes nothing, so that handing over twice is as good as once.
    pub(super) fn take_over(
        &mut self,
        known: &KnownBan,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let prefix = known.prefix;
        let (place, settings) = self.bannable(&known.jail, prefix)?;
        let until = known.time.unwrap_or(settings.bantime).until(known.since);
        let max_matches = settings.max_matches;
        let active = Active { since: known.since, until };
        if until.is_some_and(|until| until <= now) {
            return Ok(self.remember_at_least(place, prefix, active, known.count, now, effects));
        }
        let jail = self.jails[place].id;
        let earlier = self.bans.offender(jail, prefix).map_or(0, |offender| offender.count);
        if self.bans.get(jail, prefix).is_none() && earlier + 1 < known.count {
            // The ban below is counted as the next one, and written with its count.
            self.bans.remember(jail, prefix, Offender::of(active, known.count - 1));
        }
        let skipped = known.evidence.len().saturating_sub(max_matches);
        let evidence = known.evidence[skipped..].iter().map(|line| shorten(line)).collect();
        let origin = Origin::Order(known.by.clone());
        let failures = known.failures;
        let wanted = Wanted { place, prefix, active, first: None, origin, failures, evidence };
        let banned = self.ban(wanted, now, effects);
        self.escalate(place, prefix, active, now, effects);
        let remembered = self.remember_at_least(place, prefix, active, known.count, now, effects);
        Ok(usize::from(banned).max(remembered))
    }

    /// Remembers `prefix` as banned `count` times, if less is known of it: 1 if so. The later end of remembering holds.
    fn remember_at_least(
        &mut self,
        place: usize,
        prefix: Prefix,
        active: Active,
        count: u32,
        now: Timestamp,
        effects: &mut Effects,
    ) -> usize {
        let mut offender = Offender::of(active, count);
        let jail = &self.jails[place];
        if let Some(before) = self.bans.offender(jail.id, prefix) {
            if before.count >= count {
                return 0;
            }
            offender.since = offender.since.max(before.since);
            // Never is later than any time.
            offender.forget = offender.forget.zip(before.forget).map(|(one, other)| one.max(other));
        }
        if offender.forget.is_some_and(|forget| forget <= now) {
            return 0;
        }
        self.bans.remember(jail.id, prefix, offender);
        effects.remembered.push((Arc::clone(&jail.name), prefix, offender));
        1
    }
}
