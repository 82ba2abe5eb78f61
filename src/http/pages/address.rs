//! All that is known of one address, and what can be done about it.

use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;

use super::bans::{Row, open_jails};
use super::forms::{path_of, query, read_prefix};
use super::frame::Frame;
use super::words::{ago, left, when};
use super::{Page, page};
use crate::access::Permission;
use crate::clock::Timestamp;
use crate::http::api::{self, Allow, Listing, Lookup, SetListing, Vote};
use crate::http::problem::Refused;
use crate::http::{By, Daemon, lookup};
use crate::ip::Prefix;
use crate::jail::check_width;
use crate::report::without_names;

/// What was typed into the field at the top.
#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /ip`: the page of the address or network that was typed.
pub(super) async fn search(Query(Search { q }): Query<Search>) -> Page {
    match read_prefix(&q) {
        // What is too wide to be counted is listed.
        Ok(prefix) if check_width(prefix).is_err() => {
            let inside = query(&[("within", prefix.to_string())]);
            Ok(Redirect::to(&format!("/bans?history=1&{inside}")).into_response())
        }
        Ok(prefix) => Ok(Redirect::to(&path_of(prefix)).into_response()),
        Err(_) => {
            let detail = format!("`{}` is no address", q.trim());
            Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
        }
    }
}

#[derive(Template)]
#[template(path = "pages/address.html")]
struct Address {
    frame: Frame,
    address: String,
    is_listed: bool,
    allowed: Option<Allowed>,
    bans: Vec<InForce>,
    listings: Vec<Listing>,
    sets: Vec<SetListing>,
    failures: Vec<Failing>,
    votes: Vec<Voting>,
    scores: Vec<Score>,
    history: Vec<Row>,
    /// The jails that a ban can be made in.
    open: Vec<String>,
    can_operate: bool,
    can_allow: bool,
}

struct Allowed {
    prefix: Prefix,
    note: String,
    until: String,
}

struct InForce {
    row: Row,
    evidence: Vec<String>,
}

struct Failing {
    jail: String,
    failures: u32,
    last: String,
}

struct Voting {
    reporter: String,
    prefix: Prefix,
    seen: String,
    weight: String,
}

/// What the votes for a prefix weigh together, and what a listing takes.
struct Score {
    prefix: Prefix,
    sum: String,
    threshold: String,
}

/// `GET /ip/{address}`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Path(address): Path<String>) -> Page {
    let found = lookup::lookup(State(daemon.clone()), Extension(by.clone()), Path(address)).await?.0;
    let now = daemon.now();
    let Lookup { address, bans, listings, sets, allowed, failures, votes, scores, history } = found;
    Ok(page(&Address {
        frame: Frame::of(&by, "/ip"),
        address: address.to_string(),
        is_listed: !listings.is_empty() || !sets.is_empty(),
        allowed: allowed.map(|entry| shown_allow(entry, now)),
        bans: bans
            .iter()
            .map(|ban| InForce { row: Row::of(ban, now), evidence: masked(&ban.evidence) })
            .collect(),
        listings,
        sets,
        failures: failures
            .into_iter()
            .map(|failing| Failing {
                jail: failing.jail,
                failures: failing.failures,
                last: ago(failing.last, now),
            })
            .collect(),
        scores: scores.into_iter().map(shown_score).collect(),
        votes: votes.into_iter().map(shown_vote).collect(),
        history: history.iter().map(|ban| Row::of(ban, now)).collect(),
        open: open_jails(&daemon, &by).await?,
        can_operate: by.may(Permission::Operate),
        can_allow: by.may(Permission::Operate) && by.sees_all(),
    }))
}

fn masked(evidence: &[String]) -> Vec<String> {
    evidence.iter().map(|line| without_names(line)).collect()
}

fn shown_allow(Allow { prefix, note, until, .. }: Allow, now: Timestamp) -> Allowed {
    Allowed { prefix, note, until: left(until, now) }
}

fn shown_score(api::Score { prefix, sum, threshold }: api::Score) -> Score {
    Score { prefix, sum: format!("{sum:.2}"), threshold: format!("{threshold:.2}") }
}

fn shown_vote(Vote { prefix, reporter, seen, weight }: Vote) -> Voting {
    Voting { reporter, prefix, seen: when(seen), weight: format!("{weight:.2}") }
}
