//! The zones: what they list, how much they are asked, and their data sets.

use axum::extract::{Extension, Query, State};

use super::Page;
use super::listing::{Cell, Listing, Table};
use super::words::ago;
use crate::access::is_same_zone;
use crate::http::api::{DataSet, DnsQuery, Zone, ZoneSeen};
use crate::http::{By, Daemon, dns, lists};

/// `GET /zones`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By) -> Page {
    let zones = lists::zones(State(daemon.clone()), Extension(by.clone())).await.0.zones;
    let sets = lists::data_sets(State(daemon.clone()), Extension(by.clone())).await.0.datasets;
    // What is asked of DNS is told of all zones together, and so not to whoever is confined to some.
    let seen = match by.sees_all() {
        true => Some(dns::seen(State(daemon.clone()), Ok(Query(DnsQuery { limit: None }))).await?.0.zones),
        false => None,
    };
    let now = daemon.now();
    let mut page = Listing::new(&by, "/zones", "Zones");
    page.tables = vec![Table {
        title: "",
        heads: &["Zone", "Publishes", "Listings", "Asked", "Listed", "Serial"],
        rows: zones.iter().map(|zone| row(zone, seen.as_deref())).collect(),
        empty: "There is no zone.",
    }];
    if !sets.is_empty() {
        page.tables.push(Table {
            title: "Data sets",
            heads: &["Data set", "Zone", "Entries", "Read", "State"],
            rows: sets.iter().map(|set| set_row(set, now)).collect(),
            empty: "",
        });
    }
    Ok(page.show())
}

/// `seen` is `None` for those who do not see what is asked.
fn row(zone: &Zone, seen: Option<&[ZoneSeen]>) -> Vec<Cell> {
    let origin = zone.status.origin.trim_end_matches('.');
    let of_zone = |seen: &&ZoneSeen| seen.origin.as_deref().is_some_and(|name| is_same_zone(name, origin));
    let counted = |figure: fn(&ZoneSeen) -> u64| match seen {
        Some(seen) => Cell::number(seen.iter().find(of_zone).map_or(0, figure)),
        None => Cell::text("–"),
    };
    let rules: Vec<_> =
        zone.publish.iter().map(|rule| format!("{} as {}", rule.jails.join(", "), rule.code)).collect();
    vec![
        Cell::text(origin),
        Cell::text(rules.join("; ")),
        Cell::number(zone.status.listings),
        counted(|seen| seen.queries),
        counted(|seen| seen.listed),
        Cell::text(zone.status.serial),
    ]
}

fn set_row(set: &DataSet, now: crate::clock::Timestamp) -> Vec<Cell> {
    vec![
        Cell::text(&set.set),
        Cell::text(set.zone.trim_end_matches('.')),
        Cell::number(set.entries),
        Cell::text(set.loaded.map_or_else(|| "never".to_owned(), |loaded| ago(loaded, now))),
        Cell::text(set.problem.as_deref().unwrap_or("good")),
    ]
}
