//! API tokens.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::store::{Error, Reader, Transaction};

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The public part.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Of the whole token.
    pub hash: [u8; 32],
    /// What it allows, as JSON.
    pub granted: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends or has ended.
    pub until: Option<Timestamp>,
    /// When it was used last, more or less.
    pub used: Option<Timestamp>,
}

const BY_ID: &str = "SELECT id, name, hash, granted, created, until, used FROM tokens WHERE id = ?1";

/// The table holds few tokens by a rule of `access`.
const ALL: &str =
    "SELECT id, name, hash, granted, created, until, used FROM tokens ORDER BY name, created DESC LIMIT ?1";

const IN_FORCE: &str = "SELECT id, name, hash, granted, created, until, used FROM tokens
    WHERE (name = ?1 OR id = ?1) AND (until IS NULL OR until > ?2) ORDER BY created DESC, rowid DESC";

const END: &str = "UPDATE tokens SET until = ?2 WHERE id = ?1";

const USE: &str = "UPDATE tokens SET used = ?2 WHERE id = ?1";

fn row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        granted: row.get(3)?,
        created: row.get(4)?,
        until: row.get(5)?,
        used: row.get(6)?,
    })
}

impl Reader {
    /// The token with this id.
    pub fn token(&self, id: &str) -> Result<Option<TokenRow>, Error> {
        self.run(|connection| connection.prepare_cached(BY_ID)?.query_row([id], row).optional())
    }

    /// At most `limit` tokens by name, the newest of each name first.
    pub fn tokens(&self, limit: u32) -> Result<Vec<TokenRow>, Error> {
        self.run(|connection| connection.prepare_cached(ALL)?.query_map([limit], row)?.collect())
    }
}

impl Transaction<'_> {
    /// How many tokens there are, in force or not.
    pub fn count_tokens(&self) -> Result<u32, Error> {
        let count = self.find("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
        Ok(count.unwrap_or_default())
    }

    /// Those in force at `now` that have this name or id, the newest first.
    pub fn tokens_in_force(&self, name: &str, now: Timestamp) -> Result<Vec<TokenRow>, Error> {
        self.all(IN_FORCE, params![name, now], row)
    }

    /// Adds a token.
    pub fn insert_token(&self, token: &TokenRow) -> Result<(), Error> {
        let TokenRow { id, name, hash, granted, created, until, used } = token;
        let sql = "INSERT INTO tokens (id, name, hash, granted, created, until, used)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.execute(sql, params![id, name, hash, granted, created, until, used])?;
        Ok(())
    }

    /// Lets a token end at `until`.
    pub fn end_token(&self, id: &str, until: Timestamp) -> Result<(), Error> {
        self.execute(END, params![id, until])?;
        Ok(())
    }

    /// Notes when a token was used.
    pub fn use_token(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.execute(USE, params![id, now])?;
        Ok(())
    }
}
