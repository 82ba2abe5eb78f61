//! The tokens of programs.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::{Form as Typed, Json};
use serde::Deserialize;

use super::forms::{Which, filled, read_prefix, read_span};
use super::frame::Frame;
use super::listing::{Act, Cell, Field, Form, Kind, Listing, Table};
use super::users::{grant, names, roles};
use super::words::{ago, left};
use super::{Page, back, page};
use crate::access::Role;
use crate::clock::Timestamp;
use crate::http::api::{ListQuery, NewToken, Rotation, Token, TokenMade};
use crate::http::{By, Daemon, tokens};

/// The token of before stays good for a day, so that whoever uses it can be told.
const OVERLAP: u64 = 86_400;

/// `GET /tokens`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let limit = query.limit;
    let found = tokens::list(State(daemon.clone()), Ok(Query(query))).await?.0;
    let now = daemon.now();
    let mut listing = Listing::new(&by, "/tokens", "Tokens");
    listing.tables = vec![Table {
        title: "",
        heads: &["Name", "May", "Made", "Until", "Used", ""],
        rows: found.tokens.iter().map(|token| row(token, now)).collect(),
        empty: "There are none.",
    }];
    listing.goes_on(limit, found.next);
    let every = [Role::Viewer, Role::Operator, Role::Admin, Role::Reporter];
    listing.forms = vec![Form {
        title: "Make a token",
        path: "/tokens",
        fields: vec![
            Field::new("name", "Name", Kind::Text).required(),
            Field::new("role", "Role", Kind::Choice(roles(&every), String::new())),
            Field::new("organisation", "Organisation", Kind::Text).hint("of a reporter"),
            Field::new("jails", "Jails", Kind::Text).hint("empty: all; others with spaces between them"),
            Field::new("zones", "Zones", Kind::Text).hint("empty: all"),
            Field::new("sources", "From which networks", Kind::Text).hint("empty: everywhere"),
            Field::new("days", "For so many days", Kind::Number).hint("empty: until it is revoked"),
        ],
        button: "Make it",
        is_open: false,
    }];
    Ok(listing.show())
}

fn row(token: &Token, now: Timestamp) -> Vec<Cell> {
    let act = |path, label| Act { path, fields: vec![("id", token.id.clone())], label };
    let acts = if token.in_force {
        vec![act("/tokens/rotate", "Rotate"), act("/tokens/revoke", "Revoke")]
    } else {
        Vec::new()
    };
    let until = match (token.in_force, token.until) {
        (false, Some(ended)) => format!("ended {}", ago(ended, now)),
        (_, until) => left(until, now),
    };
    vec![
        Cell::text(&token.name).note(format!("bz_{}_…", token.id)),
        grant(&token.grant),
        Cell::text(ago(token.created, now)),
        Cell::text(until),
        Cell::text(token.used.map_or_else(|| "never".to_owned(), |used| ago(used, now))),
        Cell::acts(acts),
    ]
}

#[derive(Template)]
#[template(path = "pages/token.html")]
struct Made {
    frame: Frame,
    name: String,
    secret: String,
}

impl Made {
    fn show(by: &By, TokenMade { secret, token }: TokenMade) -> Page {
        Ok(page(&Self { frame: Frame::of(by, "/tokens"), name: token.name, secret }))
    }
}

/// What is typed for a token.
#[derive(Deserialize)]
pub(super) struct New {
    name: String,
    role: Role,
    #[serde(default)]
    organisation: String,
    #[serde(default)]
    jails: String,
    #[serde(default)]
    zones: String,
    #[serde(default)]
    sources: String,
    #[serde(default)]
    days: String,
}

/// `POST /tokens`: shows the token, this once.
pub(super) async fn add(daemon: Daemon, by: By, form: Result<Typed<New>, FormRejection>) -> Page {
    let Typed(New { name, role, organisation, jails, zones, sources, days }) = form?;
    let sources = names(&sources).unwrap_or_default();
    let order = NewToken {
        name: name.trim().to_owned(),
        role,
        jails: names(&jails),
        zones: names(&zones),
        sources: sources.iter().map(|source| read_prefix(source)).collect::<Result<_, _>>()?,
        organisation: filled(&organisation).map(Into::into),
        seconds: read_span(&days, "days", 86_400)?,
    };
    Made::show(&by, tokens::add(daemon, Ok(Json(order))).await?.0)
}

/// `POST /tokens/rotate`: shows the new one, this once.
pub(super) async fn rotate(daemon: Daemon, by: By, form: Result<Typed<Which>, FormRejection>) -> Page {
    let Typed(Which { id }) = form?;
    Made::show(&by, tokens::rotate(daemon, Path(id), Ok(Json(Rotation { overlap: OVERLAP }))).await?.0)
}

/// `POST /tokens/revoke`
pub(super) async fn revoke(daemon: Daemon, form: Result<Typed<Which>, FormRejection>) -> Page {
    let Typed(Which { id }) = form?;
    let Json(_) = tokens::revoke(daemon, Path(id)).await?;
    back("/tokens")
}
