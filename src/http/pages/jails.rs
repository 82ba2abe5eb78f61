//! The jails with what they found and their patterns matched, and a box to try a filter in.

use axum::Form as Typed;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Page;
use super::forms::{jails_that, query};
use super::listing::{Cell, Field, Form, Kind, Listing, Table};
use super::words::{ago, share, when};
use crate::clock::Timestamp;
use crate::filter::{self, Tried, Verdict};
use crate::http::api::{JailSummary, ListQuery, PatternHits};
use crate::http::problem::Refused;
use crate::http::routes::own_jail;
use crate::http::{By, Daemon, bans, jails as in_api, lists, turns};
use crate::jail::Jails;

/// So many lines are tried at a time: this is to look at some, not to read a log.
const LINES: usize = 200;

/// `GET /jails`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<ListQuery>) -> Page {
    let limit = query.limit;
    let found = lists::jails(State(daemon.clone()), Extension(by.clone()), Ok(Query(query))).await?.0;
    let mut page = Listing::new(&by, "/jails", "Jails");
    page.tables = vec![Table {
        title: "",
        heads: HEADS,
        rows: found.jails.iter().map(row).collect(),
        empty: "There is no jail.",
    }];
    page.goes_on(limit, found.next);
    page.forms.extend(box_of(jails_that(&daemon, &by, has_filter).await?, String::new(), String::new()));
    Ok(page.show())
}

/// Whether a jail finds anything itself.
fn has_filter(jails: &Jails, name: &str) -> bool {
    jails.settings_in_force(name).is_some_and(|settings| !settings.filter.failregex.is_empty())
}

/// What is told of a jail.
const HEADS: &[&str] =
    &["Jail", "Lines read", "Matched", "Failing now", "Banned now", "Failures", "Bans", "Excused"];

fn row(jail: &JailSummary) -> Vec<Cell> {
    let query = query(&[("jail", &jail.jail)]);
    vec![
        Cell::text(&jail.jail).link(path_of_jail(&jail.jail)),
        Cell::number(jail.lines),
        Cell::number(jail.matched).note(share(jail.matched, jail.lines)),
        Cell::number(jail.currently_failed),
        Cell::number(jail.currently_banned).link(format!("/bans?{query}")),
        Cell::number(jail.total_failed),
        Cell::number(jail.total_banned),
        Cell::number(jail.ignored),
    ]
}

/// The page of a jail.
fn path_of_jail(jail: &str) -> String {
    format!("/jails/{}", utf8_percent_encode(jail, NON_ALPHANUMERIC))
}

/// `GET /jails/{jail}`
pub(super) async fn one(State(daemon): Daemon, Extension(by): By, Path(name): Path<String>) -> Page {
    let asked = name.clone();
    let seen = daemon.see_all(move |jails, readers| {
        let hits = in_api::hits(&asked, jails, readers);
        let summary = lists::summary(&asked, jails, hits.as_ref())?;
        Some((summary, in_api::shown_hits(&asked, jails, hits.as_ref())))
    });
    let (summary, hits) = seen.await?.ok_or_else(|| bans::unknown_jail(&name))?;
    let now = daemon.now();
    let mut page = Listing::new(&by, "/jails", name.clone());
    page.tables = vec![Table { title: "", heads: HEADS, rows: vec![row(&summary)], empty: "" }];
    let Some(hits) = hits else {
        page.notes = vec![("This jail reads no log.".to_owned(), false)];
        return Ok(page.show());
    };
    page.notes = vec![(
        format!(
            "Filter {}. What its patterns matched is counted since {}, when the daemon was started or the filter changed.",
            hits.filter,
            when(hits.since)
        ),
        false,
    )];
    let patterns = |title, heads, patterns: &[PatternHits], empty| {
        let all = patterns.iter().map(|pattern| pattern.hits).sum();
        let rows = patterns.iter().enumerate().map(|(index, one)| pattern_row(index, one, all, now));
        Table { title, heads, rows: rows.collect(), empty }
    };
    page.tables.extend([
        patterns("Failregexes", FAILREGEX, &hits.failregex, ""),
        patterns("Ignoreregexes", IGNOREREGEX, &hits.ignoreregex, "The filter has none."),
    ]);
    page.forms.extend(box_of(jails_that(&daemon, &by, has_filter).await?, name, String::new()));
    Ok(page.show())
}

/// What is told of a pattern.
const FAILREGEX: &[&str] = &["Failregex", "Number", "Hits", "Share", "Last"];
const IGNOREREGEX: &[&str] = &["Ignoreregex", "Number", "Hits", "Share", "Last"];

fn pattern_row(index: usize, hits: &PatternHits, all: u64, now: Timestamp) -> Vec<Cell> {
    let last = hits.last.map_or_else(|| "never".to_owned(), |last| ago(last, now));
    vec![
        Cell::code(&hits.pattern),
        Cell::number(index as u64 + 1),
        Cell::number(hits.hits),
        Cell { is_number: true, ..Cell::text(share(hits.hits, all)) },
        Cell::text(last),
    ]
}

/// The box to try one of the filters of `jails` in, if there are any.
fn box_of(jails: Vec<String>, jail: String, lines: String) -> Option<Form> {
    (!jails.is_empty()).then(|| Form {
        title: "Try a filter",
        path: "/try",
        fields: vec![
            Field::new("jail", "The filter of the jail", Kind::Choice(jails, jail)),
            Field::new("lines", "Lines of a log", Kind::Lines(lines))
                .required()
                .hint("200 at most; nothing is counted"),
        ],
        button: "Try",
        is_open: true,
    })
}

/// So many are tried at a time: compiling and matching take their time.
static TRYING: Semaphore = Semaphore::const_new(2);

/// What is typed into the box.
#[derive(Deserialize)]
pub(super) struct Sample {
    jail: String,
    lines: String,
}

/// `POST /try`
pub(super) async fn attempt(
    State(daemon): Daemon,
    Extension(by): By,
    form: Result<Typed<Sample>, FormRejection>,
) -> Page {
    let Typed(Sample { jail, lines }) = form?;
    own_jail(&by, &jail)?;
    let asked = jail.clone();
    let settings =
        daemon.see(move |jails: &Jails| Some(jails.settings_in_force(&asked)?.filter.clone())).await?;
    let settings = settings.ok_or_else(|| bans::unknown_jail(&jail))?;
    let (now, text) = (daemon.now(), lines.clone());
    let turn = turns::turn(&TRYING).await?;
    let tried = turns::work(turn, move || read(&settings, &text, now)).await?;
    let rows = tried.map_err(|wrong| unusable(&wrong))?;
    let mut page = Listing::new(&by, "/jails", "What the filter finds");
    page.tables = vec![Table {
        title: "",
        heads: &["Line", "Outcome", "Who", "When"],
        rows,
        empty: "There was no line.",
    }];
    page.forms.extend(box_of(jails_that(&daemon, &by, has_filter).await?, jail, lines));
    Ok(page.show())
}

fn unusable(wrong: &filter::Error) -> Refused {
    Refused::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("this jail has no filter that can be tried: {wrong}"),
    )
}

fn read(settings: &filter::Settings, text: &str, now: Timestamp) -> Result<Vec<Vec<Cell>>, filter::Error> {
    let mut trial = filter::Trial::new(settings, now)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(LINES);
    let tried = |line: &str| {
        let (outcome, who, time) = match trial.line(line) {
            None => ("no date that is understood".to_owned(), String::new(), None),
            Some(Tried { verdict, time, .. }) => {
                let (outcome, who) = in_words(&verdict);
                (outcome, who, time)
            }
        };
        let time = time.map_or_else(String::new, |time| time.to_string());
        vec![Cell::text(line), Cell::text(outcome), Cell::text(who), Cell::text(time)]
    };
    Ok(lines.map(tried).collect())
}

fn in_words(verdict: &Verdict<'_>) -> (String, String) {
    let regex = |kind: &str, index: &usize| format!("{kind} {}", index + 1);
    match verdict {
        Verdict::Miss => ("nothing".to_owned(), String::new()),
        Verdict::Ignored { ignoreregex, .. } => (regex("excused by ignoreregex", ignoreregex), String::new()),
        Verdict::Noted { failregex } => (regex("no failure by itself, failregex", failregex), String::new()),
        Verdict::Pending { failregex } => {
            (regex("not known whose failure, failregex", failregex), String::new())
        }
        Verdict::Failure(failure) => {
            (regex("failure by failregex", &failure.failregex), failure.who.to_string())
        }
    }
}
