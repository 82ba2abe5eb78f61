//! What is kept of reports: who reports, how far their batches were taken, their votes, and what is held back.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params};

use super::row::{Json, prefix};
use super::writing::Writing;
use super::{Error, Store};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{HeldListing, KnownBy, ReportChange, Reporter, Sighting, SpoolId, TakenReports, Tally};

/// Categories that are told apart. They come from reporters; those beyond are [`OTHER`].
const MAX_CATEGORIES: i64 = 1_000;

/// The category of what has none that is known.
const OTHER: &str = "other";

/// What a restart takes up again of reports, but for the votes, of which there may be many: [`Store::votes`] hands those on one
/// by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptReports {
    /// Every organisation, in the order in which they came.
    pub reporters: Vec<(Arc<str>, Reporter)>,
    /// By what the batches of each are known again, the oldest first.
    pub known: Vec<(Arc<str>, KnownBy, Timestamp, Tally)>,
    /// Listings that are held back.
    pub held: Vec<(Prefix, HeldListing)>,
}

impl Writing<'_> {
    /// Writes what became of reports.
    pub(super) fn reports(&mut self, changes: &[ReportChange]) -> rusqlite::Result<()> {
        for change in changes {
            match change {
                ReportChange::Taken(taken) => self.taken(taken)?,
                ReportChange::Reporter(name, reporter) => self.put_reporter(name, reporter)?,
                ReportChange::Withdrawn(name) => {
                    let reporter = self.reporter(name)?;
                    self.execute(DROP_VOTES, [reporter])?;
                }
                ReportChange::Forgotten(prefix, names) => self.forget_votes(*prefix, names)?,
                ReportChange::Held(prefix, held) => self.hold(*prefix, held.as_ref())?,
            }
        }
        Ok(())
    }

    fn taken(&mut self, taken: &TakenReports) -> rusqlite::Result<()> {
        let reporter = self.reporter(&taken.reporter)?;
        let Tally { accepted, duplicate, refused } = taken.tally;
        self.execute(TALLY, params![reporter, taken.at, accepted, duplicate, refused])?;
        match &taken.known_by {
            KnownBy::Nothing => {}
            KnownBy::Spool { spool, last } => {
                let spool = spool.0.cast_signed();
                self.execute(REACH_SPOOL, params![reporter, spool, last.cast_signed(), taken.at])?;
            }
            KnownBy::Key { key, fingerprint } => {
                let fingerprint = fingerprint.cast_signed();
                let row = params![reporter, key, taken.at, fingerprint, accepted, duplicate, refused];
                self.execute(PUT_KEY, row)?;
            }
        }
        for key in &taken.forgotten_keys {
            self.execute(DROP_KEY, params![reporter, key])?;
        }
        if let Some(SpoolId(spool)) = taken.forgotten_spool {
            self.execute(DROP_SPOOL, params![reporter, spool.cast_signed()])?;
        }
        self.sightings(reporter, taken)
    }

    /// In the order of the table's key, so that its pages are changed one after the other.
    fn sightings(&self, reporter: i64, taken: &TakenReports) -> rusqlite::Result<()> {
        let categories = taken.categories.iter().map(|name| self.category(name));
        let categories: Vec<i64> = categories.collect::<rusqlite::Result<_>>()?;
        let mut sightings: Vec<_> =
            taken.sightings.iter().map(|seen| (seen.prefix.to_bytes(), seen)).collect();
        sightings.sort_by_key(|(bytes, seen)| (*bytes, seen.time));
        let mut by_day: BTreeMap<(Timestamp, i64), (u64, u64)> = BTreeMap::new();
        let mut put = self.transaction.prepare_cached(PUT_VOTE)?;
        for ((address, length), Sighting { time, failures, category, is_vote, .. }) in sightings {
            let category = categories[usize::from(*category)];
            let figures = by_day.entry((time.start_of_day(), category)).or_default();
            figures.0 += 1;
            figures.1 += u64::from(*failures);
            if *is_vote {
                put.execute(params![reporter, address, length, time, failures, category])?;
            }
        }
        for ((day, category), (reports, failures)) in by_day {
            self.execute(ADD_REPORTS, params![day, reporter, category, reports, failures])?;
        }
        Ok(())
    }

    fn put_reporter(&mut self, name: &Arc<str>, reporter: &Reporter) -> rusqlite::Result<()> {
        let id = self.reporter(name)?;
        let Reporter { trust, cut_off, .. } = reporter;
        self.execute(
            "UPDATE reporters SET trust = ?2, cut_off = ?3 WHERE id = ?1",
            params![id, trust, cut_off],
        )?;
        Ok(())
    }

    fn forget_votes(&mut self, prefix: Prefix, names: &[Arc<str>]) -> rusqlite::Result<()> {
        let (address, length) = prefix.to_bytes();
        for name in names {
            let reporter = self.reporter(name)?;
            self.execute(DROP_VOTE, params![reporter, address, length])?;
        }
        Ok(())
    }

    fn hold(&self, prefix: Prefix, held: Option<&HeldListing>) -> rusqlite::Result<()> {
        let (address, length) = prefix.to_bytes();
        match held {
            Some(HeldListing { since, reason, until }) => {
                self.execute(HOLD, params![address, length, since, Json(reason), until])?
            }
            None => self.execute(DROP_HELD, params![address, length])?,
        };
        Ok(())
    }

    fn reporter(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.reporters.get(name) {
            return Ok(*id);
        }
        self.execute("INSERT INTO reporters (name) VALUES (?1) ON CONFLICT DO NOTHING", [name])?;
        let mut select = self.transaction.prepare_cached(SELECT_REPORTER)?;
        let id = select.query_row([name], |row| row.get(0))?;
        self.reporters.insert(Arc::clone(name), id);
        Ok(id)
    }

    /// The id of a category, which is made if there is room for it.
    fn category(&self, name: &str) -> rusqlite::Result<i64> {
        let mut select = self.transaction.prepare_cached(SELECT_CATEGORY)?;
        if let Some(id) = select.query_row([name], |row| row.get(0)).optional()? {
            return Ok(id);
        }
        // Ids are given out one after the other, so that the last one is their number.
        let last: Option<i64> =
            self.transaction.prepare_cached(LAST_CATEGORY)?.query_row([], |row| row.get(0))?;
        if last.unwrap_or(0) >= MAX_CATEGORIES && name != OTHER {
            return self.category(OTHER);
        }
        self.execute("INSERT INTO report_categories (name) VALUES (?1)", [name])?;
        Ok(self.transaction.last_insert_rowid())
    }
}

const TALLY: &str = "UPDATE reporters SET first_seen = coalesce(first_seen, ?2), last_seen = ?2,
    accepted = accepted + ?3, duplicate = duplicate + ?4, refused = refused + ?5 WHERE id = ?1";

const REACH_SPOOL: &str = "INSERT INTO report_spools VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET sequence = excluded.sequence, at = excluded.at";

const PUT_KEY: &str = "INSERT INTO report_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT DO UPDATE SET at = excluded.at, fingerprint = excluded.fingerprint, accepted = excluded.accepted,
        duplicate = excluded.duplicate, refused = excluded.refused";

/// An older sighting adds its failures and leaves the vote as it is.
const PUT_VOTE: &str = "INSERT INTO votes VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET first = min(first, excluded.first), failures = failures + excluded.failures,
        category = iif(excluded.last >= last, excluded.category, category), last = max(last, excluded.last)";

const HOLD: &str = "INSERT INTO held_listings VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET since = excluded.since, reason = excluded.reason, until = excluded.until";

const ADD_REPORTS: &str = "INSERT INTO reports_by_day VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET reports = reports + excluded.reports, failures = failures + excluded.failures";

const DROP_VOTES: &str = "DELETE FROM votes WHERE reporter = ?1";

const DROP_VOTE: &str = "DELETE FROM votes WHERE reporter = ?1 AND address = ?2 AND length = ?3";

const DROP_KEY: &str = "DELETE FROM report_keys WHERE reporter = ?1 AND key = ?2";

const DROP_SPOOL: &str = "DELETE FROM report_spools WHERE reporter = ?1 AND spool = ?2";

const DROP_HELD: &str = "DELETE FROM held_listings WHERE address = ?1 AND length = ?2";

const SELECT_REPORTER: &str = "SELECT id FROM reporters WHERE name = ?1";

const SELECT_CATEGORY: &str = "SELECT id FROM report_categories WHERE name = ?1";

const LAST_CATEGORY: &str = "SELECT max(id) FROM report_categories";

const SELECT_VOTES: &str = "SELECT address, length, last FROM votes WHERE reporter = ?1";

impl Store {
    pub(super) fn kept_reports(&self) -> rusqlite::Result<KeptReports> {
        let mut known = self.all(
            "SELECT name, spool, sequence, at FROM report_spools JOIN reporters ON reporters.id = reporter",
            |row| {
                let (spool, last): (i64, i64) = (row.get(1)?, row.get(2)?);
                let spool = SpoolId(spool.cast_unsigned());
                let known_by = KnownBy::Spool { spool, last: last.cast_unsigned() };
                Ok((row.get(0)?, known_by, row.get(3)?, Tally::default()))
            },
        )?;
        known.extend(self.all(
            "SELECT name, key, fingerprint, at, report_keys.accepted, report_keys.duplicate, report_keys.refused
             FROM report_keys JOIN reporters ON reporters.id = reporter ORDER BY at",
            |row| {
                let fingerprint: i64 = row.get(2)?;
                let known_by = KnownBy::Key { key: row.get(1)?, fingerprint: fingerprint.cast_unsigned() };
                Ok((row.get(0)?, known_by, row.get(3)?, tally(row, 4)?))
            },
        )?);
        Ok(KeptReports {
            reporters: self.all("SELECT * FROM reporters ORDER BY id", reporter)?,
            known,
            held: self.all("SELECT * FROM held_listings", |row| {
                let Json(reason) = row.get(3)?;
                Ok((prefix(row, 0)?, HeldListing { since: row.get(2)?, reason, until: row.get(4)? }))
            })?,
        })
    }

    /// Hands on every vote: of which organisation, for what, and from when.
    pub fn votes(&self, each: impl FnMut(&Arc<str>, Prefix, Timestamp)) -> Result<(), Error> {
        self.try_votes(each).map_err(|error| Error::new(self.path(), error))
    }

    fn try_votes(&self, mut each: impl FnMut(&Arc<str>, Prefix, Timestamp)) -> rusqlite::Result<()> {
        for (id, name) in self.all("SELECT id, name FROM reporters", |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Arc<str>>(1)?))
        })? {
            let mut statement = self.connection().prepare_cached(SELECT_VOTES)?;
            let mut rows = statement.query([Value::Integer(id)])?;
            while let Some(row) = rows.next()? {
                each(&name, prefix(row, 0)?, row.get(2)?);
            }
        }
        Ok(())
    }
}

fn reporter(row: &Row<'_>) -> rusqlite::Result<(Arc<str>, Reporter)> {
    let reporter = Reporter {
        trust: row.get("trust")?,
        cut_off: row.get("cut_off")?,
        first_seen: row.get("first_seen")?,
        last_seen: row.get("last_seen")?,
        tally: tally(row, 6)?,
    };
    Ok((row.get("name")?, reporter))
}

/// Reads three columns.
fn tally(row: &Row<'_>, first: usize) -> rusqlite::Result<Tally> {
    Ok(Tally { accepted: row.get(first)?, duplicate: row.get(first + 1)?, refused: row.get(first + 2)? })
}
