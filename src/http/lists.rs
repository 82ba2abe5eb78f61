//! Lists: jails, failures being counted, zones and what they list, data sets.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;

use super::api::{
    Counting, Counts, CountsQuery, DataSet, DataSets, JailSummaries, JailSummary, ListQuery, Listings,
    ListingsQuery, PublishRule, PublishedPrefix, Zone, ZoneStatus, Zones,
};
use super::bans::check_jail;
use super::jails::hits;
use super::paging::{page_of, place, rows};
use super::problem::Refused;
use super::{By, Control, Daemon};
use crate::access::{Principal, is_same_zone};
use crate::filter::Hits;
use crate::jail::{Jails, Readers};
use crate::list::{Rule, rule_of};
use crate::store::{BanQuery, BanSort, CounterQuery, CounterRow, Page, PastBan};
use crate::zone;

type Answer<T> = Result<Json<T>, Refused>;

/// `GET /api/v1/jails`
pub(super) async fn jails(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<JailSummaries> {
    let Query(query) = query?;
    let all = |jails: &Jails, readers: &Readers| {
        let summary = |name| summary(name, jails, hits(name, jails, readers).as_ref());
        jails.names().filter_map(|name| summary(name)).collect::<Vec<_>>()
    };
    let mut jails = daemon.see_all(all).await?;
    jails.retain(|jail| by.grant().has_jail(&jail.jail));
    jails.sort_by(|one, other| one.jail.cmp(&other.jail));
    let (jails, next) = page_of(jails, &query, |jail| jail.jail.clone())?;
    Ok(Json(JailSummaries { jails, next }))
}

/// What `name` has done and holds, and its `hits`; none if there is no such jail.
pub(super) fn summary(name: &str, jails: &Jails, hits: Option<&Hits>) -> Option<JailSummary> {
    let status = jails.status(name)?;
    Some(JailSummary {
        jail: name.to_owned(),
        currently_failed: status.currently_failed as u64,
        total_failed: status.total_failed,
        currently_banned: status.currently_banned as u64,
        total_banned: status.total_banned,
        ignored: status.ignored,
        without_address: status.without_address,
        lines: hits.map_or(0, |hits| hits.lines),
        matched: hits.map_or(0, Hits::matched),
    })
}

/// `GET /api/v1/failures`
pub(super) async fn failures(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<CountsQuery>, QueryRejection>,
) -> Answer<Counts> {
    let Query(CountsQuery { jail, prefix, after, limit }) = query?;
    check_jail(&*daemon, &by, jail.as_deref()).await?;
    let after = place(after.as_deref())?;
    let query = CounterQuery { jail: jail.map(Arc::from), within: prefix, after, limit: rows(limit) };
    let Page { rows, next } = daemon.read(move |reader| reader.counters(&query)).await?;
    let failures = rows.into_iter().map(counting).collect();
    Ok(Json(Counts { failures, next: next.map(|next| next.to_string()) }))
}

fn counting(row: CounterRow) -> Counting {
    let CounterRow { jail, prefix, counter } = row;
    Counting {
        prefix,
        jail: jail.to_string(),
        failures: counter.failures,
        first: counter.first,
        last: counter.last,
        lines: counter.lines.iter().map(str::to_owned).collect(),
    }
}

/// `GET /api/v1/zones`
pub(super) async fn zones(State(daemon): Daemon, Extension(by): By) -> Json<Zones> {
    let all = daemon.dns().zones();
    let lists = all.lists().latest();
    let shown = all.zones().iter().zip(lists.iter()).map(|(zone, published)| {
        let settings = zone.settings();
        Zone {
            status: zone_status(zone, &published.list),
            name_servers: settings.name_servers.iter().map(ToString::to_string).collect(),
            ttl: settings.ttl.as_secs(),
            publish: zone.rules().into_iter().map(publish_rule).collect(),
        }
    });
    Json(Zones { zones: shown.filter(|zone| by.grant().has_zone(&zone.status.origin)).collect() })
}

/// How a zone is that publishes `list`.
pub(super) fn zone_status(zone: &zone::Zone, list: &crate::list::List) -> ZoneStatus {
    ZoneStatus { origin: zone.origin().to_string(), serial: list.serial(), listings: list.len() as u64 }
}

fn publish_rule(Rule { jails, code, .. }: Rule) -> PublishRule {
    PublishRule { jails: jails.iter().map(ToString::to_string).collect(), code }
}

/// `GET /api/v1/listings`
pub(super) async fn listings(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<ListingsQuery>, QueryRejection>,
) -> Answer<Listings> {
    let Query(ListingsQuery { zone, prefix, after, limit }) = query?;
    let (rules, list) = published(&*daemon, &by, &zone)?;
    let listed = rules.clone();
    let after = place(after.as_deref())?;
    let query =
        BanQuery { within: prefix, sort: BanSort::Address, after, limit: rows(limit), ..BanQuery::default() };
    check(&query)?;
    let wanted = move |past: &PastBan| {
        let ban = &past.ban;
        rule_of(&listed, &ban.jail).is_some() && !list.allows_all(ban.prefix)
    };
    let Page { rows, next } = daemon.read(move |reader| reader.bans(&query, wanted)).await?;
    let listings = rows.into_iter().filter_map(|past| listing(&rules, past)).collect();
    Ok(Json(Listings { listings, next: next.map(|next| next.to_string()) }))
}

/// Whether the list can be had.
pub(super) fn check(query: &BanQuery) -> Result<(), Refused> {
    query.check().map_err(|wrong| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, wrong.to_string()))
}

/// What the zone of this name publishes, and its list now.
fn published(
    daemon: &dyn Control,
    by: &Principal,
    name: &str,
) -> Result<(Vec<Rule>, crate::list::List), Refused> {
    let zones = daemon.dns().zones();
    let lists = zones.lists().latest();
    let is_asked = |zone: &zone::Zone| is_same_zone(&zone.origin().to_string(), name);
    let own = zones.zones().iter().zip(lists.iter());
    let mut own = own.filter(|(zone, _)| by.grant().has_zone(&zone.origin().to_string()));
    let found = own.find(|(zone, _)| is_asked(zone));
    let found = found.map(|(zone, published)| (zone.rules(), published.list.clone()));
    let unknown = || format!("there is no zone `{name}`; `GET /api/v1/zones` lists them");
    found.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, unknown()))
}

fn listing(rules: &[Rule], past: PastBan) -> Option<PublishedPrefix> {
    let ban = past.ban;
    let rule = usize::from(rule_of(rules, &ban.jail)?);
    let code = rules.get(rule)?.code;
    Some(PublishedPrefix {
        prefix: ban.prefix,
        jail: ban.jail.to_string(),
        code,
        since: ban.since,
        until: ban.until,
    })
}

/// `GET /api/v1/datasets`
pub(super) async fn data_sets(State(daemon): Daemon, Extension(by): By) -> Json<DataSets> {
    let shown = daemon.data_sets().into_iter().map(|set| DataSet {
        zone: set.zone,
        set: set.title,
        entries: set.entries as u64,
        loaded: set.loaded,
        failures: set.failures,
        problem: set.problem,
    });
    Json(DataSets { datasets: shown.filter(|set| by.grant().has_zone(&set.zone)).collect() })
}
