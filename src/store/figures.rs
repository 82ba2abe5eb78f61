//! The figures by hour and day, read for reports. Each look-up runs along an index over the days it is asked for; how many
//! rows a day has is bounded (see [`super::rollup`]).

use std::sync::Arc;

use rusqlite::{Params, Row, params};

use super::row::prefix;
use super::{Error, Reader};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// A span of time from one midnight in UTC to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub until: Timestamp,
}

/// What one jail did in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourOfJail {
    /// When it began.
    pub hour: Timestamp,
    /// The jail.
    pub jail: Arc<str>,
    /// Failures.
    pub failures: u64,
    /// New bans.
    pub bans: u64,
    /// Those of them of what the jail had banned before.
    pub again: u64,
    /// Addresses that failed for the first time of their day.
    pub addresses: u64,
}

/// Failures on one day in one jail that one address, or one network, had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailuresOf {
    /// Whose they are.
    pub prefix: Prefix,
    /// How many.
    pub failures: u64,
    /// Of how many addresses.
    pub addresses: u64,
}

impl Reader {
    /// Every hour of `span` in which something happened, in order; of one jail, or of all.
    pub fn hours(&self, span: Span, jail: Option<&str>) -> Result<Vec<HourOfJail>, Error> {
        let mut hours = Vec::new();
        self.each(HOURS, params![span.from, span.until], |row| {
            hours.push(HourOfJail {
                hour: row.get(0)?,
                jail: row.get(1)?,
                failures: row.get(2)?,
                bans: row.get(3)?,
                again: row.get(4)?,
                addresses: row.get(5)?,
            });
            Ok(())
        })?;
        hours.retain(|hour| jail.is_none_or(|jail| *hour.jail == *jail));
        Ok(hours)
    }

    /// Hands on each address with failures that has a row of its own, once for each day and jail.
    pub fn failing_addresses(
        &self,
        span: Span,
        jail: Option<&str>,
        mut each: impl FnMut(FailuresOf),
    ) -> Result<(), Error> {
        self.each(ADDRESSES, params![span.from, span.until, jail], |row| {
            each(FailuresOf { prefix: prefix(row, 0)?, failures: row.get(2)?, addresses: 1 });
            Ok(())
        })
    }

    /// Hands on what is kept by network of the addresses that have no rows of their own any more.
    pub fn failing_networks(
        &self,
        span: Span,
        jail: Option<&str>,
        mut each: impl FnMut(FailuresOf),
    ) -> Result<(), Error> {
        self.each(NETWORKS, params![span.from, span.until, jail], |row| {
            each(FailuresOf { prefix: prefix(row, 0)?, failures: row.get(2)?, addresses: row.get(3)? });
            Ok(())
        })
    }

    /// Hands on each user name that was tried, and how often, once for each day and jail.
    pub fn users(
        &self,
        span: Span,
        jail: Option<&str>,
        mut each: impl FnMut(&str, u64),
    ) -> Result<(), Error> {
        self.each(USERS, params![span.from, span.until, jail], |row| {
            each(row.get_ref(0)?.as_str()?, row.get(1)?);
            Ok(())
        })
    }

    /// Hands on who reported what category how often, once for each day.
    pub fn reports(&self, span: Span, mut each: impl FnMut(&str, &str, u64)) -> Result<(), Error> {
        self.each(REPORTS, params![span.from, span.until], |row| {
            each(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, row.get(2)?);
            Ok(())
        })
    }

    /// How many bans took so long since the first failure: of each of [`super::WAITS`] those up to it, and at the end those
    /// that took longer.
    pub fn waits(&self, span: Span, jail: Option<&str>) -> Result<Vec<u64>, Error> {
        let mut waits = vec![0; super::WAITS.len() + 1];
        self.each(WAITS_OF_BANS, params![span.from, span.until, jail], |row| {
            let (wait, bans): (usize, u64) = (row.get(0)?, row.get(1)?);
            if let Some(sum) = waits.get_mut(wait) {
                *sum += bans;
            }
            Ok(())
        })?;
        Ok(waits)
    }

    /// How often DNS answered with a listing, by day.
    pub fn answers(&self, span: Span) -> Result<Vec<(Timestamp, u64)>, Error> {
        let mut answers = Vec::new();
        self.each(ANSWERS, params![span.from, span.until], |row| {
            answers.push((row.get(0)?, row.get(1)?));
            Ok(())
        })?;
        Ok(answers)
    }

    /// Hands on the listings that DNS answered with most often, once for each day.
    pub fn asked(&self, span: Span, mut each: impl FnMut(Prefix, u64)) -> Result<(), Error> {
        self.each(ASKED, params![span.from, span.until], |row| {
            each(prefix(row, 0)?, row.get(2)?);
            Ok(())
        })
    }

    /// Whether there ever was a jail of this name.
    pub fn knows_jail(&self, name: &str) -> Result<bool, Error> {
        let mut is_known = false;
        self.each(JAIL, [name], |_| {
            is_known = true;
            Ok(())
        })?;
        Ok(is_known)
    }

    /// The jails that have banned exactly `prefix`, in no order.
    pub fn jails_of(&self, prefix: Prefix) -> Result<Vec<Arc<str>>, Error> {
        let (address, length) = prefix.to_bytes();
        let mut jails = Vec::new();
        self.each(JAILS_OF, params![address, length], |row| {
            jails.push(row.get(0)?);
            Ok(())
        })?;
        Ok(jails)
    }

    fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), Error> {
        let read = || -> rusqlite::Result<()> {
            let mut statement = self.connection().prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                each(row)?;
            }
            Ok(())
        };
        read().map_err(|error| Error::new(self.path(), error))
    }
}

const HOURS: &str = "SELECT hour, name, failures, bans, again, addresses FROM failures_by_hour
    JOIN jails ON jails.id = jail WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, jail";

const ADDRESSES: &str = "SELECT address, length, failures FROM failures_by_day
    WHERE day >= ?1 AND day < ?2 AND (?3 IS NULL OR jail = (SELECT id FROM jails WHERE name = ?3))";

const NETWORKS: &str = "SELECT address, length, failures, addresses FROM networks_by_day
    WHERE day >= ?1 AND day < ?2 AND (?3 IS NULL OR jail = (SELECT id FROM jails WHERE name = ?3))";

const USERS: &str = "SELECT user, failures FROM users_by_day
    WHERE day >= ?1 AND day < ?2 AND (?3 IS NULL OR jail = (SELECT id FROM jails WHERE name = ?3))";

const REPORTS: &str = "SELECT reporters.name, report_categories.name, reports FROM reports_by_day
    JOIN reporters ON reporters.id = reporter JOIN report_categories ON report_categories.id = category
    WHERE day >= ?1 AND day < ?2";

const WAITS_OF_BANS: &str = "SELECT wait, bans FROM waits_by_day
    WHERE day >= ?1 AND day < ?2 AND (?3 IS NULL OR jail = (SELECT id FROM jails WHERE name = ?3))";

const ANSWERS: &str = "SELECT day, answers FROM answers_by_day WHERE day >= ?1 AND day < ?2 ORDER BY day";

const ASKED: &str = "SELECT address, length, answers FROM asked_by_day WHERE day >= ?1 AND day < ?2";

const JAIL: &str = "SELECT 1 FROM jails WHERE name = ?1";

const JAILS_OF: &str = "SELECT name FROM bans JOIN jails ON jails.id = jail
        WHERE ended IS NULL AND address = ?1 AND length = ?2
    UNION SELECT name FROM bans JOIN jails ON jails.id = jail
        WHERE ended IS NOT NULL AND address = ?1 AND length = ?2";
