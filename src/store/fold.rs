//! The figures by day are cut down to the largest, so that no attacker makes them grow.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::HashSet;
use foldhash::quality::RandomState;
use rusqlite::{Connection, Row, ToSql, Transaction, params};

use super::Store;
use super::rollup::{NETWORK, RUNNING, Room};
use super::row::prefix;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// So many rows of a jail are left of a day that is over: far more than a page shows, and little enough for a year.
pub(super) const KEPT: usize = 250;

/// At most so many rows go at a time, so that no ban waits for it.
const STEP: usize = 5_000;

/// Lines that come late belong to a day that is over for no longer than this.
pub(super) const LATE: Duration = Duration::from_secs(24 * 3600);

/// Addresses whose rows went on a day that is not over, so that one that comes again is counted once. What does not fit is
/// counted again, as is what failed before a restart.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// Their hashes.
    days: BTreeMap<Timestamp, HashSet<u64>>,
    seed: RandomState,
}

/// So many are known of a day, some dozen megabytes.
const MOST_FOLDED: usize = 1_000_000;

/// A row of an address: the jail, the address and its length.
pub(super) type AddressKey = (i64, [u8; 16], u8);

impl Folded {
    /// Whether the row of this address went already on `day`.
    pub(super) fn has(&self, day: Timestamp, key: AddressKey) -> bool {
        self.days.get(&day).is_some_and(|known| known.contains(&self.seed.hash_one(key)))
    }

    /// Notes that the row goes; whether that is new.
    fn add(&mut self, day: Timestamp, key: AddressKey) -> bool {
        let hash = self.seed.hash_one(key);
        let known = self.days.entry(day).or_default();
        if known.len() >= MOST_FOLDED { !known.contains(&hash) } else { known.insert(hash) }
    }
}

impl Store {
    /// Cuts the figures by day down to the largest, some rows at a time. Tells whether there is more to do.
    pub(super) fn fold(&mut self, now: Timestamp) -> rusqlite::Result<bool> {
        let over = (now - LATE).start_of_day();
        for day in self.unfolded.clone() {
            let kept = if day < over { KEPT } else { RUNNING };
            if fold_day(&self.connection, &mut self.folded, day, kept)? {
                return Ok(true);
            }
            if day < over {
                self.unfolded.remove(&day);
                self.folded.days.remove(&day);
            }
        }
        self.room = Room::default();
        Ok(false)
    }
}

/// The days that have figures, of which nobody knows whether they were cut down.
pub(super) fn days(connection: &Connection) -> rusqlite::Result<BTreeSet<Timestamp>> {
    let mut days = BTreeSet::new();
    for sql in [NEXT_DAY, NEXT_DAY_OF_USERS, NEXT_DAY_ASKED] {
        let mut next = connection.prepare(sql)?;
        let mut last = Timestamp::from_millis(i64::MIN);
        while let Some(day) = next.query_row([last], |row| row.get(0))? {
            days.insert(day);
            last = day;
        }
    }
    Ok(days)
}

/// Leaves the `kept` largest rows of a day in each table and jail, or takes a step towards that. Whether there is more.
fn fold_day(
    connection: &Connection,
    folded: &mut Folded,
    day: Timestamp,
    kept: usize,
) -> rusqlite::Result<bool> {
    let mut jails = connection.prepare_cached("SELECT id FROM jails")?;
    let jails: Vec<i64> = jails.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut more = cut(connection, &ASKED_ROWS, &[&day], kept, &mut |_| Ok(()))?;
    for jail in &jails {
        let mut networks = BTreeMap::new();
        let transaction = connection.unchecked_transaction()?;
        let sum_up =
            &mut |row: &Row<'_>| sum_up(row, &mut networks, |key| folded.add(day, (*jail, key.0, key.1)));
        more |= cut(&transaction, &ADDRESS_ROWS, &[&day, jail], kept, sum_up)?;
        add_networks(&transaction, day, *jail, &networks)?;
        more |= cut(&transaction, &NETWORK_ROWS, &[&day, jail], kept, &mut |_| Ok(()))?;
        more |= cut(&transaction, &USER_ROWS, &[&day, jail], kept, &mut |_| Ok(()))?;
        transaction.commit()?;
    }
    Ok(more)
}

/// Failures and addresses by network, in the order of the table's key.
type Networks = BTreeMap<([u8; 16], u8), (i64, i64)>;

/// Adds an address that goes to its network, to which one that went before is no other.
fn sum_up(
    row: &Row<'_>,
    networks: &mut Networks,
    mut is_new: impl FnMut(([u8; 16], u8)) -> bool,
) -> rusqlite::Result<()> {
    let (failures, address): (i64, Prefix) = (row.get(2)?, prefix(row, 0)?);
    let sum = networks.entry(address.widen(NETWORK.0, NETWORK.1).to_bytes()).or_default();
    *sum = (sum.0 + failures, sum.1 + i64::from(is_new(address.to_bytes())));
    Ok(())
}

fn add_networks(
    transaction: &Transaction<'_>,
    day: Timestamp,
    jail: i64,
    networks: &Networks,
) -> rusqlite::Result<()> {
    let mut add = transaction.prepare_cached(ADD_NETWORK)?;
    for ((address, length), (failures, addresses)) in networks {
        add.execute(params![day, jail, address, length, failures, addresses])?;
    }
    Ok(())
}

/// How a table is cut down; the parameters of both statements begin with the key of what is cut.
struct Cut {
    /// How many rows there are.
    count: &'static str,
    /// Deletes so many of the smallest, as the last parameter says, and returns them.
    delete: &'static str,
}

/// Deletes the smallest rows beyond `kept`, as many as go at a time, and shows each to `gone`. Whether there are more.
fn cut(
    connection: &Connection,
    table: &Cut,
    key: &[&dyn ToSql],
    kept: usize,
    gone: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    let count: usize = connection.prepare_cached(table.count)?.query_row(key, |row| row.get(0))?;
    let surplus = count.saturating_sub(kept);
    if surplus == 0 {
        return Ok(false);
    }
    let step = surplus.min(STEP);
    let params: Vec<&dyn ToSql> = key.iter().copied().chain([&step as &dyn ToSql]).collect();
    let mut delete = connection.prepare_cached(table.delete)?;
    let mut rows = delete.query(&*params)?;
    while let Some(row) = rows.next()? {
        gone(row)?;
    }
    Ok(surplus > step)
}

const ADDRESS_ROWS: Cut = Cut {
    count: "SELECT count(*) FROM failures_by_day WHERE day = ?1 AND jail = ?2",
    delete: "DELETE FROM failures_by_day WHERE (day, jail, address, length) IN (
            SELECT day, jail, address, length FROM failures_by_day
            WHERE day = ?1 AND jail = ?2 ORDER BY failures, address LIMIT ?3)
        RETURNING address, length, failures",
};

const NETWORK_ROWS: Cut = Cut {
    count: "SELECT count(*) FROM networks_by_day WHERE day = ?1 AND jail = ?2",
    delete: "DELETE FROM networks_by_day WHERE (day, jail, address, length) IN (
        SELECT day, jail, address, length FROM networks_by_day
        WHERE day = ?1 AND jail = ?2 ORDER BY failures, address LIMIT ?3) RETURNING 0",
};

const USER_ROWS: Cut = Cut {
    count: "SELECT count(*) FROM users_by_day WHERE day = ?1 AND jail = ?2",
    delete: "DELETE FROM users_by_day WHERE (day, jail, user) IN (
        SELECT day, jail, user FROM users_by_day
        WHERE day = ?1 AND jail = ?2 ORDER BY failures, user LIMIT ?3) RETURNING 0",
};

const ASKED_ROWS: Cut = Cut {
    count: "SELECT count(*) FROM asked_by_day WHERE day = ?1",
    delete: "DELETE FROM asked_by_day WHERE (day, address, length) IN (
        SELECT day, address, length FROM asked_by_day
        WHERE day = ?1 ORDER BY answers, address LIMIT ?2) RETURNING 0",
};

const NEXT_DAY: &str = "SELECT min(day) FROM failures_by_day WHERE day > ?1";
const NEXT_DAY_OF_USERS: &str = "SELECT min(day) FROM users_by_day WHERE day > ?1";
const NEXT_DAY_ASKED: &str = "SELECT min(day) FROM asked_by_day WHERE day > ?1";

const ADD_NETWORK: &str = "INSERT INTO networks_by_day VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET failures = failures + excluded.failures,
        addresses = addresses + excluded.addresses";
