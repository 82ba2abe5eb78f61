//! All jails together: failures and orders in, changes out.

mod adjusting;
mod taking_over;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::allowlist::{Allowlist, never_listed};
use super::bans::{Active, Bans, Offender};
use super::counting::{Attempt, Counter, Counters, shorten};
use super::{
    Allow, Ask, Ban, BanOrder, BanTime, Change, Effects, EndCause, Failure, IgnoreCommand, Increment, Order,
    Origin, Question, Refusal, Settings, Status,
};
use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet, reserved};

/// The widest networks that orders can speak of, for IPv4 and IPv6 (RFC 6471, section 3.4).
const WIDEST: (u8, u8) = (8, 16);

#[derive(Debug)]
struct Jail {
    name: Arc<str>,
    /// Absent for a jail that is no longer configured but still holds bans.
    settings: Option<Settings>,
    counters: Counters,
    bans: Bans,
    total_failed: u64,
    total_banned: u64,
    ignored: u64,
    without_address: u64,
    /// The entries of the settings that never fail here, for those who add and remove some.
    ignoring: Vec<Prefix>,
    /// What was learned outside that never fails here either.
    learned: PrefixSet,
    ignore_command: Option<Arc<IgnoreCommand>>,
}

/// Every jail, and the allowlist over them.
#[derive(Debug)]
pub struct Jails {
    jails: BTreeMap<Arc<str>, Jail>,
    allowlist: Allowlist,
    own: PrefixSet,
    random: SmallRng,
    /// What never fails in each jail besides what its settings say.
    learned: BTreeMap<Arc<str>, PrefixSet>,
    /// The jails in which bans are failures.
    counting_bans: Vec<Arc<str>>,
}

impl Jails {
    /// Jails without failures or bans. `seed` starts the random part of growing ban times.
    pub fn new(settings: Vec<Settings>, allow: PrefixSet, own: PrefixSet, seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        let mut jails = Self {
            jails: BTreeMap::new(),
            allowlist: Allowlist::default(),
            own: PrefixSet::default(),
            random,
            learned: BTreeMap::new(),
            counting_bans: Vec::new(),
        };
        jails.reconfigure(settings, allow, own);
        jails
    }

    /// Goes on with other settings; counters and bans stay. A jail that is gone keeps the bans it holds.
    pub fn reconfigure(&mut self, settings: Vec<Settings>, allow: PrefixSet, own: PrefixSet) {
        for jail in self.jails.values_mut() {
            jail.settings = None;
        }
        self.allowlist.configure(never_listed(&settings, &allow, &own));
        self.own = own;
        let counting = settings.iter().filter(|settings| settings.counts_bans);
        self.counting_bans = counting.map(|settings| Arc::clone(&settings.name)).collect();
        for settings in settings {
            let name = Arc::clone(&settings.name);
            let learned = self.learned.get(&name).cloned();
            let jail = self.jail_mut(&name);
            jail.configure(settings);
            jail.spare(learned.as_ref());
        }
    }

    fn jail_mut(&mut self, name: &Arc<str>) -> &mut Jail {
        self.jails.entry(Arc::clone(name)).or_insert_with(|| Jail::retired(Arc::clone(name)))
    }

    /// Takes over a ban in force that the store kept.
    pub fn restore_ban(&mut self, jail: &Arc<str>, prefix: Prefix, active: Active) {
        self.jail_mut(jail).bans.set(prefix, active);
    }

    /// Takes over a counter that the store kept.
    pub fn restore_counter(&mut self, jail: &Arc<str>, prefix: Prefix, counter: Counter) {
        self.jail_mut(jail).counters.restore(prefix, counter);
    }

    /// Takes over what the store kept of earlier bans.
    pub fn restore_offender(&mut self, jail: &Arc<str>, prefix: Prefix, offender: Offender) {
        self.jail_mut(jail).bans.remember(prefix, offender);
    }

    /// Takes over a jail's totals.
    pub fn restore_totals(&mut self, jail: &Arc<str>, failed: u64, banned: u64) {
        let jail = self.jail_mut(jail);
        (jail.total_failed, jail.total_banned) = (failed, banned);
    }

    /// Takes over the allowlist that the store kept.
    pub fn restore_allowlist(&mut self, entries: impl IntoIterator<Item = Allow>) {
        self.allowlist.restore(entries);
    }

    /// Counts a failure in `jail`, unless a command has to be asked first; it becomes a ban if it is one too many.
    pub fn failure(&mut self, jail: &str, failure: &Failure<'_>, now: Timestamp, effects: &mut Effects) {
        let before = effects.changes.len();
        self.fail(jail, failure, now, effects);
        self.count_bans(before, now, effects);
    }

    fn fail(&mut self, jail: &str, failure: &Failure<'_>, now: Timestamp, effects: &mut Effects) {
        let Some(name) = self.admit(jail, failure, now) else {
            return;
        };
        let Some(command) = self.jails[&name].ignore_command.clone() else {
            return self.count(&name, failure, now, effects);
        };
        let question = Question::Excused { prefix: failure.prefix, command };
        let Failure { time, user, earlier, line, .. } = *failure;
        effects.asks.push(Ask::new(name, question, time, user, earlier, line));
    }

    /// The jail's name if a failure counts there; nothing excuses it, and it is not too old.
    fn admit(&mut self, jail: &str, failure: &Failure<'_>, now: Timestamp) -> Option<Arc<str>> {
        let (name, settings) = self.settings(jail)?;
        if self.refusal(settings, failure.prefix).is_some() {
            self.jail_mut(&name).ignored += 1;
            return None;
        }
        (failure.time >= now - settings.findtime).then_some(name)
    }

    fn count(&mut self, name: &Arc<str>, failure: &Failure<'_>, now: Timestamp, effects: &mut Effects) {
        let Some((_, settings)) = self.settings(name) else {
            return;
        };
        let prefix = self.counted_as(settings, failure.prefix);
        let maxretry = settings.maxretry;
        let weight =
            settings.increment.as_ref().map_or(1, |_| self.weight(name, prefix, failure.time, maxretry));
        let jail = self.jail_mut(name);
        jail.total_failed += 1;
        let counted = (Arc::clone(name), failure.time.start_of_hour(), failure.prefix);
        *effects.failures.entry(counted).or_default() += 1;
        jail.counters.expire(now);
        let Failure { time, earlier, line, .. } = *failure;
        let retry = jail.counters.add(prefix, &Attempt { time, weight, earlier, line });
        if retry >= maxretry
            && let Some(counter) = jail.counters.remove(prefix)
        {
            self.ban_by_count(name, prefix, counter, now, effects);
        }
    }

    fn ban_by_count(
        &mut self,
        name: &Arc<str>,
        prefix: Prefix,
        counter: Counter,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let since = counter.last;
        let plain = self.settings(name).and_then(|(_, settings)| settings.bantime.until(since));
        if plain.is_some_and(|until| until < now) {
            // As in fail2ban, a ban that would be over by its plain time does not grow.
            return;
        }
        let active = Active { since, until: self.grown_bantime(name, prefix).until(since) };
        let evidence = counter.lines.into();
        self.ban(
            Wanted { jail: name, prefix, active, origin: Origin::Log, failures: counter.failures, evidence },
            now,
            effects,
        );
        self.escalate(name, prefix, active, now, effects);
    }

    /// How long a ban of `prefix` lasts now. A ban in force is prolonged by the plain time, as fail2ban does.
    fn grown_bantime(&mut self, name: &Arc<str>, prefix: Prefix) -> BanTime {
        let random: f64 = self.random.random();
        let Some((_, settings)) = self.settings(name) else {
            return BanTime::Permanent;
        };
        let banned = self.jails.get(name).is_some_and(|jail| jail.bans.get(prefix).is_some());
        match (settings.bantime, &settings.increment) {
            (BanTime::For(base), Some(increment)) if !banned => {
                BanTime::For(increment.bantime(base, self.earlier_bans(name, prefix), random))
            }
            (bantime, _) => bantime,
        }
    }

    /// How much a failure at `time` weighs by the earlier bans of this jail; those of other jails never matter here.
    fn weight(&self, name: &str, prefix: Prefix, time: Timestamp, maxretry: u32) -> u32 {
        let offender = self.jails.get(name).and_then(|jail| jail.bans.offender(prefix));
        let known = offender.filter(|offender| offender.was_banned_before(time));
        Increment::weight(known.map_or(0, |offender| offender.count), maxretry)
    }

    /// How often `prefix` was banned before, as the jail `name` counts it: alone, or with all others.
    fn earlier_bans(&self, name: &str, prefix: Prefix) -> u32 {
        let count = |jail: &Jail| jail.bans.offender(prefix).map_or(0, |offender| offender.count);
        let Some(jail) = self.jails.get(name) else { return 0 };
        let increment = jail.settings.as_ref().and_then(|settings| settings.increment.as_ref());
        if increment.is_some_and(|increment| increment.overall_jails) {
            self.jails.values().map(count).fold(0, u32::saturating_add)
        } else {
            count(jail)
        }
    }

    /// Lists the whole network around `prefix` if enough of its hosts are banned.
    fn escalate(
        &mut self,
        name: &Arc<str>,
        prefix: Prefix,
        active: Active,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some((_, settings)) = self.settings(name) else {
            return;
        };
        let Some(network) = self.jails[name].bans.escalated(prefix) else {
            return;
        };
        if self.refusal(settings, network).is_some() || self.spares_part_of(settings, network) {
            return;
        }
        // Not as long as its last host, which may have been banned for good.
        let active = Active { since: active.since, until: settings.bantime.until(active.since) };
        let evidence = vec![format!("{prefix} is the last of enough banned hosts in {network}").into()];
        let wanted =
            Wanted { jail: name, prefix: network, active, origin: Origin::Escalation, failures: 0, evidence };
        self.ban(wanted, now, effects);
    }

    /// Puts a ban in force, or makes the one in force last longer. A ban that is over already is none. Tells whether
    /// anything changed.
    fn ban(&mut self, wanted: Wanted<'_>, now: Timestamp, effects: &mut Effects) -> bool {
        let Wanted { prefix, active, .. } = wanted;
        if active.until.is_some_and(|until| until <= now) {
            return false;
        }
        let count = self.earlier_bans(wanted.jail, prefix).saturating_add(1);
        let jail = self.jail_mut(wanted.jail);
        let change = match jail.bans.get(prefix) {
            Some(held) if !ends_later(active.until, held.until) => return false,
            Some(held) => {
                jail.bans.prolong(prefix, held, active.until);
                Change::Extended {
                    prefix,
                    jail: Arc::clone(wanted.jail),
                    at: active.since,
                    until: active.until,
                }
            }
            None => {
                jail.bans.set(prefix, active);
                jail.bans.remember(prefix, Offender::of(active, count));
                jail.total_banned += 1;
                Change::Banned(wanted.into_ban(count))
            }
        };
        effects.changes.push(change);
        true
    }

    /// Carries out an order and tells how many bans or entries it changed.
    pub fn order(&mut self, order: &Order, now: Timestamp, effects: &mut Effects) -> Result<usize, Refusal> {
        match order {
            Order::Ban(order) => {
                let before = effects.changes.len();
                let changed = self.order_ban(order, now, effects)?;
                self.count_bans(before, now, effects);
                Ok(changed)
            }
            Order::Unban { prefix, jail, by } => {
                self.order_unban(*prefix, jail.as_ref(), &EndCause::Order(by.clone()), now, effects)
            }
            Order::Allow { prefix, note, until } => {
                let allow = Allow { prefix: *prefix, note: note.clone(), since: now, until: *until };
                check_width(*prefix)?;
                self.allowlist.insert(allow.clone())?;
                effects.changes.push(Change::Allowed(allow));
                Ok(1 + self.order_unban(Some(*prefix), None, &EndCause::Allowed, now, effects)?)
            }
            Order::Disallow { prefix } => {
                self.allowlist.remove(*prefix)?;
                effects.changes.push(Change::Disallowed { prefix: *prefix, at: now });
                Ok(1)
            }
            Order::Fail { prefix, jail, lines, by } => {
                let before = effects.changes.len();
                let changed = self.order_failure(*prefix, jail, lines, by, now, effects)?;
                self.count_bans(before, now, effects);
                Ok(changed)
            }
            Order::Adjust { jail, adjustment } => self.adjust(jail, adjustment),
            Order::TakeOver(known) => self.take_over(known, now, effects),
        }
    }

    fn order_ban(
        &mut self,
        order: &BanOrder,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        let BanOrder { prefix, time, .. } = *order;
        let (name, settings) = self.bannable(&order.jail, prefix)?;
        let since = order.since.map_or(now, |since| since.min(now));
        let active = Active { since, until: time.unwrap_or(settings.bantime).until(since) };
        let evidence = order.reason.iter().map(|reason| shorten(reason).into()).collect();
        let origin = Origin::Order(order.by.clone());
        let wanted = Wanted { jail: &name, prefix, active, origin, failures: 0, evidence };
        let changed = self.ban(wanted, now, effects);
        self.escalate(&name, prefix, active, now, effects);
        Ok(usize::from(changed))
    }

    /// The jail of an order that bans `prefix`, if that may be.
    fn bannable(&self, jail: &str, prefix: Prefix) -> Result<(Arc<str>, &Settings), Refusal> {
        let (name, settings) = self.settings(jail).ok_or_else(|| self.unknown_jail(jail))?;
        check_width(prefix)?;
        if let Some(refusal) = self.refusal(settings, prefix) {
            return Err(refusal);
        }
        if self.spares_part_of(settings, prefix) {
            let entry = format!("`ignoreip` or `ignoreself` of the jail `{name}`, in part");
            return Err(Refusal::Allowlisted { prefix, entry });
        }
        Ok((name, settings))
    }

    fn order_unban(
        &mut self,
        prefix: Option<Prefix>,
        jail: Option<&Arc<str>>,
        cause: &EndCause,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<usize, Refusal> {
        if let Some(name) = jail
            && !self.jails.contains_key(name)
        {
            return Err(self.unknown_jail(name));
        }
        let chosen = self.jails.values_mut().filter(|held| jail.is_none_or(|name| *name == held.name));
        Ok(chosen.map(|jail| jail.free(prefix, cause, now, effects)).sum())
    }

    /// Ends what is over by `now`: bans and allowlist entries.
    pub fn expire(&mut self, now: Timestamp, effects: &mut Effects) {
        for jail in self.jails.values_mut() {
            jail.counters.expire(now);
            jail.bans.forget_quiet(now);
            while let Some((prefix, at)) = jail.bans.pop_ended(now) {
                let jail = Arc::clone(&jail.name);
                effects.changes.push(Change::Unbanned { prefix, jail, at, cause: EndCause::Expired });
            }
        }
        while let Some(prefix) = self.allowlist.pop_ended(now) {
            effects.changes.push(Change::Disallowed { prefix, at: now });
        }
    }

    /// When something ends by itself next.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let bans = self.jails.values().filter_map(|jail| jail.bans.next_end());
        bans.chain(self.allowlist.next_end()).min()
    }

    /// Adds what happened to the counters since the last call; to be called once before effects are committed.
    pub fn finish(&mut self, effects: &mut Effects) {
        for jail in self.jails.values_mut() {
            let touched = jail.counters.take_touched().into_iter();
            effects
                .counters
                .extend(touched.map(|(prefix, counter)| (Arc::clone(&jail.name), prefix, counter)));
        }
    }

    /// What `jail` has done and holds; `None` if there is no such jail.
    pub fn status(&self, jail: &str) -> Option<Status> {
        let jail = self.jails.get(jail)?;
        Some(Status {
            currently_failed: jail.counters.len(),
            total_failed: jail.total_failed,
            currently_banned: jail.bans.len(),
            total_banned: jail.total_banned,
            ignored: jail.ignored,
            without_address: jail.without_address,
            banned: jail.bans.iter().map(|(prefix, _)| prefix).collect(),
        })
    }

    /// The names of all jails that are configured or still hold bans.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.jails
            .values()
            .filter(|jail| jail.settings.is_some() || !jail.bans.is_empty())
            .map(|jail| &jail.name)
    }

    /// The counter of the prefix that `address` is counted under in `jail`.
    pub fn counter(&self, jail: &str, address: IpAddr) -> Option<&Counter> {
        let jail = self.jails.get(jail)?;
        let ipv6 = jail.settings.as_ref().map_or(128, |settings| settings.ipv6_prefix);
        jail.counters.get(Prefix::host(address).widen(32, ipv6))
    }

    /// The allowlist.
    pub fn allowlist(&self) -> &Allowlist {
        &self.allowlist
    }

    fn settings(&self, jail: &str) -> Option<(Arc<str>, &Settings)> {
        let jail = self.jails.get(jail)?;
        Some((Arc::clone(&jail.name), jail.settings.as_ref()?))
    }

    fn unknown_jail(&self, name: &str) -> Refusal {
        let known: Vec<&str> = self.names().map(|name| &**name).collect();
        Refusal::UnknownJail { name: name.into(), known: known.join(", ") }
    }

    /// The network that failures of `address` count for: itself, where its wider network holds somebody the jail spares.
    fn counted_as(&self, settings: &Settings, address: Prefix) -> Prefix {
        let network = address.widen(32, settings.ipv6_prefix);
        if network != address && self.spares_part_of(settings, network) { address } else { network }
    }

    /// Whether the jail never bans some address of `network` that the lists would not leave out by themselves.
    fn spares_part_of(&self, settings: &Settings, network: Prefix) -> bool {
        let holds_one_of = |spared: &PrefixSet| {
            let mut apart = spared.iter().filter(|spared| !self.allowlist.covers(*spared));
            apart.any(|spared| network.overlaps(spared))
        };
        holds_one_of(&settings.ignore) || (settings.ignore_self && holds_one_of(&self.own))
    }

    /// Why `prefix` may not be banned under these settings.
    fn refusal(&self, settings: &Settings, prefix: Prefix) -> Option<Refusal> {
        let entry = if self.allowlist.covers(prefix) {
            self.allowlist.covering(prefix)
        } else if settings.ignore.covers(prefix) {
            Some(format!("`ignoreip` of the jail `{}`", settings.name))
        } else if settings.ignore_self && self.own.covers(prefix) {
            Some("`ignoreself`: it is an address of this host".to_owned())
        } else {
            None
        };
        if let Some(entry) = entry {
            return Some(Refusal::Allowlisted { prefix, entry });
        }
        let (range, purpose) = reserved(prefix)?;
        (!settings.allow_reserved.covers(prefix)).then_some(Refusal::Reserved { prefix, range, purpose })
    }
}

/// A ban that is to be.
struct Wanted<'a> {
    jail: &'a Arc<str>,
    prefix: Prefix,
    active: Active,
    origin: Origin,
    failures: u32,
    evidence: Vec<Arc<str>>,
}

impl Wanted<'_> {
    fn into_ban(self, count: u32) -> Ban {
        Ban {
            prefix: self.prefix,
            jail: Arc::clone(self.jail),
            since: self.active.since,
            until: self.active.until,
            origin: self.origin,
            failures: self.failures,
            count,
            evidence: self.evidence,
        }
    }
}

impl Jail {
    fn retired(name: Arc<str>) -> Self {
        Self {
            name,
            settings: None,
            counters: Counters::new(std::time::Duration::ZERO, 0),
            bans: Bans::default(),
            total_failed: 0,
            total_banned: 0,
            ignored: 0,
            without_address: 0,
            ignoring: Vec::new(),
            learned: PrefixSet::default(),
            ignore_command: None,
        }
    }

    fn configure(&mut self, settings: Settings) {
        self.ignoring = settings.ignore.iter().collect();
        self.counters.reconfigure(settings.findtime, settings.max_matches);
        self.bans.set_escalate(settings.escalate);
        self.ignore_command = settings.ignore_command.clone().map(Arc::new);
        self.settings = Some(settings);
    }

    /// Says what never fails here besides what the settings say.
    fn spare(&mut self, learned: Option<&PrefixSet>) {
        self.learned = learned.cloned().unwrap_or_default();
        self.put_ignored_together();
    }

    fn put_ignored_together(&mut self) {
        if let Some(settings) = &mut self.settings {
            settings.ignore = self.ignoring.iter().copied().chain(self.learned.iter()).collect();
        }
    }

    /// Ends the bans inside `prefix`, or all, and forgets what led to them.
    fn free(
        &mut self,
        prefix: Option<Prefix>,
        cause: &EndCause,
        now: Timestamp,
        effects: &mut Effects,
    ) -> usize {
        let freed = match prefix {
            Some(prefix) => self.bans.within(prefix),
            None => self.bans.iter().map(|(prefix, _)| prefix).collect(),
        };
        for prefix in &freed {
            self.bans.remove(*prefix);
            let (prefix, jail) = (*prefix, Arc::clone(&self.name));
            effects.changes.push(Change::Unbanned { prefix, jail, at: now, cause: cause.clone() });
        }
        let forgiven = self.bans.forgive_within(prefix).into_iter();
        effects.forgiven.extend(forgiven.map(|prefix| (Arc::clone(&self.name), prefix)));
        self.counters.remove_within(prefix);
        freed.len()
    }
}

fn check_width(prefix: Prefix) -> Result<(), Refusal> {
    let widest = if prefix.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
    if prefix.len() < widest { Err(Refusal::TooWide(prefix)) } else { Ok(()) }
}

/// Whether a ban until `new` outlasts one until `old`.
fn ends_later(new: Option<Timestamp>, old: Option<Timestamp>) -> bool {
    match (new, old) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new > old,
    }
}

mod asking;

#[cfg(test)]
mod tests;
