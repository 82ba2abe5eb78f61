//! Whether the process runs, and whether it does all of its work.

use std::iter;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;

use super::gate::SeesAll;
use super::{Control, Daemon};

/// Nobody should wait longer for an answer (RFC 6471, section 2.2.2).
const ANSWER: Duration = Duration::from_secs(2 * 86_400);

/// `GET /healthz`: the process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it answers and writes; otherwise 503 and what is wrong, a line each. Lines with `warning: ` follow in any
/// case for logs that can't be read: a restart would not mend them, and the lists are answered all the same. Whoever does not see
/// all learns no more than whether it does its work.
pub(super) async fn ready(
    State(daemon): Daemon,
    Extension(SeesAll(sees_all)): Extension<SeesAll>,
) -> (StatusCode, String) {
    let health = daemon.health().seen(sees_all);
    let mut warnings = health.all_warnings();
    if sees_all {
        warnings.extend(unanswered(&*daemon).await);
    }
    let (status, outcome) = if health.problems.is_empty() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, health.problems.join("\n"))
    };
    let warnings = warnings.into_iter().map(|warning| format!("warning: {warning}"));
    let lines = iter::once(outcome).chain(warnings).map(|line| line + "\n");
    (status, lines.collect())
}

/// That somebody has waited too long for an answer to a request. A database that can't be read is told of elsewhere.
async fn unanswered(daemon: &dyn Control) -> Option<String> {
    let oldest = daemon.read(|reader| reader.requests(true, None, 1)).await.ok()?.rows.pop()?;
    let asked = oldest.request.asked;
    (asked + ANSWER <= daemon.now()).then(|| {
        format!("request {} waits since {asked}: `banzone request list` shows those that wait", oldest.number)
    })
}
