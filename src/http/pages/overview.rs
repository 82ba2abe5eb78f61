//! The first page: how it goes, in figures and charts, and what a person should look at.

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::forms::{own_jails, query, shown_jail};
use super::frame::Frame;
use super::{Page, page};
use crate::access::{Permission, Principal};
use crate::http::api::FiguresQuery;
use crate::http::problem::Refused;
use crate::http::{By, Daemon, Health, figures};
use crate::report::{self, Day, Period};
use crate::store::Reader;

/// What is chosen.
#[derive(Deserialize)]
pub(super) struct Choice {
    period: Option<String>,
    jail: Option<String>,
}

/// The periods to choose from, with their days.
const PERIODS: [(&str, &str, i64); 3] =
    [("day", "Today", 1), ("week", "7 days", 7), ("month", "30 days", 30)];

#[derive(Template)]
#[template(path = "pages/overview.html")]
struct Overview {
    frame: Frame,
    title: String,
    /// The names and titles of the periods, and whether one is shown.
    periods: Vec<(&'static str, &'static str, bool)>,
    /// What the links of the periods have behind them.
    of_jail: String,
    before: String,
    /// Whether there is one of all jails.
    is_part: bool,
    /// The jails of whoever is confined to several, and the page of each.
    jails: Vec<(String, String)>,
    problems: Vec<String>,
    warnings: Vec<String>,
    /// Listings that are held back; none for those who do not see them.
    held: usize,
    requests: usize,
    figures: String,
}

/// `GET /`
pub(super) async fn show(daemon: Daemon, by: By, Query(choice): Query<Choice>) -> Page {
    let chosen = choice.period.as_deref().unwrap_or("week");
    let (period, title, days) = PERIODS.into_iter().find(|(name, ..)| *name == chosen).unwrap_or(PERIODS[1]);
    let jail = shown_jail(&daemon, &by, choice.jail.as_deref()).await?;
    let figures = read(&daemon, &by, days, jail.clone()).await?;
    let Health { problems, warnings, held } = daemon.health().seen(by.sees_all());
    let overview = Overview {
        frame: Frame::of(&by, "/"),
        title: jail.as_ref().map_or_else(|| title.to_owned(), |jail| format!("{jail}, {title}")),
        periods: PERIODS.map(|(name, title, _)| (name, title, name == period)).into(),
        is_part: jail.is_some() && by.grant().jails.is_none(),
        jails: own_jails(&by, "/"),
        of_jail: jail.map_or_else(String::new, |jail| format!("&{}", query(&[("jail", jail)]))),
        before: figures.before.to_string(),
        problems,
        warnings,
        held,
        requests: waiting(&daemon, &by).await?,
        figures: report::piece(&figures, link),
    };
    Ok::<Response, Refused>(page(&overview))
}

async fn read(
    daemon: &Daemon,
    by: &Principal,
    days: i64,
    jail: Option<String>,
) -> Result<report::Figures, Refused> {
    let tomorrow = Day::of(daemon.now()).plus(1);
    let Period { from, until } = Period { from: tomorrow.plus(-days), until: tomorrow };
    let wanted = FiguresQuery { from, until, jail, top: None };
    let found = figures::figures(State(daemon.0.clone()), Extension(by.clone()), Ok(Query(wanted))).await?;
    Ok(found.0)
}

/// How many requests wait for whoever may decide them.
async fn waiting(daemon: &Daemon, by: &Principal) -> Result<usize, Refused> {
    if !(by.may(Permission::Operate) && by.sees_all()) {
        return Ok(0);
    }
    Ok(daemon.read(Reader::open_requests).await?)
}

/// Where a row of a table leads.
fn link(table: &str, name: &str) -> Option<String> {
    match table {
        "addresses" => Some(format!("/ip/{name}")),
        "listings" => Some(format!("/ip/{}", name.split('/').next().unwrap_or(name))),
        "jails" => Some(format!("/?{}", query(&[("jail", name)]))),
        _ => None,
    }
}
