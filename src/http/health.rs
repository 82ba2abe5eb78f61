//! Whether the process runs, and whether it does all of its work.

use std::iter;

use axum::extract::State;
use axum::http::StatusCode;

use super::{Daemon, Health};

/// `GET /healthz`: the process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it answers and writes; otherwise 503 and what is wrong, a line each. Lines with `warning: ` follow in any
/// case for logs that can't be read: a restart would not mend them, and the lists are answered all the same.
pub(super) async fn ready(State(daemon): Daemon) -> (StatusCode, String) {
    let Health { problems, warnings } = daemon.health();
    let (status, outcome) = if problems.is_empty() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n"))
    };
    let warnings = warnings.into_iter().map(|warning| format!("warning: {warning}"));
    let lines = iter::once(outcome).chain(warnings).map(|line| line + "\n");
    (status, lines.collect())
}
