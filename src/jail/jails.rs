//! All jails together: failures and orders in, changes out.

mod adjusting;
mod failing;
mod ordering;
mod reporters;
mod reporting;
mod taking_over;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::HashMap;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::allowlist::{Allowlist, never_listed};
use super::bans::{Active, Bans, Offender};
use super::counting::{Counter, Counters};
use super::evidence::{Evidence, shorten};
use super::reports::Reports;
use super::table::{BanTable, Held, JailId};
use super::tried::Tried;
use super::{
    Allow, Ban, Change, Effects, EndCause, IgnoreCommand, Increment, Order, Origin, Refusal, Settings, Status,
};
use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet, reserved};

/// The widest networks that orders can speak of, for IPv4 and IPv6 (RFC 6471, section 3.4).
const WIDEST: (u8, u8) = (8, 16);

#[derive(Debug)]
struct Jail {
    name: Arc<str>,
    /// Its number among the bans.
    id: JailId,
    /// Absent for a jail that is no longer configured but still holds bans.
    settings: Option<Settings>,
    counters: Counters,
    /// The full hour and the address of each failure that stands in no effects yet.
    failures: Vec<(Timestamp, Prefix)>,
    /// The user names of these failures.
    tried: Tried,
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
    /// In the order of their names.
    jails: Vec<Jail>,
    bans: Bans,
    allowlist: Allowlist,
    own: PrefixSet,
    random: SmallRng,
    /// What never fails in each jail besides what its settings say.
    learned: BTreeMap<Arc<str>, PrefixSet>,
    /// The jails in which bans are failures.
    counting_bans: Vec<Arc<str>>,
    reports: Reports,
}

impl Jails {
    /// Jails without failures or bans. `seed` starts the random part of growing ban times.
    pub fn new(settings: Vec<Settings>, allow: PrefixSet, own: PrefixSet, seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        let mut jails = Self {
            jails: Vec::new(),
            bans: Bans::default(),
            allowlist: Allowlist::default(),
            own: PrefixSet::default(),
            random,
            learned: BTreeMap::new(),
            counting_bans: Vec::new(),
            reports: Reports::default(),
        };
        jails.reconfigure(settings, allow, own);
        jails
    }

    /// Goes on with other settings; counters and bans stay. A jail that is gone keeps the bans it holds.
    pub fn reconfigure(&mut self, settings: Vec<Settings>, allow: PrefixSet, own: PrefixSet) {
        for jail in &mut self.jails {
            jail.settings = None;
        }
        self.allowlist.configure(never_listed(&settings, &allow, &own));
        self.own = own;
        let counting = settings.iter().filter(|settings| settings.counts_bans);
        self.counting_bans = counting.map(|settings| Arc::clone(&settings.name)).collect();
        let mut escalating = HashMap::default();
        for settings in settings.iter().cloned() {
            let name = Arc::clone(&settings.name);
            let learned = self.learned.get(&name).cloned();
            let jail = self.jail_or_new(&name);
            escalating.extend(settings.escalate.map(|escalate| (jail.id, escalate)));
            jail.configure(settings);
            jail.spare(learned.as_ref());
        }
        self.bans.set_escalate(escalating);
        self.configure_reports(&settings);
    }

    /// Where the jail `name` stands among all of them, or where it would.
    fn search(&self, name: &str) -> Result<usize, usize> {
        self.jails.binary_search_by(|jail| (*jail.name).cmp(name))
    }

    /// Where the jail `name` stands among all of them. It stays there as long as no jail is added.
    fn place(&self, name: &str) -> Option<usize> {
        self.search(name).ok()
    }

    fn jail(&self, name: &str) -> Option<&Jail> {
        self.place(name).map(|place| &self.jails[place])
    }

    fn jail_mut(&mut self, name: &str) -> Option<&mut Jail> {
        self.place(name).map(|place| &mut self.jails[place])
    }

    fn jail_or_new(&mut self, name: &Arc<str>) -> &mut Jail {
        let place = self.search(name).unwrap_or_else(|place| {
            let id = self.bans.jail(name);
            self.jails.insert(place, Jail::retired(Arc::clone(name), id));
            place
        });
        &mut self.jails[place]
    }

    /// Takes over the bans in force that the store kept: `read` hands each on with its jail, its prefix, and the how manieth
    /// of the prefix it is.
    pub fn restore_bans<E>(
        &mut self,
        read: impl FnOnce(&mut dyn FnMut(&Arc<str>, Prefix, Active, u32)) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut filling = self.bans.start_filling();
        let mut known: HashMap<Arc<str>, JailId> = HashMap::default();
        let outcome = read(&mut |name, prefix, Active { since, until }, count| {
            let jail = known.get(name).copied().unwrap_or_else(|| {
                let jail = filling.jail(name);
                known.insert(Arc::clone(name), jail);
                jail
            });
            filling.push(prefix, Held { jail, since, until, count });
        });
        self.bans.fill(filling);
        let names: Vec<Arc<str>> = self.bans().jails().iter().map(|jail| Arc::clone(&jail.name)).collect();
        for name in &names {
            self.jail_or_new(name);
        }
        self.recount_listed();
        outcome
    }

    /// Takes over a counter that the store kept.
    pub fn restore_counter(&mut self, jail: &Arc<str>, prefix: Prefix, counter: Counter) {
        self.jail_or_new(jail).counters.restore(prefix, counter);
    }

    /// Takes over what the store kept of earlier bans; those in force come first.
    pub fn restore_offender(&mut self, jail: &Arc<str>, prefix: Prefix, offender: Offender) {
        let jail = self.jail_or_new(jail).id;
        self.bans.restore_offender(jail, prefix, offender);
    }

    /// The bans in force.
    pub fn bans(&self) -> &BanTable {
        self.bans.table()
    }

    /// Takes over a jail's totals.
    pub fn restore_totals(&mut self, jail: &Arc<str>, failed: u64, banned: u64) {
        let jail = self.jail_or_new(jail);
        (jail.total_failed, jail.total_banned) = (failed, banned);
    }

    /// Takes over the allowlist that the store kept.
    pub fn restore_allowlist(&mut self, entries: impl IntoIterator<Item = Allow>) {
        self.allowlist.restore(entries);
    }

    /// Lists the whole network around `prefix` if enough of its hosts are banned.
    fn escalate(
        &mut self,
        place: usize,
        prefix: Prefix,
        active: Active,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let jail = &self.jails[place];
        let (Some(settings), Some(network)) = (&jail.settings, self.bans.escalated(jail.id, prefix)) else {
            return;
        };
        if self.refusal(settings, network).is_some() || self.spares_part_of(settings, network) {
            return;
        }
        // Not as long as its last host, which may have been banned for good.
        let active = Active { since: active.since, until: settings.bantime.until(active.since) };
        let evidence = [format!("{prefix} is the last of enough banned hosts in {network}")].iter().collect();
        let origin = Origin::Escalation;
        let wanted = Wanted { place, prefix: network, active, first: None, origin, failures: 0, evidence };
        self.ban(wanted, now, effects);
    }

    /// Puts a ban in force, or makes the one in force last longer. A ban that is over already is none. Tells whether
    /// anything changed.
    fn ban(&mut self, wanted: Wanted, now: Timestamp, effects: &mut Effects) -> bool {
        let Wanted { place, prefix, active, .. } = wanted;
        if active.until.is_some_and(|until| until <= now) {
            return false;
        }
        let jail = self.jails[place].id;
        let change = match self.bans.get(jail, prefix) {
            Some(held) if !ends_later(active.until, held.until) => return false,
            Some(_) => {
                self.bans.prolong(jail, prefix, active.until);
                let jail = Arc::clone(&self.jails[place].name);
                Change::Extended { prefix, jail, at: active.since, until: active.until }
            }
            None => {
                let count = self.earlier_bans(place, prefix).saturating_add(1);
                let Active { since, until } = active;
                self.bans.begin(prefix, Held { jail, since, until, count });
                let jail = &mut self.jails[place];
                jail.total_banned += 1;
                Change::Banned(wanted.into_ban(Arc::clone(&jail.name), count))
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
            Order::Unban { prefix, jail, by, forgive } => {
                let cause = EndCause::Order(by.clone());
                self.order_unban(*prefix, jail.as_ref(), (&cause, *forgive), now, effects)
            }
            Order::Allow { prefix, note, owner, until } => {
                let (note, owner) = (note.clone(), owner.clone());
                let allow = Allow { prefix: *prefix, note, owner, since: now, until: *until };
                check_width(*prefix)?;
                self.allowlist.insert(allow.clone())?;
                effects.changes.push(Change::Allowed(allow));
                Ok(1 + self.order_unban(Some(*prefix), None, (&EndCause::Allowed, true), now, effects)?)
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
            Order::Reporter { name, order } => self.order_reporter(name, order, now, effects),
            Order::Release { prefix } => self.release(*prefix, now, effects),
            Order::Discard { prefix } => self.discard(*prefix, effects),
        }
    }

    fn name_of(&self, jail: JailId) -> Arc<str> {
        Arc::clone(&self.bans().jails()[jail.index()].name)
    }

    /// Ends what is over by `now`: bans and allowlist entries.
    pub fn expire(&mut self, now: Timestamp, effects: &mut Effects) {
        for jail in &mut self.jails {
            jail.counters.expire(now);
        }
        self.bans.forget_quiet(now);
        let ended = self.bans.take_ended(now);
        self.note_ended(&ended);
        self.expire_votes(now, effects);
        for (prefix, held) in ended {
            let (jail, at) = (self.name_of(held.jail), held.until.unwrap_or(now));
            effects.changes.push(Change::Unbanned { prefix, jail, at, cause: EndCause::Expired });
        }
        while let Some(prefix) = self.allowlist.pop_ended(now) {
            effects.changes.push(Change::Disallowed { prefix, at: now });
        }
    }

    /// When something ends by itself next, or earlier.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.bans.next_end().into_iter().chain(self.allowlist.next_end()).min()
    }

    /// Adds what was counted since the last call; to be called once before effects are committed.
    pub fn finish(&mut self, effects: &mut Effects) {
        self.jails.iter_mut().for_each(|jail| jail.finish(effects));
    }

    /// Goes on without adding what was counted, where nothing is committed.
    pub fn finish_without_commit(&mut self) {
        for jail in &mut self.jails {
            jail.failures.clear();
            jail.tried.clear();
            jail.counters.pass_over_touched();
        }
    }

    /// How many failures wait for [`Jails::finish`].
    pub fn unfinished(&self) -> usize {
        self.jails.iter().map(|jail| jail.failures.len()).sum()
    }

    /// Failures ever, in all jails.
    pub fn total_failed(&self) -> u64 {
        self.jails.iter().map(|jail| jail.total_failed).sum()
    }

    /// What `jail` has done and holds; `None` if there is no such jail.
    pub fn status(&self, jail: &str) -> Option<Status> {
        let jail = self.jail(jail)?;
        Some(Status {
            currently_failed: jail.counters.len() + self.voted_without_ban(jail),
            total_failed: jail.total_failed,
            currently_banned: self.bans.count(jail.id),
            currently_banned_ipv6: self.bans().jails()[jail.id.index()].ipv6,
            total_banned: jail.total_banned,
            ignored: jail.ignored,
            without_address: jail.without_address,
        })
    }

    /// Up to `most` prefixes of each jail that holds any banned, and how many it holds.
    pub fn some_banned(&self, most: usize) -> Vec<(Arc<str>, usize, Vec<Prefix>)> {
        let jails = self.bans().jails();
        let mut found: Vec<Vec<Prefix>> = vec![Vec::new(); jails.len()];
        let mut missing: usize = jails.iter().map(|jail| jail.bans().min(most)).sum();
        for (prefix, held) in self.bans().iter() {
            let of_jail = &mut found[held.jail.index()];
            if of_jail.len() < most {
                of_jail.push(prefix);
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        let jails = jails.iter().zip(found).filter(|(jail, _)| jail.bans() > 0);
        jails.map(|(jail, found)| (Arc::clone(&jail.name), jail.bans(), found)).collect()
    }

    /// The names of all jails that are configured or still hold bans.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let held = self.jails.iter().filter(|jail| jail.settings.is_some() || self.bans.count(jail.id) > 0);
        held.map(|jail| &jail.name)
    }

    /// The counter of the prefix that `address` is counted under in `jail`.
    pub fn counter(&self, jail: &str, address: IpAddr) -> Option<&Counter> {
        let jail = self.jail(jail)?;
        let ipv6 = jail.settings.as_ref().map_or(128, |settings| settings.ipv6_prefix);
        jail.counters.get(Prefix::host(address).widen(32, ipv6))
    }

    /// The allowlist.
    pub fn allowlist(&self) -> &Allowlist {
        &self.allowlist
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
            spared.overlaps(network) && apart.any(|spared| network.overlaps(spared))
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
struct Wanted {
    /// Where its jail stands.
    place: usize,
    prefix: Prefix,
    active: Active,
    /// The first failure that counted towards it.
    first: Option<Timestamp>,
    origin: Origin,
    failures: u32,
    evidence: Evidence,
}

impl Wanted {
    fn into_ban(self, jail: Arc<str>, count: u32) -> Ban {
        Ban {
            prefix: self.prefix,
            jail,
            since: self.active.since,
            until: self.active.until,
            first: self.first,
            origin: self.origin,
            failures: self.failures,
            count,
            evidence: self.evidence.iter().map(Arc::from).collect(),
        }
    }
}

impl Jail {
    fn retired(name: Arc<str>, id: JailId) -> Self {
        Self {
            name,
            id,
            settings: None,
            counters: Counters::new(std::time::Duration::ZERO, 0),
            failures: Vec::new(),
            tried: Tried::default(),
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

    fn increment(&self) -> Option<&Increment> {
        self.settings.as_ref()?.increment.as_ref()
    }

    /// Adds what was counted to `effects`.
    fn finish(&mut self, effects: &mut Effects) {
        self.failures.sort_unstable();
        for alike in self.failures.chunk_by(|one, other| one == other) {
            let (hour, address) = alike[0];
            let counted = effects.failures.entry((Arc::clone(&self.name), hour, address)).or_default();
            *counted = counted.saturating_add(u32::try_from(alike.len()).unwrap_or(u32::MAX));
        }
        self.failures.clear();
        let tried = self.tried.take();
        effects.users.extend(tried.map(|(day, user, count)| (Arc::clone(&self.name), day, user, count)));
        let touched = self.counters.take_touched().into_iter();
        effects.counters.extend(touched.map(|(prefix, counter)| (Arc::clone(&self.name), prefix, counter)));
    }
}

/// Whether people can speak of so wide a network.
pub fn check_width(prefix: Prefix) -> Result<(), Refusal> {
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
