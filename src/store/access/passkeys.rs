//! Passkeys of users.

use rusqlite::{Row, params};

use crate::clock::Timestamp;
use crate::store::{Error, Reader, Transaction};

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// Which one, as we name it.
    pub id: String,
    /// Which one, as its authenticator names it.
    pub credential: Vec<u8>,
    /// Whose.
    pub user: String,
    /// What the authenticator knows them by.
    pub handle: [u8; 16],
    /// What they call it.
    pub label: String,
    /// The public key with its counter, as JSON.
    pub key: String,
    /// When it came.
    pub created: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
}

const BY_CREDENTIAL: &str = "SELECT id, credential, user, handle, label, key, created, used FROM passkeys
    WHERE credential = ?1";

/// A user has few by a rule of `access`.
const OF_USER: &str = "SELECT id, credential, user, handle, label, key, created, used FROM passkeys
    WHERE user = ?1 ORDER BY created";

const USE: &str = "UPDATE passkeys SET key = ?2, used = ?3 WHERE id = ?1";

const REMOVE: &str = "DELETE FROM passkeys WHERE user = ?1 AND id = ?2";

fn row(row: &Row<'_>) -> rusqlite::Result<PasskeyRow> {
    Ok(PasskeyRow {
        id: row.get(0)?,
        credential: row.get(1)?,
        user: row.get(2)?,
        handle: row.get(3)?,
        label: row.get(4)?,
        key: row.get(5)?,
        created: row.get(6)?,
        used: row.get(7)?,
    })
}

impl Reader {
    /// The passkeys of `user`, the oldest first.
    pub fn passkeys(&self, user: &str) -> Result<Vec<PasskeyRow>, Error> {
        self.run(|connection| connection.prepare_cached(OF_USER)?.query_map([user], row)?.collect())
    }
}

impl Transaction<'_> {
    /// The passkeys of `user`, the oldest first.
    pub fn passkeys(&self, user: &str) -> Result<Vec<PasskeyRow>, Error> {
        self.all(OF_USER, [user], row)
    }

    /// The passkey that its authenticator calls `credential`.
    pub fn passkey(&self, credential: &[u8]) -> Result<Option<PasskeyRow>, Error> {
        self.find(BY_CREDENTIAL, [credential], row)
    }

    /// Adds a passkey.
    pub fn insert_passkey(&self, passkey: &PasskeyRow) -> Result<(), Error> {
        let PasskeyRow { id, credential, user, handle, label, key, created, used } = passkey;
        let sql = "INSERT INTO passkeys (id, credential, user, handle, label, key, created, used)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.execute(sql, params![id, credential, user, handle, label, key, created, used])?;
        Ok(())
    }

    /// Notes that a passkey was used, and what its counter says since.
    pub fn use_passkey(&self, id: &str, key: &str, now: Timestamp) -> Result<(), Error> {
        self.execute(USE, params![id, key, now])?;
        Ok(())
    }

    /// Removes a passkey of `user`; whether there was one.
    pub fn remove_passkey(&self, user: &str, id: &str) -> Result<bool, Error> {
        Ok(self.execute(REMOVE, params![user, id])? > 0)
    }
}
