//! The list of bans, in force and over: filtered, sorted, a page at a time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::{Row, Rows, Statement, params};

use super::page::{Found, Page, ParseKeyError, page};
use super::reader::{BAN_ROWS, ENDED, ID, PastBan, SINCE, UNTIL, evidence, past_ban};
use super::row::prefix;
use super::{Error, Origin, Reader};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// Which bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BanState {
    /// Those in force.
    #[default]
    Active,
    /// Those that are over.
    Ended,
    /// Both.
    All,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BanSort {
    /// That began last first.
    #[default]
    Newest,
    /// That began first first.
    Oldest,
    /// By its end: of bans in force that by which they end, and those that don't end last.
    FirstToEnd,
    /// The other way round.
    LastToEnd,
    /// By address.
    Address,
}

/// Who made a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanMaker {
    /// Failures in a log.
    Log,
    /// Bans of addresses inside.
    Escalation,
    /// Somebody.
    Order,
    /// Other servers.
    Reports,
}

impl BanMaker {
    fn made(self, origin: &Origin) -> bool {
        match origin {
            Origin::Log => self == Self::Log,
            Origin::Escalation => self == Self::Escalation,
            Origin::Reports => self == Self::Reports,
            Origin::Order(_) => self == Self::Order,
        }
    }
}

/// Which bans are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanQuery {
    /// Of this jail.
    pub jail: Option<Arc<str>>,
    /// In force, or over.
    pub state: BanState,
    /// Of this network and what is in it; these come by address.
    pub within: Option<Prefix>,
    /// That began then or later.
    pub from: Option<Timestamp>,
    /// That began before.
    pub until: Option<Timestamp>,
    /// That were made so.
    pub maker: Option<BanMaker>,
    /// In this order.
    pub sort: BanSort,
    /// With the lines that led to them.
    pub evidence: bool,
    /// Behind this one.
    pub after: Option<BanKey>,
    /// At most so many.
    pub limit: usize,
}

/// The place of a ban in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanKey {
    /// In one by time.
    Time(i64, i64),
    /// In one by address.
    Address(Prefix, i64),
}

impl fmt::Display for BanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time, id) => write!(f, "{time}_{id}"),
            Self::Address(prefix, id) => write!(f, "{prefix}_{id}"),
        }
    }
}

impl FromStr for BanKey {
    type Err = ParseKeyError;

    fn from_str(written: &str) -> Result<Self, ParseKeyError> {
        let (place, id) = written.rsplit_once('_').ok_or(ParseKeyError)?;
        let id = id.parse().map_err(|_| ParseKeyError)?;
        let time = place.parse().map(|time| Self::Time(time, id));
        time.or_else(|_| Ok(Self::Address(place.parse().map_err(|_| ParseKeyError)?, id)))
    }
}

impl BanQuery {
    /// Whether the list can be had in its order, and begin where it is to.
    pub fn check(&self) -> Result<(), BanQueryError> {
        let by_address = self.is_by_address();
        if self.within.is_some() && !matches!(self.sort, BanSort::Newest | BanSort::Address) {
            return Err(BanQueryError::Within);
        }
        if self.is_by_end() && self.state == BanState::All {
            return Err(BanQueryError::End);
        }
        match self.after {
            Some(BanKey::Time(..)) if by_address => Err(BanQueryError::After),
            Some(BanKey::Address(..)) if !by_address => Err(BanQueryError::After),
            _ => Ok(()),
        }
    }

    fn is_by_address(&self) -> bool {
        self.within.is_some() || self.sort == BanSort::Address
    }

    fn is_by_end(&self) -> bool {
        !self.is_by_address() && matches!(self.sort, BanSort::FirstToEnd | BanSort::LastToEnd)
    }

    fn is_by_time(&self) -> bool {
        !self.is_by_address() && !self.is_by_end()
    }

    /// Where the rows of a list by time begin: behind the page before, and behind what the times leave out.
    fn start(&self) -> (i64, i64) {
        let (mut time, mut id) = match (self.after, self.sort) {
            (Some(BanKey::Time(time, id)), _) => (time, id),
            (_, BanSort::Newest | BanSort::LastToEnd) => (i64::MAX, i64::MAX),
            _ => (i64::MIN, i64::MIN),
        };
        match (self.sort, self.from, self.until) {
            (BanSort::Newest, _, Some(until)) if until.as_millis() <= time => {
                (time, id) = (until.as_millis(), i64::MIN);
            }
            (BanSort::Oldest, Some(from), _) if from.as_millis() > time => {
                (time, id) = (from.as_millis(), i64::MIN);
            }
            _ => {}
        }
        (time, id)
    }

    fn key(&self, row: &Row<'_>) -> rusqlite::Result<BanKey> {
        let id = row.get(ID)?;
        if self.is_by_address() {
            return Ok(BanKey::Address(prefix(row, 1)?, id));
        }
        let column = match (self.is_by_end(), self.state) {
            (false, _) => SINCE,
            (true, BanState::Active) => UNTIL,
            (true, _) => ENDED,
        };
        Ok(BanKey::Time(row.get::<_, Option<i64>>(column)?.unwrap_or(i64::MAX), id))
    }

    fn look(&self, past: &PastBan) -> Found<()> {
        let since = past.ban.since;
        let (is_early, is_late) =
            (self.from.is_some_and(|from| since < from), self.until.is_some_and(|until| since >= until));
        if !self.is_by_address()
            && (is_early && self.sort == BanSort::Newest || is_late && self.sort == BanSort::Oldest)
        {
            return Found::Beyond;
        }
        let is_of_state = match self.state {
            BanState::Active => past.ended.is_none(),
            BanState::Ended => past.ended.is_some(),
            BanState::All => true,
        };
        let is_wanted = !is_early
            && !is_late
            && is_of_state
            && self.jail.as_ref().is_none_or(|jail| past.ban.jail == *jail)
            && self.within.is_none_or(|within| within.covers(past.ban.prefix))
            && self.maker.is_none_or(|maker| maker.made(&past.ban.origin));
        if is_wanted { Found::Wanted(()) } else { Found::Other }
    }
}

/// A list that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BanQueryError {
    /// Networks are found by address.
    #[error("bans inside a network come in the order of addresses: leave `sort` out, or sort by `address`")]
    Within,
    /// Bans in force have another end than those that are over.
    #[error(
        "bans in force are sorted by when they will end, others by when they did: ask for one of the two `state`s"
    )]
    End,
    /// The cursor is of another list.
    #[error("`after` is the place in a list of another order: begin again without it")]
    After,
}

impl Reader {
    /// The bans that `query` asks for, of which those count that are `wanted`. What [`BanQuery::check`] refuses is empty.
    pub fn bans(
        &self,
        query: &BanQuery,
        wanted: impl Fn(&PastBan) -> bool,
    ) -> Result<Page<PastBan, BanKey>, Error> {
        if query.check().is_err() {
            return Ok(Page { rows: Vec::new(), next: None });
        }
        let look = |row: &Row<'_>| {
            let past = past_ban(row)?;
            Ok(match query.look(&past) {
                Found::Wanted(()) if wanted(&past) => Found::Wanted((past, row.get(ID)?)),
                Found::Beyond => Found::Beyond,
                _ => Found::Other,
            })
        };
        self.run(|connection| {
            let mut statement = connection.prepare_cached(&sql(query))?;
            let rows = start(&mut statement, query)?;
            let Page { mut rows, next } = page(rows, query.limit, |row| query.key(row), look)?;
            if query.evidence {
                for (past, id) in &mut rows {
                    past.ban.evidence = evidence(connection, *id)?;
                }
            }
            Ok(Page { rows: rows.into_iter().map(|(past, _)| past).collect(), next })
        })
    }
}

/// Begins with the row behind the page before.
fn start<'s>(statement: &'s mut Statement<'_>, query: &BanQuery) -> rusqlite::Result<Rows<'s>> {
    if query.is_by_address() {
        let (first, last) = query.within.map_or((0, u128::MAX), Prefix::bounds);
        let (address, length, id) = match query.after {
            Some(BanKey::Address(prefix, id)) => {
                let (address, length) = prefix.to_bytes();
                (address, length, id)
            }
            _ => (first.to_be_bytes(), 0, i64::MIN),
        };
        return statement.query(params![address, length, id, last.to_be_bytes()]);
    }
    let (time, id) = query.start();
    match &query.jail {
        Some(jail) if query.is_by_time() => statement.query(params![time, id, jail]),
        _ => statement.query(params![time, id]),
    }
}

/// A ban that does not end by itself ends last. SQLite takes an index for the ends only where they are compared alone as well.
const ENDS: &str = "ifnull(until, 9223372036854775807)";

/// Of a network those behind a place in it; an index finds the address.
const INSIDE: &str = "address >= ?1 AND address <= ?4 AND (address, length, bans.id) > (?1, ?2, ?3)";

/// Bans in force and those that are over have an index each, along both of which a list of all is read.
fn sql(query: &BanQuery) -> String {
    let states: &[&str] = match query.state {
        BanState::Active => &["ended IS NULL"],
        BanState::Ended => &["ended IS NOT NULL"],
        BanState::All => &["ended IS NULL", "ended IS NOT NULL"],
    };
    let of_jail = match query.jail {
        Some(_) if query.is_by_time() => " AND jail = (SELECT id FROM jails WHERE name = ?3)",
        _ => "",
    };
    let (behind, order) = place(query);
    let rows = states.iter().map(|state| format!("SELECT {BAN_ROWS} WHERE {state}{of_jail} AND {behind}"));
    format!("{} ORDER BY {order}", rows.collect::<Vec<_>>().join(" UNION ALL "))
}

/// What stands behind the page before, and in which order.
fn place(query: &BanQuery) -> (String, String) {
    let ends = if query.state == BanState::Active { ENDS } else { "ended" };
    match query.sort {
        _ if query.is_by_address() => (INSIDE.to_owned(), "address, length, bans.id".to_owned()),
        BanSort::FirstToEnd => {
            (format!("{ends} >= ?1 AND ({ends}, bans.id) > (?1, ?2)"), format!("{ends}, bans.id"))
        }
        BanSort::LastToEnd => {
            (format!("{ends} <= ?1 AND ({ends}, bans.id) < (?1, ?2)"), format!("{ends} DESC, bans.id DESC"))
        }
        BanSort::Oldest => ("(since, bans.id) > (?1, ?2)".to_owned(), "since, bans.id".to_owned()),
        _ => ("(since, bans.id) < (?1, ?2)".to_owned(), "since DESC, bans.id DESC".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::jail::{Ban, Change, Effects, EndCause};
    use crate::store::{Settings, Store, Work};

    const JAILS: [&str; 2] = ["sasl", "ssh"];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    /// Bans of both jails, of addresses and networks; some are over, some never end, many begin at the same time.
    fn changes() -> Vec<Change> {
        let mut changes = Vec::new();
        for number in 0..60_u8 {
            let text = match number % 5 {
                0 => format!("192.0.2.{number}"),
                1 => format!("198.51.{number}.0/24"),
                2 => format!("2001:db8:{number}::1"),
                3 => format!("192.0.2.{}/30", number & 0xfc),
                _ => format!("203.0.113.{number}"),
            };
            let (prefix, jail): (Prefix, Arc<str>) =
                (text.parse().unwrap(), JAILS[usize::from(number / 7 % 2)].into());
            let since = at(1000 + i64::from(number / 4) * 10);
            let until =
                (number % 6 != 0).then(|| since + Duration::from_secs(100 * u64::from(number % 3 + 1)));
            let origin = if number % 4 == 0 { Origin::Order("root".into()) } else { Origin::Log };
            let evidence = vec![text.as_str().into()];
            let ban = Ban {
                prefix,
                jail: Arc::clone(&jail),
                since,
                until,
                first: None,
                origin,
                failures: 3,
                count: 1,
                evidence,
            };
            changes.push(Change::Banned(ban));
            if number % 3 == 0 {
                let cause = EndCause::Expired;
                changes.push(Change::Unbanned { prefix, jail, at: at(2000 - i64::from(number)), cause });
            }
        }
        changes
    }

    fn filled(folder: &TempDir) -> Reader {
        let retention = Duration::from_secs(86_400);
        let path = folder.path().join("banzone.db");
        let settings =
            Settings { path: path.clone(), evidence_retention: retention, history_retention: retention };
        let mut store = Store::open(&settings, at(1)).unwrap();
        let effects = Effects { changes: changes(), ..Effects::default() };
        store.commit(&[Work { effects, ..Work::default() }]).unwrap();
        Reader::open(&path).unwrap()
    }

    /// All pages of `limit` bans.
    fn pages(reader: &Reader, query: &BanQuery, limit: usize) -> Vec<PastBan> {
        let (mut found, mut query) = (Vec::new(), BanQuery { limit, ..query.clone() });
        loop {
            let page = reader.bans(&query, |_| true).unwrap();
            assert!(page.rows.len() <= limit);
            found.extend(page.rows);
            match page.next {
                Some(next) => query.after = Some(next.to_string().parse().unwrap()),
                None => return found,
            }
        }
    }

    fn queries() -> Vec<BanQuery> {
        let within = ["192.0.2.0/24", "0.0.0.0/0", "::/0", "198.51.1.0/24", "203.0.113.4"];
        let within: Vec<Option<Prefix>> =
            within.iter().map(|text| Some(text.parse().unwrap())).chain([None]).collect();
        let mut queries = Vec::new();
        for sort in
            [BanSort::Newest, BanSort::Oldest, BanSort::FirstToEnd, BanSort::LastToEnd, BanSort::Address]
        {
            for state in [BanState::Active, BanState::Ended, BanState::All] {
                for jail in [None, Some(JAILS[0].into()), Some("none".into())] {
                    for within in &within {
                        for (from, until, maker) in [
                            (None, None, None),
                            (Some(at(1040)), Some(at(1090)), None),
                            (None, Some(at(1020)), Some(BanMaker::Log)),
                        ] {
                            let (jail, within) = (Option::clone(&jail), *within);
                            queries.push(BanQuery {
                                jail,
                                state,
                                within,
                                from,
                                until,
                                maker,
                                sort,
                                ..BanQuery::default()
                            });
                        }
                    }
                }
            }
        }
        queries.retain(|query| query.check().is_ok());
        queries
    }

    /// What `query` asks for, of all that there is.
    fn wanted(all: &[PastBan], query: &BanQuery) -> BTreeSet<String> {
        let wanted = all.iter().filter(|past| {
            let ban = &past.ban;
            query.jail.as_ref().is_none_or(|jail| ban.jail == *jail)
                && match query.state {
                    BanState::Active => past.ended.is_none(),
                    BanState::Ended => past.ended.is_some(),
                    BanState::All => true,
                }
                && query.within.is_none_or(|within| within.covers(ban.prefix))
                && query.from.is_none_or(|from| ban.since >= from)
                && query.until.is_none_or(|until| ban.since < until)
                && query.maker.is_none_or(|maker| maker.made(&ban.origin))
        });
        wanted.map(|past| format!("{} {}", past.ban.jail, past.ban.prefix)).collect()
    }

    fn is_sorted(found: &[PastBan], query: &BanQuery) -> bool {
        if query.is_by_address() {
            return found.is_sorted_by_key(|past| past.ban.prefix.to_bytes());
        }
        let end = |past: &PastBan| past.ended.or(past.ban.until).map_or(i64::MAX, Timestamp::as_millis);
        match query.sort {
            BanSort::Oldest => found.is_sorted_by_key(|past| past.ban.since),
            BanSort::FirstToEnd => found.is_sorted_by_key(end),
            BanSort::LastToEnd => found.is_sorted_by_key(|past| std::cmp::Reverse(end(past))),
            _ => found.is_sorted_by_key(|past| std::cmp::Reverse(past.ban.since)),
        }
    }

    #[test]
    fn pages_together_are_what_is_asked_for_in_order() {
        let folder = TempDir::new().unwrap();
        let reader = filled(&folder);
        let all = pages(&reader, &BanQuery { state: BanState::All, ..BanQuery::default() }, 1000);
        assert_eq!(all.len(), 60);
        let queries = queries();
        assert!(queries.len() > 300, "{}", queries.len());
        for query in &queries {
            let whole = pages(&reader, query, 1000);
            let named = whole.iter().map(|past| format!("{} {}", past.ban.jail, past.ban.prefix));
            let named: BTreeSet<String> = named.collect();
            assert_eq!((named.len(), &named), (whole.len(), &wanted(&all, query)), "{query:?}");
            assert!(is_sorted(&whole, query), "{query:?}");
            for limit in [1, 7] {
                assert_eq!(pages(&reader, query, limit), whole, "{limit} {query:?}");
            }
        }
    }

    /// No query runs through the whole table, or sorts it; to put in order what one network has is another thing.
    #[test]
    fn every_query_runs_along_an_index() {
        let folder = TempDir::new().unwrap();
        let reader = filled(&folder);
        for query in queries() {
            let sql = sql(&query);
            let steps = reader.run(|connection| {
                let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let values = vec![rusqlite::types::Null; explain.parameter_count()];
                let steps = explain.query_map(rusqlite::params_from_iter(values), |row| row.get(3))?;
                steps.collect::<rusqlite::Result<Vec<String>>>()
            });
            let is_slow = |step: &String| step.starts_with("SCAN ") || step == "USE TEMP B-TREE FOR ORDER BY";
            let slow: Vec<String> = steps.unwrap().into_iter().filter(is_slow).collect();
            assert_eq!(slow, [""; 0], "{sql}");
        }
    }

    #[test]
    fn evidence_comes_where_it_is_asked_for() {
        let folder = TempDir::new().unwrap();
        let reader = filled(&folder);
        let query = BanQuery { evidence: true, limit: 3, ..BanQuery::default() };
        let lines: Vec<_> =
            reader.bans(&query, |_| true).unwrap().rows.into_iter().map(|past| past.ban.evidence).collect();
        assert!(lines.iter().all(|lines| lines.len() == 1), "{lines:?}");
        let without = BanQuery { limit: 3, ..BanQuery::default() };
        assert!(reader.bans(&without, |_| true).unwrap().rows[0].ban.evidence.is_empty());
    }

    #[test]
    fn a_place_is_of_one_order() {
        let key: BanKey = "2001:db8::/32_7".parse().unwrap();
        let query = |sort| BanQuery { sort, after: Some(key), ..BanQuery::default() };
        assert_eq!(query(BanSort::Newest).check(), Err(BanQueryError::After));
        assert_eq!(query(BanSort::Address).check(), Ok(()));
        for wrong in ["", "_", "7", "x_7", "7_x", "192.0.2.0/33_1"] {
            assert_eq!(wrong.parse::<BanKey>(), Err(ParseKeyError), "{wrong}");
        }
    }
}
