//! How much is kept of what is in a network, by jail.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::row::prefix as prefix_of;
use super::{Error, Reader};
use crate::ip::Prefix;

/// What is kept of one jail inside a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptInside {
    /// The jail.
    pub jail: Arc<str>,
    /// Bans that are over.
    pub ended: u64,
    /// Addresses and networks with failures that have not made a ban.
    pub failing: u64,
}

impl KeptInside {
    /// Whether there may be more of either than the `most` that are counted.
    fn is_cut(&self, most: u64) -> bool {
        self.ended == most || self.failing == most
    }
}

impl Reader {
    /// What the jails that are `wanted` have inside `prefix`, by name, without those that have nothing; and whether one may have
    /// more, since of each kind at most `most` are counted.
    pub fn inside(
        &self,
        prefix: Prefix,
        wanted: impl Fn(&str) -> bool,
        most: u64,
    ) -> Result<(Vec<KeptInside>, bool), Error> {
        self.run(|connection| {
            let mut found: Vec<(i64, KeptInside)> = jails(connection, wanted)?;
            let is_long = count_ended(connection, prefix, most, &mut found)?;
            for (jail, kept) in &mut found {
                kept.failing = count_failing(connection, prefix, most, *jail)?;
            }
            let found: Vec<KeptInside> = found.into_iter().map(|(_, kept)| kept).collect();
            let is_cut = is_long || found.iter().any(|kept| kept.is_cut(most));
            let is_there = |kept: &KeptInside| kept.ended + kept.failing > 0;
            Ok((found.into_iter().filter(is_there).collect(), is_cut))
        })
    }
}

fn jails(connection: &Connection, wanted: impl Fn(&str) -> bool) -> rusqlite::Result<Vec<(i64, KeptInside)>> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM jails ORDER BY name")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, KeptInside { jail: row.get(1)?, ended: 0, failing: 0 })))?;
    let found: Vec<(i64, KeptInside)> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().filter(|(_, kept)| wanted(&kept.jail)).collect())
}

/// So many bans that are over are looked at, those of other jails among them: some seconds' worth.
const MOST_LOOKED_AT: usize = 10_000_000;

/// All that it reads stands in the index.
const ENDED_INSIDE: &str =
    "SELECT address, length, jail FROM bans WHERE ended IS NOT NULL AND address >= ?1 AND address <= ?2";

const FAILING_INSIDE: &str =
    "SELECT address, length FROM counters WHERE jail = ?1 AND address >= ?2 AND address <= ?3";

/// Whether there is more than was looked at.
fn count_ended(
    connection: &Connection,
    prefix: Prefix,
    most: u64,
    found: &mut [(i64, KeptInside)],
) -> rusqlite::Result<bool> {
    let (first, last) = bounds(prefix);
    let mut statement = connection.prepare_cached(ENDED_INSIDE)?;
    let mut rows = statement.query(params![first, last])?;
    let (mut open, mut looked_at) = (found.len(), 0);
    while open > 0 {
        let Some(row) = rows.next()? else { break };
        looked_at += 1;
        if looked_at > MOST_LOOKED_AT {
            return Ok(true);
        }
        let jail: i64 = row.get(2)?;
        let of = found.iter_mut().find(|(id, kept)| *id == jail && kept.ended < most);
        if let Some((_, kept)) = of
            && prefix.covers(prefix_of(row, 0)?)
        {
            kept.ended += 1;
            open -= usize::from(kept.ended == most);
        }
    }
    Ok(false)
}

fn count_failing(connection: &Connection, prefix: Prefix, most: u64, jail: i64) -> rusqlite::Result<u64> {
    let (first, last) = bounds(prefix);
    let mut statement = connection.prepare_cached(FAILING_INSIDE)?;
    let (mut rows, mut count) = (statement.query(params![jail, first, last])?, 0);
    while count < most {
        let Some(row) = rows.next()? else { break };
        count += u64::from(prefix.covers(prefix_of(row, 0)?));
    }
    Ok(count)
}

fn bounds(prefix: Prefix) -> ([u8; 16], [u8; 16]) {
    let (first, last) = prefix.bounds();
    (first.to_be_bytes(), last.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::clock::Timestamp;
    use crate::jail::{Ban, Change, Counter, Effects, EndCause, Evidence, Origin};
    use crate::store::{Settings, Store, Work};

    const AT: Timestamp = Timestamp::from_secs(1000);

    /// A ban that is over, of each.
    fn over(jail: &Arc<str>, prefixes: &[&str]) -> Vec<Change> {
        let changes = prefixes.iter().flat_map(|prefix| {
            let (prefix, jail) = (prefix.parse().unwrap(), Arc::clone(jail));
            let ended =
                Change::Unbanned { prefix, jail: Arc::clone(&jail), at: AT, cause: EndCause::Expired };
            let (origin, evidence) = (Origin::Log, Vec::new());
            let ban = Ban {
                prefix,
                jail,
                since: AT,
                until: None,
                first: None,
                origin,
                failures: 1,
                count: 1,
                evidence,
            };
            [Change::Banned(ban), ended]
        });
        changes.collect()
    }

    #[test]
    fn jails_are_counted_without_those_that_are_not_wanted() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("banzone.db");
        let retention = Duration::from_secs(86_400);
        let settings =
            Settings { path: path.clone(), evidence_retention: retention, history_retention: retention };
        let mut store = Store::open(&settings, AT).unwrap();
        let [sasl, ssh]: [Arc<str>; 2] = ["sasl".into(), "ssh".into()];
        let mut changes =
            over(&sasl, &["192.0.2.1", "192.0.2.2", "192.0.2.64/26", "198.51.100.1", "2001:db8::1"]);
        changes.extend(over(&ssh, &["192.0.2.1", "192.0.2.3", "192.0.0.0/16"]));
        let counter = Counter { first: AT, last: AT, retry: 0, failures: 1, lines: Evidence::default() };
        let counters = ["192.0.2.9", "203.0.113.1"]
            .map(|host| (Arc::clone(&ssh), host.parse().unwrap(), Some(counter.clone())));
        let effects = Effects { changes, counters: counters.into(), ..Effects::default() };
        store.commit(&[Work { effects, ..Work::default() }]).unwrap();
        let reader = Reader::open(&path).unwrap();
        let network: Prefix = "192.0.2.0/24".parse().unwrap();
        let kept = |jail: &Arc<str>, ended, failing| KeptInside { jail: Arc::clone(jail), ended, failing };
        for (wanted, prefix, most, expected) in [
            (None, network, 10, (vec![kept(&sasl, 3, 0), kept(&ssh, 2, 1)], false)),
            (Some("ssh"), network, 10, (vec![kept(&ssh, 2, 1)], false)),
            // Others are many, and nothing of that is seen.
            (Some("ssh"), network, 3, (vec![kept(&ssh, 2, 1)], false)),
            (Some("ssh"), network, 2, (vec![kept(&ssh, 2, 1)], true)),
            (None, network, 2, (vec![kept(&sasl, 2, 0), kept(&ssh, 2, 1)], true)),
            (Some("none"), network, 10, (Vec::new(), false)),
            // IPv4 stands inside it in the file, and is no part of it.
            (None, "::/16".parse().unwrap(), 10, (Vec::new(), false)),
            (None, "2001:db8::/32".parse().unwrap(), 10, (vec![kept(&sasl, 1, 0)], false)),
        ] {
            let is_wanted = |jail: &str| wanted.is_none_or(|wanted| jail == wanted);
            assert_eq!(
                reader.inside(prefix, is_wanted, most).unwrap(),
                expected,
                "{wanted:?} {prefix} {most}"
            );
        }
    }
}
