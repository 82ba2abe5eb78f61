//! Answers that whoever asks has already are not sent again (RFC 9110, section 13.1.2): each has a tag that is made of its body,
//! and one with the tag that is asked for is answered 304.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use headers::{ETag, HeaderMapExt, IfNoneMatch};
use sha2::{Digest, Sha256};

/// Octets of the hash that a tag is made of.
const OCTETS: usize = 16;

/// Kept by whoever asked and by nobody on the way, and shown again only if nothing has changed.
const KEPT: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The tags of what whoever asks has already.
pub(super) fn known(asked: &HeaderMap) -> Option<IfNoneMatch> {
    asked.typed_get()
}

/// Gives `response`, if it is a success, its tag; whoever has it already, as `known` says, gets only that.
pub(super) async fn tag(known: Option<IfNoneMatch>, response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // Every body was made in memory, within the limits of whoever made it.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag_of(&body);
    let is_known = known.is_some_and(|known| !known.precondition_passes(&tag));
    head.headers.typed_insert(tag);
    head.headers.insert(CACHE_CONTROL, KEPT);
    if !is_known {
        return Response::from_parts(head, Body::from(body));
    }
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(CONTENT_TYPE);
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::empty())
}

fn tag_of(body: &Bytes) -> ETag {
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(body)[..OCTETS]);
    format!("\"{hash}\"").parse().expect("it is digits and letters in quotes")
}
