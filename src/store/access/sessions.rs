//! Sessions of users.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::store::{Error, Reader, Transaction};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Which one.
    pub id: String,
    /// Of what the cookie holds.
    pub hash: [u8; 32],
    /// Whose.
    pub user: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was used last, more or less.
    pub used: Timestamp,
    /// When they last showed that it is they.
    pub verified: Timestamp,
    /// Where it began.
    pub source: String,
    /// With which browser.
    pub agent: String,
}

const BY_HASH: &str = "SELECT id, hash, user, created, used, verified, source, agent FROM sessions
    WHERE hash = ?1";

const OF_USER: &str = "SELECT id, hash, user, created, used, verified, source, agent FROM sessions
    WHERE user = ?1 ORDER BY created DESC";

const USE: &str = "UPDATE sessions SET used = ?2 WHERE id = ?1";

const VERIFY: &str = "UPDATE sessions SET verified = ?2 WHERE id = ?1";

const END: &str = "DELETE FROM sessions WHERE user = ?1 AND id = ?2";

const END_OTHERS: &str = "DELETE FROM sessions WHERE user = ?1 AND id <> ?2";

fn row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: row.get(0)?,
        hash: row.get(1)?,
        user: row.get(2)?,
        created: row.get(3)?,
        used: row.get(4)?,
        verified: row.get(5)?,
        source: row.get(6)?,
        agent: row.get(7)?,
    })
}

impl Reader {
    /// The session whose cookie has this hash.
    pub fn session(&self, hash: &[u8; 32]) -> Result<Option<SessionRow>, Error> {
        self.run(|connection| connection.prepare_cached(BY_HASH)?.query_row([hash], row).optional())
    }

    /// The sessions of `user`, the newest first.
    pub fn sessions(&self, user: &str) -> Result<Vec<SessionRow>, Error> {
        self.run(|connection| connection.prepare_cached(OF_USER)?.query_map([user], row)?.collect())
    }
}

impl Transaction<'_> {
    /// The sessions of `user`, the newest first.
    pub fn sessions(&self, user: &str) -> Result<Vec<SessionRow>, Error> {
        self.all(OF_USER, [user], row)
    }

    /// Adds a session.
    pub fn insert_session(&self, session: &SessionRow) -> Result<(), Error> {
        let SessionRow { id, hash, user, created, used, verified, source, agent } = session;
        let sql = "INSERT INTO sessions (id, hash, user, created, used, verified, source, agent)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.execute(sql, params![id, hash, user, created, used, verified, source, agent])?;
        Ok(())
    }

    /// Notes when a session was used.
    pub fn use_session(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.execute(USE, params![id, now])?;
        Ok(())
    }

    /// Notes when they showed that it is they.
    pub fn verify_session(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.execute(VERIFY, params![id, now])?;
        Ok(())
    }

    /// Ends a session of `user`; whether there was one.
    pub fn end_session(&self, user: &str, id: &str) -> Result<bool, Error> {
        Ok(self.execute(END, params![user, id])? > 0)
    }

    /// Ends the sessions of `user` but this one; how many.
    pub fn end_sessions(&self, user: &str, but: Option<&str>) -> Result<usize, Error> {
        self.execute(END_OTHERS, params![user, but.unwrap_or_default()])
    }
}
