//! The bans, and ending and making them.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::{Form, Json};
use serde::Deserialize;

use super::forms::{filled, jails_that, local, path_of, query, read_prefix, read_span, shown_jail};
use super::frame::Frame;
use super::words::{ago, left, when};
use super::{Page, back, page};
use crate::access::{Permission, Principal};
use crate::clock::Timestamp;
use crate::http::api::{Ban, BanState, BansQuery, NewBan, UnbanQuery};
use crate::http::problem::Refused;
use crate::http::{By, Daemon, Steered, bans};
use crate::ip::Prefix;
use crate::jail::{Jails, MANUAL, Origin};

/// What is chosen.
#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    jail: String,
    #[serde(default)]
    within: String,
    #[serde(default)]
    history: String,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/bans.html")]
struct Bans {
    frame: Frame,
    jails: Vec<Chosen>,
    /// Those that a ban can be made in.
    open: Vec<String>,
    /// Whether those of all jails can be shown together.
    together: bool,
    within: String,
    history: bool,
    can_end: bool,
    rows: Vec<Row>,
    /// This page with the filters that are chosen.
    here: String,
    /// The next one, if there is one.
    next: Option<String>,
}

/// One of several that can be chosen.
struct Chosen {
    name: String,
    is_chosen: bool,
}

/// A ban.
pub(super) struct Row {
    pub(super) prefix: Prefix,
    /// The page of the address or network.
    pub(super) path: String,
    pub(super) jail: String,
    pub(super) since: String,
    pub(super) ago: String,
    /// How long it lasts yet, or that it has ended, and why.
    pub(super) until: String,
    pub(super) exactly: String,
    pub(super) is_over: bool,
    pub(super) origin: String,
    pub(super) failures: u32,
    pub(super) count: u32,
    /// How often it was the answer; a dash for those who do not see that.
    pub(super) asked: String,
}

impl Row {
    pub(super) fn of(ban: &Ban, now: Timestamp) -> Self {
        let ended = ban.ended.map(|ended| match &ban.end_cause {
            Some(cause) => format!("ended {}, {}", ago(ended, now), cause.in_words()),
            None => format!("ended {}", ago(ended, now)),
        });
        Self {
            prefix: ban.prefix,
            path: path_of(ban.prefix),
            jail: ban.jail.clone(),
            since: when(ban.since),
            ago: ago(ban.since, now),
            is_over: ended.is_some(),
            until: ended.unwrap_or_else(|| left(ban.until, now)),
            exactly: ban.ended.or(ban.until).map_or_else(|| "until somebody ends it".to_owned(), when),
            origin: origin(&ban.origin),
            failures: ban.failures,
            count: ban.count,
            asked: ban.asked.map_or_else(|| "–".to_owned(), |asked| asked.to_string()),
        }
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Order(by) => format!("by {by}"),
        Origin::Reports => "by reports".to_owned(),
        _ => String::new(),
    }
}

/// `GET /bans`
pub(super) async fn list(State(daemon): Daemon, Extension(by): By, Query(choice): Query<Choice>) -> Page {
    let Choice { jail, within, history, after } = choice;
    let jail = shown_jail(&daemon, &by, Some(&jail)).await?;
    let wanted = BansQuery {
        jail: jail.clone(),
        state: (!history.is_empty()).then_some(BanState::All),
        prefix: filled(&within).map(|within| read_prefix(&within)).transpose()?,
        after: after.clone(),
        ..BansQuery::default()
    };
    let found = bans::list(State(daemon.clone()), Extension(by.clone()), Ok(Query(wanted))).await?.0;
    let now = daemon.now();
    let choice = |name: String| Chosen { is_chosen: jail.as_deref() == Some(&*name), name };
    let here = |after: Option<String>| {
        let chosen = [
            ("jail", jail.clone()),
            ("within", filled(&within)),
            ("history", filled(&history)),
            ("after", after),
        ];
        let chosen = chosen.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>();
        format!("/bans?{}", query(&chosen))
    };
    Ok(page(&Bans {
        frame: Frame::of(&by, "/bans"),
        jails: jails_that(&daemon, &by, |_, _| true).await?.into_iter().map(choice).collect(),
        open: open_jails(&daemon, &by).await?,
        together: by.grant().jails.is_none(),
        history: !history.is_empty(),
        can_end: by.may(Permission::Operate),
        rows: found.bans.iter().map(|ban| Row::of(ban, now)).collect(),
        next: found.next.map(|next| here(Some(next))),
        here: here(after),
        within,
    }))
}

/// The jails that whoever asks can ban somebody in, that of bans by hand first; none for those who only look.
pub(super) async fn open_jails(daemon: &Steered, by: &Principal) -> Result<Vec<String>, Refused> {
    if !by.may(Permission::Operate) {
        return Ok(Vec::new());
    }
    let is_open = |jails: &Jails, name: &str| {
        jails.settings_in_force(name).is_some_and(|settings| settings.reports.is_none())
    };
    let mut names = jails_that(daemon, by, is_open).await?;
    names.sort_by_key(|name| name != MANUAL);
    Ok(names)
}

/// `POST /bans/end`: each field `ban` is a jail, a space and a prefix.
pub(super) async fn end(
    State(daemon): Daemon,
    Extension(by): By,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Page {
    let Form(fields) = form?;
    let named =
        |wanted: &'static str| fields.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value);
    let chosen: Vec<UnbanQuery> = named("ban").map(|ban| read(ban)).collect::<Result<_, _>>()?;
    if chosen.is_empty() {
        return Err(Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no ban was chosen: tick those that are to end",
        ));
    }
    if chosen.len() > 1 && !by.is_certain(daemon.now()) {
        return Err(Refused::uncertain());
    }
    for query in chosen {
        let Json(_) = bans::unban(State(daemon.clone()), Extension(by.clone()), Ok(Query(query))).await?;
    }
    back(local(named("back").next().map_or("/bans", |path| path)))
}

fn read(ban: &str) -> Result<UnbanQuery, Refused> {
    let parts = ban.rsplit_once(' ').and_then(|(jail, prefix)| Some((jail, prefix.parse().ok()?)));
    let nothing = || Refused::new(StatusCode::UNPROCESSABLE_ENTITY, format!("`{ban}` is no ban"));
    let (jail, prefix): (_, Prefix) = parts.ok_or_else(nothing)?;
    Ok(UnbanQuery { prefix: Some(prefix), jail: Some(jail.to_owned()), all: false })
}

/// What is typed to ban somebody.
#[derive(Deserialize)]
pub(super) struct Typed {
    prefix: String,
    #[serde(default)]
    jail: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    reason: String,
}

/// `POST /bans`
pub(super) async fn ban(daemon: Daemon, by: By, form: Result<Form<Typed>, FormRejection>) -> Page {
    let Form(Typed { prefix, jail, hours, reason }) = form?;
    let prefix = read_prefix(&prefix)?;
    let order = NewBan {
        prefix,
        jail: filled(&jail),
        since: None,
        seconds: read_span(&hours, "hours", 3600)?,
        permanent: false,
        reason: filled(&reason),
    };
    let Json(_) = bans::ban(daemon, by, Ok(Json(order))).await?;
    back(&path_of(prefix))
}
