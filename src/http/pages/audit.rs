//! Who did what.

use axum::extract::{Extension, Query, State};

use super::Page;
use super::listing::{Cell, Listing, Table};
use super::words::when;
use crate::http::api::{AuditEntry, AuditQuery};
use crate::http::{By, Daemon, audit};

/// `GET /audit`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By, Query(query): Query<AuditQuery>) -> Page {
    let is_first = query.after.is_none();
    let found = audit::list(State(daemon.clone()), Ok(Query(query))).await?.0;
    let mut page = Listing::new(&by, "/audit", "Audit log");
    if is_first {
        let verified = audit::verify(State(daemon)).await?.0;
        page.notes = vec![match verified.broken {
            Some(number) => (format!("Entry {number} was changed, or those before it were taken out."), true),
            None => (
                format!(
                    "{} entries, none changed or missing. The last: {}:{}",
                    verified.entries, verified.number, verified.hash
                ),
                false,
            ),
        }];
    }
    page.tables = vec![Table {
        title: "",
        heads: &["When", "Who", "What", "Outcome"],
        rows: found.audit.iter().map(row).collect(),
        empty: "Nothing was done yet.",
    }];
    page.goes_on(found.next);
    Ok(page.show())
}

fn row(entry: &AuditEntry) -> Vec<Cell> {
    vec![
        Cell::text(when(entry.at)),
        Cell::text(&entry.who).note(&entry.source),
        Cell::text(&entry.action).note(&entry.detail),
        Cell::text(entry.outcome),
    ]
}
