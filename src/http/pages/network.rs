//! What is known of one network and of what is in it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};

use super::Page;
use super::forms::query;
use super::listing::{Cell, Listing, Table};
use super::words::{ago, left};
use crate::clock::Timestamp;
use crate::http::api::{Allow, BanInForce, JailOfNetwork, ListedInNetwork, NetworkLookup, NetworkQuery};
use crate::http::{By, Daemon, network};
use crate::ip::Prefix;

/// `GET /network`
pub(super) async fn show(
    State(daemon): Daemon,
    Extension(by): By,
    asked: Result<Query<NetworkQuery>, QueryRejection>,
) -> Page {
    let found = network::look_up(State(daemon.clone()), Extension(by.clone()), asked).await?.0;
    let now = daemon.now();
    let NetworkLookup { prefix, bans, allowed, jails, listings, is_cut } = found;
    let mut page = Listing::new(&by, "/networks", prefix.to_string());
    page.notes.extend(allowed.map(|allow| (said_of(&allow, now), false)));
    if is_cut {
        page.notes.push(("There is more in it than was counted.".to_owned(), false));
    }
    if !bans.is_empty() {
        page.tables.push(covering(&bans, now));
    }
    page.tables.push(inside(prefix, &jails));
    page.tables.push(listed(&listings));
    Ok(page.show())
}

fn said_of(Allow { prefix, note, owner, until, .. }: &Allow, now: Timestamp) -> String {
    let end = until.map_or_else(String::new, |until| format!(" for {} more", left(Some(until), now)));
    let words = [note, owner].into_iter().filter(|words| !words.is_empty()).cloned().collect::<Vec<_>>();
    let why = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    format!("{prefix} is allowed{end}{why}.")
}

fn covering(bans: &[BanInForce], now: Timestamp) -> Table {
    let row = |ban: &BanInForce| {
        vec![
            Cell::text(ban.prefix),
            Cell::text(&ban.jail),
            Cell::text(ago(ban.since, now)),
            Cell::text(left(ban.until, now)),
        ]
    };
    Table {
        title: "Banned as a whole",
        heads: &["Network", "Jail", "Since", "Until"],
        rows: bans.iter().map(row).collect(),
        empty: "",
    }
}

fn inside(prefix: Prefix, jails: &[JailOfNetwork]) -> Table {
    let row = |jail: &JailOfNetwork| {
        let within = query(&[("history", "1"), ("jail", &jail.jail), ("within", &prefix.to_string())]);
        vec![
            Cell::text(&jail.jail).link(format!("/bans?{within}")),
            Cell::number(jail.banned),
            Cell::number(jail.ended),
            Cell::number(jail.failing),
        ]
    };
    Table {
        title: "What is in it",
        heads: &["Jail", "Banned now", "Bans that are over", "Failing now"],
        rows: jails.iter().map(row).collect(),
        empty: "No jail has anything in it.",
    }
}

fn listed(listings: &[ListedInNetwork]) -> Table {
    let row = |zone: &ListedInNetwork| vec![Cell::text(&zone.zone), Cell::number(zone.listings)];
    Table {
        title: "What of these bans zones list",
        heads: &["Zone", "Listings"],
        rows: listings.iter().map(row).collect(),
        empty: "No zone lists any of them.",
    }
}
