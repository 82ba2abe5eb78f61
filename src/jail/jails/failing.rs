//! Failures on their way into counters, and from there into bans.

use std::sync::Arc;

use rand::RngExt;

use super::{Jail, Jails, Wanted};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::bans::{Active, Bans};
use crate::jail::counting::{Attempt, Counter};
use crate::jail::{Ask, BanTime, Effects, Failure, Increment, Origin, Question};

impl Jails {
    /// Counts a failure in `jail`, unless a command has to be asked first; it becomes a ban if it is one too many.
    pub fn failure(&mut self, jail: &str, failure: &Failure<'_>, now: Timestamp, effects: &mut Effects) {
        let before = effects.changes.len();
        if let Some(place) = self.place(jail) {
            self.fail(place, failure, now, effects);
            self.count_bans(before, now, effects);
        }
    }

    pub(super) fn fail(
        &mut self,
        place: usize,
        failure: &Failure<'_>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if !self.admit(place, failure, now) {
            return;
        }
        let jail = &self.jails[place];
        let Some(command) = jail.ignore_command.clone() else {
            return self.count(place, failure, now, effects);
        };
        let question = Question::Excused { prefix: failure.prefix, command };
        let Failure { time, user, earlier, line, .. } = *failure;
        effects.asks.push(Ask::new(Arc::clone(&jail.name), question, time, user, earlier, line));
    }

    /// Whether a failure counts in a jail: nothing excuses it, and it is not too old.
    pub(super) fn admit(&mut self, place: usize, failure: &Failure<'_>, now: Timestamp) -> bool {
        let Some(settings) = &self.jails[place].settings else {
            return false;
        };
        if self.refusal(settings, failure.prefix).is_some() {
            self.jails[place].ignored += 1;
            return false;
        }
        failure.time >= now - settings.findtime
    }

    pub(super) fn count(
        &mut self,
        place: usize,
        failure: &Failure<'_>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(settings) = &self.jails[place].settings else {
            return;
        };
        let prefix = self.counted_as(settings, failure.prefix);
        let maxretry = settings.maxretry;
        let jail = &mut self.jails[place];
        let weight = jail.weight(&self.bans, prefix, failure.time);
        jail.tally(failure.time, failure.prefix, failure.user);
        jail.counters.expire(now);
        let Failure { time, earlier, line, .. } = *failure;
        let retry = jail.counters.add(prefix, &Attempt { time, weight, earlier, line });
        if retry >= maxretry
            && let Some(counter) = jail.counters.remove(prefix)
        {
            self.ban_by_count(place, prefix, counter, now, effects);
        }
    }

    pub(super) fn ban_by_count(
        &mut self,
        place: usize,
        prefix: Prefix,
        counter: Counter,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let since = counter.last;
        let settings = self.jails[place].settings.as_ref();
        let plain = settings.and_then(|settings| settings.bantime.until(since));
        if plain.is_some_and(|until| until < now) {
            // As in fail2ban, a ban that would be over by its plain time does not grow.
            return;
        }
        let active = Active { since, until: self.grown_bantime(place, prefix).until(since) };
        let Counter { first, failures, lines: evidence, .. } = counter;
        let (origin, first) = (Origin::Log, Some(first));
        let wanted = Wanted { place, prefix, active, first, origin, failures, evidence };
        self.ban(wanted, now, effects);
        self.escalate(place, prefix, active, now, effects);
    }

    /// How long a ban of `prefix` lasts now. A ban in force is prolonged by the plain time, as fail2ban does.
    fn grown_bantime(&mut self, place: usize, prefix: Prefix) -> BanTime {
        let random: f64 = self.random.random();
        let jail = &self.jails[place];
        let Some(settings) = &jail.settings else {
            return BanTime::Permanent;
        };
        match (settings.bantime, &settings.increment) {
            (BanTime::For(base), Some(increment)) if self.bans.get(jail.id, prefix).is_none() => {
                BanTime::For(increment.bantime(base, self.earlier_bans(place, prefix), random))
            }
            (bantime, _) => bantime,
        }
    }

    /// How often `prefix` was banned before, as the jail at `place` counts it: alone, or with all others.
    pub(super) fn earlier_bans(&self, place: usize, prefix: Prefix) -> u32 {
        let offender = |jail: &Jail| self.bans.offender(jail.id, prefix);
        let count = |jail: &Jail| offender(jail).map_or(0, |offender| offender.count);
        let jail = &self.jails[place];
        if jail.increment().is_some_and(|increment| increment.overall_jails) {
            self.jails.iter().map(count).fold(0, u32::saturating_add)
        } else {
            count(jail)
        }
    }
}

impl Jail {
    /// How much a failure at `time` weighs by the earlier bans of this jail; those of other jails never matter here.
    fn weight(&self, bans: &Bans, prefix: Prefix, time: Timestamp) -> u32 {
        let Some(settings) = self.settings.as_ref().filter(|settings| settings.increment.is_some()) else {
            return 1;
        };
        let known = bans.offender(self.id, prefix).filter(|offender| offender.was_banned_before(time));
        Increment::weight(known.map_or(0, |offender| offender.count), settings.maxretry)
    }

    /// Counts a failure of `address`, as `user` if that is known, for the totals.
    pub(super) fn tally(&mut self, time: Timestamp, address: Prefix, user: Option<&str>) {
        self.total_failed += 1;
        self.failures.push((time.start_of_hour(), address));
        if let Some(user) = user {
            self.tried.count(time, user);
        }
    }
}
