//! Those who report to this hub, and the listings that wait for somebody to look at them.

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Form as Typed, Json};
use serde::Deserialize;

use super::forms::{came_from, path_of, read_prefix};
use super::listing::{Act, Cell, Field, Form, Kind, Listing, Table};
use super::words::{ago, left};
use super::{Page, back};
use crate::access::{Permission, Principal};
use crate::clock::Timestamp;
use crate::http::api::{Held, HeldListing, HeldQuery, ListQuery, NewReporter, Reporter};
use crate::http::problem::Refused;
use crate::http::{By, Daemon, reporters};
use crate::jail::HoldReason;

/// `GET /reporters`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let limit = query.limit;
    let found = reporters::list(State(daemon.clone()), Ok(Query(query))).await?.0;
    let held = reporters::held(State(daemon.clone()), Ok(Query(ListQuery::default()))).await?.0;
    let now = daemon.now();
    let mut page = Listing::new(&by, "/reporters", "Reporters");
    if held.next.is_some() {
        page.links.push((format!("All {} listings that are held back", held.total), "/held".to_owned()));
    }
    if !held.held.is_empty() {
        page.tables.push(held_table("Held back", &held, &by, now));
    }
    let can_change = by.may(Permission::Administer);
    page.tables.push(Table {
        title: "Organisations",
        heads: &["Organisation", "Weighs", "Votes", "Taken", "Refused", "Last", ""],
        rows: found.reporters.iter().map(|reporter| row(reporter, can_change, now)).collect(),
        empty: "Nobody has reported yet. `banzone token add NAME --role reporter --organisation ORG` makes a token.",
    });
    page.goes_on(limit, found.next);
    if can_change {
        page.forms.push(Form {
            title: "Say what votes weigh",
            path: "/reporters",
            fields: vec![
                Field::new("name", "Organisation", Kind::Text).required(),
                Field::new("trust", "Weight", Kind::Number).required().hint("0 counts for nothing"),
            ],
            button: "Set",
            is_open: false,
        });
    }
    Ok(page.show())
}

/// `GET /held`
pub(super) async fn held(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let limit = query.limit;
    let held = reporters::held(State(daemon.clone()), Ok(Query(query))).await?.0;
    let mut page = Listing::new(&by, "/held", "Held back");
    page.links = vec![("Those who report".to_owned(), "/reporters".to_owned())];
    page.tables = vec![held_table("", &held, &by, daemon.now())];
    page.goes_on(limit, held.next);
    Ok(page.show())
}

fn held_table(title: &'static str, held: &Held, by: &Principal, now: Timestamp) -> Table {
    let can_decide = by.may(Permission::Operate);
    Table {
        title,
        heads: &["Listing", "Why", "Votes", "Since", "Would end", ""],
        rows: held.held.iter().map(|held| held_row(held, can_decide, now)).collect(),
        empty: "Nothing is held back.",
    }
}

fn row(reporter: &Reporter, can_change: bool, now: Timestamp) -> Vec<Cell> {
    let note = reporter.cut_off.map_or_else(String::new, |since| format!("cut off {}", ago(since, now)));
    let act = |act: &str, label| Act {
        path: "/reporters",
        fields: vec![("name", reporter.name.clone()), ("act", act.to_owned())],
        label,
    };
    let acts = match (can_change, reporter.cut_off) {
        (false, _) => Vec::new(),
        (true, None) => vec![act("cut-off", "Cut off"), act("withdraw", "Withdraw")],
        (true, Some(_)) => vec![act("admit", "Admit")],
    };
    vec![
        Cell::text(&reporter.name).note(note),
        Cell::text(reporter.trust),
        Cell::number(reporter.votes),
        Cell::number(reporter.accepted),
        Cell::number(reporter.refused),
        Cell::text(reporter.last_seen.map_or_else(|| "never".to_owned(), |seen| ago(seen, now))),
        Cell::acts(acts),
    ]
}

fn held_row(held: &HeldListing, can_decide: bool, now: Timestamp) -> Vec<Cell> {
    let why = match held.reason {
        HoldReason::Growth => "the list would grow too fast",
        HoldReason::Allowlisted => "it holds what is allowed",
    };
    let act = |act: &str, label| Act {
        path: "/held",
        fields: vec![("prefix", held.prefix.to_string()), ("act", act.to_owned())],
        label,
    };
    let acts =
        if can_decide { vec![act("release", "List it"), act("discard", "Forget it")] } else { Vec::new() };
    vec![
        Cell::text(held.prefix).link(path_of(held.prefix)),
        Cell::text(why),
        Cell::number(held.votes.len() as u64),
        Cell::text(ago(held.since, now)),
        Cell::text(left(Some(held.until), now)),
        Cell::acts(acts),
    ]
}

/// What is to become of an organisation.
#[derive(Deserialize)]
pub(super) struct Change {
    name: String,
    #[serde(default)]
    act: String,
    trust: Option<f64>,
}

/// `POST /reporters`
pub(super) async fn change(daemon: Daemon, form: Result<Typed<Change>, FormRejection>) -> Page {
    let Typed(Change { name, act, trust }) = form?;
    if act == "withdraw" {
        let Json(_) = reporters::withdraw(daemon, Path(name)).await?;
    } else {
        let cut_off = match &*act {
            "cut-off" => Some(true),
            "admit" => Some(false),
            _ => None,
        };
        let change = NewReporter { trust, cut_off };
        let Json(_) = reporters::change(daemon, Path(name), Ok(Json(change))).await?;
    }
    back("/reporters")
}

/// What is to become of a listing that is held back.
#[derive(Deserialize)]
pub(super) struct Decision {
    prefix: String,
    act: String,
}

/// `POST /held`
pub(super) async fn decide(
    daemon: Daemon,
    headers: HeaderMap,
    form: Result<Typed<Decision>, FormRejection>,
) -> Page {
    let Typed(Decision { prefix, act }) = form?;
    let query = Ok(Query(HeldQuery { prefix: Some(read_prefix(&prefix)?), all: false }));
    let Json(_) = match &*act {
        "release" => reporters::release(daemon, query).await?,
        "discard" => reporters::discard(daemon, query).await?,
        _ => {
            return Err(Refused::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "there is nothing else to do with it",
            ));
        }
    };
    back(&came_from(&headers))
}
