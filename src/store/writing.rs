//! A transaction under way: each part of a work in its table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;
use rusqlite::{CachedStatement, OptionalExtension, ToSql, Transaction, ffi, params};

use super::fold::Folded;
use super::rollup::Room;
use super::row::Json;
use super::{Change, EndCause, Recorded, Work};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{Active, Ban, Counter, Offender, Remembered};
use crate::source::Position;

/// A transaction under way.
pub(super) struct Writing<'a> {
    /// It ends with its owner.
    pub(super) transaction: &'a Transaction<'a>,
    /// Row ids of the jails by name.
    pub(super) jails: &'a mut HashMap<Arc<str>, i64>,
    /// Row ids of the organisations that report by name.
    pub(super) reporters: &'a mut HashMap<Arc<str>, i64>,
    /// The number of the last change.
    pub(super) number: u64,
    /// [`PUT_CHANGE`], which nearly every work needs many times.
    pub(super) history: CachedStatement<'a>,
    /// The new ends of bans by jail id and network: one that is prolonged many times in a work is written once.
    pub(super) prolonged: BTreeMap<(i64, Prefix), Option<Timestamp>>,
    /// How many rows the figures by day may get.
    pub(super) room: &'a mut Room,
    /// The days whose figures are to be cut down.
    pub(super) unfolded: &'a mut BTreeSet<Timestamp>,
    /// The addresses whose rows went from them.
    pub(super) folded: &'a Folded,
}

impl Writing<'_> {
    /// Writes one work and adds its numbered changes.
    pub(super) fn work(&mut self, work: &Work, recorded: &mut Vec<Recorded>) -> rusqlite::Result<()> {
        for position in &work.positions {
            self.position(position)?;
        }
        for remembered in &work.remembered {
            self.remember(remembered)?;
        }
        self.reports(&work.effects.reports)?;
        self.spool(&work.outgoing)?;
        self.counters(&work.effects.counters)?;
        self.changes(&work.effects.changes, recorded)?;
        self.prolong_all()?;
        self.totals(&work.effects)?;
        for (jail, prefix) in &work.effects.forgiven {
            let jail = self.jail(jail)?;
            self.forgive(jail, *prefix)?;
        }
        for (jail, prefix, offender) in &work.effects.remembered {
            let jail = self.jail(jail)?;
            self.offender(jail, *prefix, *offender)?;
        }
        Ok(())
    }

    pub(super) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.transaction.prepare_cached(sql)?.execute(params)
    }

    pub(super) fn jail(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.jails.get(name) {
            return Ok(*id);
        }
        let found = self
            .transaction
            .prepare_cached("SELECT id FROM jails WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                self.execute("INSERT INTO jails (name) VALUES (?1)", [name])?;
                self.transaction.last_insert_rowid()
            }
        };
        self.jails.insert(Arc::clone(name), id);
        Ok(id)
    }

    fn position(&self, position: &Position) -> rusqlite::Result<()> {
        // SQLite counts in i64; device, inode and hash only have to come back the same.
        let (device, inode) = (position.device.cast_signed(), position.inode.cast_signed());
        if position.finished {
            self.execute(
                "DELETE FROM positions WHERE source = ?1 AND device = ?2 AND inode = ?3",
                params![position.source, device, inode],
            )?;
            return Ok(());
        }
        self.execute(
            "INSERT OR REPLACE INTO positions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                position.source,
                device,
                inode,
                std::os::unix::ffi::OsStrExt::as_bytes(position.path.as_os_str()),
                position.offset.cast_signed(),
                position.fingerprint.length,
                position.fingerprint.hash.cast_signed(),
            ],
        )?;
        Ok(())
    }

    fn remember(&mut self, remembered: &Remembered) -> rusqlite::Result<()> {
        let jail = self.jail(&remembered.jail)?;
        let Remembered { source, key, .. } = remembered;
        match &remembered.value {
            Some(value) => self.execute(
                "INSERT INTO filter_states VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
                params![source, jail, key, value],
            )?,
            None => self.execute(
                "DELETE FROM filter_states WHERE source = ?1 AND jail = ?2 AND key = ?3",
                params![source, jail, key],
            )?,
        };
        Ok(())
    }

    /// In the order of the table's key, so that its pages are changed one after the other.
    fn counters(&mut self, counters: &[(Arc<str>, Prefix, Option<Counter>)]) -> rusqlite::Result<()> {
        let mut rows = Vec::with_capacity(counters.len());
        for (jail, prefix, counter) in counters {
            rows.push(((self.jail(jail)?, prefix.to_bytes()), counter));
        }
        rows.sort_by_key(|(key, _)| *key);
        let mut put = self.transaction.prepare_cached(PUT_COUNTER)?;
        let mut delete = self.transaction.prepare_cached(DELETE_COUNTER)?;
        for ((jail, (address, length)), counter) in rows {
            match counter {
                Some(Counter { first, last, retry, failures, lines }) => {
                    put.execute(params![jail, address, length, first, last, retry, failures, Json(lines)])?
                }
                None => delete.execute(params![jail, address, length])?,
            };
        }
        Ok(())
    }

    /// Bans go into their tables together, up to a change that ends one.
    fn changes(&mut self, changes: &[Change], recorded: &mut Vec<Recorded>) -> rusqlite::Result<()> {
        let is_end = |change: &Change| matches!(change, Change::Unbanned { .. });
        for run in changes.chunk_by(|one, other| is_end(one) == is_end(other)) {
            self.banned(run)?;
            for change in run {
                self.number += 1;
                self.change(change)?;
                recorded.push(Recorded { number: self.number, change: change.clone() });
            }
        }
        Ok(())
    }

    /// Writes a change, but for a ban that began, which is in its table already.
    fn change(&mut self, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Banned(ban) => {
                let jail = self.jail(&ban.jail)?;
                self.record("banned", ban.since, Some(jail), ban.prefix, ban.until, Some(&Json(&ban.origin)))
            }
            Change::Extended { prefix, jail, at, until } => self.extended(*prefix, jail, *at, *until),
            Change::Unbanned { prefix, jail, at, cause } => self.unbanned(*prefix, jail, *at, cause),
            Change::Allowed(allow) => {
                let (address, length) = allow.prefix.to_bytes();
                self.execute(
                    "INSERT OR REPLACE INTO allowlist VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![address, length, allow.note, allow.since, allow.until, allow.owner],
                )?;
                self.record("allowed", allow.since, None, allow.prefix, allow.until, None)
            }
            Change::Disallowed { prefix, at } => {
                let (address, length) = prefix.to_bytes();
                self.execute(
                    "DELETE FROM allowlist WHERE address = ?1 AND length = ?2",
                    params![address, length],
                )?;
                self.record("disallowed", *at, None, *prefix, None, None)
            }
        }
    }

    /// Writes the bans among `changes`, in the order of their addresses, so that the pages of the index by address are changed
    /// one after the other. Each counts those before it, as far as they are not forgotten.
    fn banned(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        let mut bans = Vec::new();
        for change in changes {
            if let Change::Banned(ban) = change {
                bans.push((ban.prefix.to_bytes(), self.jail(&ban.jail)?, ban));
            }
        }
        if bans.is_empty() {
            return Ok(());
        }
        bans.sort_by_key(|(prefix, ..)| *prefix);
        let transaction = self.transaction;
        let mut find = transaction.prepare_cached(BANNED_ALREADY)?;
        let mut forgive = transaction.prepare_cached(FORGIVE)?;
        let mut put = transaction.prepare_cached(PUT_BAN)?;
        let mut prove = transaction.prepare_cached(PUT_EVIDENCE)?;
        for ((address, length), jail, ban) in bans {
            if find.exists(params![address, length, jail])? {
                return Err(banned_twice(ban));
            }
            forgive.execute(params![jail, address, length])?;
            let Ban { since, until, failures, count, first, .. } = ban;
            let origin = Json(&ban.origin);
            put.execute(params![jail, address, length, since, until, origin, failures, count, first])?;
            let id = transaction.last_insert_rowid();
            for (position, line) in ban.evidence.iter().enumerate() {
                prove.execute(params![id, position, line])?;
            }
        }
        Ok(())
    }

    fn extended(
        &mut self,
        prefix: Prefix,
        jail: &Arc<str>,
        at: Timestamp,
        until: Option<Timestamp>,
    ) -> rusqlite::Result<()> {
        let jail = self.jail(jail)?;
        self.prolonged.insert((jail, prefix), until);
        self.record("extended", at, Some(jail), prefix, until, None)
    }

    /// Writes the new ends of all bans that were prolonged.
    fn prolong_all(&mut self) -> rusqlite::Result<()> {
        for ((jail, prefix), until) in std::mem::take(&mut self.prolonged) {
            self.prolong(jail, prefix, until)?;
        }
        Ok(())
    }

    fn prolong(&self, jail: i64, prefix: Prefix, until: Option<Timestamp>) -> rusqlite::Result<()> {
        let Some((id, Active { since, .. }, count)) = self.in_force(jail, prefix)? else {
            return Ok(());
        };
        self.execute("UPDATE bans SET until = ?2 WHERE id = ?1", params![id, until])?;
        self.offender(jail, prefix, Offender::of(Active { since, until }, count))
    }

    /// The ban of `prefix` in force: its row, its times, and how often the prefix was banned as far as is known.
    fn in_force(&self, jail: i64, prefix: Prefix) -> rusqlite::Result<Option<(i64, Active, u32)>> {
        let (address, length) = prefix.to_bytes();
        let sql = "SELECT id, since, until, max(count, coalesce((SELECT offenders.count FROM offenders
                WHERE offenders.jail = ?1 AND offenders.address = ?2 AND offenders.length = ?3), 0))
             FROM bans WHERE jail = ?1 AND address = ?2 AND length = ?3 AND ended IS NULL";
        let mut select = self.transaction.prepare_cached(sql)?;
        let found = select.query_row(params![jail, address, length], |row| {
            Ok((row.get(0)?, Active { since: row.get(1)?, until: row.get(2)? }, row.get(3)?))
        });
        found.optional()
    }

    fn unbanned(
        &mut self,
        prefix: Prefix,
        jail: &Arc<str>,
        at: Timestamp,
        cause: &EndCause,
    ) -> rusqlite::Result<()> {
        let jail = self.jail(jail)?;
        if let Some(until) = self.prolonged.remove(&(jail, prefix)) {
            self.prolong(jail, prefix, until)?;
        }
        if let Some((id, active, count)) = self.in_force(jail, prefix)? {
            let sql = "UPDATE bans SET ended = ?2, end_cause = ?3 WHERE id = ?1";
            self.execute(sql, params![id, at, Json(cause)])?;
            self.offender_at_least(jail, prefix, Offender::of(active, count))?;
        }
        self.record("unbanned", at, Some(jail), prefix, None, Some(&Json(cause)))
    }

    fn offender(&self, jail: i64, prefix: Prefix, offender: Offender) -> rusqlite::Result<()> {
        self.put_offender(PUT_OFFENDER, jail, prefix, offender)
    }

    /// As a ban says that has ended; where more was known already, that stays.
    fn offender_at_least(&self, jail: i64, prefix: Prefix, offender: Offender) -> rusqlite::Result<()> {
        let put_more = format!("{PUT_OFFENDER} WHERE excluded.count > offenders.count");
        self.put_offender(&put_more, jail, prefix, offender)
    }

    fn put_offender(
        &self,
        sql: &str,
        jail: i64,
        prefix: Prefix,
        Offender { count, since, forget }: Offender,
    ) -> rusqlite::Result<()> {
        let (address, length) = prefix.to_bytes();
        self.execute(sql, params![jail, address, length, count, since, forget])?;
        Ok(())
    }

    fn forgive(&self, jail: i64, prefix: Prefix) -> rusqlite::Result<()> {
        let (address, length) = prefix.to_bytes();
        self.execute(FORGIVE, params![jail, address, length])?;
        Ok(())
    }

    /// Writes a change into the numbered history.
    fn record(
        &mut self,
        kind: &str,
        at: Timestamp,
        jail: Option<i64>,
        prefix: Prefix,
        until: Option<Timestamp>,
        cause: Option<&dyn ToSql>,
    ) -> rusqlite::Result<()> {
        let (address, length) = prefix.to_bytes();
        self.history.execute(params![self.number, at, kind, jail, address, length, until, cause])?;
        Ok(())
    }
}

/// What the jails keep to: there is one ban in force of a prefix by a jail.
fn banned_twice(ban: &Ban) -> rusqlite::Error {
    let broken = format!("the jail `{}` has banned {} already", ban.jail, ban.prefix);
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT), Some(broken))
}

/// A rule of the table; as an index of its own, or a trigger, it would take several times as long.
const BANNED_ALREADY: &str =
    "SELECT 1 FROM bans WHERE ended IS NULL AND address = ?1 AND length = ?2 AND jail = ?3";

pub(super) const PUT_CHANGE: &str = "INSERT INTO changes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const PUT_BAN: &str = "INSERT INTO bans (jail, address, length, since, until, origin, failures, count, first)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const PUT_EVIDENCE: &str = "INSERT INTO evidence VALUES (?1, ?2, ?3)";

const FORGIVE: &str = "DELETE FROM offenders WHERE jail = ?1 AND address = ?2 AND length = ?3";

// A row that may be there already is changed by ON CONFLICT, not by OR REPLACE: with that, SQLite deletes the row first,
// and in a table that refers to another it copies every page into a file beforehand, to be able to undo the statement.

const PUT_OFFENDER: &str = "INSERT INTO offenders VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET count = excluded.count, since = excluded.since, forget = excluded.forget";

const PUT_COUNTER: &str = "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT DO UPDATE SET first = excluded.first, last = excluded.last, retry = excluded.retry,
        failures = excluded.failures, lines = excluded.lines";

const DELETE_COUNTER: &str = "DELETE FROM counters WHERE jail = ?1 AND address = ?2 AND length = ?3";
