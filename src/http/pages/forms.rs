//! Forms of pages: the token of the session that each has, and where to go when it is done.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::super::problem::Refused;
use super::super::routes::CSRF;

/// The largest form: some thousand bans that are to end.
const MAX_FORM: usize = 256 * 1024;

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
    if request.method().is_safe() || !is_form(request.headers()) {
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
