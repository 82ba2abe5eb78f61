//! The bans one jail holds in force, and who was banned before.

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::HashMap;

use super::Escalate;
use super::schedule::Schedule;
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

/// The bans of one jail.
#[derive(Debug, Default)]
pub struct Bans {
    /// Ordered, so that all bans inside a network stand together.
    active: BTreeMap<Prefix, Active>,
    ends: Schedule,
    offenders: HashMap<Prefix, Offender>,
    forgets: Schedule,
    escalate: Option<Escalate>,
    /// How many bans are in force inside each network that may be escalated.
    crowds: HashMap<Prefix, u32>,
}

impl Bans {
    /// Puts a ban in force, or changes when it ends.
    pub fn set(&mut self, prefix: Prefix, active: Active) {
        let before = self.active.insert(prefix, active);
        if before.is_none()
            && let Some(network) = self.network_above(prefix)
        {
            *self.crowds.entry(network).or_default() += 1;
        }
        let before = before.and_then(|before| before.until);
        put_down(&mut self.ends, prefix, active.until, before);
    }

    /// Lets the ban `held` of `prefix` end later, and its offender be remembered accordingly.
    pub fn prolong(&mut self, prefix: Prefix, held: Active, until: Option<Timestamp>) {
        let active = Active { until, ..held };
        self.set(prefix, active);
        if let Some(offender) = self.offender(prefix) {
            self.remember(prefix, Offender::of(active, offender.count));
        }
    }

    /// Ends a ban.
    pub fn remove(&mut self, prefix: Prefix) -> Option<Active> {
        let active = self.active.remove(&prefix)?;
        if let Some(network) = self.network_above(prefix) {
            self.leave_crowd(network);
        }
        let ends = self.active.iter().filter_map(|(prefix, active)| Some((active.until?, *prefix)));
        self.ends.leave_out_gone(self.active.len(), ends);
        Some(active)
    }

    fn leave_crowd(&mut self, network: Prefix) {
        if let Some(crowd) = self.crowds.get_mut(&network) {
            *crowd -= 1;
            if *crowd == 0 {
                self.crowds.remove(&network);
            }
        }
    }

    /// The ban of exactly `prefix`.
    pub fn get(&self, prefix: Prefix) -> Option<Active> {
        self.active.get(&prefix).copied()
    }

    /// Every ban in order.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, Active)> {
        self.active.iter().map(|(prefix, active)| (*prefix, *active))
    }

    /// The bans inside `prefix`, itself included.
    pub fn within(&self, prefix: Prefix) -> Vec<Prefix> {
        let from_here = self.active.range(prefix..);
        from_here.map(|(banned, _)| *banned).take_while(|banned| prefix.covers(*banned)).collect()
    }

    /// How many bans are in force.
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// Whether nothing is banned.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// When the next ban ends by itself, or earlier.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.ends.earliest()
    }

    /// Takes out one ban whose time is up at `now`, with its end.
    pub fn pop_ended(&mut self, now: Timestamp) -> Option<(Prefix, Timestamp)> {
        let end = |prefix| self.active.get(&prefix)?.until;
        let (until, prefix) = self.ends.first_due(now, end)?;
        self.remove(prefix);
        Some((prefix, until))
    }

    /// Says which networks are listed whole, and counts the bans in force anew.
    pub fn set_escalate(&mut self, escalate: Option<Escalate>) {
        self.escalate = escalate;
        self.crowds.clear();
        let networks: Vec<Prefix> =
            self.active.keys().filter_map(|prefix| self.network_above(*prefix)).collect();
        for network in networks {
            *self.crowds.entry(network).or_default() += 1;
        }
    }

    /// The network around `prefix` that has become due to be listed whole.
    pub fn escalated(&self, prefix: Prefix) -> Option<Prefix> {
        let network = self.network_above(prefix)?;
        let hosts = self.crowds.get(&network).copied().unwrap_or(0);
        (hosts >= self.escalate?.hosts).then_some(network)
    }

    fn network_above(&self, prefix: Prefix) -> Option<Prefix> {
        let escalate = self.escalate?;
        let network = prefix.widen(escalate.ipv4, escalate.ipv6);
        (network != prefix).then_some(network)
    }

    /// What is remembered of earlier bans of `prefix`.
    pub fn offender(&self, prefix: Prefix) -> Option<Offender> {
        self.offenders.get(&prefix).copied()
    }

    /// Remembers a ban of `prefix`.
    pub fn remember(&mut self, prefix: Prefix, offender: Offender) {
        let before = self.offenders.insert(prefix, offender).and_then(|before| before.forget);
        put_down(&mut self.forgets, prefix, offender.forget, before);
    }

    /// Forgets the earlier bans of `prefix`.
    pub fn forgive(&mut self, prefix: Prefix) {
        self.offenders.remove(&prefix);
        let forgets =
            self.offenders.iter().filter_map(|(prefix, offender)| Some((offender.forget?, *prefix)));
        self.forgets.leave_out_gone(self.offenders.len(), forgets);
    }

    /// Forgets the earlier bans of everything inside `prefix`, or of all, and tells whose.
    pub fn forgive_within(&mut self, prefix: Option<Prefix>) -> Vec<Prefix> {
        let is_inside = |offender: &Prefix| prefix.is_none_or(|prefix| prefix.covers(*offender));
        let inside: Vec<Prefix> = self.offenders.keys().copied().filter(is_inside).collect();
        for offender in &inside {
            self.forgive(*offender);
        }
        inside
    }

    /// Forgets whoever has stayed away long enough.
    pub fn forget_quiet(&mut self, now: Timestamp) {
        while let Some(prefix) = self.forgotten(now) {
            self.forgive(prefix);
        }
    }

    fn forgotten(&mut self, now: Timestamp) -> Option<Prefix> {
        let forget = |prefix| self.offenders.get(&prefix)?.forget;
        self.forgets.first_due(now, forget).map(|(_, prefix)| prefix)
    }
}

/// Lets `schedule` know that `prefix` is due at `time` and no longer at `before`, where `None` is never.
fn put_down(schedule: &mut Schedule, prefix: Prefix, time: Option<Timestamp>, before: Option<Timestamp>) {
    if let Some(time) = time
        && before.is_none_or(|before| time < before)
    {
        schedule.add(time, prefix);
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

    #[test]
    fn a_crowd_makes_a_network_due() {
        let mut bans = Bans::default();
        bans.set_escalate(Some(Escalate { hosts: 2, ipv4: 24, ipv6: 48 }));
        let active = Active { since: at(0), until: Some(at(100)) };
        bans.set(prefix("192.0.2.1"), active);
        bans.set(prefix("192.0.2.1"), Active { until: Some(at(200)), ..active });
        assert_eq!(bans.escalated(prefix("192.0.2.1")), None, "one host counts once");
        bans.set(prefix("192.0.2.9"), active);
        assert_eq!(bans.escalated(prefix("192.0.2.9")), Some(prefix("192.0.2.0/24")));
        assert_eq!(bans.pop_ended(at(99)), None);
        assert_eq!(bans.pop_ended(at(100)), Some((prefix("192.0.2.9"), at(100))));
        assert_eq!(bans.escalated(prefix("192.0.2.1")), None);
        bans.set(prefix("192.0.2.0/24"), active);
        assert_eq!(bans.escalated(prefix("192.0.2.0/24")), None, "a network is not part of its own crowd");
    }

    #[test]
    fn all_bans_inside_a_network_are_found() {
        let mut bans = Bans::default();
        for text in ["192.0.2.0/24", "192.0.2.7", "192.0.3.1", "192.0.0.0/16", "2001:db8::1"] {
            bans.set(prefix(text), Active { since: at(0), until: None });
        }
        let inside: Vec<String> = bans.within(prefix("192.0.2.0/24")).iter().map(Prefix::to_string).collect();
        assert_eq!(inside, ["192.0.2.0/24", "192.0.2.7"]);
        assert_eq!(bans.within(prefix("::/0")).len(), 1);
    }

    #[test]
    fn offenders_are_forgotten_in_time() {
        let mut bans = Bans::default();
        let active = Active { since: at(0), until: Some(at(600)) };
        bans.remember(prefix("192.0.2.1"), Offender::of(active, 2));
        bans.remember(prefix("192.0.2.2"), Offender::of(Active { until: None, ..active }, 1));
        bans.forget_quiet(at(600 + 1200 + 24 * 3600 - 1));
        assert_eq!(bans.offender(prefix("192.0.2.1")).map(|offender| offender.count), Some(2));
        bans.forget_quiet(at(600 + 1200 + 24 * 3600));
        assert_eq!(bans.offender(prefix("192.0.2.1")), None);
        assert!(bans.offender(prefix("192.0.2.2")).is_some());
    }
}
