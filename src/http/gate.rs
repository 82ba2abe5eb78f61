//! The door of the TCP listener: whoever shows a token becomes a [`Principal`], an extension of the request; whoever shows
//! nothing stays unknown, and what the table of routes says decides.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::forwarded::client;
use super::problem::Refused;
use super::{Settings, Steered};
use crate::access::Principal;
use crate::access::token::{self, Denied};
use crate::ip::PrefixSet;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The control socket.
    Socket,
    /// An address, that of the client where proxies we believe hand it on.
    Address(IpAddr),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket => f.write_str("socket"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What the door knows.
pub(super) struct Gate {
    /// Keeps the tokens.
    pub(super) daemon: Steered,
    /// Nobody between here and the client can read along, or it is their own host.
    pub(super) is_private: bool,
    /// Hosts that hand on requests of others, and end their TLS.
    pub(super) proxies: PrefixSet,
}

impl Gate {
    /// The door of a listener with `settings`.
    pub(super) fn new(daemon: Steered, settings: &Settings) -> Self {
        let is_loopback = settings.listen.is_some_and(|address| address.ip().to_canonical().is_loopback());
        Self {
            daemon,
            is_private: settings.tls || is_loopback,
            proxies: settings.proxies.iter().copied().collect(),
        }
    }

    async fn identify(
        &self,
        peer: IpAddr,
        client: IpAddr,
        headers: &HeaderMap,
    ) -> Result<Option<Principal>, Refused> {
        let Some(shown) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
        if !self.is_private && !self.proxies.contains(peer) {
            return Err(Refused::new(StatusCode::FORBIDDEN, UNENCRYPTED));
        }
        let token = shown.to_str().ok().and_then(bearer).ok_or_else(Refused::denied)?.to_owned();
        let now = self.daemon.now();
        let found = self.daemon.read(move |reader| Ok(token::authenticate(reader, &token, client, now)));
        let (principal, to_note) = found.await??;
        if let Some(id) = to_note {
            let daemon = Arc::clone(&self.daemon);
            let note = async move { daemon.change(move |changes| token::note_use(changes, &id, now)).await };
            // That it could not be noted must not keep anybody out.
            tokio::spawn(note);
        }
        Ok(Some(principal))
    }
}

const UNENCRYPTED: &str = "a token was sent over a connection that others can read, and is not taken: rotate it, and give \
    `[http]` a `certificate` and a `key`, or name the proxy that ends TLS in `proxies`";

/// The token in the header (RFC 6750, section 2.1); the scheme is in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_matches(' '))
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::denied(),
            Denied::Source(_) => Self::forbidden(denied.to_string()),
            Denied::Store(failed) => super::Failed::Store(failed).into(),
        }
    }
}

/// Finds out who asks.
pub(super) async fn identify(
    State(gate): State<Arc<Gate>>,
    Extension(peer): Extension<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = client(peer.ip(), request.headers(), &gate.proxies);
    request.extensions_mut().insert(Source::Address(client));
    match gate.identify(peer.ip(), client, request.headers()).await {
        Ok(principal) => {
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}
