//! One's own account: password, second factor, passkeys and sessions.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use axum::{Form, Json};
use serde::Deserialize;

use super::forms::Which;
use super::frame::Frame;
use super::words::{ago, when};
use super::{Page, back, page, page_with_script};
use crate::http::api::{Confirmation, Enrolment, NewPassword, PasskeyView, SessionView};
use crate::http::gate::Source;
use crate::http::problem::Refused;
use crate::http::{By, Daemon, passkeys, session};

#[derive(Template)]
#[template(path = "pages/account.html")]
struct Account {
    frame: Frame,
    must_enrol: bool,
    has_second_factor: bool,
    has_passkeys: bool,
    passkeys: Vec<Passkey>,
    sessions: Vec<Session>,
}

struct Passkey {
    id: String,
    label: String,
    created: String,
    used: String,
}

struct Session {
    id: String,
    agent: String,
    source: String,
    created: String,
    used: String,
    current: bool,
}

/// `GET /account`
pub(super) async fn show(State(daemon): Daemon, Extension(by): By) -> Page {
    let own = session::own(&by)?;
    let now = daemon.now();
    let passkeys = passkeys::list(State(daemon.clone()), Extension(by.clone())).await?.0.passkeys;
    let sessions = session::list(State(daemon.clone()), Extension(by.clone())).await?.0.sessions;
    let passkey = |PasskeyView { id, label, created, used }| Passkey {
        id,
        label,
        created: when(created),
        used: used.map_or_else(|| "never".to_owned(), |used| ago(used, now)),
    };
    let session = |SessionView { id, created, used, source, agent, current }| Session {
        id,
        agent,
        source,
        created: when(created),
        used: ago(used, now),
        current,
    };
    Ok(page_with_script(&Account {
        frame: Frame::of(&by, "/account"),
        must_enrol: own.must_enrol,
        has_second_factor: own.has_second_factor,
        has_passkeys: daemon.sign_in().origin.is_some(),
        passkeys: passkeys.into_iter().map(passkey).collect(),
        sessions: sessions.into_iter().map(session).collect(),
    }))
}

/// What is typed for another password.
#[derive(Deserialize)]
pub(super) struct Passwords {
    password: String,
    new_password: String,
}

/// `POST /account/password`
pub(super) async fn password(
    daemon: Daemon,
    by: By,
    source: Extension<Source>,
    form: Result<Form<Passwords>, FormRejection>,
) -> Page {
    let Form(Passwords { password, new_password }) = form?;
    let Json(_) =
        session::password(daemon, by, source, Ok(Json(NewPassword { password, new_password }))).await?;
    back("/account")
}

#[derive(Template)]
#[template(path = "pages/totp.html")]
struct Totp {
    frame: Frame,
    secret: String,
    /// A picture, as a `data:` URL.
    picture: String,
}

/// `POST /account/totp`: shows what the telephone needs.
pub(super) async fn begin_totp(daemon: Daemon, by: By) -> Page {
    let frame = Frame::of(&by, "/account");
    let Enrolment { secret, svg, .. } = session::begin_totp(daemon, by).await?.0;
    let picture = format!("data:image/svg+xml;base64,{}", data_encoding::BASE64.encode(svg.as_bytes()));
    Ok(page(&Totp { frame, secret, picture }))
}

#[derive(Template)]
#[template(path = "pages/codes.html")]
struct Codes {
    frame: Frame,
    codes: Vec<String>,
}

/// What the telephone shows.
#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// `POST /account/totp/confirm`
pub(super) async fn confirm_totp(
    daemon: Daemon,
    by: By,
    source: Extension<Source>,
    form: Result<Form<Code>, FormRejection>,
) -> Page {
    let Form(Code { code }) = form?;
    let confirmation = Confirmation { code };
    let frame = Frame::of(&by, "/account");
    let confirmed = session::confirm_totp(daemon, by, source, Ok(Json(confirmation))).await?;
    Ok::<Response, Refused>(page(&Codes { frame, codes: confirmed.0.recovery_codes }))
}

/// `POST /account/totp/remove`
pub(super) async fn remove_totp(daemon: Daemon, by: By) -> Page {
    let Json(_) = session::remove_totp(daemon, by).await?;
    back("/account")
}

/// `POST /account/passkey/remove`
pub(super) async fn remove_passkey(daemon: Daemon, by: By, form: Result<Form<Which>, FormRejection>) -> Page {
    let Form(Which { id }) = form?;
    let Json(_) = passkeys::remove(daemon, by, Path(id)).await?;
    back("/account")
}

/// `POST /account/session/end`
pub(super) async fn end_session(daemon: Daemon, by: By, form: Result<Form<Which>, FormRejection>) -> Page {
    let Form(Which { id }) = form?;
    let Json(_) = session::revoke(daemon, by, Path(id)).await?;
    back("/account")
}
