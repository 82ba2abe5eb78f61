//! The figures by hour and day: what a transaction adds to them.
//!
//! Attackers choose how many addresses, networks and names there are, so the tables by day have room for some new rows
//! between two calls of [`Store::fold`], which leaves the largest of each day and jail. What has no row is in the sums of
//! the hour all the same.

use std::collections::BTreeMap;

use foldhash::HashSet;
use rusqlite::{CachedStatement, ToSql, Transaction, params};

use super::writing::Writing;
use super::{Change, Error, Store};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{Ban, Effects};

/// The widths of the networks whose failures are summed up, for IPv4 and IPv6: what one party usually has.
pub const NETWORK: (u8, u8) = (24, 64);

/// So many new rows by address, and by name, are made between two calls of [`Store::fold`].
const ROOM: usize = 50_000;

/// So many rows of a jail and a day that may still come more for are left: the first of them have reports right, and
/// others the chance to become the first.
pub(super) const RUNNING: usize = 2_500;

/// How long bans took since the first failure, in seconds: up to each of these, and longer.
pub const WAITS: [u64; 7] = [1, 10, 60, 600, 3600, 6 * 3600, 86_400];

/// How many new rows the tables by day have room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    addresses: usize,
    users: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { addresses: ROOM, users: ROOM }
    }
}

/// What is added to an hour of a jail.
#[derive(Default)]
struct Hour {
    failures: i64,
    bans: i64,
    again: i64,
    addresses: i64,
}

/// What is added by hour and jail.
type Hours = BTreeMap<(Timestamp, i64), Hour>;

impl Writing<'_> {
    /// Sums up before it writes, so that each row is written once, in the order of the key.
    pub(super) fn totals(&mut self, effects: &Effects) -> rusqlite::Result<()> {
        let mut hours = Hours::new();
        self.failures(effects, &mut hours)?;
        self.users(effects)?;
        self.bans(effects, &mut hours)?;
        for ((hour, jail), Hour { failures, bans, again, addresses }) in hours {
            self.execute(ADD_TO_HOUR, params![hour, jail, failures, bans, again, addresses])?;
            self.execute(ADD_TO_JAIL, params![jail, failures, bans])?;
        }
        Ok(())
    }

    fn failures(&mut self, effects: &Effects, hours: &mut Hours) -> rusqlite::Result<()> {
        let mut rows = Vec::with_capacity(effects.failures.len());
        for ((jail, hour, prefix), count) in &effects.failures {
            let (jail, count) = (self.jail(jail)?, i64::from(*count));
            hours.entry((*hour, jail)).or_default().failures += count;
            rows.push(((hour.start_of_day(), jail, prefix.to_bytes()), *hour, count));
        }
        rows.sort_unstable();
        let transaction = self.transaction;
        let mut add = Adding::new(transaction, UPDATE_DAY, INSERT_DAY)?;
        for of_day in rows.chunk_by(|(one, ..), (other, ..)| one == other) {
            let ((day, jail, (address, length)), first_hour, _) = of_day[0];
            let failures: i64 = of_day.iter().map(|(.., count)| count).sum();
            self.unfolded.insert(day);
            let is_new = add.run(params![day, jail, address, length, failures], &mut self.room.addresses)?;
            if is_new && !self.folded.has(day, (jail, address, length)) {
                hours.entry((first_hour, jail)).or_default().addresses += 1;
            }
        }
        Ok(())
    }

    fn users(&mut self, effects: &Effects) -> rusqlite::Result<()> {
        let mut by_day: BTreeMap<_, i64> = BTreeMap::new();
        for (jail, day, user, count) in &effects.users {
            *by_day.entry((*day, self.jail(jail)?, user)).or_default() += i64::from(*count);
        }
        let transaction = self.transaction;
        let mut add = Adding::new(transaction, UPDATE_USER, INSERT_USER)?;
        for ((day, jail, user), failures) in by_day {
            self.unfolded.insert(day);
            add.run(params![day, jail, user, failures], &mut self.room.users)?;
        }
        Ok(())
    }

    /// Counts bans that are in their table already: those of the same prefix that came before are over.
    fn bans(&mut self, effects: &Effects, hours: &mut Hours) -> rusqlite::Result<()> {
        let transaction = self.transaction;
        let mut before = transaction.prepare_cached(BANNED_BEFORE)?;
        let mut banned = HashSet::default();
        for change in &effects.changes {
            let Change::Banned(ban) = change else { continue };
            let jail = self.jail(&ban.jail)?;
            let (address, length) = ban.prefix.to_bytes();
            let is_again = !banned.insert((jail, ban.prefix))
                || before.exists(params![address, length, jail, ban.since])?;
            let hour = hours.entry((ban.since.start_of_hour(), jail)).or_default();
            hour.bans += 1;
            hour.again += i64::from(is_again);
            self.wait(jail, ban)?;
        }
        Ok(())
    }

    /// Counts how long a ban took since the first failure.
    fn wait(&self, jail: i64, ban: &Ban) -> rusqlite::Result<()> {
        if let Some(first) = ban.first {
            let seconds = ban.since.since(first).as_secs();
            let wait = WAITS.partition_point(|limit| *limit < seconds);
            self.execute(ADD_WAIT, params![ban.since.start_of_day(), jail, wait])?;
        }
        Ok(())
    }
}

/// Adds to rows, which are made while there is room for new ones.
struct Adding<'a> {
    update: CachedStatement<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> Adding<'a> {
    /// Both statements take the same parameters.
    fn new(transaction: &'a Transaction<'_>, update: &str, insert: &str) -> rusqlite::Result<Self> {
        Ok(Self { update: transaction.prepare_cached(update)?, insert: transaction.prepare_cached(insert)? })
    }

    /// Adds to the row, or makes it; whether it is new.
    fn run(&mut self, params: &[&dyn ToSql], room: &mut usize) -> rusqlite::Result<bool> {
        if self.update.execute(params)? > 0 || *room == 0 {
            return Ok(false);
        }
        self.insert.execute(params)?;
        *room -= 1;
        Ok(true)
    }
}

impl Store {
    /// Adds how often listings were the answer to a question on the day of `now`: of the most frequent each for itself, and
    /// `total` of all.
    pub fn asked(&mut self, answers: &[(Prefix, u64)], total: u64, now: Timestamp) -> Result<(), Error> {
        let day = now.start_of_day();
        self.unfolded.insert(day);
        let added = self.try_asked(answers, total, day);
        added.map_err(|error| Error::new(self.path(), error))
    }

    fn try_asked(&self, answers: &[(Prefix, u64)], total: u64, day: Timestamp) -> rusqlite::Result<()> {
        let mut most: Vec<&(Prefix, u64)> = answers.iter().collect();
        most.sort_unstable_by_key(|(prefix, answers)| (std::cmp::Reverse(*answers), *prefix));
        most.truncate(RUNNING);
        most.sort_unstable_by_key(|(prefix, _)| prefix.to_bytes());
        let transaction = self.connection().unchecked_transaction()?;
        transaction.prepare_cached(ADD_ANSWERS)?.execute(params![day, total.cast_signed()])?;
        let mut add = transaction.prepare_cached(ADD_ASKED)?;
        for (prefix, answers) in most {
            let (address, length) = prefix.to_bytes();
            add.execute(params![day, address, length, answers.cast_signed()])?;
        }
        drop(add);
        transaction.commit()
    }
}

// A row that may be there already is changed by ON CONFLICT, not by OR REPLACE: see `writing`.

const ADD_TO_JAIL: &str =
    "UPDATE jails SET total_failed = total_failed + ?2, total_banned = total_banned + ?3 WHERE id = ?1";

const ADD_TO_HOUR: &str = "INSERT INTO failures_by_hour (hour, jail, failures, bans, again, addresses)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET failures = failures + excluded.failures, bans = bans + excluded.bans,
        again = again + excluded.again, addresses = addresses + excluded.addresses";

const INSERT_DAY: &str = "INSERT INTO failures_by_day VALUES (?1, ?2, ?3, ?4, ?5)";

const UPDATE_DAY: &str = "UPDATE failures_by_day SET failures = failures + ?5
    WHERE day = ?1 AND jail = ?2 AND address = ?3 AND length = ?4";

const INSERT_USER: &str = "INSERT INTO users_by_day VALUES (?1, ?2, ?3, ?4)";

const UPDATE_USER: &str =
    "UPDATE users_by_day SET failures = failures + ?4 WHERE day = ?1 AND jail = ?2 AND user = ?3";

const BANNED_BEFORE: &str = "SELECT 1 FROM bans
    WHERE ended IS NOT NULL AND address = ?1 AND length = ?2 AND jail = ?3 AND since < ?4 LIMIT 1";

const ADD_WAIT: &str = "INSERT INTO waits_by_day VALUES (?1, ?2, ?3, 1)
    ON CONFLICT DO UPDATE SET bans = bans + 1";

const ADD_ANSWERS: &str = "INSERT INTO answers_by_day VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET answers = answers + excluded.answers";

const ADD_ASKED: &str = "INSERT INTO asked_by_day VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET answers = answers + excluded.answers";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::jail::Origin;
    use crate::store::fold::{KEPT, LATE};
    use crate::store::{FailuresOf, Reader, Settings, Span, Work};

    const DAY: Duration = Duration::from_secs(86_400);

    /// Noon of the tenth day.
    const NOON: Timestamp = Timestamp::from_secs(10 * 86_400 + 43_200);

    fn store() -> (TempDir, Store) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("banzone.db");
        let settings = Settings { path, evidence_retention: DAY * 30, history_retention: DAY * 365 };
        let store = Store::open(&settings, NOON).unwrap();
        (folder, store)
    }

    fn reader(store: &Store) -> Reader {
        Reader::open(store.path()).unwrap()
    }

    fn today() -> Span {
        Span { from: NOON.start_of_day(), until: NOON.start_of_day() + DAY }
    }

    fn address(number: u32) -> Prefix {
        Ipv4Addr::from_bits(0xc633_6400 + number).into()
    }

    /// Failures of the first addresses of 198.51.100.0 and on, so many of each as `failures` says.
    fn work(addresses: u32, failures: impl Fn(u32) -> u32) -> Work {
        let mut work = Work::default();
        for number in 0..addresses {
            let key = (Arc::from("sasl"), NOON.start_of_hour(), address(number));
            work.effects.failures.insert(key, failures(number));
        }
        work
    }

    fn ban(first: Option<i64>, since: i64) -> Change {
        let at = |second| NOON + Duration::from_secs(second);
        Change::Banned(Ban {
            prefix: address(1),
            jail: "sasl".into(),
            since: at(since as u64),
            until: None,
            first: first.map(|first| at(first as u64)),
            origin: Origin::Log,
            failures: 5,
            count: 1,
            evidence: Vec::new(),
        })
    }

    fn unban(second: u64) -> Change {
        let (jail, at) = ("sasl".into(), NOON + Duration::from_secs(second));
        Change::Unbanned { prefix: address(1), jail, at, cause: crate::jail::EndCause::Expired }
    }

    fn changes(changes: Vec<Change>) -> Work {
        let mut work = Work::default();
        work.effects.changes = changes;
        work
    }

    fn fold_all(store: &mut Store, now: Timestamp) {
        while store.fold(now).unwrap() {}
    }

    fn addresses(store: &Store) -> Vec<FailuresOf> {
        let mut found = Vec::new();
        reader(store).failing_addresses(today(), Some("sasl"), |row| found.push(row)).unwrap();
        found
    }

    fn sums(rows: &[FailuresOf]) -> (u64, u64) {
        rows.iter().fold((0, 0), |sum, row| (sum.0 + row.addresses, sum.1 + row.failures))
    }

    fn networks(store: &Store) -> Vec<FailuresOf> {
        let mut found = Vec::new();
        reader(store).failing_networks(today(), None, |row| found.push(row)).unwrap();
        found
    }

    #[test]
    fn hours_tell_new_addresses_and_bans_that_come_again() {
        let (_folder, mut store) = store();
        store.commit(&[work(3, |_| 2), changes(vec![ban(Some(0), 20)])]).unwrap();
        store.commit(&[work(4, |_| 1), changes(vec![unban(30)]), changes(vec![ban(None, 60)])]).unwrap();
        let hours = reader(&store).hours(today(), None).unwrap();
        let told: Vec<_> =
            hours.iter().map(|hour| (hour.failures, hour.bans, hour.again, hour.addresses)).collect();
        assert_eq!(told, [(10, 2, 1, 4)]);
        assert_eq!(reader(&store).hours(today(), Some("ftp")).unwrap(), []);
        // 20 seconds are more than 10, and no more than 60.
        assert_eq!(reader(&store).waits(today(), None).unwrap(), [0, 0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn there_is_no_more_room_than_there_is() {
        let (_folder, mut store) = store();
        store.room = Room { addresses: 3, users: 2 };
        store.commit(&[work(5, |_| 1)]).unwrap();
        store.commit(&[work(5, |_| 1)]).unwrap();
        assert_eq!(sums(&addresses(&store)), (3, 6));
        let hours = reader(&store).hours(today(), None).unwrap();
        assert_eq!((hours[0].failures, hours[0].addresses), (10, 3), "sums have all of them");
        for user in ["a", "b", "c", "a"] {
            let mut work = Work::default();
            work.effects.users = vec![("sasl".into(), NOON.start_of_day(), user.into(), 1)];
            store.commit(&[work]).unwrap();
        }
        let mut users = Vec::new();
        reader(&store)
            .users(today(), None, |user, failures| users.push((user.to_owned(), failures)))
            .unwrap();
        assert_eq!(users, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        fold_all(&mut store, NOON);
        store.commit(&[work(5, |_| 1)]).unwrap();
        assert_eq!(sums(&addresses(&store)), (5, 11), "there is new room");
    }

    #[test]
    fn an_address_that_comes_again_is_one() {
        let (_folder, mut store) = store();
        let many = u32::try_from(RUNNING).unwrap() + 700;
        for _ in 0..3 {
            store.commit(&[work(many, |_| 1)]).unwrap();
            fold_all(&mut store, NOON);
        }
        let hours = reader(&store).hours(today(), None).unwrap();
        assert_eq!((hours[0].failures, hours[0].addresses), (3 * u64::from(many), u64::from(many)));
        assert_eq!(sums(&networks(&store)), (700, 2100));
    }

    #[test]
    fn of_a_day_that_is_over_the_largest_are_left() {
        let (_folder, mut store) = store();
        let many = u32::try_from(RUNNING).unwrap() + 700;
        store.commit(&[work(many, |number| 1 + u32::from(number < 3) * 100)]).unwrap();
        fold_all(&mut store, NOON);
        assert_eq!(addresses(&store).len(), RUNNING);
        assert_eq!(sums(&networks(&store)), (700, 700));
        fold_all(&mut store, NOON + LATE * 3);
        let left = addresses(&store);
        assert_eq!(left.len(), KEPT);
        assert_eq!(left[..3].iter().map(|row| row.failures).collect::<Vec<_>>(), [101; 3]);
        let networks = networks(&store);
        assert!(networks.iter().all(|row| row.prefix.len() == NETWORK.0));
        let (addresses, failures) = (sums(&left), sums(&networks));
        assert_eq!(addresses.0 + failures.0, u64::from(many));
        assert_eq!(addresses.1 + failures.1, u64::from(many) + 300);
        assert_eq!(store.unfolded, BTreeSet::new());
    }

    #[test]
    fn a_restart_cuts_down_what_was_not() {
        let (folder, mut store) = store();
        store.commit(&[work(400, |_| 1)]).unwrap();
        store.asked(&[(address(1), 3), (address(2), 5)], 9, NOON).unwrap();
        let settings = store.settings.clone();
        drop(store);
        let mut store = Store::open(&settings, NOON).unwrap();
        fold_all(&mut store, NOON + LATE * 3);
        assert_eq!(addresses(&store).len(), KEPT);
        drop(folder);
    }

    #[test]
    fn answers_add_up_by_day() {
        let (_folder, mut store) = store();
        store.asked(&[(address(1), 3), (address(2), 5)], 9, NOON).unwrap();
        store.asked(&[(address(1), 3)], 3, NOON).unwrap();
        store.asked(&[(address(1), 1)], 1, NOON + DAY).unwrap();
        let mut asked = Vec::new();
        reader(&store).asked(today(), |prefix, answers| asked.push((prefix, answers))).unwrap();
        assert_eq!(asked, [(address(1), 6), (address(2), 5)]);
        assert_eq!(reader(&store).answers(today()).unwrap(), [(today().from, 12)]);
    }

    #[test]
    fn figures_go_when_their_time_is_up() {
        let (_folder, mut store) = store();
        let mut tried = work(300, |_| 1);
        tried.effects.users = vec![("sasl".into(), NOON.start_of_day(), "bob".into(), 1)];
        store.commit(&[tried, changes(vec![ban(Some(0), 20)])]).unwrap();
        store.asked(&[(address(1), 3)], 3, NOON).unwrap();
        let rows = |store: &Store| {
            let count = |table: &str| -> u64 {
                let sql = format!("SELECT count(*) FROM {table}");
                store.connection().query_row(&sql, [], |row| row.get(0)).unwrap()
            };
            let by_day = ["users", "failures", "networks", "asked", "answers", "waits"];
            by_day.map(|table| count(&format!("{table}_by_day")))
        };
        while store.retain(NOON + DAY * 29).unwrap() {}
        assert_eq!(rows(&store), [1, 250, 1, 1, 1, 1]);
        while store.retain(NOON + DAY * 31).unwrap() {}
        assert_eq!(rows(&store), [0, 250, 1, 1, 1, 1]);
        while store.retain(NOON + DAY * 402).unwrap() {}
        assert_eq!(rows(&store), [0, 0, 0, 0, 1, 1]);
        while store.retain(NOON + DAY * 3660).unwrap() {}
        assert_eq!(rows(&store), [0; 6]);
    }
}
