//! The figures of reports.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::api::FiguresQuery;
use super::bans::check_jail;
use super::problem::Refused;
use super::routes::By;
use super::{Control, Daemon, turns};
use crate::access::Principal;
use crate::report::{self, Asked, Compared, Figures, Period, Publishing, Top};
use crate::zone::Zone;

/// As many rows of each kind as people look at, where nobody says how many.
const TOP: usize = 10;

/// Nobody reads more rows than this, and days that are over do not have more.
const MOST: usize = 250;

/// So many are gathered at a time: of many days and jails each holds some million rows.
static GATHERING: Semaphore = Semaphore::const_new(2);

/// `GET /api/v1/figures`
pub(super) async fn figures(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<FiguresQuery>, QueryRejection>,
) -> Result<Json<Figures>, Refused> {
    let Query(FiguresQuery { from, until, jail, top }) = query?;
    check_jail(&*daemon, &by, jail.as_deref()).await?;
    let period = Period::new(from, until)
        .map_err(|error| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let top = top.unwrap_or(TOP);
    if top > MOST {
        let detail = format!("there are at most {MOST} rows of each kind: ask for no more with `top` (-n)");
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let asked = Asked { period, jail, top };
    let turn = turns::turn(&GATHERING).await?;
    let (zones, now, known) = (publishing(&*daemon, &by), daemon.now(), Arc::clone(&daemon));
    let read = move |reader: &crate::store::Reader| report::gather(reader, &asked, &zones, &known.geo(), now);
    let mut figures = daemon.read_in_turn(turn, read).await?;
    if !by.sees_all() {
        // DNS does not tell of which jail or zone an answer was.
        figures.totals.answers = Compared::default();
        figures.listings.clear();
        // These say what is wrong with files of the daemon.
        figures.notes.clear();
        // Nor is a report for one of them.
        (figures.reporters, figures.reported) = (Top::default(), Top::default());
    }
    Ok(Json(figures))
}

/// What the zones publish that whoever asks may see.
fn publishing(daemon: &dyn Control, by: &Principal) -> Vec<Publishing> {
    let zone = |zone: &Zone| Publishing {
        zone: zone.origin().to_string(),
        rules: zone.rules(),
        sublists: zone
            .settings()
            .publish
            .iter()
            .map(|rule| rule.sublist.as_ref().map(ToString::to_string))
            .collect(),
    };
    let zones = daemon.dns().zones();
    let own = zones.zones().iter().filter(|zone| by.grant().has_zone(&zone.origin().to_string()));
    own.map(zone).collect()
}
