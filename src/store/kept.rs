//! What a restart takes up again.

use std::sync::Arc;

use super::row::{Json, SELECT_POSITIONS, position, prefix};
use super::{Allow, Error, KeptReports, Store};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{Counter, Evidence, Offender, Remembered};
use crate::source::Position;

/// Everything the stages held when the last transaction was committed, but for the bans, of which there may be many:
/// [`Store::bans_in_force`] hands those on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// How far each file was read.
    pub positions: Vec<Position>,
    /// Failures that have not made a ban yet, by jail.
    pub counters: Vec<(Arc<str>, Prefix, Counter)>,
    /// Who was banned before, by jail.
    pub offenders: Vec<(Arc<str>, Prefix, Offender)>,
    /// Failures and bans ever, by jail.
    pub totals: Vec<(Arc<str>, u64, u64)>,
    /// The allowlist.
    pub allowlist: Vec<Allow>,
    /// What the filters remember of their logs.
    pub remembered: Vec<Remembered>,
    /// What was reported, without the votes.
    pub reports: KeptReports,
}

impl Store {
    /// Reads what a restart takes up again.
    pub fn kept(&self) -> Result<Kept, Error> {
        self.try_kept().map_err(|error| Error::new(self.path(), error))
    }

    fn try_kept(&self) -> rusqlite::Result<Kept> {
        Ok(Kept {
            positions: self.positions()?,
            counters: self.counters()?,
            offenders: self.offenders()?,
            totals: self.totals()?,
            allowlist: self.try_allowlist()?,
            remembered: self.remembered()?,
            reports: self.kept_reports()?,
        })
    }

    /// The allowlist alone.
    pub fn allowlist(&self) -> Result<Vec<Allow>, Error> {
        self.try_allowlist().map_err(|error| Error::new(self.path(), error))
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut statement = self.connection().prepare(sql)?;
        let rows = statement.query_map([], |row| read(row))?;
        rows.collect()
    }

    fn positions(&self) -> rusqlite::Result<Vec<Position>> {
        self.all(SELECT_POSITIONS, position)
    }

    fn counters(&self) -> rusqlite::Result<Vec<(Arc<str>, Prefix, Counter)>> {
        self.all(
            "SELECT name, address, length, first, last, retry, failures, lines
             FROM counters JOIN jails ON jails.id = jail",
            |row| {
                let Json(lines): Json<Evidence> = row.get(7)?;
                let counter = Counter {
                    first: row.get(3)?,
                    last: row.get(4)?,
                    retry: row.get(5)?,
                    failures: row.get(6)?,
                    lines,
                };
                Ok((row.get(0)?, prefix(row, 1)?, counter))
            },
        )
    }

    fn offenders(&self) -> rusqlite::Result<Vec<(Arc<str>, Prefix, Offender)>> {
        self.all(
            "SELECT name, address, length, count, since, forget FROM offenders JOIN jails ON jails.id = jail",
            |row| {
                let offender = Offender { count: row.get(3)?, since: row.get(4)?, forget: row.get(5)? };
                Ok((row.get(0)?, prefix(row, 1)?, offender))
            },
        )
    }

    fn totals(&self) -> rusqlite::Result<Vec<(Arc<str>, u64, u64)>> {
        self.all("SELECT name, total_failed, total_banned FROM jails", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    fn remembered(&self) -> rusqlite::Result<Vec<Remembered>> {
        self.all("SELECT source, name, key, value FROM filter_states JOIN jails ON jails.id = jail", |row| {
            Ok(Remembered { source: row.get(0)?, jail: row.get(1)?, key: row.get(2)?, value: row.get(3)? })
        })
    }

    fn try_allowlist(&self) -> rusqlite::Result<Vec<Allow>> {
        self.all("SELECT address, length, note, since, until, owner FROM allowlist", |row| {
            let (since, until): (Timestamp, _) = (row.get(3)?, row.get(4)?);
            Ok(Allow { prefix: prefix(row, 0)?, note: row.get(2)?, owner: row.get(5)?, since, until })
        })
    }
}
