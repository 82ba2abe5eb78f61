//! Bans of another program, taken over as orders: every one of them passes the allowlist and the reserved ranges.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use tokio::task::JoinSet;

use super::api::{KnownBan, KnownBans, MAX_BANS, Outcome, TakenOver};
use super::bans::check_span;
use super::jails::check_lines;
use super::problem::Refused;
use super::{By, Daemon, Failed, Steered};
use crate::jail::{self, BanTime, Order};

/// How far the clock of another host may be ahead.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// `POST /api/v1/takeover`
pub(super) async fn take_over(
    State(daemon): Daemon,
    Extension(by): By,
    body: Result<Json<KnownBans>, JsonRejection>,
) -> Result<Json<TakenOver>, Refused> {
    let Json(KnownBans { bans }) = body?;
    if bans.len() > MAX_BANS {
        let detail = format!("{} bans are too many at once; hand over {MAX_BANS} at a time", bans.len());
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    // All are right before any becomes an order: what is refused as a whole changes nothing.
    let known = bans.into_iter().map(|ban| known(ban, by.name())).collect::<Result<Vec<_>, _>>()?;
    let mut outcomes = vec![Outcome::Unchanged; known.len()];
    // Each is an order of its own, so that it can be refused on its own; the writer commits what waits together.
    let mut orders = JoinSet::new();
    for (index, known) in known.into_iter().enumerate() {
        let daemon = Steered::clone(&daemon);
        orders.spawn(async move { (index, order(&daemon, known).await) });
    }
    while let Some(done) = orders.join_next().await {
        let (index, outcome) = done.map_err(|_| Failed::Stopping)?;
        outcomes[index] = outcome?;
    }
    Ok(Json(TakenOver { outcomes }))
}

fn known(ban: KnownBan, by: &str) -> Result<jail::KnownBan, Refused> {
    let KnownBan { prefix, jail, since, seconds, permanent, count, failures, evidence } = ban;
    check_span(seconds)?;
    check_lines(&evidence)?;
    let time = if permanent {
        Some(BanTime::Permanent)
    } else {
        seconds.map(|seconds| BanTime::For(Duration::from_secs(seconds)))
    };
    let (jail, by, count) = (jail.into(), by.to_owned(), count.max(1));
    Ok(jail::KnownBan { prefix, jail, since, time, count, failures, evidence, by })
}

async fn order(daemon: &Steered, known: jail::KnownBan) -> Result<Outcome, Failed> {
    if known.since > daemon.now() + AHEAD {
        return Ok(Outcome::Refused(format!("it begins at {}, which is yet to come", known.since)));
    }
    let (prefix, jail) = (known.prefix, known.jail.clone());
    match daemon.order(Order::TakeOver(known)).await {
        Ok(0) => Ok(Outcome::Unchanged),
        Ok(_) if daemon.see(move |jails| jails.is_banned(&jail, prefix)).await? => Ok(Outcome::Banned),
        Ok(_) => Ok(Outcome::Remembered),
        Err(Failed::Refused(refusal)) => Ok(Outcome::Refused(refusal.to_string())),
        Err(failed) => Err(failed),
    }
}
