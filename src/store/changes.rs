//! The numbered changes, for whoever follows them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::{Row, params};

use super::page::parts;
use super::row::{Json, prefix};
use super::{EndCause, Error, ParseKeyError, Reader};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A ban began.
    Banned,
    /// One in force ends at another time.
    Extended,
    /// A ban is over.
    Unbanned,
    /// The allowlist has an entry, or another end of it.
    Allowed,
    /// One is gone.
    Disallowed,
}

/// A change that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number, one more than that of the change before.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// By which jail; `None` for the allowlist.
    pub jail: Option<Arc<str>>,
    /// Of what.
    pub prefix: Prefix,
    /// When the ban or the entry ends by itself; `None` is never, or that it is over.
    pub until: Option<Timestamp>,
    /// Why a ban is over.
    pub cause: Option<EndCause>,
}

/// A place among the changes of one database: behind the change of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which database it is of.
    database: i64,
    /// The change that was seen last.
    pub number: u64,
}

impl Position {
    /// The place behind another change of the same database.
    pub fn at(self, number: u64) -> Self {
        Self { number, ..self }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.database, self.number)
    }
}

impl FromStr for Position {
    type Err = ParseKeyError;

    fn from_str(written: &str) -> Result<Self, ParseKeyError> {
        parts(written).map(|(database, number)| Self { database, number })
    }
}

const LAST: &str = "SELECT serial_base, (SELECT max(number) FROM changes) FROM about";

const AFTER: &str = "SELECT number, at, kind, name, address, length, until, cause FROM changes
    LEFT JOIN jails ON jails.id = jail WHERE number > ?1 ORDER BY number LIMIT ?2";

impl Reader {
    /// The place behind the last change.
    pub fn last_position(&self) -> Result<Position, Error> {
        self.run(|connection| {
            connection.prepare_cached(LAST)?.query_row([], |row| {
                Ok(Position {
                    database: row.get(0)?,
                    number: row.get::<_, Option<u64>>(1)?.unwrap_or_default(),
                })
            })
        })
    }

    /// At most `limit` changes behind `after`. `None`: some of them are kept no more, or the database is another one.
    pub fn changes(&self, after: Position, limit: usize) -> Result<Option<Vec<ChangeRow>>, Error> {
        let last = self.last_position()?;
        if last.database != after.database || after.number > last.number {
            return Ok(None);
        }
        let found = self.run(|connection| {
            let mut statement = connection.prepare_cached(AFTER)?;
            let rows = statement.query_map(params![after.number, limit], change)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        // Where one is missing, whoever follows has to begin again.
        let expected = after.number + 1..;
        let unbroken = expected.zip(&found).take_while(|(number, found)| *number == found.number).count();
        let is_gone = unbroken == 0 && last.number > after.number;
        Ok((!is_gone).then(|| found.into_iter().take(unbroken).collect()))
    }
}

fn change(row: &Row<'_>) -> rusqlite::Result<ChangeRow> {
    let kind = match row.get_ref(2)?.as_str()? {
        "banned" => ChangeKind::Banned,
        "extended" => ChangeKind::Extended,
        "unbanned" => ChangeKind::Unbanned,
        "allowed" => ChangeKind::Allowed,
        _ => ChangeKind::Disallowed,
    };
    let cause = if kind == ChangeKind::Unbanned { row.get::<_, Option<Json<EndCause>>>(7)? } else { None };
    Ok(ChangeRow {
        number: row.get(0)?,
        at: row.get(1)?,
        kind,
        jail: row.get(3)?,
        prefix: prefix(row, 4)?,
        until: row.get(6)?,
        cause: cause.map(|Json(cause)| cause),
    })
}
