//! Failures that are not counted at once: by host names, by things that are no address, and where a command has to be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::evidence::shorten;
use super::super::{Answer, Ask, Change, Effects, Failure, Found, Origin, Question};
use super::Jails;
use crate::clock::Timestamp;
use crate::filter::{UseDns, Who};
use crate::ip::{Prefix, PrefixSet};

/// So many lines go along with a question at the most.
const MOST_LINES: usize = 100;

impl Jails {
    /// Takes what a filter found. What can be counted is; what needs an answer from outside first goes to
    /// [`Effects::asks`].
    pub fn found(&mut self, jail: &str, found: &Found<'_>, now: Timestamp, effects: &mut Effects) {
        let Found { failure, time, line } = found;
        match &failure.who {
            Who::Prefix(prefix) => {
                let user = failure.user.as_deref();
                let failure = Failure { prefix: *prefix, time: *time, user, earlier: &failure.earlier, line };
                self.failure(jail, &failure, now, effects);
            }
            Who::Name(name) => {
                let Some(settings) = self.settings_in_force(jail) else { return };
                if *time >= now - settings.findtime {
                    let tell = settings.filter.use_dns == UseDns::Warn;
                    let question = Question::Addresses { name: name.clone(), tell };
                    let user = failure.user.as_deref();
                    let jail = Arc::clone(&settings.name);
                    effects.asks.push(Ask::new(jail, question, *time, user, &failure.earlier, line));
                }
            }
            Who::Id(_) => self.miss_address(jail),
        }
    }

    /// Goes on with a failure whose question was answered.
    pub fn answered(&mut self, ask: &Ask, answer: &Answer, now: Timestamp, effects: &mut Effects) {
        let Some((line, earlier)) = ask.lines.split_last() else { return };
        let failure = |prefix| Failure { prefix, time: ask.time, user: ask.user.as_deref(), earlier, line };
        match (&ask.question, answer) {
            (Question::Addresses { .. }, Answer::Addresses(prefixes)) => {
                if prefixes.is_empty() {
                    self.miss_address(&ask.jail);
                }
                for prefix in prefixes {
                    self.failure(&ask.jail, &failure(*prefix), now, effects);
                }
            }
            (Question::Excused { prefix, .. }, Answer::Excused(false)) => {
                let before = effects.changes.len();
                if let Some(place) = self.place(&ask.jail)
                    && self.admit(place, &failure(*prefix), now)
                {
                    self.count(place, &failure(*prefix), now, effects);
                }
                self.count_bans(before, now, effects);
            }
            (Question::Excused { .. }, Answer::Excused(true)) => {
                if let Some(jail) = self.jail_mut(&ask.jail) {
                    jail.ignored += 1;
                }
            }
            // Answers to other questions are none.
            (Question::Addresses { .. }, Answer::Excused(_))
            | (Question::Excused { .. }, Answer::Addresses(_)) => {}
        }
    }

    fn miss_address(&mut self, jail: &str) {
        if let Some(jail) = self.jail_mut(jail) {
            jail.without_address += 1;
        }
    }

    /// Takes over what never fails in each jail besides what its settings say: the addresses of host names, and what stands
    /// in files. It takes the place of all that was learned before.
    pub fn learn(&mut self, learned: BTreeMap<Arc<str>, PrefixSet>) {
        self.learned = learned;
        for jail in &mut self.jails {
            jail.spare(self.learned.get(&jail.name));
        }
    }

    /// Lets every ban made since `effects` had `before` changes be a failure in the jails that count bans. The bans made by
    /// that count as well; since each is new in its jail, there is an end to them.
    pub(super) fn count_bans(&mut self, before: usize, now: Timestamp, effects: &mut Effects) {
        if self.counting_bans.is_empty() {
            return;
        }
        let counting = std::mem::take(&mut self.counting_bans);
        let mut next = before;
        while let Some(change) = effects.changes.get(next) {
            next += 1;
            let Some((jail, prefix, line)) = repeatable(change) else { continue };
            let failure = Failure { prefix, time: now, user: None, earlier: &[], line: &line };
            for name in counting.iter().filter(|name| **name != jail) {
                if let Some(place) = self.place(name) {
                    self.fail(place, &failure, now, effects);
                }
            }
        }
        self.counting_bans = counting;
    }
}

/// The jail and the prefix of a ban that counts as a failure elsewhere, and a line about it: one that followed from a log,
/// or the order to ban a single address.
fn repeatable(change: &Change) -> Option<(Arc<str>, Prefix, String)> {
    let Change::Banned(ban) = change else { return None };
    let counts = match ban.origin {
        Origin::Log => true,
        Origin::Order(_) => ban.prefix.is_host(),
        // What others have seen is no failure that this server saw.
        Origin::Escalation | Origin::Reports => false,
    };
    let line = || format!("{} {} bans {} (ban {})", ban.since, ban.jail, ban.prefix, ban.count);
    counts.then(|| (Arc::clone(&ban.jail), ban.prefix, line()))
}

impl Ask {
    pub(super) fn new(
        jail: Arc<str>,
        question: Question,
        time: Timestamp,
        user: Option<&str>,
        earlier: &[String],
        line: &str,
    ) -> Self {
        let earlier = &earlier[earlier.len().saturating_sub(MOST_LINES)..];
        let lines = earlier.iter().map(String::as_str).chain([line]);
        let lines = lines.map(|line| shorten(line).to_owned()).collect();
        Self { jail, question, time, user: user.map(|user| shorten(user).to_owned()), lines }
    }
}
