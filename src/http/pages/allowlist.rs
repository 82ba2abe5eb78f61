//! The allowlist: what is never banned or published.

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Query, State};
use axum::{Form as Typed, Json};
use serde::Deserialize;

use super::forms::{filled, path_of, read_prefix, read_span};
use super::listing::{Act, Cell, Field, Form, Kind, Listing, Table};
use super::words::{ago, left};
use super::{Page, back};
use crate::access::Permission;
use crate::clock::Timestamp;
use crate::http::api::{Allow, DisallowQuery, ListQuery, NewAllow};
use crate::http::{By, Daemon, bans};

/// `GET /allow`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let limit = query.limit;
    let found = bans::allowlist(State(daemon.clone()), Ok(Query(query))).await?.0;
    let (now, can_change) = (daemon.now(), by.may(Permission::Operate));
    let mut page = Listing::new(&by, "/allow", "Allowlist");
    page.tables = vec![Table {
        title: "",
        heads: &["Address or network", "Why", "Owner", "Since", "Until", ""],
        rows: found.allow.iter().map(|allow| row(allow, can_change, now)).collect(),
        empty: "Nothing is allowed beside what the configuration says.",
    }];
    page.goes_on(limit, found.next);
    if can_change {
        page.forms = vec![Form {
            title: "Allow an address or a network",
            path: "/allow",
            fields: vec![
                Field::new("prefix", "Address or network", Kind::Text).required(),
                Field::new("note", "Why", Kind::Text).required(),
                Field::new("owner", "Who answers for it", Kind::Text).hint("empty: you"),
                Field::new("days", "For so many days", Kind::Number)
                    .hint("empty: until somebody takes it off"),
            ],
            button: "Allow",
            is_open: false,
        }];
    }
    Ok(page.show())
}

fn row(allow: &Allow, can_change: bool, now: Timestamp) -> Vec<Cell> {
    let remove =
        Act { path: "/allow/remove", fields: vec![("prefix", allow.prefix.to_string())], label: "Take off" };
    vec![
        Cell::text(allow.prefix).link(path_of(allow.prefix)),
        Cell::text(&allow.note),
        Cell::text(&allow.owner),
        Cell::text(allow.since.map_or_else(String::new, |since| ago(since, now))),
        Cell::text(left(allow.until, now)),
        Cell::acts(if can_change { vec![remove] } else { Vec::new() }),
    ]
}

/// What is typed to allow somebody.
#[derive(Deserialize)]
pub(super) struct Entry {
    prefix: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    days: String,
}

/// `POST /allow`
pub(super) async fn allow(daemon: Daemon, by: By, form: Result<Typed<Entry>, FormRejection>) -> Page {
    let Typed(Entry { prefix, note, owner, days }) = form?;
    let prefix = read_prefix(&prefix)?;
    let seconds = read_span(&days, "days", 86_400)?;
    let order = NewAllow { prefix, note: note.trim().to_owned(), owner: filled(&owner), seconds };
    let Json(_) = bans::allow(daemon, by, Ok(Json(order))).await?;
    back("/allow")
}

/// Which entry goes.
#[derive(Deserialize)]
pub(super) struct Which {
    prefix: String,
}

/// `POST /allow/remove`
pub(super) async fn remove(daemon: Daemon, form: Result<Typed<Which>, FormRejection>) -> Page {
    let Typed(Which { prefix }) = form?;
    let query = DisallowQuery { prefix: read_prefix(&prefix)? };
    let Json(_) = bans::disallow(daemon, Ok(Query(query))).await?;
    back("/allow")
}
