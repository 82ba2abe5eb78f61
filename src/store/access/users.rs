//! Users.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::store::row::Json;
use crate::store::{Error, Reader, Transaction};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// What they are called.
    pub name: String,
    /// What they may, as JSON.
    pub granted: String,
    /// The hash of the password, as a PHC string.
    pub password: String,
    /// The secret of the second factor.
    pub totp: Option<Vec<u8>>,
    /// One that is not confirmed yet.
    pub totp_pending: Option<Vec<u8>>,
    /// The last step of time whose code was used.
    pub totp_step: u64,
    /// The hashes of the recovery codes that are left.
    pub recovery: Vec<String>,
    /// How many passkeys they have, which are rows of their own.
    pub passkeys: u32,
    /// They are not let in.
    pub disabled: bool,
    /// When they came.
    pub created: Timestamp,
    /// When they signed in last.
    pub seen: Option<Timestamp>,
}

const BY_NAME: &str = "SELECT name, granted, password, totp, totp_pending, totp_step, recovery, disabled,
    created, seen, (SELECT count(*) FROM passkeys WHERE user = name) FROM users WHERE name = ?1";

/// The table holds few users by a rule of `access`.
const ALL: &str =
    "SELECT name, granted, password, totp, totp_pending, totp_step, recovery, disabled, created, seen,
        (SELECT count(*) FROM passkeys WHERE user = name) FROM users ORDER BY name LIMIT ?1";

const PUT: &str =
    "INSERT INTO users (name, granted, password, totp, totp_pending, totp_step, recovery, disabled,
        created, seen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (name) DO UPDATE SET granted = excluded.granted, password = excluded.password,
        totp = excluded.totp, totp_pending = excluded.totp_pending, totp_step = excluded.totp_step,
        recovery = excluded.recovery, disabled = excluded.disabled, seen = excluded.seen";

const DELETE: &str = "DELETE FROM users WHERE name = ?1";

fn row(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    let Json(recovery) = row.get(6)?;
    Ok(UserRow {
        name: row.get(0)?,
        granted: row.get(1)?,
        password: row.get(2)?,
        totp: row.get(3)?,
        totp_pending: row.get(4)?,
        totp_step: row.get(5)?,
        recovery,
        disabled: row.get(7)?,
        created: row.get(8)?,
        seen: row.get(9)?,
        passkeys: row.get(10)?,
    })
}

impl Reader {
    /// The user of this name.
    pub fn user(&self, name: &str) -> Result<Option<UserRow>, Error> {
        self.run(|connection| connection.prepare_cached(BY_NAME)?.query_row([name], row).optional())
    }

    /// At most `limit` users by name.
    pub fn all_users(&self, limit: u32) -> Result<Vec<UserRow>, Error> {
        self.run(|connection| connection.prepare_cached(ALL)?.query_map([limit], row)?.collect())
    }
}

impl Transaction<'_> {
    /// The user of this name.
    pub fn user(&self, name: &str) -> Result<Option<UserRow>, Error> {
        self.find(BY_NAME, [name], row)
    }

    /// How many users there are.
    pub fn count_users(&self) -> Result<u32, Error> {
        let count = self.find("SELECT count(*) FROM users", [], |row| row.get(0))?;
        Ok(count.unwrap_or_default())
    }

    /// Adds a user, or changes the one of this name.
    pub fn put_user(&self, user: &UserRow) -> Result<(), Error> {
        let UserRow { name, granted, password, totp, totp_pending, totp_step, .. } = user;
        let UserRow { recovery, disabled, created, seen, .. } = user;
        let recovery = Json(recovery);
        let columns = params![
            name,
            granted,
            password,
            totp,
            totp_pending,
            totp_step,
            recovery,
            disabled,
            created,
            seen
        ];
        self.execute(PUT, columns)?;
        Ok(())
    }

    /// Deletes a user with their sessions; whether there was one.
    pub fn delete_user(&self, name: &str) -> Result<bool, Error> {
        Ok(self.execute(DELETE, [name])? > 0)
    }
}
