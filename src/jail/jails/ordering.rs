//! Orders to ban and to unban.

use std::sync::Arc;

use super::{Jails, Wanted, check_width, shorten};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::bans::Active;
use crate::jail::table::Held;
use crate::jail::{BanOrder, Change, Effects, EndCause, Origin, Refusal, Settings};

impl Jails {
    pub(super) fn order_ban(
        &mut self,
        order: &BanOrder,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let BanOrder { prefix, time, .. } = *order;
        let (place, settings) = self.bannable(&order.jail, prefix)?;
        let since = order.since.map_or(now, |since| since.min(now));
        let active = Active { since, until: time.unwrap_or(settings.bantime).until(since) };
        let evidence = order.reason.iter().map(|reason| shorten(reason)).collect();
        let origin = Origin::Order(order.by.clone());
        let wanted = Wanted { place, prefix, active, first: None, origin, failures: 0, evidence };
        let changed = self.ban(wanted, now, effects);
        self.escalate(place, prefix, active, now, effects);
        Ok(usize::from(changed))
    }

    /// The place of the jail of an order that bans `prefix`, if that may be, and its settings.
    pub(super) fn bannable(&self, jail: &str, prefix: Prefix) -> Result<(usize, &Settings), Refusal> {
        let configured =
            self.place(jail).and_then(|place| Some((place, self.jails[place].settings.as_ref()?)));
        let (place, settings) = configured.ok_or_else(|| self.unknown_jail(jail))?;
        if settings.reports.is_some() {
            return Err(Refusal::ListsByReports(Arc::clone(&settings.name)));
        }
        check_width(prefix)?;
        if let Some(refusal) = self.refusal(settings, prefix) {
            return Err(refusal);
        }
        if self.spares_part_of(settings, prefix) {
            let entry = format!("`ignoreip` or `ignoreself` of the jail `{}`, in part", settings.name);
            return Err(Refusal::Allowlisted { prefix, entry });
        }
        Ok((place, settings))
    }

    pub(super) fn order_unban(
        &mut self,
        prefix: Option<Prefix>,
        jail: Option<&Arc<str>>,
        (cause, forgive): (&EndCause, bool),
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let chosen = match jail {
            Some(name) => Some(self.place(name).ok_or_else(|| self.unknown_jail(name))?),
            None => None,
        };
        Ok(self.free(chosen, prefix, (cause, forgive), now, effects))
    }

    /// Ends the bans inside `prefix`, or all, of the jail at `place`, or of all, and forgets what led to them, and those before
    /// them if it is to `forgive`; how many.
    fn free(
        &mut self,
        place: Option<usize>,
        prefix: Option<Prefix>,
        (cause, forgive): (&EndCause, bool),
        now: Timestamp,
        effects: &mut Effects,
    ) -> usize {
        let jail = place.map(|place| self.jails[place].id);
        let freed = self.bans.free(jail, prefix);
        self.tell_freed(&freed, cause, now, effects);
        if self.lists_by_reports(place) {
            self.forget_votes(prefix, effects);
        }
        let forgiven = if forgive { self.bans.forgive_within(jail, prefix) } else { Vec::new() };
        for (jail, prefix) in forgiven {
            effects.forgiven.push((self.name_of(jail), prefix));
        }
        for jail in self.jails.iter_mut().filter(|held| jail.is_none_or(|jail| jail == held.id)) {
            jail.counters.remove_within(prefix);
        }
        freed.len()
    }

    /// Says that these bans were ended.
    pub(super) fn tell_freed(
        &mut self,
        freed: &[(Prefix, Held)],
        cause: &EndCause,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.note_ended(freed);
        for (prefix, held) in freed {
            let (prefix, jail) = (*prefix, self.name_of(held.jail));
            effects.changes.push(Change::Unbanned { prefix, jail, at: now, cause: cause.clone() });
        }
    }
}
