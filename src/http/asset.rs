//! What pages load besides themselves. It stands under an address with a hash of what is in it: browsers keep it for good, and
//! ask for another one as soon as a new release has one.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use sha2::{Digest, Sha256};

/// A year, which is as long as caches keep anything, without asking whether it is still the same (RFC 8246).
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// So many bytes of the hash tell apart what releases have.
const HASH: usize = 8;

/// Something that pages load.
pub(super) struct Asset {
    /// Where it is.
    pub(super) path: String,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    /// `text` of a media type, called `name` with an `ending`.
    pub(super) fn new(name: &str, ending: &str, kind: &'static str, text: &'static str) -> Self {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..HASH]);
        Self { path: format!("/{name}.{hash}.{ending}"), kind, text }
    }

    /// A style.
    pub(super) fn style(text: &'static str) -> Self {
        Self::new("style", "css", "text/css; charset=utf-8", text)
    }
}

/// Answers for `asset`.
pub(super) fn serve<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    asset: &'static LazyLock<Asset>,
) -> Router<S> {
    let answer = move || async move {
        let Asset { kind, text, .. } = &**asset;
        ([(CONTENT_TYPE, *kind), (CACHE_CONTROL, FOR_GOOD)], *text).into_response()
    };
    router.route(&asset.path, get(answer))
}
