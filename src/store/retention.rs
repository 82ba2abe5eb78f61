//! What is old goes, a few rows at a time, so that no ban waits for it and the file does not grow for ever.

use std::time::Duration;

use rusqlite::{Connection, Row, ToSql, params};

use super::access::audit;
use super::{Error, Store};
use crate::clock::Timestamp;

/// At most this many rows of a table go at a time.
const STEP: usize = 1_000;

/// How many freed pages are given back to the file system at a time.
const VACUUM_PAGES: usize = 1_000;

/// How long the figures by address and day are kept, for reports on who came back.
const DAYS: Duration = Duration::from_secs(400 * 24 * 3600);

/// How long the figures by hour are kept, and the sums by day that need little more room.
const HOURS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long the numbered changes are kept, for whoever follows them: 90 days, and that on which they are marked.
const CHANGES: Duration = Duration::from_secs(91 * 24 * 3600);

/// How long it is kept who took themselves off a list: the longest wait, and as long again.
const REMOVALS: Duration = Duration::from_secs(2 * 365 * 24 * 3600);

/// No session can be configured to last longer.
const OLD_SESSIONS: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long a token that has ended is shown.
const ENDED_TOKENS: Duration = Duration::from_secs(90 * 24 * 3600);

impl Store {
    /// Deletes some rows whose time is up and gives freed pages back. Tells whether there is more to do.
    pub fn retain(&mut self, now: Timestamp) -> Result<bool, Error> {
        let more = self.try_retain(now);
        more.map_err(|error| Error::new(&self.settings.path, error))
    }

    fn try_retain(&mut self, now: Timestamp) -> rusqlite::Result<bool> {
        let evidence = now - self.settings.evidence_retention;
        let history = now - self.settings.history_retention;
        let mut more = self.drop_evidence(evidence)?;
        more |= self.fold(now)?;
        let connection = self.connection();
        more |= drop_old(connection, &BANS, history)?;
        more |= drop_old(connection, &OFFENDERS, now)?;
        connection.prepare_cached(MARK_CHANGES)?.execute([now.start_of_day()])?;
        more |= drop_old(connection, &CHANGE_ROWS, now - CHANGES)?;
        more |= drop_old(connection, &MARK_ROWS, now - DAYS)?;
        more |= drop_old(connection, &DAY_ROWS, now - DAYS)?;
        more |= drop_old(connection, &NETWORK_ROWS, now - DAYS)?;
        more |= drop_old(connection, &ASKED_ROWS, now - DAYS)?;
        // What users are called is personal, as their lines are.
        more |= drop_old(connection, &USER_ROWS, evidence)?;
        more |= drop_old(connection, &HOUR_ROWS, now - HOURS)?;
        more |= drop_old(connection, &WAIT_ROWS, now - HOURS)?;
        more |= drop_old(connection, &ANSWER_ROWS, now - HOURS)?;
        more |= drop_old(connection, &TOKENS, now - ENDED_TOKENS)?;
        more |= drop_old(connection, &REMOVAL_ROWS, now - REMOVALS)?;
        // Contacts are personal, as lines are.
        more |= drop_old(connection, &REQUEST_ROWS, evidence)?;
        more |= drop_old(connection, &REPORT_ROWS, now - HOURS)?;
        more |= drop_old(connection, &SESSIONS, now - OLD_SESSIONS)?;
        more |= audit::drop_old(connection, history, STEP)?;
        give_back_pages(connection)?;
        Ok(more)
    }

    /// Goes on from the last ban it dealt with, since those before have no evidence left.
    fn drop_evidence(&mut self, before: Timestamp) -> rusqlite::Result<bool> {
        let (ended, id) = self.evidence_gone;
        let sql = "SELECT ended, id FROM bans WHERE (ended, id) > (?1, ?2) AND ended < ?3 ORDER BY ended, id LIMIT ?4";
        let mut select = self.connection().prepare_cached(sql)?;
        let rows =
            select.query_map(params![ended, id, before, STEP], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let bans: Vec<(Timestamp, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        drop(select);
        let Some(last) = bans.last().copied() else {
            return Ok(false);
        };
        let transaction = self.connection().unchecked_transaction()?;
        for (_, ban) in &bans {
            transaction.prepare_cached("DELETE FROM evidence WHERE ban = ?1")?.execute([ban])?;
        }
        transaction.commit()?;
        self.evidence_gone = last;
        Ok(bans.len() == STEP)
    }
}

/// How the old rows of a table are found, oldest first, and deleted by their key.
struct Aging {
    /// Gives the key of rows older than `?1`, at most `?2` of them; each has an index to run along.
    old: &'static str,
    /// Deletes the row with this key.
    delete: &'static str,
}

const BANS: Aging = Aging {
    old: "SELECT id FROM bans WHERE ended IS NOT NULL AND ended < ?1 ORDER BY ended LIMIT ?2",
    delete: "DELETE FROM bans WHERE id = ?1",
};

const OFFENDERS: Aging = Aging {
    old: "SELECT jail, address, length FROM offenders WHERE forget IS NOT NULL AND forget < ?1 ORDER BY forget LIMIT ?2",
    delete: "DELETE FROM offenders WHERE jail = ?1 AND address = ?2 AND length = ?3",
};

/// By when they were written, as [`MARK_CHANGES`] notes it: a change tells when a ban began, which may be long before. Where that
/// was in these days, the milliseconds of [`CHANGES`], it is young whatever a clock said that was wrong once. The last one stays,
/// since numbers go on from it.
const CHANGE_ROWS: Aging = Aging {
    old: "SELECT number FROM changes WHERE number <= (
            SELECT number FROM changes_by_day WHERE day < ?1 ORDER BY day DESC LIMIT 1)
        AND number < ifnull(
            (SELECT number FROM changes WHERE number < (SELECT min(number) FROM changes) + ?2
                AND at >= ?1 AND at < ?1 + 7862400000 ORDER BY number LIMIT 1),
            (SELECT max(number) FROM changes))
        ORDER BY number LIMIT ?2",
    delete: "DELETE FROM changes WHERE number = ?1",
};

const MARK_ROWS: Aging = Aging {
    old: "SELECT day FROM changes_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM changes_by_day WHERE day = ?1",
};

/// Once a day: which change is the last one.
const MARK_CHANGES: &str =
    "INSERT OR IGNORE INTO changes_by_day VALUES (?1, ifnull((SELECT max(number) FROM changes), 0))";

const REMOVAL_ROWS: Aging = Aging {
    old: "SELECT jail, address, length FROM removals WHERE removed < ?1 ORDER BY removed LIMIT ?2",
    delete: "DELETE FROM removals WHERE jail = ?1 AND address = ?2 AND length = ?3",
};

const REQUEST_ROWS: Aging = Aging {
    old: "SELECT number FROM removal_requests WHERE decided IS NOT NULL AND decided < ?1 ORDER BY decided LIMIT ?2",
    delete: "DELETE FROM removal_requests WHERE number = ?1",
};

const DAY_ROWS: Aging = Aging {
    old: "SELECT day, jail, address, length FROM failures_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM failures_by_day WHERE day = ?1 AND jail = ?2 AND address = ?3 AND length = ?4",
};

const HOUR_ROWS: Aging = Aging {
    old: "SELECT hour, jail FROM failures_by_hour WHERE hour < ?1 ORDER BY hour LIMIT ?2",
    delete: "DELETE FROM failures_by_hour WHERE hour = ?1 AND jail = ?2",
};

const NETWORK_ROWS: Aging = Aging {
    old: "SELECT day, jail, address, length FROM networks_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM networks_by_day WHERE day = ?1 AND jail = ?2 AND address = ?3 AND length = ?4",
};

const USER_ROWS: Aging = Aging {
    old: "SELECT day, jail, user FROM users_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM users_by_day WHERE day = ?1 AND jail = ?2 AND user = ?3",
};

const ASKED_ROWS: Aging = Aging {
    old: "SELECT day, address, length FROM asked_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM asked_by_day WHERE day = ?1 AND address = ?2 AND length = ?3",
};

const WAIT_ROWS: Aging = Aging {
    old: "SELECT day, jail, wait FROM waits_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM waits_by_day WHERE day = ?1 AND jail = ?2 AND wait = ?3",
};

const ANSWER_ROWS: Aging = Aging {
    old: "SELECT day FROM answers_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM answers_by_day WHERE day = ?1",
};

const SESSIONS: Aging = Aging {
    old: "SELECT id FROM sessions WHERE created < ?1 ORDER BY created LIMIT ?2",
    delete: "DELETE FROM sessions WHERE id = ?1",
};

const TOKENS: Aging = Aging {
    old: "SELECT id FROM tokens WHERE until IS NOT NULL AND until < ?1 ORDER BY until LIMIT ?2",
    delete: "DELETE FROM tokens WHERE id = ?1",
};

const REPORT_ROWS: Aging = Aging {
    old: "SELECT day, reporter, category FROM reports_by_day WHERE day < ?1 ORDER BY day LIMIT ?2",
    delete: "DELETE FROM reports_by_day WHERE day = ?1 AND reporter = ?2 AND category = ?3",
};

/// Deletes the oldest rows; whether there may be more.
fn drop_old(connection: &Connection, aging: &Aging, before: Timestamp) -> rusqlite::Result<bool> {
    let mut old = connection.prepare_cached(aging.old)?;
    let columns = old.column_count();
    let key = |row: &Row<'_>| (0..columns).map(|column| row.get(column)).collect();
    let rows = old.query_map(params![before, STEP], key)?;
    let keys: Vec<Vec<rusqlite::types::Value>> = rows.collect::<rusqlite::Result<_>>()?;
    if keys.is_empty() {
        return Ok(false);
    }
    let transaction = connection.unchecked_transaction()?;
    let mut delete = transaction.prepare_cached(aging.delete)?;
    for key in &keys {
        delete.execute(rusqlite::params_from_iter(key.iter().map(|value| value as &dyn ToSql)))?;
    }
    drop(delete);
    transaction.commit()?;
    Ok(keys.len() == STEP)
}

/// The pragma frees a page with each step.
fn give_back_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
    let mut freed = statement.query([])?;
    while freed.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::Settings;

    const DAY: Duration = Duration::from_secs(86_400);

    /// The day on which a change was written, and that of which it tells.
    type Written = (u32, u32);

    /// On which days changes were written and of which days they tell, the day on which somebody follows them, and the numbers
    /// that are left then.
    const CASES: &[(&[Written], u32, &[u64])] = &[
        (&[(10, 10)], 200, &[1]),
        (&[(10, 10), (20, 20)], 200, &[2]),
        (&[(10, 10), (11, 11)], 101, &[1, 2]),
        (&[(10, 10), (11, 11)], 102, &[2]),
        (&[(10, 10), (150, 150), (160, 160)], 200, &[2, 3]),
        // A ban that began long ago was made when it was.
        (&[(10, 10), (150, 150), (160, 20), (170, 170)], 200, &[2, 3, 4]),
        (&[(150, 10), (160, 20)], 200, &[1, 2]),
        // One by a clock gone wrong holds up nothing.
        (&[(10, 400), (150, 150), (160, 160)], 200, &[2, 3]),
    ];

    fn on(day: u32) -> Timestamp {
        Timestamp::from_secs(0) + DAY * day
    }

    fn opened(folder: &TempDir) -> Store {
        let path = folder.path().join("banzone.db");
        let settings = Settings { path, evidence_retention: DAY, history_retention: DAY };
        Store::open(&settings, on(1)).unwrap()
    }

    /// Writes a change that tells of `day`.
    fn write(store: &Store, number: u64, day: u32) {
        let put = "INSERT INTO changes VALUES (?1, ?2, 'allowed', NULL, zeroblob(16), 96, NULL, NULL)";
        store.connection().execute(put, params![number, on(day)]).unwrap();
    }

    #[test]
    fn changes_are_kept_for_ninety_days() {
        for (written, last, left) in CASES {
            let folder = TempDir::new().unwrap();
            let mut store = opened(&folder);
            let mut numbered = (1_u64..).zip(*written).peekable();
            for day in 1..=*last {
                while let Some((number, (_, of))) = numbered.next_if(|(_, (written, _))| *written == day) {
                    write(&store, number, *of);
                }
                while store.retain(on(day)).unwrap() {}
            }
            let mut select =
                store.connection().prepare("SELECT number FROM changes ORDER BY number").unwrap();
            let found = select.query_map([], |row| row.get(0)).unwrap();
            assert_eq!(found.collect::<rusqlite::Result<Vec<u64>>>().unwrap(), *left, "{written:?}");
        }
    }

    #[test]
    fn a_clock_that_was_wrong_once_takes_no_young_changes() {
        let folder = TempDir::new().unwrap();
        let mut store = opened(&folder);
        [(1, 20), (2, 150), (3, 160)].into_iter().for_each(|(number, day)| write(&store, number, day));
        for day in [5, 200] {
            while store.retain(on(day)).unwrap() {}
        }
        let left = store.connection().query_row("SELECT min(number) FROM changes", [], |row| row.get(0));
        assert_eq!(left, Ok(2_u64));
    }
}
