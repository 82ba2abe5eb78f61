//! Forms of pages: the token of the session that each has, and where to go when it is done.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::super::Steered;
use super::super::problem::Refused;
use super::super::routes::CSRF;
use crate::access::Principal;
use crate::ip::Prefix;
use crate::jail::Jails;

/// The largest form: some thousand bans that are to end.
pub(super) const MAX_FORM: usize = 256 * 1024;

/// The field of forms with the token of the session.
const FIELD: &str = "csrf";

/// Whether a body is a form.
pub(in crate::http) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// The fields of a form, in order.
pub(in crate::http) fn fields(body: &Bytes) -> Vec<(String, String)> {
    serde_urlencoded::from_bytes(body).unwrap_or_default()
}

/// Puts the token of the session where the table looks for it: scripts send it in a header, forms as a field.
pub(super) async fn read_csrf(request: Request, next: Next) -> Response {
    let has_session = request.extensions().get::<Principal>().is_some_and(|by| by.session().is_some());
    if request.method().is_safe() || !is_form(request.headers()) || !has_session {
        return next.run(request).await;
    }
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM).await else {
        let detail = format!("the form is larger than {MAX_FORM} bytes, or broke off");
        return Refused::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    };
    let token = fields(&body).into_iter().find(|(name, _)| name == FIELD).map(|(_, token)| token);
    if let Some(token) = token.and_then(|token| HeaderValue::from_str(&token).ok()) {
        head.headers.insert(CSRF, token);
    }
    next.run(Request::from_parts(head, Body::from(body))).await
}

/// The page a form was sent from, as far as browsers say; the first page otherwise.
pub(super) fn came_from(headers: &HeaderMap) -> String {
    let written = headers.get(header::REFERER).and_then(|referer| referer.to_str().ok());
    let path = written
        .and_then(|url| url.split_once("://"))
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    local(path.unwrap_or("/")).to_owned()
}

/// `path` if it leads to a page of ours, the first page otherwise: what stands in a link must not lead elsewhere.
pub(super) fn local(path: &str) -> &str {
    let is_local = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local && is_plain { path } else { "/" }
}

/// Fields as the query of a link.
pub(super) fn query<V: AsRef<str>>(fields: &[(&str, V)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name, value.as_ref())).collect();
    serde_urlencoded::to_string(fields).expect("pairs of texts are a query")
}

/// What somebody has typed into a field, if anything.
pub(super) fn filled(typed: &str) -> Option<String> {
    Some(typed.trim().to_owned()).filter(|typed| !typed.is_empty())
}

/// The jail that is chosen; whoever is confined to some, and chose none, looks at the first of these that there is.
pub(super) async fn shown_jail(
    daemon: &Steered,
    by: &Principal,
    chosen: Option<&str>,
) -> Result<Option<String>, Refused> {
    let chosen = chosen.and_then(filled);
    let Some(own) = by.grant().jails.clone().filter(|_| chosen.is_none()) else { return Ok(chosen) };
    let first = own.first().map(ToString::to_string);
    let is_there = move |jails: &Jails| {
        own.iter().find(|own| jails.names().any(|name| name == *own)).map(ToString::to_string)
    };
    Ok(daemon.see(is_there).await?.or(first))
}

/// For whoever is confined to several jails: the names of these, and the page at `path` for each.
pub(super) fn own_jails(by: &Principal, path: &str) -> Vec<(String, String)> {
    let own = by.grant().jails.as_deref().filter(|jails| jails.len() > 1).unwrap_or_default();
    own.iter().map(|jail| (jail.to_string(), format!("{path}?{}", query(&[("jail", jail)])))).collect()
}

/// The names of the jails for which `holds`, as far as whoever asks may see these.
pub(super) async fn jails_that(
    daemon: &Steered,
    by: &Principal,
    holds: impl Fn(&Jails, &str) -> bool + Send + 'static,
) -> Result<Vec<String>, Refused> {
    let all = move |jails: &Jails| {
        let names = jails.names().filter(|name| holds(jails, name));
        names.map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut names = daemon.see(all).await?;
    names.retain(|name| by.grant().has_jail(name));
    Ok(names)
}

/// The page of an address or a network.
pub(super) fn path_of(prefix: Prefix) -> String {
    match prefix.is_host() {
        true => format!("/ip/{}", prefix.address()),
        false => format!("/network?{}", query(&[("prefix", prefix.to_string())])),
    }
}

/// Which of several a form is about.
#[derive(Deserialize)]
pub(super) struct Which {
    pub(super) id: String,
}

/// An address or network that somebody has typed.
pub(super) fn read_prefix(typed: &str) -> Result<Prefix, Refused> {
    let wrong = |_| {
        let detail = format!("`{}` is no address or network", typed.trim());
        Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    };
    typed.trim().parse().map_err(wrong)
}

/// In seconds how long somebody has typed, as a whole number of `what`, each of which has so many; nothing if nothing was typed.
pub(super) fn read_span(typed: &str, what: &str, seconds: u64) -> Result<Option<u64>, Refused> {
    let Some(typed) = filled(typed) else { return Ok(None) };
    let wrong = |_| {
        let detail = format!("`{typed}` is no number of {what}: write a whole one");
        Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    };
    typed.parse::<u64>().map(|number| Some(number.saturating_mul(seconds))).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_elsewhere() {
        for (path, expected) in [
            ("/bans?jail=sasl", "/bans?jail=sasl"),
            ("/", "/"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/bans\r\nSet-Cookie: a=b", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(local(path), expected, "{path:?}");
        }
    }

    #[test]
    fn a_form_comes_from_one_of_our_pages() {
        for (referer, expected) in [
            (Some("https://bl.example:8053/bans?jail=sasl"), "/bans?jail=sasl"),
            (Some("https://bl.example"), "/"),
            (Some("nonsense"), "/"),
            (None, "/"),
        ] {
            let mut headers = HeaderMap::new();
            referer.map(|referer| headers.insert(header::REFERER, referer.parse().unwrap()));
            assert_eq!(came_from(&headers), expected);
        }
    }
}
