//! What is known of a network and of what is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};

use super::api::{JailOfNetwork, ListedInNetwork, NetworkLookup, NetworkQuery};
use super::lookup::{allowed_by, in_force};
use super::problem::Refused;
use super::{By, Control, Daemon, Failed};
use crate::access::Principal;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{BanTable, Held, Jails, check_width};
use crate::list::rule_of;
use crate::store::{self, BanQuery, BanState, CounterQuery, Reader};

/// `GET /api/v1/lookup`
pub(super) async fn look_up(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<NetworkQuery>, QueryRejection>,
) -> Result<Json<NetworkLookup>, Refused> {
    let Query(NetworkQuery { prefix }) = query?;
    check_width(prefix).map_err(Failed::Refused)?;
    let look = move |jails: &Jails| (jails.bans().clone(), allowed_by(jails, prefix));
    let (table, allowed) = daemon.see(look).await?;
    let (mut counts, is_cut) = daemon.read(move |reader| Counts::kept(reader, prefix)).await?;
    // Nobody else waits meanwhile.
    let count = move || {
        let now = daemon.now();
        let covering = in_force(&table, &by, prefix, now);
        counts.add_banned(&table, prefix, now);
        let listings = listed_within(&*daemon, &by, &table, prefix, now);
        NetworkLookup { prefix, bans: covering, allowed, jails: counts.shown_to(&by), listings, is_cut }
    };
    Ok(Json(tokio::task::spawn_blocking(count).await.map_err(|_| Failed::Stopping)?))
}

/// So many bans that are over, and so many addresses with failures, are counted in a network: what a /16 has in a bad year.
const MOST_COUNTED: usize = 20_000;

/// What jails have in a network, by name.
#[derive(Default)]
struct Counts(BTreeMap<Arc<str>, JailOfNetwork>);

impl Counts {
    /// What the database has inside `prefix`: bans that are over, and failures that have not made a ban. And whether there is more.
    fn kept(reader: &Reader, prefix: Prefix) -> Result<(Self, bool), store::Error> {
        let (within, limit) = (Some(prefix), MOST_COUNTED);
        let ended = BanQuery { within, limit, state: BanState::Ended, ..BanQuery::default() };
        let failing = CounterQuery { within, limit, ..CounterQuery::default() };
        let (ended, failing) = (reader.bans(&ended, |_| true)?, reader.counters(&failing)?);
        let mut counts = Self::default();
        for past in &ended.rows {
            counts.of(&past.ban.jail).ended += 1;
        }
        for counter in &failing.rows {
            counts.of(&counter.jail).failing += 1;
        }
        Ok((counts, ended.next.is_some() || failing.next.is_some()))
    }

    fn of(&mut self, jail: &Arc<str>) -> &mut JailOfNetwork {
        self.0.entry(Arc::clone(jail)).or_default()
    }

    /// Adds the bans in force inside `prefix`.
    fn add_banned(&mut self, table: &BanTable, prefix: Prefix, now: Timestamp) {
        let mut counts = vec![0; table.jails().len()];
        for (_, held) in in_force_within(table, prefix, now) {
            counts[held.jail.index()] += 1;
        }
        for (jail, banned) in table.jails().iter().zip(counts).filter(|(_, banned)| *banned > 0) {
            self.of(&jail.name).banned = banned;
        }
    }

    /// They, as far as they are for `by`.
    fn shown_to(self, by: &Principal) -> Vec<JailOfNetwork> {
        let own = self.0.into_iter().filter(|(jail, _)| by.grant().has_jail(jail));
        own.map(|(jail, counts)| JailOfNetwork { jail: jail.to_string(), ..counts }).collect()
    }
}

/// The bans in force inside `prefix`.
fn in_force_within(table: &BanTable, prefix: Prefix, now: Timestamp) -> impl Iterator<Item = (Prefix, Held)> {
    table.within(prefix).filter(move |(_, held)| held.in_force(now))
}

/// How much of the bans of `table` inside `prefix` each zone lists, as far as it is for `by`.
fn listed_within(
    daemon: &dyn Control,
    by: &Principal,
    table: &BanTable,
    prefix: Prefix,
    now: Timestamp,
) -> Vec<ListedInNetwork> {
    let zones = daemon.dns().zones();
    let lists = zones.lists().latest();
    let own = zones.zones().iter().zip(lists.iter());
    let own = own.filter(|(zone, _)| by.grant().has_zone(&zone.origin().to_string()));
    let counted = own.map(|(zone, published)| {
        let rules = zone.rules();
        let is_published: Vec<bool> =
            table.jails().iter().map(|jail| rule_of(&rules, &jail.name).is_some()).collect();
        let (mut listings, mut last) = (0, None);
        for (prefix, held) in in_force_within(table, prefix, now) {
            // An address that several jails ban is listed once.
            if is_published[held.jail.index()] && last != Some(prefix) && !published.list.allows_all(prefix) {
                (listings, last) = (listings + 1, Some(prefix));
            }
        }
        ListedInNetwork { zone: zone.origin().to_string(), listings }
    });
    counted.filter(|zone| zone.listings > 0).collect()
}
