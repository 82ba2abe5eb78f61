//! The audit log: rows that are added at the end and go from the beginning.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::store::page::{Found, page};
use crate::store::{Error, Page, Reader, Transaction};

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// 1 for the first one ever, without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From where.
    pub source: String,
    /// What.
    pub action: String,
    /// What in particular.
    pub detail: String,
    /// The HTTP status.
    pub outcome: u16,
    /// Of all this and the hash before.
    pub hash: [u8; 32],
}

const AFTER: &str = "SELECT number, at, who, source, action, detail, outcome, hash FROM audit
    WHERE number > ?1 ORDER BY number LIMIT ?2";

const BEFORE: &str = "SELECT number, at, who, source, action, detail, outcome, hash FROM audit
    WHERE number < ?1 ORDER BY number DESC";

/// The last entry, and where there is none what the anchor says.
const LAST: &str = "SELECT number, hash FROM audit_anchor UNION ALL
    SELECT number, hash FROM (SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1)
    ORDER BY number DESC LIMIT 1";

/// None has a number that has gone: whoever wrote one did not go by us.
const NOT_BEHIND: &str = "SELECT number FROM audit WHERE number <= ?1 ORDER BY number LIMIT 1";

const ANCHOR: &str = "SELECT number, hash FROM audit_anchor WHERE id = 1";

fn row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        number: number(row)?,
        at: row.get(1)?,
        who: row.get(2)?,
        source: row.get(3)?,
        action: row.get(4)?,
        detail: row.get(5)?,
        outcome: row.get(6)?,
        hash: row.get(7)?,
    })
}

fn link(row: &Row<'_>) -> rusqlite::Result<(u64, [u8; 32])> {
    Ok((number(row)?, row.get(1)?))
}

/// We write none below 1; what others wrote must not keep the rest from being read.
fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default())
}

impl Reader {
    /// The number and the hash of the last entry that has gone; of none, and zeros, at first.
    pub fn audit_anchor(&self) -> Result<(u64, [u8; 32]), Error> {
        self.run(|connection| connection.query_row(ANCHOR, [], link))
    }

    /// The first entry that does not stand behind `number`, where all should.
    pub fn audit_not_behind(&self, limit: u64) -> Result<Option<u64>, Error> {
        self.run(|connection| connection.prepare_cached(NOT_BEHIND)?.query_row([limit], number).optional())
    }

    /// The hash of the entry `number`.
    pub fn audit_hash(&self, number: u64) -> Result<Option<[u8; 32]>, Error> {
        let sql = "SELECT hash FROM audit WHERE number = ?1";
        self.run(|connection| {
            connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()
        })
    }

    /// At most `limit` entries behind `number`, in order.
    pub fn audit_after(&self, number: u64, limit: u32) -> Result<Vec<AuditRow>, Error> {
        self.run(|connection| {
            connection.prepare_cached(AFTER)?.query_map(params![number, limit], row)?.collect()
        })
    }

    /// At most `limit` entries before this number, or the last ones, the newest first; those of `who`, or of everybody.
    pub fn audit_before(
        &self,
        before: Option<u64>,
        who: Option<&str>,
        limit: usize,
    ) -> Result<Page<AuditRow, u64>, Error> {
        // Numbers in SQLite go up to here.
        let before = before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX));
        let look = |found: &Row<'_>| {
            let entry = row(found)?;
            Ok(if who.is_none_or(|who| entry.who == who) { Found::Wanted(entry) } else { Found::Other })
        };
        self.run(|connection| {
            let mut statement = connection.prepare_cached(BEFORE)?;
            page(statement.query([before])?, limit, number, look)
        })
    }
}

impl Transaction<'_> {
    /// The number and the hash of the last entry, or of the last that has gone.
    pub fn last_audit(&self) -> Result<(u64, [u8; 32]), Error> {
        Ok(self.find(LAST, [], link)?.unwrap_or_default())
    }

    /// Adds an entry.
    pub fn insert_audit(&self, row: &AuditRow) -> Result<(), Error> {
        let AuditRow { number, at, who, source, action, detail, outcome, hash } = row;
        let sql = "INSERT INTO audit (number, at, who, source, action, detail, outcome, hash)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.execute(sql, params![number, at, who, source, action, detail, outcome, hash])?;
        Ok(())
    }
}

const DROP: &str = "DELETE FROM audit WHERE number <= ?1";

/// Drops fewer than `step` entries from the beginning that are all older than `before`; whether there may be more. The last
/// one that is so old stays: what stands behind the anchor shows that what is gone was old.
pub(in crate::store) fn drop_old(
    connection: &rusqlite::Connection,
    before: Timestamp,
    step: usize,
) -> rusqlite::Result<bool> {
    let first = "SELECT number FROM audit ORDER BY number LIMIT 1";
    let Some(first): Option<u64> = connection.query_row(first, [], |row| row.get(0)).optional()? else {
        return Ok(false);
    };
    let mut page = connection.prepare_cached(AFTER)?;
    let rows = page.query_map(params![first - 1, step], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    // Up to the first that is young: where the clock was set back, an older one may stand behind it.
    let old = rows.iter().take_while(|row| row.at < before).count();
    let Some(last) = old.checked_sub(2).map(|place| &rows[place]) else { return Ok(false) };
    let transaction = connection.unchecked_transaction()?;
    transaction.execute("UPDATE audit_anchor SET number = ?1, hash = ?2", params![last.number, last.hash])?;
    transaction.execute(DROP, [last.number])?;
    transaction.commit()?;
    Ok(old == step)
}
