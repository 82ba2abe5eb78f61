//! Every failure becomes a status and a problem document (RFC 9457) here.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::rejection::{BytesRejection, FormRejection, JsonRejection, QueryRejection};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use http_body_util::BodyExt;

use super::api::{NotReloaded, PROBLEM_TYPE, Problem};
use super::control::VEILED;
use super::{Failed, ReloadFailed};
use crate::access::{self, session, token};
use crate::jail::Refusal;

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    detail: String,
    errors: Vec<String>,
    challenge: Option<&'static str>,
    /// In seconds.
    retry_after: Option<u64>,
    /// What it says is what is wrong with the daemon.
    is_trouble: bool,
}

/// How to be let in (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"banzone\"";
const BAD_TOKEN: &str = "Bearer realm=\"banzone\", error=\"invalid_token\"";
const TOO_LITTLE: &str = "Bearer realm=\"banzone\", error=\"insufficient_scope\"";
const TOO_LONG_AGO: &str =
    "Session realm=\"banzone\", error=\"insufficient_user_authentication\", max_age=600";
const WRONG: &str = "Session realm=\"banzone\", error=\"invalid_credentials\"";
const NO_CODE: &str = "Session realm=\"banzone\", error=\"code_required\"";

/// What keeps the database is mostly over after so many seconds.
const RETRY_AFTER: u64 = 5;

/// So many bytes of a body that nobody wants are read.
const LARGEST_UNREAD: u64 = 16 * 1024 * 1024;

/// For so long.
const LONGEST_UNREAD: Duration = Duration::from_secs(1);

/// Reads `body` and keeps nothing of it.
async fn discard(mut body: Body) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > LARGEST_UNREAD {
            return;
        }
    }
}

impl Refused {
    /// A failure with `status`; `detail` says what to do.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            challenge: None,
            retry_after: None,
            is_trouble: false,
        }
    }

    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What it is about, in a few words.
    pub(super) fn title(&self) -> String {
        self.status.canonical_reason().unwrap_or("Failed").to_owned()
    }

    /// What to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether whoever asks must show once more who they are.
    pub(super) fn is_uncertain(&self) -> bool {
        self.challenge == Some(TOO_LONG_AGO)
    }

    /// Whether a code of the second factor is all that is missing.
    pub(super) fn needs_code(&self) -> bool {
        self.challenge == Some(NO_CODE)
    }

    /// The same for those who do not see what is wrong with the daemon.
    pub(super) fn veiled(self) -> Self {
        if !self.is_trouble {
            return self;
        }
        Self { detail: format!("{VEILED}: try again later"), is_trouble: false, ..self }
    }

    /// The answer, once what is on its way of `body` is read away: a connection that is closed over it is reset, and the answer may
    /// be lost (RFC 9112, section 9.6).
    pub(super) async fn after(self, headers: &HeaderMap, body: Body) -> Response {
        // Reading asks for a body that is announced only, and of a large one the rest would be left all the same.
        let is_on_its_way = !headers.contains_key(header::EXPECT);
        if is_on_its_way && body.size_hint().lower() <= LARGEST_UNREAD {
            let _ = tokio::time::timeout(LONGEST_UNREAD, discard(body)).await;
        }
        self.into_response()
    }

    /// Nobody knows who asks.
    pub(super) fn unknown() -> Self {
        let detail =
            "send a token as `Authorization: Bearer bz_…` (`banzone token add` makes one), or sign in";
        Self { challenge: Some(CHALLENGE), ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// What was shown lets nobody in.
    pub(super) fn denied() -> Self {
        let detail = token::Denied::Unknown.to_string();
        Self { challenge: Some(BAD_TOKEN), ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// Whoever wants to sign in is not let in.
    pub(super) fn no_sign_in(denied: session::Denied) -> Self {
        let challenge = match denied {
            session::Denied::Store(failed) => return Failed::Store(failed).into(),
            session::Denied::Wrong | session::Denied::WrongPasskey => WRONG,
            session::Denied::NeedsCode => NO_CODE,
            session::Denied::Elsewhere => return Self::forbidden(denied.to_string()),
        };
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, denied.to_string()) }
    }

    /// Whoever asks must show once more who they are (RFC 9470, section 3).
    pub(super) fn uncertain() -> Self {
        let detail = "show once more that it is you, with `POST /api/v1/session/verify`, and ask again";
        Self { challenge: Some(TOO_LONG_AGO), ..Self::new(StatusCode::FORBIDDEN, detail) }
    }

    /// Whoever asks has tried too often.
    pub(super) fn too_early(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let detail =
            format!("too many attempts: wait {seconds} s, or ask an administrator to unlock the account");
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// Whoever asks has asked for more than they may in this time.
    pub(super) fn too_many(seconds: u64) -> Self {
        let detail = format!("too many requests: wait {seconds} s, or have `rate_limit` of `[http]` raised");
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// There is no room for the work now.
    pub(super) fn busy(detail: &str) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// Whoever asks is known, and may not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self { challenge: Some(TOO_LITTLE), ..Self::new(StatusCode::FORBIDDEN, detail) }
    }

    /// A configuration that was not taken over.
    pub(super) fn not_reloaded(failed: ReloadFailed) -> Self {
        let detail = failed.to_string();
        Self { errors: failed.lines(), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        let status = match &failed {
            Failed::Refused(
                Refusal::UnknownJail { .. }
                | Refusal::NotAllowed(_)
                | Refusal::UnknownReporter(_)
                | Refusal::NotHeld(_),
            ) => StatusCode::NOT_FOUND,
            Failed::Refused(Refusal::CutOff(_)) => StatusCode::FORBIDDEN,
            Failed::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Failed::Pending(_) | Failed::Store(_) | Failed::Busy(_) | Failed::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let is_trouble = status == StatusCode::SERVICE_UNAVAILABLE;
        Self {
            retry_after: is_trouble.then_some(RETRY_AFTER),
            is_trouble,
            ..Self::new(status, failed.to_string())
        }
    }
}

impl From<access::Error> for Refused {
    fn from(error: access::Error) -> Self {
        use access::Error;
        let status = match error {
            Error::Store(failed) => return Failed::Store(failed).into(),
            Error::NoToken(_) | Error::NoUser(_) | Error::NoSession(_) | Error::NoPasskey(_) => {
                StatusCode::NOT_FOUND
            }
            Error::TokenExists(_)
            | Error::UserExists(_)
            | Error::PasskeyExists
            | Error::NoOrigin
            | Error::NothingAsked
            | Error::NothingToConfirm => StatusCode::CONFLICT,
            Error::Grant(_)
            | Error::Name(_)
            | Error::NoTime
            | Error::TooManyTokens(_)
            | Error::TooManyUsers(_)
            | Error::TooManyPasskeys(_)
            | Error::Label(_)
            | Error::Passkey(_)
            | Error::WrongPasskey
            | Error::Password { .. }
            | Error::WrongCode => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

impl From<BytesRejection> for Refused {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
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

impl From<FormRejection> for Refused {
    fn from(rejection: FormRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (title, detail, errors) = (self.title(), self.detail.clone(), self.errors.clone());
        let problem = Problem { title, detail, status: self.status.as_u16() };
        let body = if errors.is_empty() {
            serde_json::to_string(&problem)
        } else {
            serde_json::to_string(&NotReloaded { problem, errors })
        };
        let body = body.expect("a problem is strings and a number");
        // A 404 or a 410 may be kept by whoever sees it, unless it is said (RFC 9110, section 15.1).
        let headers = [(header::CONTENT_TYPE, PROBLEM_TYPE), (header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, body).into_response();
        if let Some(challenge) = self.challenge {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        // For whoever shows it in another form.
        response.extensions_mut().insert(self);
        response
    }
}
