//! Who asks: the other end of the connection, or whom a proxy that is trusted names.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Public;
use crate::http::forwarded::client;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The address of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client(pub(super) IpAddr);

impl FromRequestParts<Public> for Client {
    type Rejection = (StatusCode, String);

    async fn from_request_parts(parts: &mut Parts, public: &Public) -> Result<Self, Self::Rejection> {
        let Peer(peer) = parts.extensions.get().expect("every connection says where it comes from");
        let found = client(*peer, &parts.headers, &public.0.public().proxies);
        found.map(Self).map_err(|wrong| (StatusCode::BAD_REQUEST, wrong.to_string()))
    }
}
