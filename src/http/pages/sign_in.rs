//! Signing in and out, and showing once more who one is before what cannot be undone.

use askama::Template;
use axum::Form;
use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::forms::filled;
use super::frame::Frame;
use super::{Page, forms, page_with_script};
use crate::http::api::{NewSession, Verification};
use crate::http::gate::Source;
use crate::http::problem::Refused;
use crate::http::{By, Daemon, session};

/// Where to go when it is done.
#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

impl Next {
    fn path(&self) -> &str {
        forms::local(self.next.as_deref().unwrap_or("/"))
    }
}

#[derive(Template)]
#[template(path = "pages/sign-in.html")]
struct SignIn {
    next: String,
    user: String,
    /// Why it did not work.
    problem: Option<String>,
    /// Whether there are passkeys here.
    has_passkeys: bool,
}

/// `GET /sign-in`
pub(super) async fn show(State(daemon): Daemon, by: Option<By>, Query(next): Query<Next>) -> Response {
    if by.is_some_and(|By { 0: by, .. }| by.session().is_some()) {
        return Redirect::to(next.path()).into_response();
    }
    let has_passkeys = daemon.sign_in().origin.is_some();
    page_with_script(&SignIn {
        next: next.path().to_owned(),
        user: String::new(),
        problem: None,
        has_passkeys,
    })
}

/// What is typed into the form.
#[derive(Deserialize)]
pub(super) struct Credentials {
    user: String,
    password: String,
    #[serde(default)]
    code: String,
    next: Option<String>,
}

/// `POST /sign-in`
pub(super) async fn sign_in(
    State(daemon): Daemon,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    form: Result<Form<Credentials>, FormRejection>,
) -> Page {
    let Form(Credentials { user, password, code, next }) = form?;
    let next = Next { next };
    let wanted = NewSession { user: user.trim().to_owned(), password, code: filled(&code) };
    match session::begin(&*daemon, source, &headers, wanted).await {
        Ok(begun) => {
            let cookie = AppendHeaders([(header::SET_COOKIE, begun.cookie)]);
            Ok((cookie, Redirect::to(next.path())).into_response())
        }
        Err(refused) if refused.status() == StatusCode::SERVICE_UNAVAILABLE => Err(refused),
        Err(refused) => {
            let has_passkeys = daemon.sign_in().origin.is_some();
            let problem = Some(why_not(&refused));
            let shown = SignIn { next: next.path().to_owned(), user, problem, has_passkeys };
            Ok((refused.status(), page_with_script(&shown)).into_response())
        }
    }
}

/// The same in words for people: the problem document tells programs what to send.
fn why_not(refused: &Refused) -> String {
    if refused.needs_code() {
        return "Your password is right. Now write the code of your second factor as well, or a recovery code."
            .to_owned();
    }
    match refused.status() {
        StatusCode::UNAUTHORIZED => "The name, the password or the code is wrong.".to_owned(),
        _ => refused.detail().to_owned(),
    }
}

/// `POST /sign-out`
pub(super) async fn sign_out(daemon: Daemon, by: By) -> Page {
    let ended = session::end(daemon, by).await?.into_response();
    let cookie = ended.headers().get(header::SET_COOKIE).cloned();
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

#[derive(Template)]
#[template(path = "pages/verify.html")]
struct Verify {
    frame: Frame,
    next: String,
    problem: Option<String>,
    has_second_factor: bool,
    has_passkeys: bool,
}

impl Verify {
    fn of(daemon: &Daemon, by: &By, next: &Next, problem: Option<String>) -> Response {
        let has_second_factor = by.session().is_some_and(|session| session.has_second_factor);
        page_with_script(&Self {
            frame: Frame::of(by, ""),
            next: next.path().to_owned(),
            problem,
            has_second_factor,
            has_passkeys: daemon.sign_in().origin.is_some(),
        })
    }
}

/// `GET /verify`
pub(super) async fn ask_again(daemon: Daemon, by: By, Query(next): Query<Next>) -> Response {
    Verify::of(&daemon, &by, &next, None)
}

/// What is typed into the form.
#[derive(Deserialize)]
pub(super) struct Again {
    #[serde(default)]
    code: String,
    #[serde(default)]
    password: String,
    next: Option<String>,
}

/// `POST /verify`
pub(super) async fn verify(
    daemon: Daemon,
    by: By,
    source: Extension<Source>,
    form: Result<Form<Again>, FormRejection>,
) -> Page {
    let Form(Again { code, password, next }) = form?;
    let shown = Verification { code: filled(&code), password: filled(&password) };
    let next = Next { next };
    match session::verify(State(daemon.0.clone()), by.clone(), source, Ok(Json(shown))).await {
        Ok(_) => Ok(Redirect::to(next.path()).into_response()),
        Err(refused) if refused.status() == StatusCode::SERVICE_UNAVAILABLE => Err(refused),
        Err(refused) => {
            let response = Verify::of(&daemon, &by, &next, Some(refused.detail().to_owned()));
            Ok((refused.status(), response).into_response())
        }
    }
}
