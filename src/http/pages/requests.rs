//! Requests of those who cannot take an address off themselves.

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::{Form as Typed, Json};
use serde::Deserialize;

use super::forms::path_of;
use super::listing::{Act, Cell, Listing, Table};
use super::words::ago;
use super::{Page, back};
use crate::clock::Timestamp;
use crate::http::api::{Limit, ListQuery, NewDecision, RemovalRequest, RequestsQuery};
use crate::http::{By, Daemon, requests};

/// `GET /requests`: those that wait, of which there are not many, and a page of those that are decided.
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let list = |query| requests::list(State(daemon.clone()), Ok(Query(query)));
    let (is_first, now) = (query.after.is_none(), daemon.now());
    let mut page = Listing::new(&by, "/requests", "Requests for removal");
    if is_first {
        let all = RequestsQuery { limit: Some(Limit::MOST), ..RequestsQuery::default() };
        page.tables.push(Table {
            title: "Waiting",
            heads: &["Address", "From", "Why", "Since", ""],
            rows: list(all).await?.0.requests.iter().map(|request| waiting_row(request, now)).collect(),
            empty: "Nobody waits.",
        });
    }
    let ListQuery { after, limit } = query;
    let decided = list(RequestsQuery { decided: true, after, limit }).await?.0;
    page.tables.push(Table {
        title: "Decided",
        heads: &["Address", "From", "Outcome", "When"],
        rows: decided.requests.iter().map(|request| decided_row(request, now)).collect(),
        empty: "None yet.",
    });
    page.goes_on(limit, decided.next);
    Ok(page.show())
}

fn address(request: &RemovalRequest) -> Cell {
    Cell::text(request.prefix).link(path_of(request.prefix))
}

fn waiting_row(request: &RemovalRequest, now: Timestamp) -> Vec<Cell> {
    let act = |granted: bool, label| Act {
        path: "/requests",
        fields: vec![("number", request.number.to_string()), ("granted", granted.to_string())],
        label,
    };
    vec![
        address(request),
        Cell::text(&request.contact).note(request.source),
        Cell::text(&request.statement),
        Cell::text(ago(request.asked, now)),
        Cell::acts(vec![act(true, "Take it off"), act(false, "Refuse")]),
    ]
}

fn decided_row(request: &RemovalRequest, now: Timestamp) -> Vec<Cell> {
    let (outcome, by, at) = request.decision.as_ref().map_or_else(Default::default, |decision| {
        let outcome = if decision.granted { "taken off" } else { "refused" };
        (outcome, format!("by {}", decision.by), ago(decision.at, now))
    });
    vec![address(request), Cell::text(&request.contact), Cell::text(outcome).note(by), Cell::text(at)]
}

/// What is to become of a request.
#[derive(Deserialize)]
pub(super) struct Decision {
    number: String,
    granted: bool,
}

/// `POST /requests`
pub(super) async fn decide(daemon: Daemon, by: By, form: Result<Typed<Decision>, FormRejection>) -> Page {
    let Typed(Decision { number, granted }) = form?;
    let decision = NewDecision { granted, note: String::new() };
    let Json(_) = requests::decide(daemon, by, Path(number), Ok(Json(decision))).await?;
    back("/requests")
}
