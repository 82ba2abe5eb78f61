//! Writes beside the pipeline's: whoever else keeps something here is handed a transaction, and the methods of its tables
//! are in files of their own.

use std::path::Path;

use rusqlite::{OptionalExtension, Params, Row, TransactionBehavior};

use super::{Error, Store};

/// A transaction under way. It is committed once whoever has it is done without an error, and undone otherwise.
pub struct Transaction<'a> {
    inner: rusqlite::Transaction<'a>,
    path: &'a Path,
}

impl Store {
    /// Lets `write` change the database, all of it or nothing. What it gives comes back once its changes survive a power cut.
    pub fn write<T, E: From<Error>>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.settings.path.clone();
        let sqlite = |error| Error::new(&path, error);
        let connection = self.connection_mut();
        // In WAL mode only FULL waits for the disk.
        connection.pragma_update(None, "synchronous", "FULL").map_err(sqlite)?;
        let inner = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let transaction = Transaction { inner, path: &path };
        let written = write(&transaction)?;
        transaction.inner.commit().map_err(sqlite)?;
        Ok(written)
    }
}

impl Transaction<'_> {
    /// How many rows `sql` has changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        let run = || self.inner.prepare_cached(sql)?.execute(params);
        run().map_err(|error| Error::new(self.path, error))
    }

    /// The first row of `sql`, if there is any.
    pub(super) fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let run = || self.inner.prepare_cached(sql)?.query_row(params, read).optional();
        run().map_err(|error| Error::new(self.path, error))
    }

    /// The rows of `sql`.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let run = || -> rusqlite::Result<Vec<T>> {
            self.inner.prepare_cached(sql)?.query_map(params, read)?.collect()
        };
        run().map_err(|error| Error::new(self.path, error))
    }
}
