//! The one writer of the lists: changes of bans and of the allowlist become new versions.

use std::collections::BTreeMap;
use std::iter::zip;
use std::sync::Arc;

use super::{List, Listing, Lists, rule};
use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet};
use crate::store::{Allow, Change, Recorded};

/// Keeps the next version of every zone's list and publishes it after each batch of changes.
pub struct Publisher {
    lists: Arc<Lists>,
    /// The next version of each zone's list.
    drafts: Vec<List>,
    /// The allowlist and when each entry ends.
    allow: BTreeMap<Prefix, Option<Timestamp>>,
    /// What the configuration allows.
    never: PrefixSet,
    base: u32,
}

impl Publisher {
    /// A publisher of `lists`, which hold nothing but test points yet. The serial of every list is `base` plus the
    /// number of the last change; `never` is what no list ever holds, whatever the allowlist says.
    pub fn new(lists: Arc<Lists>, base: u32, never: PrefixSet) -> Self {
        let drafts = lists.rules().map(rule::test_points).collect();
        Self { lists, drafts, never, allow: BTreeMap::new(), base }
    }

    /// Takes in a ban that the store kept; [`Publisher::start`] publishes it.
    pub fn restore(&mut self, jail: &Arc<str>, prefix: Prefix, since: Timestamp, until: Option<Timestamp>) {
        self.each_publishing(jail, |draft, rule| {
            draft.insert(prefix, listing(jail, rule, since, until));
        });
    }

    /// Takes in the allowlist that the store kept and publishes everything restored, as it was after the change of
    /// `number`.
    pub fn start(&mut self, allow: impl IntoIterator<Item = Allow>, number: u64, now: Timestamp) {
        self.allow = allow.into_iter().map(|entry| (entry.prefix, entry.until)).collect();
        self.allow_changed(now);
        self.publish(number, now);
    }

    /// Takes in changes in the order of their numbers and publishes them at once.
    pub fn apply_all(&mut self, recorded: &[Recorded], now: Timestamp) {
        for Recorded { change, .. } in recorded {
            self.take_in(change, now);
        }
        if let Some(last) = recorded.last() {
            self.publish(last.number, now);
        }
    }

    fn take_in(&mut self, change: &Change, now: Timestamp) {
        match change {
            Change::Banned(ban) => self.restore(&ban.jail, ban.prefix, ban.since, ban.until),
            Change::Extended { prefix, jail, at, until } => self.extend(*prefix, jail, *at, *until),
            Change::Unbanned { prefix, jail, .. } => {
                for draft in &mut self.drafts {
                    draft.remove(*prefix, jail);
                }
            }
            Change::Allowed(entry) => {
                self.allow.insert(entry.prefix, entry.until);
                self.allow_changed(now);
            }
            Change::Disallowed { prefix, .. } => {
                self.allow.remove(prefix);
                self.allow_changed(now);
            }
        }
    }

    /// A ban that was just dropped as expired comes back, since when is then no longer known.
    fn extend(&mut self, prefix: Prefix, jail: &Arc<str>, at: Timestamp, until: Option<Timestamp>) {
        self.each_publishing(jail, |draft, rule| {
            let since = draft.get(prefix, jail).map_or(at, |held| held.since);
            draft.insert(prefix, listing(jail, rule, since, until));
        });
    }

    fn each_publishing(&mut self, jail: &str, mut change: impl FnMut(&mut List, u16)) {
        for (draft, rules) in zip(&mut self.drafts, self.lists.rules()) {
            if let Some(rule) = rule::rule_of(rules, jail) {
                change(draft, rule);
            }
        }
    }

    fn allow_changed(&mut self, now: Timestamp) {
        self.allow.retain(|_, until| until.is_none_or(|until| now < until));
        let allow = Arc::new(self.allow.keys().copied().chain(self.never.iter()).collect());
        for draft in &mut self.drafts {
            draft.set_allow(Arc::clone(&allow));
        }
    }

    fn publish(&mut self, number: u64, now: Timestamp) {
        // Serials count in 32 bits and wrap (RFC 1982).
        let serial = self.base.wrapping_add(number as u32);
        for draft in &mut self.drafts {
            draft.set_serial(serial);
        }
        self.store(now);
    }

    fn store(&mut self, now: Timestamp) {
        for (zone, draft) in self.drafts.iter_mut().enumerate() {
            draft.drop_expired(now);
            self.lists.publish(zone, draft.clone());
        }
    }
}

fn listing(jail: &Arc<str>, rule: u16, since: Timestamp, until: Option<Timestamp>) -> Listing {
    Listing { jail: jail.clone(), rule, since, until, test: false }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::jail::{Ban, EndCause, Origin};
    use crate::list::Rule;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn rule(jails: &[&str], code: [u8; 4]) -> Rule {
        Rule { jails: jails.iter().map(|jail| Arc::from(*jail)).collect(), code: code.into() }
    }

    /// One zone that publishes `imap` alone, and one that publishes everything.
    fn publisher() -> (Publisher, Arc<Lists>) {
        let narrow = vec![rule(&["imap"], [127, 0, 0, 2])];
        let wide = vec![rule(&["smtp"], [127, 0, 0, 3]), rule(&["*"], [127, 0, 0, 4])];
        let lists = Arc::new(Lists::new([narrow, wide]));
        (new(&lists), lists)
    }

    fn new(lists: &Arc<Lists>) -> Publisher {
        Publisher::new(Arc::clone(lists), u32::MAX - 1, PrefixSet::default())
    }

    fn load(
        publisher: &mut Publisher,
        bans: impl IntoIterator<Item = Ban>,
        allow: impl IntoIterator<Item = Allow>,
        number: u64,
    ) {
        for ban in bans {
            publisher.restore(&ban.jail, ban.prefix, ban.since, ban.until);
        }
        publisher.start(allow, number, NOW);
    }

    fn ban(prefix: &str, jail: &str, until: Option<i64>) -> Ban {
        Ban {
            prefix: prefix.parse().unwrap(),
            jail: jail.into(),
            since: NOW,
            until: until.map(Timestamp::from_secs),
            origin: Origin::Log,
            failures: 5,
            count: 1,
            evidence: Vec::new(),
        }
    }

    fn allow(prefix: &str, until: Option<i64>) -> Allow {
        Allow {
            prefix: prefix.parse().unwrap(),
            note: String::new(),
            since: NOW,
            until: until.map(Timestamp::from_secs),
        }
    }

    /// The rules that list `address` in each zone.
    fn check(lists: &Lists, address: &str, now: Timestamp, expected: [&[u16]; 2]) {
        let address: IpAddr = address.parse().unwrap();
        let rules = [0, 1].map(|zone| -> Vec<u16> {
            let list = lists.latest(zone);
            list.find(address, now).map(|(_, listing)| listing.rule).collect()
        });
        assert_eq!(rules.each_ref().map(Vec::as_slice), expected, "{address}");
    }

    #[test]
    fn each_zone_lists_the_jails_it_publishes() {
        let (mut publisher, lists) = publisher();
        let bans = [
            ban("192.0.2.1", "imap", None),
            ban("192.0.2.2", "smtp", Some(2000)),
            ban("192.0.2.3", "imap", Some(1000)),
        ];
        load(&mut publisher, bans, [], 1);
        check(&lists, "192.0.2.1", NOW, [&[0], &[1]]);
        check(&lists, "192.0.2.2", NOW, [&[], &[0]]);
        check(&lists, "192.0.2.3", NOW, [&[], &[]]);
        assert_eq!(lists.latest(0).serial(), u32::MAX);
    }

    #[test]
    fn test_points_stand_and_loopback_is_never_listed() {
        let (mut publisher, lists) = publisher();
        let bans = [ban("127.0.0.0/8", "imap", None)];
        load(&mut publisher, bans, [allow("0.0.0.0/0", None)], 1);
        check(&lists, "127.0.0.2", NOW, [&[0], &[0]]);
        check(&lists, "::ffff:127.0.0.2", NOW, [&[0], &[0]]);
        check(&lists, "127.0.0.4", NOW, [&[], &[1]]);
        let order = Change::Unbanned {
            prefix: "127.0.0.2".parse().unwrap(),
            jail: "test point".into(),
            at: NOW,
            cause: EndCause::Expired,
        };
        publisher.apply_all(&[Recorded { number: 2, change: order }], NOW);
        check(&lists, "127.0.0.2", NOW, [&[0], &[0]]);

        load(&mut publisher, [], [], 2);
        check(&lists, "127.0.0.9", NOW, [&[0], &[1]]);
        check(&lists, "127.0.0.1", NOW, [&[], &[]]);
        check(&lists, "::ffff:127.0.0.1", NOW, [&[], &[]]);
    }

    #[test]
    fn changes_move_lists_and_serials() {
        let (mut publisher, lists) = publisher();
        let prefix: Prefix = "192.0.2.1".parse().unwrap();
        let jail: Arc<str> = "imap".into();
        let listed: [&[u16]; 2] = [&[0], &[1]];
        let gone: [&[u16]; 2] = [&[], &[]];
        let until = Some(Timestamp::from_secs(3000));
        let late = Timestamp::from_secs(2500);
        let steps = [
            (Change::Banned(ban("192.0.2.1", "imap", Some(2000))), NOW, listed),
            (Change::Extended { prefix, jail: jail.clone(), at: NOW, until }, late, listed),
            (Change::Allowed(allow("192.0.2.0/24", None)), late, gone),
            (Change::Disallowed { prefix: "192.0.2.0/24".parse().unwrap(), at: late }, late, listed),
            (Change::Unbanned { prefix, jail, at: late, cause: EndCause::Expired }, late, gone),
        ];
        for (number, (change, now, expected)) in (1..).zip(steps) {
            publisher.apply_all(&[Recorded { number, change }], now);
            check(&lists, "192.0.2.1", now, expected);
            assert_eq!(lists.latest(1).serial(), (u32::MAX - 1).wrapping_add(number as u32));
        }
    }

    #[test]
    fn an_extension_keeps_the_beginning() {
        let (mut publisher, lists) = publisher();
        let extended = Change::Extended {
            prefix: "192.0.2.1".parse().unwrap(),
            jail: "imap".into(),
            at: Timestamp::from_secs(1500),
            until: None,
        };
        load(&mut publisher, [ban("192.0.2.1", "imap", Some(2000))], [], 1);
        publisher.apply_all(&[Recorded { number: 2, change: extended }], NOW);
        let list = lists.latest(0);
        let listing = list.get("192.0.2.1".parse().unwrap(), "imap").unwrap();
        assert_eq!((listing.since, listing.until), (NOW, None));
    }

    #[test]
    fn what_has_ended_is_dropped_with_the_next_change() {
        let (mut publisher, lists) = publisher();
        let bans = [ban("192.0.2.1", "imap", Some(3000)), ban("192.0.2.2", "imap", None)];
        load(&mut publisher, bans, [allow("192.0.2.2", Some(2000))], 1);
        let end = Timestamp::from_secs(3000);
        check(&lists, "192.0.2.1", end, [&[], &[]]);
        check(&lists, "192.0.2.2", end, [&[], &[]]);
        let change = Change::Disallowed { prefix: "192.0.2.2".parse().unwrap(), at: end };
        publisher.apply_all(&[Recorded { number: 2, change }], end);
        check(&lists, "192.0.2.2", end, [&[0], &[1]]);
        // The ban without an end and the test point.
        assert_eq!(lists.latest(0).len(), 2);
    }
}
