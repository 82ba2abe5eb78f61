//! Every failure becomes a status and a problem document (RFC 9457) here.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::api::{NotReloaded, PROBLEM_TYPE, Problem};
use super::{Failed, ReloadFailed};
use crate::jail::Refusal;

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    detail: String,
    errors: Vec<String>,
}

impl Refused {
    /// A failure with `status`; `detail` says what to do.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new() }
    }

    /// A configuration that was not taken over.
    pub(super) fn not_reloaded(failed: ReloadFailed) -> Self {
        let detail = failed.to_string();
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail, errors: failed.lines() }
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        let status = match &failed {
            Failed::Refused(Refusal::UnknownJail { .. } | Refusal::NotAllowed(_)) => StatusCode::NOT_FOUND,
            Failed::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Failed::Pending(_) | Failed::Store(_) | Failed::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, failed.to_string())
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Failed").to_owned();
        let problem = Problem { title, detail: self.detail, status: self.status.as_u16() };
        let body = if self.errors.is_empty() {
            serde_json::to_string(&problem)
        } else {
            serde_json::to_string(&NotReloaded { problem, errors: self.errors })
        };
        let body = body.expect("a problem is strings and a number");
        (self.status, [(header::CONTENT_TYPE, PROBLEM_TYPE)], body).into_response()
    }
}
