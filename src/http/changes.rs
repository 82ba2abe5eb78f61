//! The changes of bans and of the allowlist, for those who follow the list: each reader keeps its own place, and waits for more.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::api::{ChangeKind, ChangeLine, Changed, ChangesQuery};
use super::bans::check_jail;
use super::paging::{place, rows};
use super::problem::Refused;
use super::{By, Control, Daemon};
use crate::store::{self, ChangePosition, ChangeRow};

/// A line is an object.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// In seconds; a request that is not answered is given up a little later.
const LONGEST_WAIT: u32 = 25;

/// So many may wait at a time: each holds a connection, and all of them read when something changes.
const MOST_WAITING: usize = 64;
static WAITING: Semaphore = Semaphore::const_new(MOST_WAITING);

/// `GET /api/v1/changes`
pub(super) async fn changes(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(ChangesQuery { after, wait, jail, limit }) = query?;
    check_jail(&*daemon, &by, jail.as_deref()).await?;
    let wait = wait.unwrap_or_default();
    if wait > LONGEST_WAIT {
        let detail = format!("`wait` is at most {LONGEST_WAIT} seconds: ask again after that");
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let Some(after) = place::<ChangePosition>(after.as_deref())? else {
        return Ok(lines(Vec::new(), daemon.read(store::Reader::last_position).await?));
    };
    let limit = rows(limit);
    let mut found = read(&*daemon, after, limit).await?;
    if found.is_empty() && wait > 0 {
        wait_for_more(&*daemon, after, wait).await?;
        found = read(&*daemon, after, limit).await?;
    }
    let position = found.last().map_or(after, |last| after.at(last.number));
    // What is of no jail is the allowlist, which is about all.
    let is_wanted = |change: &ChangeRow| match &jail {
        Some(jail) => change.jail.as_deref() == Some(&**jail),
        None => change.jail.is_some() || by.sees_all(),
    };
    let shown = |change: ChangeRow| shown(change, by.sees_all());
    Ok(lines(found.into_iter().filter(is_wanted).map(shown).collect(), position))
}

async fn read(daemon: &dyn Control, after: ChangePosition, limit: usize) -> Result<Vec<ChangeRow>, Refused> {
    let found = daemon.read(move |reader| reader.changes(after, limit)).await?;
    found.ok_or_else(|| Refused::new(StatusCode::GONE, GONE))
}

const GONE: &str = "the changes behind this position are kept no more: ask for the present one without `after`, then for all bans \
    (`GET /api/v1/bans?sort=address`), and go on from that position";

/// Until there is a change behind `after`, or for so many seconds.
async fn wait_for_more(daemon: &dyn Control, after: ChangePosition, seconds: u32) -> Result<(), Refused> {
    let too_many = || Refused::busy("too many wait for changes; ask without `wait`, or again later");
    let _place = WAITING.try_acquire().map_err(|_| too_many())?;
    let (mut changed, mut stopping) = (daemon.changed(), daemon.stopping());
    // That nothing came, or that the daemon stops, is an answer without changes.
    tokio::select! {
        _ = changed.wait_for(|number| *number > after.number) => {}
        _ = stopping.wait_for(|stops| *stops) => {}
        () = tokio::time::sleep(Duration::from_secs(seconds.into())) => {}
    }
    Ok(())
}

fn shown(row: ChangeRow, sees_all: bool) -> ChangeLine {
    let ChangeRow { at, kind, jail, prefix, until, cause, .. } = row;
    let cause = if sees_all { cause } else { cause.map(store::EndCause::without_reporter) };
    let change = match kind {
        store::ChangeKind::Banned => ChangeKind::Banned,
        store::ChangeKind::Extended => ChangeKind::Extended,
        store::ChangeKind::Unbanned => ChangeKind::Unbanned,
        store::ChangeKind::Allowed => ChangeKind::Allowed,
        store::ChangeKind::Disallowed => ChangeKind::Disallowed,
    };
    ChangeLine::Change(Changed { change, prefix, jail: jail.map(|jail| jail.to_string()), at, until, cause })
}

fn lines(mut changes: Vec<ChangeLine>, position: ChangePosition) -> Response {
    changes.push(ChangeLine::Position { position: position.to_string() });
    let mut body = String::new();
    for line in &changes {
        body += &serde_json::to_string(line).expect("it is texts");
        body.push('\n');
    }
    ([(CONTENT_TYPE, NDJSON)], body).into_response()
}
