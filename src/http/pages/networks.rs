//! The networks that failures come from.

use axum::extract::{Extension, Query, State};
use serde::Deserialize;

use super::Page;
use super::forms::{own_jails, query, shown_jail};
use super::listing::{Cell, Listing, Table};
use crate::http::api::FiguresQuery;
use crate::http::{By, Daemon, figures};
use crate::report::{Day, Top, change};

/// Of so many days.
const DAYS: i64 = 30;

/// So many of each kind.
const ROWS: usize = 100;

/// What is chosen.
#[derive(Deserialize)]
pub(super) struct Choice {
    jail: Option<String>,
}

/// `GET /networks`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(choice): Query<Choice>) -> Page {
    let until = Day::of(daemon.now()).plus(1);
    let jail = shown_jail(&daemon, &by, choice.jail.as_deref()).await?;
    let wanted = FiguresQuery { from: until.plus(-DAYS), until, jail: jail.clone(), top: Some(ROWS) };
    let found = figures::figures(State(daemon.clone()), Extension(by.clone()), Ok(Query(wanted))).await?.0;
    let title = jail.map_or_else(|| "Networks".to_owned(), |jail| format!("Networks, {jail}"));
    let mut page = Listing::new(&by, "/networks", title);
    page.links = own_jails(&by, "/networks");
    page.notes = vec![(format!("The last {DAYS} days, compared with {}.", found.before), false)];
    page.tables =
        vec![table("/24 of IPv4", &found.networks_ipv4), table("/64 of IPv6", &found.networks_ipv6)];
    page.tables.extend(found.systems.iter().map(|systems| places("Autonomous systems", systems)));
    page.tables.extend(found.countries.iter().map(|countries| places("Countries", countries)));
    Ok(page.show())
}

fn table(title: &'static str, top: &Top) -> Table {
    let row = |row: &crate::report::Ranked| {
        vec![
            Cell::text(&row.name)
                .note(&row.note)
                .link(format!("/network?{}", query(&[("prefix", &row.name)]))),
            Cell::number(row.count.now),
            Cell::text(change(row.count)),
        ]
    };
    Table { title, rows: top.rows.iter().map(row).collect(), ..places(title, &Top::default()) }
}

fn places(title: &'static str, top: &Top) -> Table {
    let row = |row: &crate::report::Ranked| {
        vec![
            Cell::text(&row.name).note(&row.note),
            Cell::number(row.count.now),
            Cell::text(change(row.count)),
        ]
    };
    Table {
        title,
        heads: &["Network", "Failures", "Change"],
        rows: top.rows.iter().map(row).collect(),
        empty: "Nothing failed from there.",
    }
}
