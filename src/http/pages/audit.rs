//! Who did what, and whether the record of it is whole.

use axum::extract::{Extension, Query, State};

use super::Page;
use super::forms::query;
use super::listing::{Cell, Listing, Table};
use super::words::when;
use crate::http::api::{AuditEntry, AuditQuery, AuditVerified};
use crate::http::{By, Daemon, audit};

const PATH: &str = "/audit";

/// `GET /audit`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<AuditQuery>) -> Page {
    let (who, limit) = (query.who.clone(), query.limit);
    let found = audit::list(State(daemon), Ok(Query(query))).await?.0;
    let mut page = Listing::new(&by, PATH, "Audit log");
    page.links = vec![("Verify the chain".to_owned(), "/audit/verify".to_owned())];
    if let Some(who) = &who {
        page.notes = vec![(format!("Only what {who} did."), false)];
        page.links.push(("Show what everybody did".to_owned(), PATH.to_owned()));
    }
    page.tables = vec![Table {
        title: "",
        heads: &["When", "Who", "What", "Outcome"],
        rows: found.audit.iter().map(row).collect(),
        empty: if found.next.is_some() { "None among the latest entries." } else { "Nothing was done yet." },
    }];
    page.is_of("who", who);
    page.goes_on(limit, found.next);
    Ok(page.show())
}

/// `GET /audit/verify`: reads the whole log.
pub(super) async fn verify(State(daemon): Daemon, Extension(by): By) -> Page {
    let AuditVerified { entries, number, hash, broken, gone_early } = audit::verify(State(daemon)).await?.0;
    let mut page = Listing::new(&by, PATH, "The chain of the audit log");
    page.notes = vec![match broken {
        Some(broken) => (
            format!(
                "Entry {broken} was changed, or those before it were taken out. Up to {number} all is right."
            ),
            true,
        ),
        None => (format!("{entries} entries, none changed or missing. The last: {number}:{hash}"), false),
    }];
    if gone_early {
        let early = "The first entries are gone before their time: unless history_retention was shorter then, somebody took them out.";
        page.notes.push((early.to_owned(), true));
    }
    page.links = vec![("Back to the entries".to_owned(), PATH.to_owned())];
    Ok(page.show())
}

fn row(entry: &AuditEntry) -> Vec<Cell> {
    let of_whom = format!("{PATH}?{}", query(&[("who", &entry.who)]));
    vec![
        Cell::text(when(entry.at)),
        Cell::text(&entry.who).note(&entry.source).link(of_whom),
        Cell::text(&entry.action).note(&entry.detail),
        Cell::text(entry.outcome),
    ]
}
