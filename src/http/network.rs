//! What is known of a network and of what is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use tokio::sync::Semaphore;

use super::api::{JailOfNetwork, ListedInNetwork, NetworkLookup, NetworkQuery};
use super::lookup::{allowed_by, in_force};
use super::problem::Refused;
use super::{By, Control, Daemon, Failed, turns};
use crate::access::Principal;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{BanTable, Held, Jails, check_width};
use crate::list::{List, rule_of};
use crate::store::{KeptInside, Reader};
use crate::zone::Zone;

/// `GET /api/v1/lookup`
pub(super) async fn look_up(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<NetworkQuery>, QueryRejection>,
) -> Result<Json<NetworkLookup>, Refused> {
    let Query(NetworkQuery { prefix }) = query?;
    check_width(prefix).map_err(Failed::Refused)?;
    let turn = turns::turn(&LOOKING).await?;
    let sees_all = by.sees_all();
    let look = move |jails: &Jails| (jails.bans().clone(), allowed_by(jails, prefix, sees_all));
    let (table, allowed) = daemon.see(look).await?;
    let own = by.grant().clone();
    let kept =
        move |reader: &Reader| Ok((turn, reader.inside(prefix, |jail| own.has_jail(jail), MOST_COUNTED)?));
    let (turn, (kept, is_cut)) = daemon.read(kept).await?;
    // On a copy of the table, so that the jails go on meanwhile.
    let count = move || {
        let network = Network { table: &table, prefix, now: daemon.now() };
        NetworkLookup {
            prefix,
            bans: in_force(&table, &by, prefix, network.now),
            allowed,
            jails: network.jails(&by, kept),
            listings: network.listings(&*daemon, &by),
            is_cut,
        }
    };
    Ok(Json(turns::work(turn, count).await?))
}

/// So many look at a time: of a wide network each reads as much as there is.
static LOOKING: Semaphore = Semaphore::const_new(2);

/// So many bans that are over, and so many addresses with failures, are counted of a jail.
const MOST_COUNTED: u64 = 100_000;

/// What is in force in a network now.
struct Network<'a> {
    table: &'a BanTable,
    prefix: Prefix,
    now: Timestamp,
}

impl Network<'_> {
    fn bans(&self) -> impl Iterator<Item = (Prefix, Held)> {
        self.table.within(self.prefix).filter(|(_, held)| held.in_force(self.now))
    }

    /// The bans of exactly `prefix`.
    fn bans_of(&self, prefix: Prefix) -> impl Iterator<Item = Held> {
        let covering = self.table.covering(prefix);
        covering
            .into_iter()
            .filter(move |(found, held)| *found == prefix && held.in_force(self.now))
            .map(|(_, held)| held)
    }

    /// What the jails of `by` have in it, `kept` among it.
    fn jails(&self, by: &Principal, kept: Vec<KeptInside>) -> Vec<JailOfNetwork> {
        let mut banned = vec![0; self.table.jails().len()];
        self.bans().for_each(|(_, held)| banned[held.jail.index()] += 1);
        let mut found: BTreeMap<Arc<str>, JailOfNetwork> = BTreeMap::new();
        for KeptInside { jail, ended, failing } in kept {
            found.insert(jail, JailOfNetwork { ended, failing, ..JailOfNetwork::default() });
        }
        let jails = self.table.jails().iter().zip(banned);
        for (jail, banned) in jails.filter(|(jail, banned)| *banned > 0 && by.grant().has_jail(&jail.name)) {
            found.entry(Arc::clone(&jail.name)).or_default().banned = banned;
        }
        found.into_iter().map(|(jail, counts)| JailOfNetwork { jail: jail.to_string(), ..counts }).collect()
    }

    /// How much of it each zone of `by` lists.
    fn listings(&self, daemon: &dyn Control, by: &Principal) -> Vec<ListedInNetwork> {
        let zones = daemon.dns().zones();
        let published = Arc::clone(&zones.lists().latest());
        let own = zones.zones().iter().zip(published.iter());
        let own = own.filter(|(zone, _)| by.grant().has_zone(&zone.origin().to_string()));
        let mut counted: Vec<Counted<'_>> =
            own.map(|(zone, of)| Counted::new(zone, &of.list, self.table)).collect();
        for (prefix, held) in self.bans() {
            // What several jails ban is listed once.
            if self.bans_of(prefix).next() == Some(held) {
                counted.iter_mut().for_each(|zone| zone.count(prefix, self.bans_of(prefix)));
            }
        }
        counted.retain(|zone| zone.listings > 0);
        counted.into_iter().map(|Counted { zone, listings, .. }| ListedInNetwork { zone, listings }).collect()
    }
}

/// What a zone lists.
struct Counted<'a> {
    zone: String,
    list: &'a List,
    /// By the jail's place in the table.
    is_published: Vec<bool>,
    listings: u64,
}

impl<'a> Counted<'a> {
    fn new(zone: &Zone, list: &'a List, table: &BanTable) -> Self {
        let rules = zone.rules();
        let is_published = table.jails().iter().map(|jail| rule_of(&rules, &jail.name).is_some()).collect();
        Self { zone: zone.origin().to_string(), list, is_published, listings: 0 }
    }

    /// Counts `prefix`, if one of `bans` lists it.
    fn count(&mut self, prefix: Prefix, mut bans: impl Iterator<Item = Held>) {
        let is_listed =
            bans.any(|held| self.is_published[held.jail.index()]) && !self.list.allows_all(prefix);
        self.listings += u64::from(is_listed);
    }
}
