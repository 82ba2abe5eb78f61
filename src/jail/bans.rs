//! The bans that the jails hold in force, when they end, and who was banned before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;

use super::Escalate;
use super::schedule::Schedule;
use super::table::{BanTable, Filling, Held, JailId};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// How long a prefix is remembered as an offender after its ban ended, beside twice the length of the ban itself.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// A ban in force, as far as counting needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active {
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself; `None` is never.
    pub until: Option<Timestamp>,
}

/// A prefix that was banned before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offender {
    /// How often.
    pub count: u32,
    /// When the last of these bans began.
    pub since: Timestamp,
    /// When it is forgotten; `None` is never.
    pub forget: Option<Timestamp>,
}

impl Offender {
    /// What is remembered of the `count`-th ban, in force as `active`.
    pub fn of(active: Active, count: u32) -> Self {
        let forget = active.until.map(|until| until + until.since(active.since) * 2 + REMEMBERED);
        Self { count, since: active.since, forget }
    }

    /// Whether a failure at `time` came after the last ban, which is remembered by the whole second as fail2ban does.
    pub fn was_banned_before(&self, time: Timestamp) -> bool {
        let second = Timestamp::from_secs((self.since + Duration::from_millis(500)).as_secs());
        time > second
    }
}

/// The bans of all jails, and who was banned before.
#[derive(Debug, Default)]
pub struct Bans {
    table: BanTable,
    ends: Ends,
    /// What is remembered of earlier bans where it is not what the ban in force says itself.
    offenders: HashMap<(JailId, Prefix), Offender>,
    forgets: Schedule<(JailId, Prefix)>,
    /// The jails that list networks whole.
    escalate: HashMap<JailId, Escalate>,
    /// How many bans are in force inside each network that may be escalated.
    crowds: HashMap<(JailId, Prefix), u32>,
}

impl Bans {
    /// The bans in force.
    pub fn table(&self) -> &BanTable {
        &self.table
    }

    /// The number of the jail `name`.
    pub fn jail(&mut self, name: &Arc<str>) -> JailId {
        self.table.jail(name)
    }

    /// Takes the table out to fill it with the bans that were kept; nobody is banned until [`Bans::fill`] takes it back.
    pub fn start_filling(&mut self) -> Filling {
        Filling::new(std::mem::take(&mut self.table))
    }

    /// Goes on with the bans of a table that was filled.
    pub fn fill(&mut self, filled: Filling) {
        self.table = filled.finish();
        for (place, end) in self.table.ends() {
            self.ends.add(place, end);
        }
        self.count_crowds();
    }

    /// Takes over what was kept of an offender. What a ban in force counts itself is no less.
    pub fn restore_offender(&mut self, jail: JailId, prefix: Prefix, offender: Offender) {
        let held = self.table.get(prefix, jail);
        if held.is_none_or(|held| held.count < offender.count) {
            self.remember(jail, prefix, offender);
        }
    }

    /// Puts a ban in force; earlier ones of the prefix are those it counts.
    pub fn begin(&mut self, prefix: Prefix, held: Held) {
        self.set(prefix, held);
        self.offenders.remove(&(held.jail, prefix));
    }

    /// Lets the ban of exactly `prefix` by `jail` end later, and its offender be remembered accordingly.
    pub fn prolong(&mut self, jail: JailId, prefix: Prefix, until: Option<Timestamp>) {
        let Some(held) = self.table.get(prefix, jail) else {
            return;
        };
        let offender = self.offenders.remove(&(jail, prefix));
        let count = offender.map_or(held.count, |offender| offender.count);
        self.set(prefix, Held { until, count, ..held });
    }

    fn set(&mut self, prefix: Prefix, held: Held) {
        if self.table.get(prefix, held.jail).is_none()
            && let Some(network) = self.network_above(held.jail, prefix)
        {
            *self.crowds.entry((held.jail, network)).or_default() += 1;
        }
        self.table.set(prefix, held);
        if let Some(until) = held.until {
            self.ends.add(BanTable::place_of(prefix), until);
        }
    }

    /// A ban has ended by itself or by order; its offender is remembered.
    fn gone(&mut self, prefix: Prefix, held: Held) {
        if let Some(network) = self.network_above(held.jail, prefix) {
            self.leave_crowd(held.jail, network);
        }
        if !self.offenders.contains_key(&(held.jail, prefix)) {
            self.remember(held.jail, prefix, Offender::of(held.active(), held.count));
        }
    }

    fn leave_crowd(&mut self, jail: JailId, network: Prefix) {
        if let Some(crowd) = self.crowds.get_mut(&(jail, network)) {
            *crowd -= 1;
            if *crowd == 0 {
                self.crowds.remove(&(jail, network));
            }
        }
    }

    /// The ban of exactly `prefix` by `jail`.
    pub fn get(&self, jail: JailId, prefix: Prefix) -> Option<Active> {
        self.table.get(prefix, jail).map(|held| held.active())
    }

    /// Ends the bans of `jail`, or of all, inside `prefix`, or everywhere; which those were, in order.
    pub fn free(&mut self, jail: Option<JailId>, prefix: Option<Prefix>) -> Vec<(Prefix, Held)> {
        let is_chosen = |(_, held): &(Prefix, Held)| jail.is_none_or(|jail| jail == held.jail);
        let mut freed: Vec<(Prefix, Held)> = match prefix {
            Some(prefix) => self.table.within(prefix).filter(is_chosen).collect(),
            None => self.table.iter().filter(is_chosen).collect(),
        };
        freed.sort_by_key(|(prefix, held)| (held.jail, *prefix));
        for (prefix, held) in &freed {
            self.table.remove(*prefix, held.jail);
            self.gone(*prefix, *held);
        }
        freed
    }

    /// How many bans of `jail` are in force.
    pub fn count(&self, jail: JailId) -> usize {
        self.table.jails()[jail.index()].bans()
    }

    /// When the next ban ends by itself, or earlier.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.ends.earliest()
    }

    /// Takes out the bans whose time is up at `now`, in the order in which they ended.
    pub fn take_ended(&mut self, now: Timestamp) -> Vec<(Prefix, Held)> {
        let mut ended = Vec::new();
        while let Some(place) = self.ends.pop_due(now) {
            ended.append(&mut self.table.take_ended(place, now));
            if let Some(next) = self.table.next_end(place) {
                self.ends.add(place, next);
            }
        }
        ended.sort_by_key(|(prefix, held)| (held.until, held.jail, *prefix));
        for (prefix, held) in &ended {
            self.gone(*prefix, *held);
        }
        ended
    }

    /// Says which jails list which networks whole; the others list none.
    pub fn set_escalate(&mut self, escalate: HashMap<JailId, Escalate>) {
        if self.escalate != escalate {
            self.escalate = escalate;
            self.count_crowds();
        }
    }

    /// Counts the bans in force inside each network anew.
    fn count_crowds(&mut self) {
        let mut crowds = HashMap::default();
        // Millions of bans are gone through only for somebody.
        if !self.escalate.is_empty() {
            for (prefix, held) in self.table.iter() {
                if let Some(network) = self.network_above(held.jail, prefix) {
                    *crowds.entry((held.jail, network)).or_default() += 1;
                }
            }
        }
        self.crowds = crowds;
    }

    /// The network around `prefix` that has become due to be listed whole by `jail`.
    pub fn escalated(&self, jail: JailId, prefix: Prefix) -> Option<Prefix> {
        let network = self.network_above(jail, prefix)?;
        let hosts = self.crowds.get(&(jail, network)).copied().unwrap_or(0);
        (hosts >= self.escalate.get(&jail)?.hosts).then_some(network)
    }

    fn network_above(&self, jail: JailId, prefix: Prefix) -> Option<Prefix> {
        let escalate = self.escalate.get(&jail)?;
        let network = prefix.widen(escalate.ipv4, escalate.ipv6);
        (network != prefix).then_some(network)
    }

    /// What is remembered of the bans of `prefix` by `jail`, the one in force among them.
    pub fn offender(&self, jail: JailId, prefix: Prefix) -> Option<Offender> {
        let remembered = self.offenders.get(&(jail, prefix)).copied();
        remembered.or_else(|| {
            let held = self.table.get(prefix, jail)?;
            Some(Offender::of(held.active(), held.count))
        })
    }

    /// Remembers this of `prefix`, whatever its ban in force says.
    pub fn remember(&mut self, jail: JailId, prefix: Prefix, offender: Offender) {
        let before = self.offenders.insert((jail, prefix), offender).and_then(|before| before.forget);
        if let Some(forget) = offender.forget
            && before.is_none_or(|before| forget < before)
        {
            self.forgets.add(forget, (jail, prefix));
        }
    }

    fn forgive(&mut self, jail: JailId, prefix: Prefix) {
        self.offenders.remove(&(jail, prefix));
        let forgets = self.offenders.iter().filter_map(|(key, offender)| Some((offender.forget?, *key)));
        self.forgets.leave_out_gone(self.offenders.len(), forgets);
    }

    /// Forgets the earlier bans by `jail`, or by all, of everything inside `prefix`, or everywhere, and tells whose.
    pub fn forgive_within(&mut self, jail: Option<JailId>, prefix: Option<Prefix>) -> Vec<(JailId, Prefix)> {
        let is_chosen = |(of, offender): &(JailId, Prefix)| {
            jail.is_none_or(|jail| jail == *of) && prefix.is_none_or(|prefix| prefix.covers(*offender))
        };
        let chosen: Vec<(JailId, Prefix)> = self.offenders.keys().copied().filter(is_chosen).collect();
        for (jail, offender) in &chosen {
            self.forgive(*jail, *offender);
        }
        chosen
    }

    /// Forgets whoever has stayed away long enough.
    pub fn forget_quiet(&mut self, now: Timestamp) {
        while let Some((jail, prefix)) = self.forgotten(now) {
            self.forgive(jail, prefix);
        }
    }

    fn forgotten(&mut self, now: Timestamp) -> Option<(JailId, Prefix)> {
        let forget = |key| self.offenders.get(&key)?.forget;
        self.forgets.first_due(now, forget).map(|(_, key)| key)
    }
}

/// When something ends next in each place of the table, or earlier.
#[derive(Debug, Default)]
struct Ends {
    queue: BinaryHeap<Reverse<(Timestamp, Prefix)>>,
    /// The earliest end in the queue of each place; whatever else the queue has of it is out of date.
    earliest: HashMap<Prefix, Timestamp>,
}

impl Ends {
    fn add(&mut self, place: Prefix, end: Timestamp) {
        if self.earliest.get(&place).is_none_or(|earliest| end < *earliest) {
            self.earliest.insert(place, end);
            self.queue.push(Reverse((end, place)));
        }
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.queue.peek().map(|Reverse((end, _))| *end)
    }

    /// Takes out a place where something may have ended.
    fn pop_due(&mut self, now: Timestamp) -> Option<Prefix> {
        while self.earliest()? <= now {
            let Reverse((end, place)) = self.queue.pop()?;
            if self.earliest.get(&place) == Some(&end) {
                self.earliest.remove(&place);
                return Some(place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn bans() -> (Bans, JailId) {
        let mut bans = Bans::default();
        let jail = bans.jail(&"sasl".into());
        (bans, jail)
    }

    fn held(jail: JailId, until: Option<i64>) -> Held {
        Held { jail, since: at(0), until: until.map(at), count: 1 }
    }

    #[test]
    fn a_crowd_makes_a_network_due() {
        let (mut bans, jail) = bans();
        bans.set_escalate([(jail, Escalate { hosts: 2, ipv4: 24, ipv6: 48 })].into_iter().collect());
        bans.begin(prefix("192.0.2.1"), held(jail, Some(100)));
        bans.prolong(jail, prefix("192.0.2.1"), Some(at(200)));
        assert_eq!(bans.escalated(jail, prefix("192.0.2.1")), None, "one host counts once");
        let ends = held(jail, Some(100));
        bans.begin(prefix("192.0.2.9"), ends);
        assert_eq!(bans.escalated(jail, prefix("192.0.2.9")), Some(prefix("192.0.2.0/24")));
        assert_eq!(bans.take_ended(at(99)), []);
        assert_eq!(bans.take_ended(at(100)), [(prefix("192.0.2.9"), ends)]);
        assert_eq!(bans.escalated(jail, prefix("192.0.2.1")), None);
        bans.begin(prefix("192.0.2.0/24"), ends);
        assert_eq!(
            bans.escalated(jail, prefix("192.0.2.0/24")),
            None,
            "a network is not part of its own crowd"
        );
    }

    #[test]
    fn crowds_are_counted_anew() {
        let (mut bans, jail) = bans();
        let other = bans.jail(&"imap".into());
        for (host, jail) in [("192.0.2.1", jail), ("192.0.2.2", jail), ("192.0.2.3", other)] {
            bans.begin(prefix(host), held(jail, None));
        }
        let due = |bans: &Bans| [jail, other].map(|jail| bans.escalated(jail, prefix("192.0.2.1")).is_some());
        let two = Escalate { hosts: 2, ipv4: 24, ipv6: 48 };
        for (escalate, expected) in [
            (vec![], [false; 2]),
            (vec![(jail, two), (other, two)], [true, false]),
            (vec![(other, Escalate { hosts: 1, ..two })], [false, true]),
            (vec![(jail, Escalate { ipv4: 31, ..two })], [false; 2]),
        ] {
            bans.set_escalate(escalate.into_iter().collect());
            assert_eq!(due(&bans), expected);
        }
        bans.set_escalate([(jail, two)].into_iter().collect());
        let filling = bans.start_filling();
        bans.fill(filling);
        bans.free(Some(jail), Some(prefix("192.0.2.2")));
        assert_eq!(due(&bans), [false; 2]);
        bans.begin(prefix("192.0.2.4"), held(jail, None));
        assert_eq!(due(&bans), [true, false]);
    }

    #[test]
    fn bans_end_in_their_order() {
        let (mut bans, jail) = bans();
        let other = bans.jail(&"imap".into());
        for (banned, jail, until) in [
            ("192.0.2.7", jail, 30),
            ("192.0.2.9", other, 10),
            ("2001:db8::1", jail, 20),
            ("192.0.2.7", other, 40),
            ("198.51.100.1", jail, 5),
            ("192.0.0.0/12", jail, 6),
        ] {
            bans.begin(prefix(banned), held(jail, Some(until)));
        }
        bans.prolong(jail, prefix("198.51.100.1"), Some(at(50)));
        let mut ended = |now| -> Vec<String> {
            bans.take_ended(at(now))
                .iter()
                .map(|(prefix, held)| format!("{prefix} {}", held.jail.index()))
                .collect()
        };
        assert_eq!(ended(5), [] as [&str; 0]);
        assert_eq!(ended(20), ["192.0.0.0/12 0", "192.0.2.9 1", "2001:db8::1 0"]);
        assert_eq!(ended(39), ["192.0.2.7 0"]);
        assert_eq!(ended(99), ["192.0.2.7 1", "198.51.100.1 0"]);
        assert_eq!(bans.next_end(), None);
    }

    #[test]
    fn all_bans_inside_a_network_are_freed() {
        let freed = |network: Option<&str>| -> Vec<String> {
            let (mut bans, jail) = bans();
            let all =
                ["192.0.2.0/24", "192.0.2.7", "192.0.3.1", "192.0.0.0/16", "192.0.0.0/12", "2001:db8::1"];
            for text in all {
                bans.begin(prefix(text), held(jail, None));
            }
            let freed = bans.free(Some(jail), network.map(prefix));
            assert_eq!(bans.table.iter().filter(|(_, held)| held.jail == jail).count(), bans.count(jail));
            assert_eq!(bans.count(jail), all.len() - freed.len());
            freed.iter().map(|(prefix, _)| prefix.to_string()).collect()
        };
        assert_eq!(freed(Some("192.0.2.0/24")), ["192.0.2.0/24", "192.0.2.7"]);
        let ipv4 = ["192.0.0.0/12", "192.0.0.0/16", "192.0.2.0/24", "192.0.2.7", "192.0.3.1"];
        assert_eq!(freed(Some("0.0.0.0/0")), ipv4);
        assert_eq!(freed(Some("::/0")), ["2001:db8::1"]);
        assert_eq!(freed(None).len(), 6);
    }

    #[test]
    fn offenders_are_forgotten_in_time() {
        let (mut bans, jail) = bans();
        let active = Active { since: at(0), until: Some(at(600)) };
        bans.remember(jail, prefix("192.0.2.1"), Offender::of(active, 2));
        bans.remember(jail, prefix("192.0.2.2"), Offender::of(Active { until: None, ..active }, 1));
        bans.forget_quiet(at(600 + 1200 + 24 * 3600 - 1));
        assert_eq!(bans.offender(jail, prefix("192.0.2.1")).map(|offender| offender.count), Some(2));
        bans.forget_quiet(at(600 + 1200 + 24 * 3600));
        assert_eq!(bans.offender(jail, prefix("192.0.2.1")), None);
        assert!(bans.offender(jail, prefix("192.0.2.2")).is_some());
    }

    #[test]
    fn a_ban_that_has_ended_makes_an_offender() {
        let (mut bans, jail) = bans();
        let ban = Held { count: 3, ..held(jail, Some(600)) };
        bans.begin(prefix("192.0.2.1"), ban);
        let expected = Some(Offender::of(ban.active(), 3));
        assert_eq!(bans.offender(jail, prefix("192.0.2.1")), expected);
        bans.take_ended(at(600));
        assert_eq!(bans.offender(jail, prefix("192.0.2.1")), expected);
    }
}
