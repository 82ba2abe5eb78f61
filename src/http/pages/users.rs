//! Who may sign in, and what they may do.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::{Form as Typed, Json};
use serde::Deserialize;

use super::listing::{Act, Cell, Field, Form, Kind, Listing, Table};
use super::words::ago;
use super::{Page, back};
use crate::access::Role;
use crate::clock::Timestamp;
use crate::http::api::{Granted, ListQuery, NewUser, User, UserChange};
use crate::http::problem::Refused;
use crate::http::{By, Daemon, users};

/// `GET /users`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let limit = query.limit;
    let found = users::list(State(daemon.clone()), Ok(Query(query))).await?.0;
    let now = daemon.now();
    let mut page = Listing::new(&by, "/users", "Users");
    page.tables = vec![Table {
        title: "",
        heads: &["Name", "Role", "Second factor", "Seen", ""],
        rows: found.users.iter().map(|user| row(user, now)).collect(),
        empty: "There are none.",
    }];
    page.goes_on(limit, found.next);
    page.forms = vec![Form {
        title: "Add a user",
        path: "/users",
        fields: vec![
            Field::new("name", "Name", Kind::Text).required(),
            Field::new("password", "First password", Kind::Password)
                .required()
                .hint("12 characters at least"),
            Field::new(
                "role",
                "Role",
                Kind::Choice(roles(&[Role::Viewer, Role::Operator, Role::Admin]), String::new()),
            ),
            Field::new("jails", "Jails", Kind::Text).hint("empty: all; others with spaces between them"),
            Field::new("zones", "Zones", Kind::Text).hint("empty: all"),
        ],
        button: "Add",
        is_open: false,
    }];
    Ok(page.show())
}

/// The names of roles, to choose from.
pub(super) fn roles(roles: &[Role]) -> Vec<String> {
    roles.iter().map(|role| role.name().to_owned()).collect()
}

/// What a token or a user may do, in words.
pub(super) fn grant(granted: &Granted) -> Cell {
    let confined = [("jails", &granted.jails), ("zones", &granted.zones)];
    let confined =
        confined.iter().filter_map(|(what, names)| Some(format!("{what}: {}", names.as_ref()?.join(", "))));
    let sources: Vec<_> = granted.sources.iter().map(ToString::to_string).collect();
    let from = (!sources.is_empty()).then(|| format!("from {}", sources.join(", ")));
    let of = granted.organisation.as_ref().map(|organisation| format!("for {organisation}"));
    Cell::text(granted.role).note(confined.chain(of).chain(from).collect::<Vec<_>>().join("; "))
}

fn row(user: &User, now: Timestamp) -> Vec<Cell> {
    let act = |act: &str, label| Act {
        path: "/users/change",
        fields: vec![("name", user.name.clone()), ("act", act.to_owned())],
        label,
    };
    let mut acts = vec![if user.disabled { act("enable", "Let in") } else { act("disable", "Keep out") }];
    if user.second_factor {
        acts.push(act("reset", "Reset second factor"));
    }
    acts.extend([act("end", "End sessions"), act("remove", "Remove")]);
    let factor = match (user.second_factor, user.passkeys) {
        (false, _) => "none".to_owned(),
        (true, 0) => "telephone".to_owned(),
        (true, passkeys) => format!("{passkeys} passkeys"),
    };
    let state = if user.disabled { "kept out" } else { "" };
    vec![
        Cell::text(&user.name).note(state),
        grant(&user.grant),
        Cell::text(factor).note(format!("{} recovery codes", user.recovery_codes)),
        Cell::text(user.seen.map_or_else(|| "never".to_owned(), |seen| ago(seen, now))),
        Cell::acts(acts),
    ]
}

/// Names with spaces or commas between them; none are all.
pub(super) fn names(typed: &str) -> Option<Vec<Arc<str>>> {
    let names: Vec<Arc<str>> =
        typed.split([' ', ',']).filter(|name| !name.is_empty()).map(Arc::from).collect();
    (!names.is_empty()).then_some(names)
}

/// What is typed to add somebody.
#[derive(Deserialize)]
pub(super) struct New {
    name: String,
    password: String,
    role: Role,
    #[serde(default)]
    jails: String,
    #[serde(default)]
    zones: String,
}

/// `POST /users`
pub(super) async fn add(daemon: Daemon, form: Result<Typed<New>, FormRejection>) -> Page {
    let Typed(New { name, password, role, jails, zones }) = form?;
    let (jails, zones) = (names(&jails), names(&zones));
    let order = NewUser { name, password, role, jails, zones, sources: Vec::new(), organisation: None };
    let Json(_) = users::add(daemon, Ok(Json(order))).await?;
    back("/users")
}

/// What is to become of a user.
#[derive(Deserialize)]
pub(super) struct Change {
    name: String,
    act: String,
}

/// `POST /users/change`
pub(super) async fn change(daemon: Daemon, form: Result<Typed<Change>, FormRejection>) -> Page {
    let Typed(Change { name, act }) = form?;
    let name = Path(name);
    let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    match &*act {
        "disable" => drop(users::change(daemon, name, Ok(Json(disabled(true)))).await?),
        "enable" => drop(users::change(daemon, name, Ok(Json(disabled(false)))).await?),
        "reset" => {
            let Json(_) = users::remove_factors(daemon, name).await?;
        }
        "end" => {
            let Json(_) = users::end_sessions(daemon, name).await?;
        }
        "remove" => {
            let Json(_) = users::remove(daemon, name).await?;
        }
        _ => {
            return Err(Refused::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "there is nothing else to do with a user",
            ));
        }
    }
    back("/users")
}
