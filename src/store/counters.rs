//! The list of failures that have not made a ban yet, a page at a time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::page::{Found, Page, page, parts};
use super::row::{Json, prefix};
use super::{Error, ParseKeyError, Reader};
use crate::ip::Prefix;
use crate::jail::{Counter, Evidence};

/// Failures of an address that one jail counts.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterRow {
    /// The jail.
    pub jail: Arc<str>,
    /// Whose failures.
    pub prefix: Prefix,
    /// They.
    pub counter: Counter,
}

/// Which of them are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterQuery {
    /// Those of this jail.
    pub jail: Option<Arc<str>>,
    /// Those of this network and what is in it.
    pub within: Option<Prefix>,
    /// Behind this one.
    pub after: Option<CounterKey>,
    /// At most so many.
    pub limit: usize,
}

/// The place in the list: by jail in the order in which these came to be, and by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterKey(i64, Prefix);

impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.0, self.1)
    }
}

impl FromStr for CounterKey {
    type Err = ParseKeyError;

    fn from_str(written: &str) -> Result<Self, ParseKeyError> {
        parts(written).map(|(jail, prefix)| Self(jail, prefix))
    }
}

impl Reader {
    /// The failures that `query` asks for.
    pub fn counters(&self, query: &CounterQuery) -> Result<Page<CounterRow, CounterKey>, Error> {
        self.run(|connection| {
            let from = query.after.map_or(i64::MIN, |CounterKey(jail, _)| jail);
            let (mut found, mut last) = (Page { rows: Vec::<CounterRow>::new(), next: None }, from);
            for (jail, name) in jails(connection, from)? {
                if query.jail.as_ref().is_some_and(|wanted| *wanted != name) {
                    continue;
                }
                let room = query.limit - found.rows.len();
                if room == 0 {
                    // What the page before was full of came first.
                    found.next = found.rows.last().map(|row| CounterKey(last, row.prefix));
                    break;
                }
                let Page { rows, next } = of_jail(connection, query, jail, &name, room)?;
                last = if rows.is_empty() { last } else { jail };
                found.rows.extend(rows);
                if next.is_some() {
                    found.next = next;
                    break;
                }
            }
            Ok(found)
        })
    }
}

fn jails(connection: &Connection, from: i64) -> rusqlite::Result<Vec<(i64, Arc<str>)>> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM jails WHERE id >= ?1 ORDER BY id")?;
    statement.query_map([from], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

const OF_JAIL: &str = "SELECT first, address, length, last, retry, failures, lines FROM counters
    WHERE jail = ?1 AND (address, length) > (?2, ?3) AND address <= ?4 ORDER BY address, length";

fn of_jail(
    connection: &Connection,
    query: &CounterQuery,
    jail: i64,
    name: &Arc<str>,
    limit: usize,
) -> rusqlite::Result<Page<CounterRow, CounterKey>> {
    let (first, last) = query.within.map_or((0, u128::MAX), Prefix::bounds);
    let after =
        query.after.filter(|CounterKey(of, _)| *of == jail).map(|CounterKey(_, prefix)| prefix.to_bytes());
    // No prefix is as short as -1.
    let (address, length) = match after {
        Some((address, length)) => (address, i16::from(length)),
        None => (first.to_be_bytes(), -1),
    };
    let mut statement = connection.prepare_cached(OF_JAIL)?;
    let rows = statement.query(params![jail, address, length, last.to_be_bytes()])?;
    let is_wanted = |prefix: Prefix| query.within.is_none_or(|within| within.covers(prefix));
    let look = |row: &Row<'_>| {
        let prefix = prefix(row, 1)?;
        if !is_wanted(prefix) {
            return Ok(Found::Other);
        }
        Ok(Found::Wanted(CounterRow { jail: Arc::clone(name), prefix, counter: counter(row)? }))
    };
    page(rows, limit, |row| Ok(CounterKey(jail, prefix(row, 1)?)), look)
}

fn counter(row: &Row<'_>) -> rusqlite::Result<Counter> {
    let Json(lines): Json<Evidence> = row.get(6)?;
    Ok(Counter { first: row.get(0)?, last: row.get(3)?, retry: row.get(4)?, failures: row.get(5)?, lines })
}
