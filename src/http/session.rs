//! Signing in and out, and what users do about themselves: password, second factor, sessions.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use tokio::sync::Semaphore;
use tracing::warn;

use super::api::{
    BASE, Confirmation, Ended, Enrolment, NewPassword, NewSession, RecoveryCodes, SessionView, Sessions,
    SignedIn, Verification,
};
use super::audit::tell;
use super::gate::{COOKIE, Source};
use super::problem::Refused;
use super::{By, Control, Daemon, turns};
use crate::access::audit::{self, Event};
use crate::access::password::{self, Hashed};
use crate::access::session::{self, Denied, Opened, Place};
use crate::access::{Principal, Session, second, user};
use crate::clock::Timestamp;
use crate::store::{self, AuditRow, SessionRow, Transaction};

pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// So many passwords are hashed at a time: each takes a core and 19 MiB.
static HASHING: Semaphore = Semaphore::const_new(2);

/// So many wait for that; others are told to come again.
static WAITING: Semaphore = Semaphore::const_new(32);

/// Does what hashes a password, on a thread that has the time, when its turn comes.
pub(super) async fn hashing<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    let busy = || Refused::busy("too many sign in at the moment; try again");
    let _waiting = WAITING.try_acquire().map_err(|_| busy())?;
    let turn = turns::turn(&HASHING).await?;
    Ok(turns::work(turn, work).await?)
}

/// `POST /api/v1/session`
pub(super) async fn open(
    State(daemon): Daemon,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Result<Json<NewSession>, JsonRejection>,
) -> Result<impl IntoResponse, Refused> {
    let Json(wanted) = body?;
    begin(&*daemon, source, &headers, wanted).await
}

/// Lets in who shows what is `wanted`.
pub(super) async fn begin(
    daemon: &dyn Control,
    source: Source,
    headers: &HeaderMap,
    wanted: NewSession,
) -> Result<Begun, Refused> {
    let Source::Address(address) = source else {
        let detail = "whoever may open the control socket may do everything, and has no need to sign in";
        return Err(Refused::new(StatusCode::CONFLICT, detail));
    };
    let (name, now) = (wanted.user.clone(), daemon.now());
    daemon.attempts().begin(address, &name, now).map_err(|wait| {
        warn!(user = name, source = %address, "too many attempts to sign in");
        Refused::too_early(wait)
    })?;
    let place = place(address, headers);
    let (opened, row) = sign_in(daemon, wanted, place, source).await?.map_err(|denied| {
        // A right password without a code counts as well: who knows it could guess codes for ever otherwise.
        match denied {
            Denied::Wrong => warn!(user = name, source = %address, "sign-in failed"),
            Denied::Elsewhere => warn!(user = name, source = %address, "sign-in refused: not from there"),
            _ => {}
        }
        Refused::no_sign_in(denied)
    })?;
    daemon.attempts().succeeded(address, &name);
    let_in(daemon, opened, row).await
}

/// A session that has begun.
pub(super) struct Begun {
    /// For the header `Set-Cookie`.
    pub(super) cookie: String,
    session: SignedIn,
}

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        (AppendHeaders([(header::SET_COOKIE, self.cookie)]), Json(self.session)).into_response()
    }
}

/// Where a browser with these headers is.
pub(super) fn place(address: IpAddr, headers: &HeaderMap) -> Place {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Place { source: address, agent: agent.to_owned() }
}

/// Lets in who has signed in, which `row` of the audit log says, and gives them their cookie.
pub(super) async fn let_in(daemon: &dyn Control, opened: Opened, row: AuditRow) -> Result<Begun, Refused> {
    tell(daemon, row).await;
    let lifetime = daemon.sign_in().lifetime.as_secs();
    let cookie = format!("{}; Max-Age={lifetime}", cookie(&opened.cookie));
    let session = opened.principal.session().ok_or_else(no_session)?;
    Ok(Begun { cookie, session: signed_in(&opened.principal, session) })
}

async fn sign_in(
    daemon: &dyn Control,
    wanted: NewSession,
    place: Place,
    source: Source,
) -> Result<Result<(Opened, AuditRow), Denied>, Refused> {
    let NewSession { user, password, code } = wanted;
    let name = user.clone();
    let kept = daemon.read(move |reader| session::kept_password(reader, &name)).await?;
    let check = move || password::is_right(&password, kept.as_deref()).then_some(kept).flatten();
    let Some(kept) = hashing(check).await? else { return Ok(Err(Denied::Wrong)) };
    let (settings, now) = (daemon.sign_in(), daemon.now());
    begin_code(daemon, &user, code.as_deref())?;
    let open = move |changes: &Transaction<'_>| {
        let opened = session::open(changes, (&user, &kept), code.as_deref(), &place, &settings, now)?;
        let row = note_sign_in(changes, &opened, source, now)?;
        Ok((opened, row))
    };
    Ok(daemon.change(open).await?)
}

/// Writes down that somebody was let in.
pub(super) fn note_sign_in(
    changes: &Transaction<'_>,
    opened: &Opened,
    source: Source,
    now: Timestamp,
) -> Result<AuditRow, store::Error> {
    let event = Event {
        who: opened.principal.name().to_owned(),
        source: source.to_string(),
        action: format!("POST {BASE}/session"),
        detail: String::new(),
        outcome: StatusCode::OK.as_u16(),
    };
    audit::record(changes, &event, now)
}

fn cookie(value: &str) -> String {
    format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

fn no_session() -> Refused {
    Refused::forbidden("this is for users who have signed in, and you have not")
}

pub(super) fn signed_in(by: &Principal, session: &Session) -> SignedIn {
    let grant = by.grant();
    SignedIn {
        user: session.user.to_string(),
        role: grant.role,
        jails: grant.jails.clone(),
        zones: grant.zones.clone(),
        csrf: session.csrf.clone(),
        until: session.until,
        verified: session.verified,
        second_factor: session.has_second_factor,
        must_enrol: session.must_enrol,
    }
}

/// `GET /api/v1/session`
pub(super) async fn show(Extension(by): By) -> Answer<SignedIn> {
    let session = by.session().ok_or_else(no_session)?;
    Ok(Json(signed_in(&by, session)))
}

/// `DELETE /api/v1/session`
pub(super) async fn end(State(daemon): Daemon, Extension(by): By) -> Result<impl IntoResponse, Refused> {
    end_one(&*daemon, own(&by)?, None).await?;
    let cookie = format!("{}; Max-Age=0", cookie(""));
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(Ended { ended: 1 })))
}

/// `GET /api/v1/sessions`
pub(super) async fn list(State(daemon): Daemon, Extension(by): By) -> Answer<Sessions> {
    let Session { id, user, .. } = own(&by)?;
    sessions_of(&*daemon, &user, Some(&id)).await.map(Json)
}

/// The sessions of `user`, of which one is `current`.
pub(super) async fn sessions_of(
    daemon: &dyn Control,
    user: &str,
    current: Option<&str>,
) -> Result<Sessions, Refused> {
    let (user, settings, now) = (user.to_owned(), daemon.sign_in(), daemon.now());
    let found = daemon.read(move |reader| session::list(reader, &user, &settings, now)).await?;
    let shown = |row: SessionRow| SessionView {
        current: current == Some(&*row.id),
        id: row.id,
        created: row.created,
        used: row.used,
        source: row.source,
        agent: row.agent,
    };
    Ok(Sessions { sessions: found.into_iter().map(shown).collect() })
}

/// `DELETE /api/v1/sessions/{session}`
pub(super) async fn revoke(
    State(daemon): Daemon,
    Extension(by): By,
    Path(id): Path<String>,
) -> Answer<Ended> {
    end_one(&*daemon, own(&by)?, Some(id)).await?;
    Ok(Json(Ended { ended: 1 }))
}

async fn end_one(daemon: &dyn Control, own: Session, other: Option<String>) -> Result<(), Refused> {
    let id = other.unwrap_or_else(|| own.id.to_string());
    daemon.change(move |changes| session::end(changes, &own.user, &id)).await??;
    Ok(())
}

pub(super) fn own(by: &Principal) -> Result<Session, Refused> {
    by.session().cloned().ok_or_else(no_session)
}

/// `POST /api/v1/session/verify`
pub(super) async fn verify(
    State(daemon): Daemon,
    Extension(by): By,
    Extension(source): Extension<Source>,
    body: Result<Json<Verification>, JsonRejection>,
) -> Answer<SignedIn> {
    let Json(Verification { code, password }) = body?;
    let own = own(&by)?;
    let address = begin_attempt(&*daemon, source, &own.user)?;
    if code.is_none() {
        check_password(&*daemon, &own.user, password.unwrap_or_default()).await?;
    }
    begin_code(&*daemon, &own.user, code.as_deref())?;
    let (now, session) = (daemon.now(), own.clone());
    daemon.change(move |changes| session::verify(changes, &session, code.as_deref(), now)).await??;
    daemon.attempts().succeeded(address, &own.user);
    Ok(Json(signed_in(&by, &Session { verified: now, ..own })))
}

/// Whoever has a session may not guess either.
pub(super) fn begin_attempt(daemon: &dyn Control, source: Source, user: &str) -> Result<IpAddr, Refused> {
    let Source::Address(address) = source else { return Err(no_session()) };
    daemon.attempts().begin(address, user, daemon.now()).map_err(Refused::too_early)?;
    Ok(address)
}

/// The same of an attempt that does not say for which account it is: it is counted for the source alone.
pub(super) fn begin_unnamed(daemon: &dyn Control, source: Source) -> Result<IpAddr, Refused> {
    let Source::Address(address) = source else { return Err(no_session()) };
    daemon.attempts().begin_from(address, daemon.now()).map_err(Refused::too_early)?;
    Ok(address)
}

/// Nor may whoever knows the password guess the code from many addresses.
fn begin_code(daemon: &dyn Control, user: &str, code: Option<&str>) -> Result<(), Refused> {
    if !code.is_some_and(second::is_guessable) {
        return Ok(());
    }
    daemon.attempts().begin_code(user, daemon.now()).map_err(|wait| {
        warn!(user, "too many codes of a second factor by somebody who knows the password");
        Refused::too_early(wait)
    })
}

async fn check_password(daemon: &dyn Control, user: &str, typed: String) -> Result<(), Refused> {
    let name = user.to_owned();
    let kept = daemon.read(move |reader| session::kept_password(reader, &name)).await?;
    if hashing(move || password::is_right(&typed, kept.as_deref())).await? {
        return Ok(());
    }
    Err(Refused::no_sign_in(Denied::Wrong))
}

/// `POST /api/v1/session/password`
pub(super) async fn password(
    State(daemon): Daemon,
    Extension(by): By,
    Extension(source): Extension<Source>,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Answer<SignedIn> {
    let Json(NewPassword { password, new_password }) = body?;
    let own = own(&by)?;
    let address = begin_attempt(&*daemon, source, &own.user)?;
    check_password(&*daemon, &own.user, password).await?;
    daemon.attempts().succeeded(address, &own.user);
    let password = hashing(move || Hashed::new(&new_password)).await??;
    let (user, id) = (Arc::clone(&own.user), Arc::clone(&own.id));
    let change = user::Change { password: Some(password), ..user::Change::default() };
    daemon.change(move |changes| user::change(changes, &user, change, Some(&id))).await??;
    Ok(Json(signed_in(&by, &own)))
}

/// `POST /api/v1/session/totp`
pub(super) async fn begin_totp(State(daemon): Daemon, Extension(by): By) -> Answer<Enrolment> {
    enrolment(&*daemon, own(&by)?.user.to_string()).await.map(Json)
}

/// A second factor of `user` that is yet to be confirmed.
pub(super) async fn enrolment(daemon: &dyn Control, user: String) -> Result<Enrolment, Refused> {
    let name = user.clone();
    let secret = daemon.change(move |changes| user::begin_totp(changes, &name)).await??;
    let url = secret.url(&user);
    let (svg, text) = (second::qr_svg(&url), second::qr_text(&url));
    Ok(Enrolment { secret: secret.in_words(), url, svg, text })
}

/// `POST /api/v1/session/totp/confirm`
pub(super) async fn confirm_totp(
    State(daemon): Daemon,
    Extension(by): By,
    Extension(source): Extension<Source>,
    body: Result<Json<Confirmation>, JsonRejection>,
) -> Answer<RecoveryCodes> {
    let Json(Confirmation { code }) = body?;
    let own = own(&by)?;
    let address = begin_attempt(&*daemon, source, &own.user)?;
    let (now, user) = (daemon.now(), Arc::clone(&own.user));
    let codes = daemon
        .change(move |changes| user::confirm_totp(changes, &own.user, &code, Some(&own.id), now))
        .await??;
    daemon.attempts().succeeded(address, &user);
    Ok(Json(RecoveryCodes { recovery_codes: codes }))
}

/// `DELETE /api/v1/session/totp`
pub(super) async fn remove_totp(State(daemon): Daemon, Extension(by): By) -> Answer<Ended> {
    let own = own(&by)?;
    daemon.change(move |changes| user::remove_totp(changes, &own.user, Some(&own.id))).await??;
    Ok(Json(Ended { ended: 1 }))
}
