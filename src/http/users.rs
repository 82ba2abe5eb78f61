//! Users, as administrators see and change them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;

use super::Daemon;
use super::api::{
    Confirmation, Ended, Enrolment, ListQuery, NewUser, RecoveryCodes, Sessions, User, UserChange, Users,
};
use super::paging::page_of;
use super::problem::Refused;
use super::session::{enrolment, hashing, sessions_of};
use crate::access::password::Hashed;
use crate::access::{self, Grant, user};

type Answer<T> = Result<Json<T>, Refused>;

/// `GET /api/v1/users`
pub(super) async fn list(
    State(daemon): Daemon,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Users> {
    let Query(query) = query?;
    let mut users = daemon.read(user::list).await?;
    users.sort_by(|one, other| one.name.cmp(&other.name));
    let (users, next) = page_of(users, &query, |user| user.name.clone())?;
    Ok(Json(Users { users: users.into_iter().map(shown).collect(), next }))
}

/// `POST /api/v1/users`
pub(super) async fn add(State(daemon): Daemon, body: Result<Json<NewUser>, JsonRejection>) -> Answer<User> {
    let Json(NewUser { name, password, role, jails, zones, sources, organisation }) = body?;
    let grant = Grant { role, jails, zones, sources, organisation };
    let password = hashing(move || Hashed::new(&password)).await??;
    let now = daemon.now();
    let added = daemon.change(move |changes| user::add(changes, &name, grant, &password, now)).await??;
    Ok(Json(shown(added)))
}

/// `PATCH /api/v1/users/{user}`
pub(super) async fn change(
    State(daemon): Daemon,
    Path(name): Path<String>,
    body: Result<Json<UserChange>, JsonRejection>,
) -> Answer<User> {
    let Json(UserChange { password, disabled, role, jails, zones, sources, organisation }) = body?;
    let is_confined = jails.is_some() || zones.is_some() || !sources.is_empty() || organisation.is_some();
    if role.is_none() && is_confined {
        let detail = "what a role is confined to is changed together with it: name the `role` as well";
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let grant = role.map(|role| Grant { role, jails, zones, sources, organisation });
    let password = match password {
        Some(password) => Some(hashing(move || Hashed::new(&password)).await??),
        None => None,
    };
    daemon.attempts().forget(&name);
    let change = user::Change { password, disabled, grant };
    let changed = daemon.change(move |changes| user::change(changes, &name, change, None)).await??;
    Ok(Json(shown(changed)))
}

/// `DELETE /api/v1/users/{user}`
pub(super) async fn remove(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    daemon.change(move |changes| user::remove(changes, &name)).await??;
    Ok(Json(Ended { ended: 1 }))
}

/// `POST /api/v1/users/{user}/totp`
pub(super) async fn begin_totp(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Enrolment> {
    enrolment(&*daemon, name).await.map(Json)
}

/// `POST /api/v1/users/{user}/totp/confirm`
pub(super) async fn confirm_totp(
    State(daemon): Daemon,
    Path(name): Path<String>,
    body: Result<Json<Confirmation>, JsonRejection>,
) -> Answer<RecoveryCodes> {
    let Json(Confirmation { code }) = body?;
    let now = daemon.now();
    let confirm = daemon.change(move |changes| user::confirm_totp(changes, &name, &code, None, now));
    Ok(Json(RecoveryCodes { recovery_codes: confirm.await?? }))
}

/// `DELETE /api/v1/users/{user}/totp`
pub(super) async fn remove_totp(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    daemon.change(move |changes| user::remove_totp(changes, &name, None)).await??;
    Ok(Json(Ended { ended: 1 }))
}

/// Takes away the telephone and every passkey of somebody who has lost them.
pub(super) async fn remove_factors(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    daemon.change(move |changes| user::remove_factors(changes, &name)).await??;
    Ok(Json(Ended { ended: 1 }))
}

/// `GET /api/v1/users/{user}/sessions`
pub(super) async fn sessions(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Sessions> {
    sessions_of(&*daemon, &name, None).await.map(Json)
}

/// `DELETE /api/v1/users/{user}/sessions`
pub(super) async fn end_sessions(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    let end = daemon.change(move |changes| Ok::<_, access::Error>(changes.end_sessions(&name, None)?));
    Ok(Json(Ended { ended: end.await?? as u64 }))
}

/// `DELETE /api/v1/users/{user}/attempts`
pub(super) async fn unlock(State(daemon): Daemon, Path(name): Path<String>) -> Answer<Ended> {
    daemon.attempts().forget(&name);
    Ok(Json(Ended { ended: 1 }))
}

fn shown(user: user::User) -> User {
    let user::User { name, grant, has_second_factor, passkeys, recovery_codes, disabled, created, seen } =
        user;
    User {
        name,
        grant: grant.into(),
        second_factor: has_second_factor,
        passkeys,
        recovery_codes: recovery_codes as u64,
        disabled,
        created,
        seen,
    }
}
