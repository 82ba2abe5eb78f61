//! One jail's settings, and failures by order.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;

use super::api::{Counted, DaemonSettings, FilterHits, JailChange, JailSettings, MAX_LINES, NewFailure};
use super::bans::{check_span, unknown_jail};
use super::problem::Refused;
use super::{By, Control, Daemon};
use crate::filter::Hits;
use crate::jail::{Adjustment, BanTime, Jails, Order, Readers};

type Answer<T> = Result<Json<T>, Refused>;

/// `GET /api/v1/settings`
pub(super) async fn of_daemon(State(daemon): Daemon) -> Answer<DaemonSettings> {
    Ok(Json(daemon.settings()))
}

/// `GET /api/v1/jails/{jail}/settings`
pub(super) async fn settings(State(daemon): Daemon, Path(name): Path<String>) -> Answer<JailSettings> {
    find(&*daemon, name).await.map(Json)
}

async fn find(daemon: &dyn Control, name: String) -> Result<JailSettings, Refused> {
    let asked = name.clone();
    let found = daemon.see(move |jails| {
        let settings = jails.settings_in_force(&asked)?;
        Some(JailSettings::of(settings, jails.ignored_by(&asked)))
    });
    found.await?.ok_or_else(|| unknown_jail(&name))
}

/// How often the patterns of the filter of `name` matched; none if it reads no log.
pub(super) fn hits(name: &str, jails: &Jails, readers: &Readers) -> Option<Hits> {
    readers.hits(jails.settings_in_force(name)?)
}

/// The same as the API shows them.
pub(super) fn shown_hits(name: &str, jails: &Jails, hits: Option<&Hits>) -> Option<FilterHits> {
    Some(FilterHits::of(&jails.settings_in_force(name)?.filter, hits?))
}

/// `PATCH /api/v1/jails/{jail}/settings`
pub(super) async fn adjust(
    State(daemon): Daemon,
    Path(name): Path<String>,
    body: Result<Json<JailChange>, JsonRejection>,
) -> Answer<JailSettings> {
    let Json(change) = body?;
    let jail = Arc::from(&*name);
    daemon.order(Order::Adjust { jail, adjustment: adjustment(change)? }).await?;
    find(&*daemon, name).await.map(Json)
}

fn adjustment(change: JailChange) -> Result<Adjustment, Refused> {
    let span = |seconds| -> Result<Duration, Refused> {
        check_span(Some(seconds))?;
        Ok(Duration::from_secs(seconds))
    };
    Ok(match change {
        JailChange::Bantime(None) => Adjustment::BanTime(BanTime::Permanent),
        JailChange::Bantime(Some(seconds)) => Adjustment::BanTime(BanTime::For(span(seconds)?)),
        JailChange::Findtime(seconds) => Adjustment::FindTime(span(seconds)?),
        JailChange::Maxretry(failures) => Adjustment::MaxRetry(failures),
        JailChange::Maxmatches(lines) => Adjustment::MaxMatches(usize::from(lines).min(MAX_LINES)),
        JailChange::Ignoreself(own) => Adjustment::IgnoreSelf(own),
        JailChange::AddIgnoreip(prefixes) => Adjustment::Ignore(prefixes),
        JailChange::DelIgnoreip(prefix) => Adjustment::Unignore(prefix),
    })
}

/// `POST /api/v1/jails/{jail}/failures`
pub(super) async fn fail(
    State(daemon): Daemon,
    Extension(by): By,
    Path(name): Path<String>,
    body: Result<Json<NewFailure>, JsonRejection>,
) -> Answer<Counted> {
    let Json(NewFailure { prefix, lines }) = body?;
    check_lines(&lines)?;
    let order = Order::Fail { prefix, jail: name.into(), lines, by: by.name().to_owned() };
    let counted = daemon.order(order).await?;
    Ok(Json(Counted { counted: counted as u64 }))
}

/// Whether so many lines may be handed over.
pub(super) fn check_lines(lines: &[String]) -> Result<(), Refused> {
    if lines.len() > MAX_LINES {
        let detail = format!("{} lines are too many; the last {MAX_LINES} are enough", lines.len());
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(())
}
