//! API tokens: who has one, new ones, and the end of old ones.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};

use super::Daemon;
use super::api::{Ended, ListQuery, NewToken, Rotation, Token, TokenMade, Tokens};
use super::bans::check_span;
use super::paging::page_of;
use super::problem::Refused;
use crate::access::{Grant, token};
use crate::clock::Timestamp;
use crate::store::ParseKeyError;

type Answer<T> = Result<Json<T>, Refused>;

/// `GET /api/v1/tokens`
pub(super) async fn list(
    State(daemon): Daemon,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Tokens> {
    let Query(query) = query?;
    let mut tokens = daemon.read(token::list).await?;
    tokens.sort_by_cached_key(Place::of);
    let (tokens, next) = page_of(tokens, &query, Place::of)?;
    let now = daemon.now();
    Ok(Json(Tokens { tokens: tokens.into_iter().map(|token| shown(token, now)).collect(), next }))
}

/// The place of a token in the list: by name, and the newest of each name first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    name: String,
    created: Reverse<i64>,
    id: String,
}

impl Place {
    fn of(token: &token::Token) -> Self {
        let created = Reverse(token.created.as_millis());
        Self { name: token.name.clone(), created, id: token.id.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, created: Reverse(created), id } = self;
        write!(f, "{created}_{id}_{name}")
    }
}

impl FromStr for Place {
    type Err = ParseKeyError;

    fn from_str(written: &str) -> Result<Self, ParseKeyError> {
        let (created, rest) = written.split_once('_').ok_or(ParseKeyError)?;
        let (id, name) = rest.split_once('_').ok_or(ParseKeyError)?;
        let created = Reverse(created.parse().map_err(|_| ParseKeyError)?);
        Ok(Self { name: name.to_owned(), created, id: id.to_owned() })
    }
}

/// `POST /api/v1/tokens`
pub(super) async fn add(
    State(daemon): Daemon,
    body: Result<Json<NewToken>, JsonRejection>,
) -> Answer<TokenMade> {
    let Json(NewToken { name, role, jails, zones, sources, organisation, seconds }) = body?;
    check_span(seconds)?;
    let now = daemon.now();
    let grant = Grant { role, jails, zones, sources, organisation };
    let until = seconds.map(|seconds| now + Duration::from_secs(seconds));
    let made = daemon.change(move |changes| token::add(changes, &name, grant, until, now)).await??;
    Ok(Json(made_known(made, now)))
}

/// `DELETE /api/v1/tokens/{token}`
pub(super) async fn revoke(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    let now = daemon.now();
    let ended = daemon.change(move |changes| token::revoke(changes, &name, now)).await??;
    Ok(Json(Ended { ended: ended as u64 }))
}

/// `POST /api/v1/tokens/{token}/rotate`
pub(super) async fn rotate(
    State(daemon): Daemon,
    Path(name): Path<String>,
    body: Result<Json<Rotation>, JsonRejection>,
) -> Answer<TokenMade> {
    let Json(Rotation { overlap }) = body?;
    check_span(Some(overlap))?;
    let (now, overlap) = (daemon.now(), Duration::from_secs(overlap));
    let made = daemon.change(move |changes| token::rotate(changes, &name, overlap, now)).await??;
    Ok(Json(made_known(made, now)))
}

fn made_known((token, secret): (token::Token, token::Secret), now: Timestamp) -> TokenMade {
    TokenMade { secret: secret.reveal().to_owned(), token: shown(token, now) }
}

fn shown(token: token::Token, now: Timestamp) -> Token {
    let in_force = token.is_in_force(now);
    let token::Token { id, name, grant, created, until, used } = token;
    Token { id, name, grant: grant.into(), created, until, used, in_force }
}
