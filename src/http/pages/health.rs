//! Whether all of the work is done: what is wrong, what is read, and what waits outside.

use std::sync::atomic::Ordering;

use axum::extract::{Extension, State};

use super::Page;
use super::listing::{Cell, Listing, Table};
use super::words::{ago, left};
use crate::access::Principal;
use crate::http::api::{OutsideStatus, Status};
use crate::http::{By, Daemon, SourceView, bans};

/// `GET /health`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By) -> Page {
    let Status { version, started, outside, hub, .. } =
        bans::status(State(daemon.clone()), Extension(by.clone())).await?.0;
    let health = daemon.health().seen(by.sees_all());
    let warnings = health.all_warnings();
    let now = daemon.now();
    let mut page = Listing::new(&by, "/health", "Health");
    let is_well = health.problems.is_empty() && warnings.is_empty();
    page.notes = health
        .problems
        .into_iter()
        .map(|problem| (problem, true))
        .chain(warnings.into_iter().map(|warning| (warning, false)))
        .collect();
    if is_well {
        let words = if by.sees_all() { "All is well." } else { "The daemon does its work." };
        page.notes.push((words.to_owned(), false));
    }
    let mut facts = vec![fact("Version", version), fact("Runs since", ago(started, now))];
    facts.extend(
        daemon.certificate_until().map(|until| fact("Certificate of DNS ends in", left(Some(until), now))),
    );
    facts.extend(hub.iter().map(|hub| fact("Rows that wait for the hub", hub.waiting)));
    page.tables = vec![Table { title: "The daemon", heads: &["What", "Value"], rows: facts, empty: "" }];
    let sources = daemon.sources();
    page.tables.push(Table {
        title: "Logs",
        heads: &["Log", "Jails", "Lines", "Files"],
        rows: sources
            .iter()
            .map(|source| (source, own(source, &by)))
            .filter(|(_, jails)| !jails.is_empty())
            .map(|(source, jails)| row(source, &jails))
            .collect(),
        empty: "None are read.",
    });
    if !outside.is_empty() {
        page.tables.push(Table {
            title: "Asked outside",
            heads: &["Kind", "Asked", "Failed", "Dropped", "Waiting"],
            rows: outside.iter().map(asked).collect(),
            empty: "",
        });
    }
    Ok(page.show())
}

fn fact(what: &str, value: impl ToString) -> Vec<Cell> {
    vec![Cell::text(what), Cell::text(value)]
}

/// The jails that read it, as far as they are for `by`.
fn own(source: &SourceView, by: &Principal) -> Vec<String> {
    source.jails.iter().filter(|jail| by.grant().has_jail(jail)).map(ToString::to_string).collect()
}

fn row(source: &SourceView, jails: &[String]) -> Vec<Cell> {
    let files: Vec<_> = source.counters.followed().iter().map(|file| file.display().to_string()).collect();
    vec![
        Cell::text(&source.path),
        Cell::text(jails.join(", ")),
        Cell::number(source.counters.lines.load(Ordering::Relaxed)),
        Cell::text(files.join(", ")),
    ]
}

fn asked(outside: &OutsideStatus) -> Vec<Cell> {
    let OutsideStatus { kind, asked, failed, dropped, waiting } = outside;
    vec![
        Cell::text(kind),
        Cell::number(*asked),
        Cell::number(*failed),
        Cell::number(*dropped),
        Cell::number(*waiting),
    ]
}
