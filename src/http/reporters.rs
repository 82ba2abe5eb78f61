//! Those who report, and what of their reports waits for a person.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;

use super::api::{Ended, Held, HeldListing, HeldQuery, ListQuery, NewReporter, Reporter, Reporters, Vote};
use super::paging::{first_of, page_of, place};
use super::problem::Refused;
use super::reports::read_name;
use super::{Control, Daemon};
use crate::access::{token, user};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{self, Jails, MAX_TRUST, Order, Refusal, ReporterOrder};

type Answer<T> = Result<Json<T>, Refused>;

/// `GET /api/v1/reporters`
pub(super) async fn list(
    State(daemon): Daemon,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Reporters> {
    let Query(query) = query?;
    let mut reporters = daemon.see(all).await?;
    reporters.sort_by(|one, other| one.name.cmp(&other.name));
    let (reporters, next) = page_of(reporters, &query, |reporter| reporter.name.clone())?;
    Ok(Json(Reporters { reporters, next }))
}

/// `GET /api/v1/reporters/{reporter}`
pub(super) async fn one(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Reporter> {
    Ok(Json(find(&*daemon, &read_name(&name)?).await?))
}

/// `PATCH /api/v1/reporters/{reporter}`
pub(super) async fn change(
    State(daemon): Daemon,
    Path(name): Path<String>,
    body: Result<Json<NewReporter>, JsonRejection>,
) -> Answer<Reporter> {
    let Json(NewReporter { trust, cut_off }) = body?;
    let name = known(&*daemon, &name).await?;
    if trust.is_some_and(|trust| !(0.0..=MAX_TRUST).contains(&trust)) {
        let detail = format!("`trust` is between 0 and {MAX_TRUST}");
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let cut_off = cut_off.map(|cut_off| if cut_off { ReporterOrder::CutOff } else { ReporterOrder::Admit });
    let mut changed = 0;
    for order in trust.map(ReporterOrder::Trust).into_iter().chain(cut_off) {
        let order = Order::Reporter { name: Arc::clone(&name), order };
        changed += daemon.order(order).await? as u64;
    }
    let reporter = find(&*daemon, &name).await?;
    Ok(Json(Reporter { listings_changed: Some(changed), ..reporter }))
}

/// `DELETE /api/v1/reporters/{reporter}/votes`
pub(super) async fn withdraw(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    let order = Order::Reporter { name: known(&*daemon, &name).await?, order: ReporterOrder::Withdraw };
    Ok(Json(Ended { ended: daemon.order(order).await? as u64 }))
}

/// `GET /api/v1/held`
pub(super) async fn held(
    State(daemon): Daemon,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Held> {
    let Query(ListQuery { after, limit }) = query?;
    let (after, now) = (place(after.as_deref())?, daemon.now());
    let held = move |jails: &Jails| {
        let (held, next) = first_of(jails.held_behind(after), limit, |(prefix, _)| *prefix);
        let held = held.into_iter().map(|(prefix, held)| held_listing(jails, prefix, held, now)).collect();
        Held { total: jails.held_listings().len() as u64, held, next }
    };
    Ok(Json(daemon.see(held).await?))
}

fn held_listing(jails: &Jails, prefix: Prefix, held: jail::HeldListing, now: Timestamp) -> HeldListing {
    let jail::HeldListing { since, reason, until } = held;
    HeldListing { prefix, since, until, reason, votes: votes(jails, prefix, now) }
}

/// `POST /api/v1/held/release`
pub(super) async fn release(
    State(daemon): Daemon,
    query: Result<Query<HeldQuery>, QueryRejection>,
) -> Answer<Ended> {
    let order = Order::Release { prefix: chosen(query?.0)? };
    Ok(Json(Ended { ended: daemon.order(order).await? as u64 }))
}

/// `DELETE /api/v1/held`
pub(super) async fn discard(
    State(daemon): Daemon,
    query: Result<Query<HeldQuery>, QueryRejection>,
) -> Answer<Ended> {
    let order = Order::Discard { prefix: chosen(query?.0)? };
    Ok(Json(Ended { ended: daemon.order(order).await? as u64 }))
}

fn chosen(HeldQuery { prefix, all }: HeldQuery) -> Result<Option<Prefix>, Refused> {
    if prefix.is_some() == all {
        let detail = "name a `prefix`, or `all=1` for everything that is held back, but not both";
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(prefix)
}

async fn find(daemon: &dyn Control, name: &str) -> Result<Reporter, Refused> {
    let found = daemon.see(all).await?.into_iter().find(|reporter| reporter.name == name);
    found.ok_or_else(|| super::Failed::from(Refusal::UnknownReporter(Arc::from(name))).into())
}

/// The name of an organisation that has reported, or has a token or a user that may. One that nobody knows is a mistyped one.
async fn known(daemon: &dyn Control, typed: &str) -> Result<Arc<str>, Refused> {
    let name = read_name(typed)?;
    let names = |jails: &Jails| jails.reporters().map(|(name, _, _)| Arc::clone(name)).collect::<Vec<_>>();
    let mut names = daemon.see(names).await?;
    let grants = daemon.read(|reader| {
        let tokens = token::list(reader)?.into_iter().map(|token| token.grant);
        Ok(tokens.chain(user::list(reader)?.into_iter().map(|user| user.grant)).collect::<Vec<_>>())
    });
    names.extend(grants.await?.into_iter().filter_map(|grant| grant.organisation));
    if names.contains(&name) { Ok(name) } else { Err(unknown(name, &names)) }
}

fn unknown(name: Arc<str>, known: &[Arc<str>]) -> Refused {
    /// Below this, names have little more in common than some letters.
    const ALIKE: f64 = 0.8;
    let likeness = |known: &Arc<str>| strsim::jaro_winkler(&name, known);
    let nearest = known.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let meant = nearest.filter(|nearest| likeness(nearest) >= ALIKE);
    let meant = meant.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
    Refused::new(StatusCode::NOT_FOUND, format!("{}{meant}", Refusal::UnknownReporter(name)))
}

fn all(jails: &Jails) -> Vec<Reporter> {
    let default = jails.reports().map_or(0.0, |(_, settings)| settings.trust);
    let shown = |(name, reporter, votes): (&Arc<str>, &jail::Reporter, usize)| {
        let jail::Reporter { trust, cut_off, first_seen, last_seen, tally } = reporter.clone();
        Reporter {
            name: name.to_string(),
            trust: trust.unwrap_or(default),
            default_trust: trust.is_none(),
            cut_off,
            first_seen,
            last_seen,
            votes: votes as u64,
            accepted: tally.accepted,
            duplicate: tally.duplicate,
            refused: tally.refused,
            listings_changed: None,
        }
    };
    jails.reporters().map(shown).collect()
}

/// Who votes for `prefix`.
pub(super) fn votes(jails: &Jails, prefix: Prefix, now: Timestamp) -> Vec<Vote> {
    let vote = |(reporter, seen, weight): (Arc<str>, Timestamp, f64)| Vote {
        prefix,
        reporter: reporter.to_string(),
        seen,
        weight,
    };
    jails.votes(prefix, now).into_iter().map(vote).collect()
}
