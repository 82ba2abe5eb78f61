//! Looking things up for people, beside the writer and without holding it up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, params};

use super::row::{Json, SELECT_POSITIONS, position, prefix};
use super::{Ban, EndCause, Error, writer};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::source::Position;

/// No query hands out more rows than this at once.
const MAX_ROWS: u32 = 1_000_000;

/// How long a look-up waits for whoever writes.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A ban as it stands in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastBan {
    /// The ban.
    pub ban: Ban,
    /// When it ended; `None` while it is in force.
    pub ended: Option<Timestamp>,
    /// Why it ended.
    pub cause: Option<EndCause>,
}

/// Which bans are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanQuery {
    /// Of this jail only.
    pub jail: Option<Arc<str>>,
    /// Those that ended as well.
    pub history: bool,
    /// At most so many, newest first.
    pub limit: Option<u32>,
}

/// A read-only view of the database. Each look-up sees the last committed state.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens a database that a [`super::Store`] has made.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        });
        let connection = open.map_err(|error| Error::new(path, error))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What `read` finds.
    pub(super) fn run<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        read(&self.connection).map_err(|error| Error::new(&self.path, error))
    }

    /// Reads the whole file and refuses it if anything in it does not fit together.
    pub fn check_integrity(&self) -> Result<(), Error> {
        writer::check_integrity(&self.connection, &self.path)
    }

    /// Bans, the newest first, without their evidence.
    pub fn bans(&self, query: &BanQuery) -> Result<Vec<PastBan>, Error> {
        let sql = match (&query.jail, query.history) {
            (None, true) => format!("{SELECT} WHERE ?1 IS NULL {NEWEST}"),
            (None, false) => format!("{SELECT} WHERE ?1 IS NULL AND ended IS NULL {NEWEST}"),
            (Some(_), true) => format!("{SELECT} WHERE {OF_JAIL} {NEWEST}"),
            (Some(_), false) => format!("{SELECT} WHERE {OF_JAIL} AND ended IS NULL {NEWEST}"),
        };
        let limit = query.limit.unwrap_or(MAX_ROWS).min(MAX_ROWS);
        self.select(&sql, params![query.jail, limit])
    }

    /// The bans of exactly `prefix`, in force or over, the newest first, with their evidence.
    pub fn history(&self, prefix: Prefix) -> Result<Vec<PastBan>, Error> {
        let (address, length) = prefix.to_bytes();
        let sql =
            format!("{SELECT} WHERE address = ?1 AND length = ?2 ORDER BY since DESC, bans.id DESC LIMIT ?3");
        let mut found = self.select(&sql, params![address, length, HISTORY_ROWS])?;
        for past in &mut found {
            past.ban.evidence = self.evidence(past).map_err(|error| Error::new(&self.path, error))?;
        }
        Ok(found)
    }

    /// How far the files of `source` were read.
    pub fn positions(&self, source: &str) -> Result<Vec<Position>, Error> {
        let read = || -> rusqlite::Result<Vec<Position>> {
            let mut statement = self.connection.prepare(&format!("{SELECT_POSITIONS} WHERE source = ?1"))?;
            let rows = statement.query_map([source], position)?;
            rows.collect()
        };
        read().map_err(|error| Error::new(&self.path, error))
    }

    fn evidence(&self, past: &PastBan) -> rusqlite::Result<Vec<Arc<str>>> {
        let (address, length) = past.ban.prefix.to_bytes();
        let mut statement = self.connection.prepare_cached(
            "SELECT line FROM evidence WHERE ban = (
                SELECT bans.id FROM bans JOIN jails ON jails.id = jail
                WHERE address = ?1 AND length = ?2 AND since = ?3 AND name = ?4 ORDER BY bans.id DESC LIMIT 1)
             ORDER BY position",
        )?;
        let lines =
            statement.query_map(params![address, length, past.ban.since, past.ban.jail], |row| row.get(0))?;
        lines.collect()
    }

    fn select(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<PastBan>, Error> {
        let read = || -> rusqlite::Result<Vec<PastBan>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map(params, past_ban)?;
            rows.collect()
        };
        read().map_err(|error| Error::new(&self.path, error))
    }
}

const OF_JAIL: &str = "jail = (SELECT id FROM jails WHERE name = ?1)";

const NEWEST: &str = "ORDER BY since DESC, bans.id DESC LIMIT ?2";

/// An address is rarely banned more often than that, and whoever looks wants the latest.
const HISTORY_ROWS: u32 = 100;

const SELECT: &str =
    "SELECT name, address, length, since, until, origin, failures, count, ended, end_cause, first
    FROM bans JOIN jails ON jails.id = jail";

fn past_ban(row: &Row<'_>) -> rusqlite::Result<PastBan> {
    let Json(origin) = row.get(5)?;
    let ban = Ban {
        jail: row.get(0)?,
        prefix: prefix(row, 1)?,
        since: row.get(3)?,
        until: row.get(4)?,
        first: row.get(10)?,
        origin,
        failures: row.get(6)?,
        count: row.get(7)?,
        evidence: Vec::new(),
    };
    let cause: Option<Json<EndCause>> = row.get(9)?;
    Ok(PastBan { ban, ended: row.get(8)?, cause: cause.map(|Json(cause)| cause) })
}
