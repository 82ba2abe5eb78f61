//! Passkeys: adding, listing and removing them, and signing in with one.

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use tracing::warn;

use super::api::{
    Ended, NewPasskey, PasskeyAdded, PasskeyAnswer, PasskeyChallenge, PasskeyView, Passkeys, SignedIn,
};
use super::gate::Source;
use super::problem::Refused;
use super::session::{Answer, begin_attempt, begin_unnamed, let_in, note_sign_in, own, place, signed_in};
use super::{By, Control, Daemon};
use crate::access::passkey::{self, Challenge};
use crate::access::session::{self, Denied};
use crate::access::{Error, Origin, Session};
use crate::store::PasskeyRow;

/// Attempts with passkeys do not say for which account they are.
const NO_ACCOUNT: &str = "";

fn origin(daemon: &dyn Control) -> Result<Origin, Refused> {
    Ok(daemon.sign_in().origin.ok_or(Error::NoOrigin)?)
}

fn asked(Challenge { ticket, options }: Challenge) -> Json<PasskeyChallenge> {
    Json(PasskeyChallenge { ticket, options })
}

/// `POST /api/v1/session/passkey/challenge`
pub(super) async fn ask(State(daemon): Daemon) -> Answer<PasskeyChallenge> {
    Ok(asked(daemon.passkeys().who(&origin(&*daemon)?, daemon.now())?))
}

/// `POST /api/v1/session/passkey`
pub(super) async fn open(
    State(daemon): Daemon,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Result<Json<PasskeyAnswer>, JsonRejection>,
) -> Result<impl IntoResponse, Refused> {
    let Json(PasskeyAnswer { ticket, credential }) = body?;
    let (origin, now, settings) = (origin(&*daemon)?, daemon.now(), daemon.sign_in());
    let address = begin_unnamed(&*daemon, source)?;
    let who = daemon.passkeys().answered_who(&ticket, now)?;
    let place = place(address, &headers);
    let opened = daemon.change(move |changes| {
        let shown = (who, &origin, &credential);
        let opened = session::open_by_passkey(changes, shown, &place, &settings, now)?;
        let row = note_sign_in(changes, &opened, source, now)?;
        Ok((opened, row))
    });
    let (opened, row) = opened.await?.map_err(|denied| not_let_in(denied, address))?;
    daemon.attempts().succeeded(address, NO_ACCOUNT);
    let_in(&*daemon, opened, row).await
}

fn not_let_in(denied: Denied, source: IpAddr) -> Refused {
    warn!(%source, "sign-in failed: {denied}");
    Refused::no_sign_in(denied)
}

/// `POST /api/v1/session/passkey/verify`
pub(super) async fn verify(
    State(daemon): Daemon,
    Extension(by): By,
    Extension(source): Extension<Source>,
    body: Result<Json<PasskeyAnswer>, JsonRejection>,
) -> Answer<SignedIn> {
    let Json(PasskeyAnswer { ticket, credential }) = body?;
    let (own, origin, now) = (own(&by)?, origin(&*daemon)?, daemon.now());
    let address = begin_attempt(&*daemon, source, &own.user)?;
    let who = daemon.passkeys().answered_who(&ticket, now)?;
    let session = own.clone();
    daemon
        .change(move |changes| {
            session::verify_by_passkey(changes, &session, (who, &origin, &credential), now)
        })
        .await??;
    daemon.attempts().succeeded(address, &own.user);
    Ok(Json(signed_in(&by, &Session { verified: now, ..own })))
}

/// `GET /api/v1/session/passkeys`
pub(super) async fn list(State(daemon): Daemon, Extension(by): By) -> Answer<Passkeys> {
    passkeys_of(&*daemon, own(&by)?.user.to_string()).await.map(Json)
}

/// The passkeys of `user`.
pub(super) async fn passkeys_of(daemon: &dyn Control, user: String) -> Result<Passkeys, Refused> {
    let found = daemon.read(move |reader| reader.passkeys(&user)).await?;
    Ok(Passkeys { passkeys: found.into_iter().map(shown).collect() })
}

fn shown(row: PasskeyRow) -> PasskeyView {
    PasskeyView { id: row.id, label: row.label, created: row.created, used: row.used }
}

/// `POST /api/v1/session/passkeys/challenge`
pub(super) async fn begin(State(daemon): Daemon, Extension(by): By) -> Answer<PasskeyChallenge> {
    let (user, origin) = (own(&by)?.user, origin(&*daemon)?);
    let name = user.to_string();
    let kept = daemon.read(move |reader| reader.passkeys(&name)).await?;
    Ok(asked(daemon.passkeys().new_key(&origin, &user, &kept, daemon.now())?))
}

/// `POST /api/v1/session/passkeys`
pub(super) async fn add(
    State(daemon): Daemon,
    Extension(by): By,
    body: Result<Json<NewPasskey>, JsonRejection>,
) -> Answer<PasskeyAdded> {
    let Json(NewPasskey { ticket, label, credential }) = body?;
    let (own, origin, now) = (own(&by)?, origin(&*daemon)?, daemon.now());
    let new = daemon.passkeys().answered_new_key(&ticket, &own.user, now)?;
    let (row, recovery_codes) = daemon
        .change(move |changes| new.keep(changes, (&origin, &own.user, &label), &credential, &own.id, now))
        .await??;
    Ok(Json(PasskeyAdded { passkey: shown(row), recovery_codes }))
}

/// `DELETE /api/v1/session/passkeys/{passkey}`
pub(super) async fn remove(
    State(daemon): Daemon,
    Extension(by): By,
    Path(id): Path<String>,
) -> Answer<Ended> {
    let own = own(&by)?;
    daemon.change(move |changes| passkey::remove(changes, &own.user, &id, Some(&own.id))).await??;
    Ok(Json(Ended { ended: 1 }))
}

/// `GET /api/v1/users/{user}/passkeys`
pub(super) async fn list_of(State(daemon): Daemon, Path(user): Path<String>) -> Answer<Passkeys> {
    passkeys_of(&*daemon, user).await.map(Json)
}

/// `DELETE /api/v1/users/{user}/passkeys/{passkey}`
pub(super) async fn remove_of(
    State(daemon): Daemon,
    Path((user, id)): Path<(String, String)>,
) -> Answer<Ended> {
    daemon.change(move |changes| passkey::remove(changes, &user, &id, None)).await??;
    Ok(Json(Ended { ended: 1 }))
}
