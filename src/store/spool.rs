//! What is still to be reported to a hub: rows that are written with what they are about, numbered without gaps, and deleted
//! once the hub has confirmed them.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use super::row::prefix;
use super::writing::Writing;
use super::{Error, Reader, Transaction};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::SpoolId;

/// A row for the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// Who.
    pub prefix: Prefix,
    /// In which jail.
    pub jail: Arc<str>,
    /// When it was seen last.
    pub time: Timestamp,
    /// How many failures are new.
    pub failures: u32,
    /// Whether it is banned, or goes on failing while it is.
    pub is_ban: bool,
}

/// Rows that are new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The rows.
    pub rows: Vec<Spooled>,
    /// So many wait at the most; beyond that the oldest go.
    pub limit: u64,
}

/// Rows that wait, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The name of the spool.
    pub spool: SpoolId,
    /// The number of the first row; the others follow one by one.
    pub first: u64,
    /// The rows.
    pub rows: Vec<Spooled>,
}

impl Waiting {
    /// The number of the last row.
    pub fn last(&self) -> u64 {
        self.first + self.rows.len() as u64 - 1
    }
}

/// How the spool stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// Rows that wait.
    pub waiting: u64,
    /// Rows that were deleted without being sent, for want of room.
    pub dropped: u64,
}

impl Writing<'_> {
    /// Adds rows.
    pub(super) fn spool(&mut self, Outgoing { rows, limit }: &Outgoing) -> rusqlite::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut last: i64 = self.transaction.prepare_cached(LAST)?.query_row([], |row| row.get(0))?;
        for Spooled { prefix, jail, time, failures, is_ban } in rows {
            last += 1;
            let (address, length) = prefix.to_bytes();
            let jail = self.jail(jail)?;
            self.execute(ADD, params![last, address, length, jail, time, failures, is_ban])?;
        }
        let dropped = self.execute(DROP_OLDEST, params![last.saturating_sub_unsigned(*limit)])?;
        self.execute(ADVANCE, params![last, dropped])?;
        Ok(())
    }
}

impl Transaction<'_> {
    /// Deletes rows up to the number `last`, which the hub has.
    pub fn confirm_spooled(&self, last: u64) -> Result<(), Error> {
        self.execute(DROP_OLDEST, params![last.cast_signed()]).map(drop)
    }

    /// Gives the spool another name, under which a hub knows none of its numbers.
    pub fn rename_spool(&self) -> Result<(), Error> {
        self.execute(RENAME, params![]).map(drop)
    }
}

impl Reader {
    /// The oldest rows that wait, at most `most`; `None` if none do.
    pub fn spooled(&self, most: usize) -> Result<Option<Waiting>, Error> {
        self.try_spooled(most).map_err(|error| Error::new(self.path(), error))
    }

    fn try_spooled(&self, most: usize) -> rusqlite::Result<Option<Waiting>> {
        let mut statement = self.connection().prepare_cached(OLDEST)?;
        let rows = statement.query_map([most], |row| Ok((row.get::<_, i64>(0)?, spooled(row)?)))?;
        let rows: Vec<(i64, Spooled)> = rows.collect::<rusqlite::Result<_>>()?;
        let Some((first, _)) = rows.first() else {
            return Ok(None);
        };
        let first = first.cast_unsigned();
        let spool: i64 = self.connection().prepare_cached(NAME)?.query_row([], |row| row.get(0))?;
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Ok(Some(Waiting { spool: SpoolId(spool.cast_unsigned()), first, rows }))
    }

    /// How the spool stands.
    pub fn spool_state(&self) -> Result<SpoolState, Error> {
        let read = || -> rusqlite::Result<SpoolState> {
            let mut select = self.connection().prepare_cached(STATE)?;
            let found = select.query_row([], |row| {
                let (first, last): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
                let waiting = first.map_or(0, |first| last - first + 1);
                Ok(SpoolState { waiting: waiting.cast_unsigned(), dropped: row.get(2)? })
            });
            Ok(found.optional()?.unwrap_or_default())
        };
        read().map_err(|error| Error::new(self.path(), error))
    }
}

fn spooled(row: &Row<'_>) -> rusqlite::Result<Spooled> {
    Ok(Spooled {
        prefix: prefix(row, 1)?,
        jail: row.get(3)?,
        time: row.get(4)?,
        failures: row.get(5)?,
        is_ban: row.get(6)?,
    })
}

const LAST: &str = "SELECT last FROM spool_state";

const NAME: &str = "SELECT name FROM spool_state";

const STATE: &str = "SELECT (SELECT min(number) FROM spool), last, dropped FROM spool_state";

const ADD: &str = "INSERT INTO spool VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const ADVANCE: &str = "UPDATE spool_state SET last = ?1, dropped = dropped + ?2";

const RENAME: &str = "UPDATE spool_state SET name = random()";

const DROP_OLDEST: &str = "DELETE FROM spool WHERE number <= ?1";

const OLDEST: &str = "SELECT number, address, length, jails.name, at, failures, is_ban
    FROM spool JOIN jails ON jails.id = jail ORDER BY number LIMIT ?1";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::store::{Settings, Store, Work};

    fn open(folder: &TempDir) -> (Store, Reader) {
        let path = folder.path().join("banzone.db");
        let kept = Duration::from_secs(1_000_000);
        let settings = Settings { path: path.clone(), evidence_retention: kept, history_retention: kept };
        let store = Store::open(&settings, Timestamp::from_secs(1)).unwrap();
        (store, Reader::open(&path).unwrap())
    }

    fn row(host: u8) -> Spooled {
        let prefix = Prefix::host([192, 0, 2, host].into());
        Spooled {
            prefix,
            jail: "sasl".into(),
            time: Timestamp::from_secs(7),
            failures: 3,
            is_ban: host.is_multiple_of(2),
        }
    }

    fn add(store: &mut Store, hosts: std::ops::Range<u8>) {
        let outgoing = Outgoing { rows: hosts.map(row).collect(), limit: 5 };
        let work = Work { outgoing, ..Work::default() };
        store.commit(&[work]).unwrap();
    }

    #[test]
    fn rows_wait_in_their_order_until_they_are_confirmed() {
        let folder = TempDir::new().unwrap();
        let (mut store, reader) = open(&folder);
        assert_eq!(reader.spooled(10).unwrap(), None);
        add(&mut store, 1..4);
        let waiting = reader.spooled(2).unwrap().unwrap();
        assert_eq!((waiting.first, waiting.rows), (1, vec![row(1), row(2)]));
        store.write(|transaction| transaction.confirm_spooled(2)).unwrap();
        store.write(|transaction| transaction.confirm_spooled(1)).unwrap();
        assert_eq!(reader.spool_state().unwrap(), SpoolState { waiting: 1, dropped: 0 });
        store.write(|transaction| transaction.confirm_spooled(3)).unwrap();
        drop(store);
        let (mut store, reader) = open(&folder);
        add(&mut store, 4..5);
        let after = reader.spooled(10).unwrap().unwrap();
        assert_eq!((after.first, after.spool), (4, waiting.spool), "numbers go on where all were confirmed");
        store.write(|transaction| transaction.rename_spool()).unwrap();
        assert_ne!(reader.spooled(10).unwrap().unwrap().spool, waiting.spool);
    }

    #[test]
    fn the_oldest_go_for_want_of_room() {
        let folder = TempDir::new().unwrap();
        let (mut store, reader) = open(&folder);
        add(&mut store, 1..4);
        add(&mut store, 4..8);
        let waiting = reader.spooled(10).unwrap().unwrap();
        assert_eq!((waiting.first, waiting.rows.len()), (3, 5));
        assert_eq!(reader.spool_state().unwrap(), SpoolState { waiting: 5, dropped: 2 });
    }

    #[test]
    fn each_database_has_a_spool_of_its_own() {
        let name = || {
            let folder = TempDir::new().unwrap();
            let (mut store, reader) = open(&folder);
            add(&mut store, 1..2);
            reader.spooled(1).unwrap().unwrap().spool
        };
        assert_ne!(name(), name());
    }
}
