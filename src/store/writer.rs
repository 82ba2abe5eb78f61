//! The one writer of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;
use rusqlite::{Connection, TransactionBehavior};

use super::fold::{self, Folded};
use super::rollup::Room;
use super::schema::{self, Found};
use super::writing::{PUT_CHANGE, Writing};
use super::{Error, Outgoing, Recorded, Settings};
use crate::clock::Timestamp;
use crate::jail::{Effects, Remembered};
use crate::source::Position;

/// How long to wait for somebody else's lock before saying so.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Databases up to this size are checked whole at every start; larger ones on demand, since it takes long.
const QUICK_CHECK_LIMIT: u64 = 64 << 20;

/// The write-ahead log is cut back to this size when it has been larger.
const WAL_LIMIT: i64 = 64 << 20;

/// So many pages, 16 MiB, are gathered in the log before they go to their places in the database: a page that several large works
/// change goes there once.
const WAL_PAGES: i64 = 4_000;

/// The memory for pages of the database, in KiB: enough for what a large work changes. With SQLite's 2 MiB the same pages
/// would go to the write-ahead log and come back many times before they are complete.
const CACHE: i64 = 32 << 10;

/// One batch of lines or one order: how far the logs were read, and what followed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Where the files were read to.
    pub positions: Vec<Position>,
    /// What followed from the lines.
    pub effects: Effects,
    /// What the filters remember of the lines.
    pub remembered: Vec<Remembered>,
    /// What of it is to be reported to a hub.
    pub outgoing: Outgoing,
}

impl Work {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
            && self.effects.is_empty()
            && self.remembered.is_empty()
            && self.outgoing.rows.is_empty()
    }
}

/// The database, open for writing.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) settings: Settings,
    /// Row ids of the jails by name.
    jails: HashMap<Arc<str>, i64>,
    /// Row ids of the organisations that report by name.
    reporters: HashMap<Arc<str>, i64>,
    last_number: u64,
    serial_base: u64,
    /// The last ban, by its end and id, whose evidence is gone.
    pub(super) evidence_gone: (Timestamp, i64),
    /// How many rows the figures by day may get.
    pub(super) room: Room,
    /// The days whose figures are to be cut down.
    pub(super) unfolded: BTreeSet<Timestamp>,
    /// The addresses whose rows went from them.
    pub(super) folded: Folded,
    /// Held while the database is ours.
    _lock: File,
}

impl Store {
    /// Opens the database, makes it if there is none, and brings its tables up to date. Refuses one that another
    /// banzone has open, that a later version wrote, that is not ours, or that is damaged.
    pub fn open(settings: &Settings, now: Timestamp) -> Result<Self, Error> {
        let path = &settings.path;
        let lock = lock(path)?;
        let mut connection = connect(path)?;
        let sqlite = |error| Error::new(path, error);
        let version = match schema::inspect(&connection).map_err(sqlite)? {
            Found::Version(version) => version,
            Found::Newer(found) => {
                return Err(Error::Newer { path: path.clone(), found, known: schema::VERSION });
            }
            Found::Foreign => return Err(Error::Foreign { path: path.clone() }),
        };
        if std::fs::metadata(path).is_ok_and(|file| file.len() <= QUICK_CHECK_LIMIT) {
            check_integrity(&connection, path)?;
        }
        schema::migrate(&mut connection, version, now.as_secs()).map_err(sqlite)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(sqlite)?;
        connection.pragma_update(None, "journal_size_limit", WAL_LIMIT).map_err(sqlite)?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).map_err(sqlite)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(sqlite)?;
        set_cache(&connection, CACHE).map_err(sqlite)?;
        let mut store = Self {
            connection,
            settings: settings.clone(),
            jails: HashMap::default(),
            reporters: HashMap::default(),
            last_number: 0,
            serial_base: 0,
            evidence_gone: (Timestamp::from_millis(i64::MIN), 0),
            room: Room::default(),
            unfolded: BTreeSet::new(),
            folded: Folded::default(),
            _lock: lock,
        };
        store.load_numbers().map_err(sqlite)?;
        Ok(store)
    }

    fn load_numbers(&mut self) -> rusqlite::Result<()> {
        let last: Option<u64> =
            self.connection.query_row("SELECT max(number) FROM changes", [], |row| row.get(0))?;
        self.serial_base =
            self.connection.query_row("SELECT serial_base FROM about", [], |row| row.get(0))?;
        self.last_number = last.unwrap_or(0);
        let mut statement = self.connection.prepare("SELECT name, id FROM jails")?;
        let jails = statement.query_map([], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
        self.jails = jails.collect::<rusqlite::Result<_>>()?;
        self.unfolded = fold::days(&self.connection)?;
        Ok(())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.settings.path
    }

    /// The number of the last change; 0 before the first.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// What is added to a change's number to make the serial of the zones, so that a database made anew goes on above
    /// the serials of the one before.
    pub fn serial_base(&self) -> u64 {
        self.serial_base
    }

    /// Takes other retention times after a reload; the path stays.
    pub fn reconfigure(&mut self, settings: &Settings) {
        self.settings.evidence_retention = settings.evidence_retention;
        self.settings.history_retention = settings.history_retention;
    }

    /// Commits the works, all or none, and numbers their changes. When it returns, they survive a kill of the process;
    /// changes of bans and what was reported survive a power cut too.
    pub fn commit(&mut self, works: &[Work]) -> Result<Vec<Recorded>, Error> {
        let is_promised = |effects: &Effects| !effects.changes.is_empty() || !effects.reports.is_empty();
        let changed = works.iter().any(|work| is_promised(&work.effects));
        let committed = self.try_commit(works, changed);
        if committed.is_err() {
            // Ids given out in the transaction that failed are not there.
            self.jails.clear();
            self.reporters.clear();
        }
        let recorded = committed.map_err(|error| Error::new(&self.settings.path, error))?;
        self.last_number += recorded.len() as u64;
        Ok(recorded)
    }

    fn try_commit(&mut self, works: &[Work], changed: bool) -> rusqlite::Result<Vec<Recorded>> {
        // In WAL mode only FULL waits for the disk at each commit; a later one makes earlier ones durable as well.
        self.connection.pragma_update(None, "synchronous", if changed { "FULL" } else { "NORMAL" })?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writing = Writing {
            transaction: &transaction,
            jails: &mut self.jails,
            reporters: &mut self.reporters,
            number: self.last_number,
            history: transaction.prepare_cached(PUT_CHANGE)?,
            prolonged: BTreeMap::new(),
            room: &mut self.room,
            unfolded: &mut self.unfolded,
            folded: &self.folded,
        };
        let mut recorded = Vec::new();
        for work in works {
            writing.work(work, &mut recorded)?;
        }
        drop(writing);
        transaction.commit()?;
        Ok(recorded)
    }
}

/// Makes sure that only one banzone writes to the database.
fn lock(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
    let file = open.map_err(|source| Error::Open { path: name.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::Open { path: name, source }),
    }
}

/// The memory for pages, in KiB; what holds more gives it back.
pub(super) fn set_cache(connection: &Connection, size: i64) -> rusqlite::Result<()> {
    // Positive would be pages.
    connection.pragma_update(None, "cache_size", -size)
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let sqlite = |error| Error::new(path, error);
    let connection = Connection::open(path).map_err(sqlite)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Reads the whole file and refuses it if anything in it does not fit together.
pub(super) fn check_integrity(connection: &Connection, path: &Path) -> Result<(), Error> {
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match found {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(detail) => Err(Error::Damaged { path: path.to_owned(), detail }),
        Err(error) => Err(Error::new(path, error)),
    }
}
