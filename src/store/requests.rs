//! Requests to take an address off a list, and what became of them.

use std::fmt;
use std::str::FromStr;

use rusqlite::{OptionalExtension, Row, params};

use super::page::{Found, page, parts};
use super::row::prefix;
use super::{Error, Page, ParseKeyError, Reader, Transaction};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// A request as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// The address to take off.
    pub prefix: Prefix,
    /// Where an answer goes.
    pub contact: String,
    /// Why it should be taken off.
    pub statement: String,
    /// The network that the request came from.
    pub source: Prefix,
    /// When.
    pub asked: Timestamp,
}

/// A request that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Its number.
    pub number: u64,
    /// What was asked.
    pub request: NewRequest,
    /// What became of it; `None`: nobody has decided yet.
    pub decision: Option<Decision>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the address was taken off.
    pub granted: bool,
    /// Why, for the history.
    pub note: String,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The place of a request in a list: when it was made or decided, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey(i64, i64);

impl fmt::Display for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.0, self.1)
    }
}

impl FromStr for RequestKey {
    type Err = ParseKeyError;

    fn from_str(written: &str) -> Result<Self, ParseKeyError> {
        parts(written).map(|(time, number)| Self(time, number))
    }
}

/// The columns of [`row`].
const SELECT: &str = "SELECT number, address, length, contact, statement, source, source_length, asked,
    decided, granted, note, decided_by FROM removal_requests";

/// Longest waiting first; those that are decided newest first.
const OPEN: &str = "WHERE decided IS NULL AND (asked, number) > (?1, ?2) ORDER BY asked, number";
const DECIDED: &str =
    "WHERE decided IS NOT NULL AND (decided, number) < (?1, ?2) ORDER BY decided DESC, number DESC";
const ONE: &str = "WHERE number = ?1";
const OF_ADDRESS: &str = "WHERE decided IS NULL AND address = ?1 AND length = ?2";

/// As many are counted as are needed to say that there are too many.
const COUNT_OPEN: &str = "SELECT count(*) FROM removal_requests WHERE decided IS NULL";
const COUNT_OF_SOURCE: &str =
    "SELECT count(*) FROM removal_requests WHERE decided IS NULL AND source = ?1 AND source_length = ?2";

const DECIDE: &str = "UPDATE removal_requests SET decided = ?2, granted = ?3, note = ?4, decided_by = ?5
    WHERE number = ?1 AND decided IS NULL";

/// Where these stand among the columns.
const ASKED: usize = 7;
const DECIDED_AT: usize = 8;

fn row(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    let request = NewRequest {
        prefix: prefix(row, 1)?,
        contact: row.get(3)?,
        statement: row.get(4)?,
        source: prefix(row, 5)?,
        asked: row.get(ASKED)?,
    };
    let decided: Option<Timestamp> = row.get(DECIDED_AT)?;
    let decision = decided.map(|at| -> rusqlite::Result<_> {
        Ok(Decision { granted: row.get(9)?, note: row.get(10)?, by: row.get(11)?, at })
    });
    Ok(RequestRow { number: row.get(0)?, request, decision: decision.transpose()? })
}

impl Reader {
    /// At most `limit` requests behind `after`: the open ones, those that wait the longest first; or those that are decided, the
    /// newest first.
    pub fn requests(
        &self,
        is_open: bool,
        after: Option<RequestKey>,
        limit: usize,
    ) -> Result<Page<RequestRow, RequestKey>, Error> {
        let (time, first) = if is_open { (ASKED, i64::MIN) } else { (DECIDED_AT, i64::MAX) };
        let sql = if is_open { format!("{SELECT} {OPEN}") } else { format!("{SELECT} {DECIDED}") };
        let RequestKey(from, number) = after.unwrap_or(RequestKey(first, 0));
        let key = |row: &Row<'_>| Ok(RequestKey(row.get(time)?, row.get(0)?));
        self.run(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            page(statement.query(params![from, number])?, limit, key, |found| Ok(Found::Wanted(row(found)?)))
        })
    }

    /// How many requests are open.
    pub fn open_requests(&self) -> Result<usize, Error> {
        self.run(|connection| connection.prepare_cached(COUNT_OPEN)?.query_row([], |row| row.get(0)))
    }

    /// The request of this number.
    pub fn request(&self, number: u64) -> Result<Option<RequestRow>, Error> {
        // Numbers are SQLite's, and end where these do.
        let Ok(number) = i64::try_from(number) else { return Ok(None) };
        let sql = format!("{SELECT} {ONE}");
        self.run(|connection| connection.prepare_cached(&sql)?.query_row([number], row).optional())
    }

    /// The request that waits for `prefix`.
    pub fn open_request(&self, prefix: Prefix) -> Result<Option<RequestRow>, Error> {
        let (address, length) = prefix.to_bytes();
        let sql = format!("{SELECT} {OF_ADDRESS}");
        let key = params![address, length];
        self.run(|connection| connection.prepare_cached(&sql)?.query_row(key, row).optional())
    }
}

impl Transaction<'_> {
    /// How many requests are open in all, and from the network `source`.
    pub fn count_open_requests(&self, source: Prefix) -> Result<(u32, u32), Error> {
        let (address, length) = source.to_bytes();
        let all = self.find(COUNT_OPEN, [], |row| row.get(0))?;
        let of_source = self.find(COUNT_OF_SOURCE, params![address, length], |row| row.get(0))?;
        Ok((all.unwrap_or_default(), of_source.unwrap_or_default()))
    }

    /// Keeps a request; `false` if one for the same address waits already.
    pub fn insert_request(&self, request: &NewRequest) -> Result<bool, Error> {
        let sql = "INSERT OR IGNORE INTO removal_requests
            (address, length, contact, statement, source, source_length, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let NewRequest { prefix, contact, statement, source, asked } = request;
        let ((address, length), (source, source_length)) = (prefix.to_bytes(), source.to_bytes());
        let values = params![address, length, contact, statement, source, source_length, asked];
        Ok(self.execute(sql, values)? > 0)
    }

    /// Keeps what became of the request of this number; `false` if it is not open.
    pub fn decide_request(&self, number: u64, decision: &Decision) -> Result<bool, Error> {
        let Decision { granted, note, by, at } = decision;
        Ok(self.execute(DECIDE, params![number, at, granted, note, by])? > 0)
    }
}
