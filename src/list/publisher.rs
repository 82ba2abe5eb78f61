//! The one writer of the lists: what has become durable becomes new versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{List, Lists};
use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet};
use crate::store::{Allow, BanTable, Change, Recorded};

/// Publishes a new version of every zone's list after each batch of changes.
pub struct Publisher {
    lists: Arc<Lists>,
    /// The versions published last, by zone.
    versions: Vec<List>,
    /// The bans in force.
    bans: BanTable,
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
        let versions: Vec<List> = lists.rules().map(List::new).collect();
        Self { lists, versions, bans: BanTable::default(), never, allow: BTreeMap::new(), base }
    }

    /// The bans in force as they were published last.
    pub fn bans(&self) -> &BanTable {
        &self.bans
    }

    /// Publishes the bans and the allowlist that were kept, as they were after the change of `number`.
    pub fn start(
        &mut self,
        bans: BanTable,
        allow: impl IntoIterator<Item = Allow>,
        number: u64,
        now: Timestamp,
    ) {
        self.allow = allow.into_iter().map(|entry| (entry.prefix, entry.until)).collect();
        self.bans = bans;
        self.allow_changed(now);
        self.publish(number);
    }

    /// Takes in changes in the order of their numbers and publishes at once what is in force after them; `bans` is the same
    /// as before where it is `None`.
    pub fn apply_all(&mut self, recorded: &[Recorded], bans: Option<BanTable>, now: Timestamp) {
        let Some(last) = recorded.last() else {
            return;
        };
        self.bans = bans.unwrap_or_else(|| self.bans.clone());
        let allow = recorded.iter().filter(|recorded| self.note(&recorded.change)).count();
        if allow > 0 {
            self.allow_changed(now);
        }
        self.publish(last.number);
    }

    /// Takes in a change of the allowlist; whether it is one.
    fn note(&mut self, change: &Change) -> bool {
        match change {
            Change::Allowed(entry) => drop(self.allow.insert(entry.prefix, entry.until)),
            Change::Disallowed { prefix, .. } => drop(self.allow.remove(prefix)),
            Change::Banned(_) | Change::Extended { .. } | Change::Unbanned { .. } => return false,
        }
        true
    }

    fn allow_changed(&mut self, now: Timestamp) {
        self.allow.retain(|_, until| until.is_none_or(|until| now < until));
        let allow = Arc::new(self.allow.keys().copied().chain(self.never.iter()).collect());
        for list in &mut self.versions {
            list.set_allow(Arc::clone(&allow));
        }
    }

    fn publish(&mut self, number: u64) {
        // Serials count in 32 bits and wrap (RFC 1982).
        let serial = self.base.wrapping_add(number as u32);
        for (list, rules) in self.versions.iter_mut().zip(self.lists.rules()) {
            list.set_bans(self.bans.clone(), rules);
            list.set_serial(serial);
        }
        self.lists.publish(&self.versions);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::list::Rule;
    use crate::store::{EndCause, Held};

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn rule(jails: &[&str], code: [u8; 4]) -> Rule {
        Rule { jails: jails.iter().map(|jail| Arc::from(*jail)).collect(), code: code.into(), sublist: None }
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

    /// The bans of `(prefix, jail, until)`.
    fn bans(bans: &[(&str, &str, Option<i64>)]) -> BanTable {
        let mut table = BanTable::default();
        for (prefix, jail, until) in bans {
            let jail = table.jail(&(*jail).into());
            let until = until.map(Timestamp::from_secs);
            table.set(prefix.parse().unwrap(), Held { jail, since: NOW, until, count: 1 });
        }
        table
    }

    fn allow(prefix: &str, until: Option<i64>) -> Allow {
        Allow {
            prefix: prefix.parse().unwrap(),
            note: String::new(),
            owner: String::new(),
            since: NOW,
            until: until.map(Timestamp::from_secs),
        }
    }

    /// The rules that list `address` in each zone.
    fn check(lists: &Lists, address: &str, now: Timestamp, expected: [&[u16]; 2]) {
        let address: IpAddr = address.parse().unwrap();
        let rules = [0, 1].map(|zone| -> Vec<u16> {
            lists.latest()[zone].list.find(address, now).iter().map(|listing| listing.rule).collect()
        });
        assert_eq!(rules.each_ref().map(Vec::as_slice), expected, "{address}");
    }

    #[test]
    fn each_zone_lists_the_jails_it_publishes() {
        let (mut publisher, lists) = publisher();
        let bans = bans(&[
            ("192.0.2.1", "imap", None),
            ("192.0.2.2", "smtp", Some(2000)),
            ("192.0.2.3", "imap", Some(1000)),
        ]);
        publisher.start(bans, [], 1, NOW);
        check(&lists, "192.0.2.1", NOW, [&[0], &[1]]);
        check(&lists, "192.0.2.2", NOW, [&[], &[0]]);
        check(&lists, "192.0.2.2", Timestamp::from_secs(2000), [&[], &[]]);
        check(&lists, "192.0.2.3", NOW, [&[], &[]]);
        assert_eq!(lists.latest()[0].list.serial(), u32::MAX);
        // Each with its test points.
        assert_eq!([0, 1].map(|zone| lists.latest()[zone].list.len()), [3, 6]);
    }

    #[test]
    fn test_points_stand_and_loopback_is_never_listed() {
        let (mut publisher, lists) = publisher();
        publisher.start(BanTable::default(), [], 1, NOW);
        check(&lists, "127.0.0.2", NOW, [&[0], &[0]]);
        publisher.start(bans(&[("127.0.0.0/8", "imap", None)]), [allow("0.0.0.0/0", None)], 1, NOW);
        check(&lists, "127.0.0.2", NOW, [&[0], &[0]]);
        check(&lists, "::ffff:127.0.0.2", NOW, [&[0], &[0]]);
        check(&lists, "127.0.0.4", NOW, [&[], &[1]]);

        publisher.start(bans(&[("127.0.0.0/8", "imap", None)]), [], 2, NOW);
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
        let unbanned = Change::Unbanned { prefix, jail, at: NOW, cause: EndCause::Expired };
        let ended = Change::Disallowed { prefix: "192.0.2.0/24".parse().unwrap(), at: NOW };
        let banned = bans(&[("192.0.2.1", "imap", None)]);
        let steps = [
            (unbanned.clone(), Some(banned), listed),
            (Change::Allowed(allow("192.0.2.0/24", None)), None, gone),
            (ended, None, listed),
            (unbanned, Some(bans(&[])), gone),
        ];
        for (number, (change, bans, expected)) in (1..).zip(steps) {
            publisher.apply_all(&[Recorded { number, change }], bans, NOW);
            check(&lists, "192.0.2.1", NOW, expected);
            assert_eq!(lists.latest()[1].list.serial(), (u32::MAX - 1).wrapping_add(number as u32));
        }
    }

    #[test]
    fn a_jail_that_comes_later_is_published_by_its_rule() {
        let (mut publisher, lists) = publisher();
        publisher.start(bans(&[]), [], 1, NOW);
        let change = Change::Allowed(allow("198.51.100.1", None));
        let jails = [("192.0.2.1", "other", None), ("192.0.2.2", "imap", None), ("192.0.2.3", "smtp", None)];
        publisher.apply_all(&[Recorded { number: 2, change }], Some(bans(&jails)), NOW);
        check(&lists, "192.0.2.1", NOW, [&[], &[1]]);
        check(&lists, "192.0.2.2", NOW, [&[0], &[1]]);
        check(&lists, "192.0.2.3", NOW, [&[], &[0]]);
    }

    #[test]
    fn an_entry_of_the_allowlist_that_has_ended_goes_with_its_next_change() {
        let (mut publisher, lists) = publisher();
        publisher.start(bans(&[("192.0.2.2", "imap", None)]), [allow("192.0.2.2", Some(2000))], 1, NOW);
        let end = Timestamp::from_secs(3000);
        check(&lists, "192.0.2.2", end, [&[], &[]]);
        let change = Change::Disallowed { prefix: "198.51.100.1".parse().unwrap(), at: end };
        publisher.apply_all(&[Recorded { number: 2, change }], None, end);
        check(&lists, "192.0.2.2", end, [&[0], &[1]]);
    }
}
