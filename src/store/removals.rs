//! Who took themselves off a list, so that they do not do so over and over.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{Error, Reader, Transaction};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// The last time that a prefix was taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// When.
    pub at: Timestamp,
    /// How long it can't be done again from there; in whole milliseconds.
    pub wait: Duration,
}

const LAST: &str = "SELECT removed, wait FROM removals WHERE jail = ?1 AND address = ?2 AND length = ?3";

fn removed(row: &Row<'_>) -> rusqlite::Result<Removed> {
    Ok(Removed { at: row.get(0)?, wait: Duration::from_millis(row.get(1)?) })
}

impl Reader {
    /// When `prefix` was last taken off what `jail` lists.
    pub fn removed(&self, jail: &str, prefix: Prefix) -> Result<Option<Removed>, Error> {
        let (address, length) = prefix.to_bytes();
        let key = params![jail, address, length];
        self.run(|connection| connection.prepare_cached(LAST)?.query_row(key, removed).optional())
    }
}

impl Transaction<'_> {
    /// Keeps that `prefix` was taken off what `jail` lists, in place of what was kept before.
    pub fn note_removed(&self, jail: &str, prefix: Prefix, removed: Removed) -> Result<(), Error> {
        let (address, length) = prefix.to_bytes();
        let sql = "INSERT OR REPLACE INTO removals (jail, address, length, removed, wait) VALUES (?1, ?2, ?3, ?4, ?5)";
        let wait = removed.wait.as_millis() as u64;
        self.execute(sql, params![jail, address, length, removed.at, wait])?;
        Ok(())
    }
}
