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

    /// The bans of exactly `prefix` by the jails that are `wanted`, with their evidence: those in force, then the newest that are
    /// over.
    pub fn history(&self, prefix: Prefix, wanted: impl Fn(&str) -> bool) -> Result<Vec<PastBan>, Error> {
        let (address, length) = prefix.to_bytes();
        let (active, over) =
            (format!("SELECT {BAN_ROWS} {ACTIVE_OF}"), format!("SELECT {BAN_ROWS} {OVER_OF}"));
        let mut found = Vec::new();
        self.run(|connection| {
            // A ban that ends meanwhile is told once.
            let connection = connection.unchecked_transaction()?;
            // A jail has one in force.
            for (sql, most) in [(active, usize::MAX), (over, HISTORY_ROWS)] {
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement
                    .query_map(params![address, length], |row| Ok((past_ban(row)?, row.get(ID)?)))?;
                let is_wanted = |row: &rusqlite::Result<(PastBan, i64)>| {
                    row.as_ref().map_or(true, |(past, _)| wanted(&past.ban.jail))
                };
                for row in rows.filter(is_wanted).take(most) {
                    let (mut past, id) = row?;
                    past.ban.evidence = evidence(&connection, id)?;
                    found.push(past);
                }
            }
            Ok(found)
        })
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
}

/// An address is rarely banned more often than that, and whoever looks wants the latest.
const HISTORY_ROWS: usize = 100;

const ACTIVE_OF: &str =
    "WHERE ended IS NULL AND address = ?1 AND length = ?2 ORDER BY since DESC, bans.id DESC";
const OVER_OF: &str =
    "WHERE ended IS NOT NULL AND address = ?1 AND length = ?2 ORDER BY since DESC, bans.id DESC";

/// The columns of [`past_ban`], and the number of the row.
pub(super) const BAN_ROWS: &str =
    "name, address, length, since, until, origin, failures, count, ended, end_cause, first, bans.id
    FROM bans CROSS JOIN jails ON jails.id = jail";

/// Where some of these stand.
pub(super) const SINCE: usize = 3;
pub(super) const UNTIL: usize = 4;
pub(super) const ENDED: usize = 8;
pub(super) const ID: usize = 11;

/// The lines that led to the ban of this number.
pub(super) fn evidence(connection: &Connection, ban: i64) -> rusqlite::Result<Vec<Arc<str>>> {
    let mut statement =
        connection.prepare_cached("SELECT line FROM evidence WHERE ban = ?1 ORDER BY position")?;
    statement.query_map([ban], |row| row.get(0))?.collect()
}

pub(super) fn past_ban(row: &Row<'_>) -> rusqlite::Result<PastBan> {
    let Json(origin) = row.get(5)?;
    let ban = Ban {
        jail: row.get(0)?,
        prefix: prefix(row, 1)?,
        since: row.get(SINCE)?,
        until: row.get(UNTIL)?,
        first: row.get(10)?,
        origin,
        failures: row.get(6)?,
        count: row.get(7)?,
        evidence: Vec::new(),
    };
    let cause: Option<Json<EndCause>> = row.get(9)?;
    Ok(PastBan { ban, ended: row.get(ENDED)?, cause: cause.map(|Json(cause)| cause) })
}
