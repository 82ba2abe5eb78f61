//! Requests to take an address off a list: which wait, and deciding them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use tokio::sync::Mutex;

use super::api::{Decided, Decision, NewDecision, RemovalRequest, RemovalRequests, RequestsQuery};
use super::paging::{place, rows};
use super::problem::Refused;
use super::routes::By;
use super::{Control, Daemon};
use crate::ip::Prefix;
use crate::jail::Order;
use crate::store::{self, Page, RequestRow, Transaction};

/// `GET /api/v1/requests`
pub(super) async fn list(
    State(daemon): Daemon,
    query: Result<Query<RequestsQuery>, QueryRejection>,
) -> Result<Json<RemovalRequests>, Refused> {
    let Query(RequestsQuery { decided, after, limit }) = query?;
    let (after, limit) = (place(after.as_deref())?, rows(limit));
    let Page { rows, next } = daemon.read(move |reader| reader.requests(!decided, after, limit)).await?;
    let requests = rows.into_iter().map(shown).collect();
    Ok(Json(RemovalRequests { requests, next: next.map(|next| next.to_string()) }))
}

/// One at a time, so that no bans end for a request that somebody refuses meanwhile.
static DECIDING: Mutex<()> = Mutex::const_new(());

/// `POST /api/v1/requests/{number}`: the bans end first, so that a request that is granted is one that was carried out.
pub(super) async fn decide(
    State(daemon): Daemon,
    by: By,
    Path(number): Path<String>,
    body: Result<Json<NewDecision>, JsonRejection>,
) -> Result<Json<Decided>, Refused> {
    let Json(NewDecision { granted, note }) = body?;
    let _one = DECIDING.lock().await;
    let request = find(&*daemon, &number).await?;
    let (number, prefix) = (request.number, request.request.prefix);
    let by = by.name().to_owned();
    let unban = Order::Unban { prefix: Some(prefix), jail: None, by: by.clone(), forgive: true };
    let ended = if granted { daemon.order(unban).await? } else { 0 };
    let decision = store::Decision { granted, note, by, at: daemon.now() };
    let kept = decision.clone();
    let write = move |changes: &Transaction<'_>| changes.decide_request(number, &kept);
    if !daemon.change::<_, store::Error>(write).await?.map_err(super::Failed::Store)? {
        return Err(decided_already(number));
    }
    let request = shown(RequestRow { decision: Some(decision), ..request });
    let still_listed = listed(&*daemon, prefix.address());
    Ok(Json(Decided { request, ended: ended as u64, still_listed }))
}

/// The request of this number, if it waits.
async fn find(daemon: &dyn Control, written: &str) -> Result<RequestRow, Refused> {
    let unknown = || {
        let detail = format!("there is no request {written}: `banzone request list` shows those that wait");
        Refused::new(StatusCode::NOT_FOUND, detail)
    };
    let number: u64 = written.parse().map_err(|_| unknown())?;
    let request = daemon.read(move |reader| reader.request(number)).await?.ok_or_else(unknown)?;
    if request.decision.is_some() { Err(decided_already(number)) } else { Ok(request) }
}

fn decided_already(number: u64) -> Refused {
    Refused::new(StatusCode::CONFLICT, format!("request {number} is decided already"))
}

/// What is listed around `address`.
fn listed(daemon: &dyn Control, address: IpAddr) -> Vec<Prefix> {
    let listed = daemon.dns().zones().listed(address, daemon.now()).into_iter();
    listed.map(|listed| listed.prefix).collect::<BTreeSet<_>>().into_iter().collect()
}

fn shown(row: RequestRow) -> RemovalRequest {
    let store::NewRequest { prefix, contact, statement, source, asked } = row.request;
    let decision = row.decision.map(|decision| {
        let store::Decision { granted, note, by, at } = decision;
        Decision { granted, note, by, at }
    });
    RemovalRequest { number: row.number, prefix, contact, statement, source, asked, decision }
}
