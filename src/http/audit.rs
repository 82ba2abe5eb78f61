//! The audit log: every request that changes something is written down with what became of it, and can be looked up. What
//! changes the database by itself, not by an order to the jails, is written in one transaction with its entry.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tracing::{error, info};

use super::api::{AuditEntry, AuditLog, AuditQuery, AuditVerified};
use super::gate::Source;
use super::pages::forms;
use super::paging::{place, rows};
use super::problem::Refused;
use super::{Control, Daemon, Steered, turns};
use crate::access::audit::{self, Event, Verified};
use crate::access::{Principal, token};
use crate::store::{AuditRow, Page, Reader};

/// What is written down of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audit {
    /// Nothing: it changes nothing, or brings what is counted and kept elsewhere.
    Nothing,
    /// All of it.
    Whole,
    /// All but the secrets in its body.
    Masked,
    /// All but its body.
    Unread,
}

tokio::task_local! {
    /// The entry of the request that is being answered, until a change has taken it along.
    static ENTRY: RefCell<Option<Event>>;
}

/// The entry that the next change takes along.
pub(super) fn unwritten() -> Option<Event> {
    ENTRY.try_with(|entry| entry.borrow().clone()).ok().flatten()
}

/// The change has taken it along, as `row`.
pub(super) async fn written(daemon: &dyn Control, row: Option<AuditRow>) {
    if let Some(row) = row {
        // A change that takes one along has found one.
        let _ = ENTRY.try_with(|entry| entry.take());
        tell(daemon, row).await;
    }
}

/// Somebody who is about to change something.
pub(super) struct Act {
    daemon: Steered,
    event: Event,
}

impl Act {
    /// What `principal` wants by `request`.
    pub(super) fn of(daemon: Steered, principal: &Principal, request: &Request) -> Self {
        let source = request.extensions().get::<Source>().map_or_else(String::new, ToString::to_string);
        let action = format!("{} {}", request.method(), asked(request));
        let who = principal.name().to_owned();
        Self { daemon, event: Event { who, source, action, ..Event::default() } }
    }

    /// Has `request` answered, and writes both down. The body may have `most` bytes.
    pub(super) async fn carry_out(
        mut self,
        request: Request,
        next: Next,
        most: usize,
        audit: Audit,
    ) -> Response {
        let (head, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, most).await else {
            return self.end(too_large(most).into_response()).await;
        };
        self.event.detail = match audit {
            Audit::Unread => String::new(),
            _ if forms::is_form(&head.headers) => masked_form(&body),
            Audit::Masked => masked(&body),
            _ => text(&body),
        };
        let request = Request::from_parts(head, Body::from(body));
        // A task of its own: whoever breaks off does not keep it from being written down.
        let done = tokio::spawn(async move {
            let entry = Event { outcome: StatusCode::OK.as_u16(), ..self.event.clone() };
            let answer = async { (next.run(request).await, unwritten().is_none()) };
            let (response, is_written) = ENTRY.scope(RefCell::new(Some(entry)), answer).await;
            if is_written && response.status().as_u16() < 400 { response } else { self.end(response).await }
        });
        let lost = || Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a defect, please report it");
        done.await.unwrap_or_else(|_| lost().into_response())
    }

    /// Writes down how it ended.
    pub(super) async fn end(self, response: Response) -> Response {
        let event = Event { outcome: response.status().as_u16(), ..self.event };
        write_down(&*self.daemon, event).await;
        response
    }
}

fn text(body: &Bytes) -> String {
    // The log cuts it to far less; this bounds the work.
    String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned()
}

/// The whole path, with the query.
fn asked(request: &Request) -> String {
    let whole = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri);
    whole.unwrap_or_else(|| request.uri()).to_string()
}

/// Keys of bodies whose values nobody may read.
const SECRETS: [&str; 6] = ["password", "new_password", "code", "ticket", "credential", "csrf"];

/// The fields of a form that are no secrets.
fn masked_form(body: &Bytes) -> String {
    let mut fields = forms::fields(body);
    fields.retain(|(name, value)| !SECRETS.contains(&name.as_str()) && !value.is_empty());
    serde_urlencoded::to_string(fields).unwrap_or_default()
}

/// The keys of an object with those of its values that are no secrets; of anything else nothing.
fn masked(body: &Bytes) -> String {
    let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(body);
    let Ok(mut object) = object else { return String::new() };
    for (_, value) in object.iter_mut().filter(|(key, _)| SECRETS.contains(&key.as_str())) {
        *value = "…".into();
    }
    serde_json::Value::Object(object).to_string()
}

/// Why a body is not taken.
pub(super) fn too_large(most: usize) -> Refused {
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {most} bytes, or broke off"))
}

/// Writes `event` into the audit log, but for what was refused more often than anybody would read. That it cannot be written
/// does not undo what was done.
pub(super) async fn write_down(daemon: &dyn Control, event: Event) {
    let now = daemon.now();
    for (who, count) in daemon.refusals().left_out(now) {
        let detail = format!("{count} within a minute");
        let action = "refused requests that are not written down".to_owned();
        let outcome = StatusCode::FORBIDDEN.as_u16();
        write(daemon, Event { who, action, detail, outcome, ..Event::default() }).await;
    }
    let is_refusal = (400..500).contains(&event.outcome);
    if !is_refusal || daemon.refusals().admit(&event.who, now) {
        write(daemon, event).await;
    }
}

async fn write(daemon: &dyn Control, event: Event) {
    let now = daemon.now();
    let Event { who, outcome, .. } = event.clone();
    let action = token::without_secrets(&event.action).into_owned();
    match daemon.change(move |changes| audit::record(changes, &event, now)).await {
        Ok(Ok(row)) => tell(daemon, row).await,
        Ok(Err(failed)) => error!(who, outcome, "not in the audit log: {action}: {failed}"),
        Err(failed) => error!(who, outcome, "not in the audit log: {action}: {failed}"),
    }
}

/// Writes an entry into the other log as well, which is a witness that the database has no hand in.
pub(super) async fn tell(daemon: &dyn Control, row: AuditRow) {
    let is_next = daemon.witness().note(&row);
    let AuditRow { number, who, source, action, outcome, hash, .. } = row;
    if !is_next {
        miss(daemon).await;
    }
    let hash = audit::hex(&hash);
    info!(number, who, source, outcome, hash, "audit: {action}");
}

/// Says so if entries that were written are gone.
async fn miss(daemon: &dyn Control) {
    let witness = Arc::clone(daemon.witness());
    if let Ok(Some(number)) = daemon.read(move |reader| witness.missed(reader)).await {
        error!(number, "an entry of the audit log that was written is gone; look at `banzone audit verify`");
    }
}

/// `GET /api/v1/audit`
pub(super) async fn list(
    State(daemon): Daemon,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditLog>, Refused> {
    let Query(AuditQuery { who, after, limit }) = query?;
    let (after, limit) = (place(after.as_deref())?, rows(limit));
    let read = move |reader: &Reader| reader.audit_before(after, who.as_deref(), limit);
    let Page { rows, next } = daemon.read(read).await?;
    let next = next.map(|number| number.to_string());
    Ok(Json(AuditLog { audit: rows.into_iter().map(shown).collect(), next }))
}

fn shown(row: AuditRow) -> AuditEntry {
    let AuditRow { number, at, who, source, action, detail, outcome, hash } = row;
    AuditEntry { number, at, who, source, action, detail, outcome, hash: audit::hex(&hash) }
}

/// One reads the whole log at a time.
static VERIFYING: Semaphore = Semaphore::const_new(1);

/// `GET /api/v1/audit/verify`
pub(super) async fn verify(State(daemon): Daemon) -> Result<Json<AuditVerified>, Refused> {
    let witness = Arc::clone(daemon.witness());
    let old = daemon.now() - Duration::from_secs(daemon.settings().history_retention);
    let turn = turns::turn(&VERIFYING).await?;
    let found = daemon.read_in_turn(turn, move |reader| audit::verify(reader, &witness, old)).await?;
    let Verified { entries, last: (number, hash), broken, gone_early } = found;
    Ok(Json(AuditVerified { entries, number, hash: audit::hex(&hash), broken, gone_early }))
}
