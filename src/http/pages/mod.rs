//! Web pages for those who have signed in, on the listener of the API. A page is a row of [`PAGES`], with what it needs as in the
//! table of the API, and shows what the API's handlers answer: nothing is decided here. They are HTML with one style, and forms
//! that lead back to a page; scripts are needed for passkeys alone.

mod account;
mod address;
mod allowlist;
mod audit;
mod bans;
pub(super) mod forms;
mod frame;
mod health;
mod jails;
mod listing;
mod network;
mod networks;
mod overview;
mod reporters;
mod requests;
mod sign_in;
mod tokens;
mod users;
mod words;
mod zones;

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::asset::{self, Asset};
use super::problem::Refused;
use super::routes::{self, Route, route};
use super::{Steered, add_missing};
use crate::access::Principal;
use frame::{Failure, Frame};

/// The table.
#[rustfmt::skip]
pub const PAGES: &[Route] = &[
    route!(get "/", Read, Own, overview::show),
    route!(get "/sign-in", Nothing, Own, sign_in::show),
    route!(post "/sign-in", Nothing, Own, sign_in::sign_in),
    route!(post "/sign-out", Own, Own, sign_in::sign_out),
    route!(get "/verify", Own, Own, sign_in::ask_again),
    route!(post "/verify", Own, Own, sign_in::verify).masked(),
    route!(get "/account", Own, Own, account::show),
    route!(post "/account/password", Own, Own, account::password).masked(),
    route!(post "/account/totp", Own, Own, account::begin_totp).grave().masked(),
    route!(post "/account/totp/confirm", Own, Own, account::confirm_totp).masked(),
    route!(post "/account/totp/remove", Own, Own, account::remove_totp).grave().masked(),
    route!(post "/account/passkey/remove", Own, Own, account::remove_passkey).grave().masked(),
    route!(post "/account/session/end", Own, Own, account::end_session).masked(),
    route!(get "/bans", Read, Own, bans::list),
    route!(post "/bans", Operate, Own, bans::ban).masked(),
    route!(post "/bans/end", Operate, Own, bans::end).masked().body(forms::MAX_FORM),
    route!(get "/ip", Read, Own, address::search),
    route!(get "/ip/{address}", Read, Own, address::show),
    route!(get "/network", Read, Own, network::show),
    route!(get "/networks", Read, Own, networks::show),
    route!(get "/jails", Read, Own, jails::show),
    route!(get "/jails/{jail}", Read, Jail, jails::one),
    route!(post "/try", Read, Own, jails::attempt),
    route!(get "/reporters", Read, Whole, reporters::show),
    route!(post "/reporters", Administer, Whole, reporters::change),
    route!(get "/held", Read, Whole, reporters::held),
    route!(post "/held", Operate, Whole, reporters::decide),
    route!(get "/allow", Read, Whole, allowlist::show),
    route!(post "/allow", Operate, Whole, allowlist::allow),
    route!(post "/allow/remove", Operate, Whole, allowlist::remove),
    route!(get "/zones", Read, Own, zones::show),
    route!(get "/requests", Operate, Whole, requests::show),
    route!(post "/requests", Operate, Whole, requests::decide),
    route!(get "/users", Administer, Whole, users::show),
    route!(post "/users", Administer, Whole, users::add).masked(),
    route!(post "/users/change", Administer, Whole, users::change),
    route!(get "/tokens", Administer, Whole, tokens::show),
    route!(post "/tokens", Administer, Whole, tokens::add),
    route!(post "/tokens/rotate", Administer, Whole, tokens::rotate),
    route!(post "/tokens/revoke", Administer, Whole, tokens::revoke),
    route!(get "/audit", Administer, Whole, audit::show),
    route!(get "/audit/verify", Administer, Whole, audit::verify),
    route!(get "/health", Read, Own, health::show),
];

/// The look of all pages: that of figures, and theirs.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::style(concat!(
        include_str!("../../../templates/report/style.css"),
        include_str!("../../../templates/pages/style.css")
    ))
});

/// Asks browsers for passkeys.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../../templates/pages/passkey.js");
    Asset::new("passkey", "js", "text/javascript; charset=utf-8", text)
});

/// What a browser may do with a page: show it, and send its forms back here. No script runs, whatever found its way into a text.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// The same with our own script, on the pages that know passkeys.
const POLICY_WITH_SCRIPT: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every response.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What handlers of pages give.
type Page = Result<Response, Refused>;

/// Answers what is in the table; whoever is refused sees a page that says why, or that of the sign-in.
pub(super) fn router(daemon: &Steered) -> Router<Steered> {
    // The token of the session stands in every page, and whoever comes after must not see them by going back.
    let pages = routes::router(daemon, PAGES, |_| false);
    let pages = pages.layer(from_fn(forms::read_csrf)).layer(from_fn(tell_who));
    [&STYLE, &SCRIPT].into_iter().fold(pages, asset::serve).layer(map_response(with_headers))
}

async fn with_headers(response: Response) -> Response {
    add_missing(&HEADERS, response)
}

/// Keeps who has asked beside the answer, for what is said around it.
async fn tell_who(request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>().cloned();
    let mut response = next.run(request).await;
    if let Some(principal) = principal {
        response.extensions_mut().insert(principal);
    }
    response
}

/// A page from its template.
fn page(template: &impl askama::Template) -> Response {
    let html = template.render().expect("writing to memory cannot fail");
    Html(html).into_response()
}

/// The same for one that loads our script.
fn page_with_script(template: &impl askama::Template) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY_WITH_SCRIPT)], page(template)).into_response()
}

/// Back to a page when its form has done what it was for.
fn back(path: &str) -> Page {
    Ok(Redirect::to(path).into_response())
}

/// Shows browsers a page in the place of a problem document: that of the sign-in to whoever has to sign in, or shows once more
/// who they are.
pub(super) async fn for_browsers(request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(super::api::BASE) || !is_for_browser(&request) {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    let asked = request.uri().path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let came_from = if request.method().is_safe() { asked } else { forms::came_from(request.headers()) };
    let response = next.run(request).await;
    let principal = response.extensions().get::<Principal>().cloned();
    let Some(refused) = response.extensions().get::<Refused>().cloned() else { return response };
    let mut shown = refusal(&refused, principal.as_ref(), &came_from, &path);
    if let Some(retry) = response.headers().get(header::RETRY_AFTER) {
        shown.headers_mut().insert(header::RETRY_AFTER, retry.clone());
    }
    with_headers(shown).await
}

fn is_for_browser(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepts.is_some_and(|accept| accept.contains("text/html"))
}

fn refusal(refused: &Refused, principal: Option<&Principal>, came_from: &str, path: &str) -> Response {
    let next = forms::query(&[("next", came_from)]);
    let must_enrol = principal.and_then(Principal::session).is_some_and(|session| session.must_enrol);
    match refused.status() {
        StatusCode::UNAUTHORIZED if path != "/sign-in" => {
            Redirect::to(&format!("/sign-in?{next}")).into_response()
        }
        StatusCode::FORBIDDEN if refused.is_uncertain() => {
            Redirect::to(&format!("/verify?{next}")).into_response()
        }
        StatusCode::FORBIDDEN if must_enrol && path != "/account" => Redirect::to("/account").into_response(),
        status => {
            let frame = principal.map(|principal| Frame::of(principal, ""));
            let failure = Failure { frame, title: refused.title(), detail: refused.detail().to_owned() };
            (status, page(&failure)).into_response()
        }
    }
}
