//! The door of the TCP listener: whoever shows a token, or the cookie of a session, becomes a [`Principal`], an extension of the
//! request; whoever shows nothing stays unknown, and what the table of routes says decides.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::audit::write_down;
use super::forwarded::client;
use super::problem::Refused;
use super::quota::{Caller, Left, Quota};
use super::{Settings, Steered};
use crate::access::audit::Event;
use crate::access::token::{self, Denied};
use crate::access::{Grant, Principal, session};
use crate::ip::PrefixSet;
use crate::store::{self, Reader, Transaction};

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

/// Whether whoever asks may see what is not of one jail or zone only: how the daemon does, and its figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeesAll(pub(super) bool);

/// What the door knows.
pub(super) struct Gate {
    /// Keeps the tokens.
    pub(super) daemon: Steered,
    /// Nobody between here and the client can read along, or it is their own host.
    pub(super) is_private: bool,
    /// Hosts that hand on requests of others, and end their TLS.
    pub(super) proxies: PrefixSet,
    /// Hosts that see health and metrics.
    monitors: PrefixSet,
    /// How much each may ask.
    quota: Option<Quota>,
}

impl Gate {
    /// The door of a listener with `settings`.
    pub(super) fn new(daemon: Steered, settings: &Settings) -> Self {
        let is_loopback = settings.listen.is_some_and(|address| address.ip().to_canonical().is_loopback());
        Self {
            daemon,
            is_private: settings.tls || is_loopback,
            proxies: settings.proxies.iter().copied().collect(),
            monitors: settings.monitors.iter().copied().collect(),
            quota: settings.rate_limit.map(|limit| Quota::new(limit.get())),
        }
    }

    /// Counts a request of whoever it is; `None`: nobody counts.
    fn count(&self, identified: &Result<Option<Principal>, Refused>, client: IpAddr) -> Option<Left> {
        let caller = match identified {
            Ok(Some(principal)) => Caller::Known(principal.name().to_owned()),
            _ => Caller::unknown(client),
        };
        Some(self.quota.as_ref()?.take(caller, self.daemon.now()))
    }

    /// Whether `principal`, who asks from `client`, sees all. A proxy that does not say for whom it asks may ask for anybody.
    fn sees_all(&self, principal: Option<&Principal>, client: IpAddr) -> SeesAll {
        let is_monitor = self.monitors.contains(client) && !self.proxies.contains(client);
        SeesAll(is_monitor || principal.is_some_and(Principal::sees_all))
    }

    async fn identify(
        &self,
        peer: IpAddr,
        client: IpAddr,
        request: &Parts,
    ) -> Result<Option<Principal>, Refused> {
        let mut all_shown = request.headers.get_all(header::AUTHORIZATION).iter();
        let (shown, cookie) = (all_shown.next(), cookie(&request.headers));
        let is_secret = shown.is_some() || cookie.is_some() || !request.method.is_safe();
        if is_secret && !self.is_private && !self.proxies.contains(peer) {
            return Err(Refused::new(StatusCode::FORBIDDEN, UNENCRYPTED));
        }
        if all_shown.next().is_some() {
            // Whoever stands between might look at the one, and we at the other.
            return Err(Refused::new(StatusCode::BAD_REQUEST, "send the header Authorization once"));
        }
        if let Some(shown) = shown {
            let token = shown.to_str().ok().and_then(bearer).ok_or_else(Refused::denied)?;
            return self.program(token.to_owned(), client, request).await.map(Some);
        }
        if !request.method.is_safe() && is_of_other_site(&request.headers) {
            let detail = "this request was made by a page of another site, and is not carried out";
            return Err(Refused::forbidden(detail));
        }
        match cookie {
            Some(cookie) => self.person(cookie.to_owned(), client).await,
            None => Ok(None),
        }
    }

    async fn program(&self, token: String, client: IpAddr, request: &Parts) -> Result<Principal, Refused> {
        let now = self.daemon.now();
        let found = self.daemon.read_who(move |reader| Ok(token::authenticate(reader, &token, client, now)));
        let found = found.await?;
        if let Err(Denied::Source { principal, .. }) = &found {
            self.write_down(principal, client, request).await;
        }
        let (principal, to_note) = found?;
        if let Some(id) = to_note {
            self.note(move |changes| token::note_use(changes, &id, now));
        }
        Ok(principal)
    }

    /// Whose cookie it is; a session that is over is none.
    async fn person(&self, cookie: String, client: IpAddr) -> Result<Option<Principal>, Refused> {
        let (now, settings) = (self.daemon.now(), self.daemon.sign_in());
        let read = move |reader: &Reader| {
            let is_good_from = |grant: &Grant| grant.is_good_from(client);
            session::authenticate(reader, &cookie, is_good_from, &settings, now)
        };
        let Some((principal, to_note)) = self.daemon.read_who(read).await? else { return Ok(None) };
        if let Some(session) = principal.session().filter(|_| to_note) {
            let id = Arc::clone(&session.id);
            self.note(move |changes| session::note_use(changes, &id, now));
        }
        Ok(Some(principal))
    }

    /// Writes down that a token was used where it is not for: somebody may have taken it.
    async fn write_down(&self, principal: &Principal, client: IpAddr, request: &Parts) {
        let event = Event {
            who: principal.name().to_owned(),
            source: client.to_string(),
            action: format!("{} {}", request.method, request.uri),
            detail: "the token is not for there".to_owned(),
            outcome: StatusCode::FORBIDDEN.as_u16(),
        };
        write_down(&*self.daemon, event).await;
    }

    /// Notes a use beside the request: that it could not be noted must not keep anybody out.
    fn note(&self, note: impl FnOnce(&Transaction<'_>) -> Result<(), store::Error> + Send + 'static) {
        let daemon = Arc::clone(&self.daemon);
        tokio::spawn(async move { daemon.change(note).await });
    }
}

/// The cookie of a session. Browsers take one of this name over HTTPS only, for one host and all its paths (RFC 6265bis,
/// section 4.1.3.2).
pub(super) const COOKIE: &str = "__Host-banzone";

fn cookie(headers: &HeaderMap) -> Option<&str> {
    session_cookie(headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()))
}

/// The cookie of a session in the headers `Cookie` of a request.
pub fn session_cookie<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let pairs = headers.into_iter().flat_map(|value| value.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Whether a browser says that a page of another site made it send the request. What says nothing is no browser of today, and
/// still has to show the token of the session.
pub(super) fn is_of_other_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), _, _) => !["same-origin", "none"].contains(&site),
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_none_or(|(_, of)| !of.eq_ignore_ascii_case(host))
        }
        (None, Some(_), None) => true,
        (None, None, _) => false,
    }
}

const UNENCRYPTED: &str = "secrets are not taken over a connection that others can read: if a token was sent, rotate it, and give \
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
            Denied::Source { .. } => Self::forbidden(denied.to_string()),
            Denied::Store(failed) => super::Failed::Store(failed).into(),
        }
    }
}

/// Finds out who asks.
pub(super) async fn identify(
    State(gate): State<Arc<Gate>>,
    Extension(peer): Extension<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let client = match client(peer.ip(), &head.headers, &gate.proxies) {
        Ok(client) => client,
        Err(wrong) => return Refused::new(StatusCode::BAD_REQUEST, wrong.to_string()).into_response(),
    };
    head.extensions.insert(Source::Address(client));
    let identified = gate.identify(peer.ip(), client, &head).await;
    let left = gate.count(&identified, client);
    let mut response = match (identified, left) {
        (_, Some(left)) if left.is_over => Refused::too_many(left.seconds).after(&head.headers, body).await,
        (Ok(principal), _) => {
            head.extensions.insert(gate.sees_all(principal.as_ref(), client));
            if let Some(principal) = principal {
                head.extensions.insert(principal);
            }
            next.run(Request::from_parts(head, body)).await
        }
        (Err(refused), _) => refused.veiled().after(&head.headers, body).await,
    };
    if let Some(left) = left {
        left.tell(&mut response);
    }
    response
}
