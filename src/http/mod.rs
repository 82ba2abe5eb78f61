//! HTTP: the API on a Unix socket and, beside health and metrics, on a TCP listener; pages for everybody on another.
//!
//! Whoever may open the socket may do everything; over TCP it takes a token (`gate`). What each request needs stands in one
//! table (`routes`). The daemon is steered through [`Control`], so that an order by a person takes the same way as a line of
//! a log.

pub mod api;
mod asset;
mod audit;
mod bans;
mod changes;
mod connections;
mod control;
mod dns;
mod etag;
mod figures;
mod forwarded;
mod gate;
mod health;
mod jails;
mod lists;
mod lookup;
mod metrics;
mod network;
mod openapi;
mod pages;
mod paging;
mod passkeys;
mod problem;
mod public;
mod quota;
mod reporters;
mod reports;
mod requests;
mod routes;
mod session;
mod settings;
mod takeover;
mod tokens;
mod turns;
mod users;

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

pub use control::{
    Control, DataSetView, Failed, Health, HubView, Look, OutsideView, ReloadFailed, SourceView, Steered,
    Write,
};
pub use gate::session_cookie;
pub use pages::PAGES;
pub use public::{PublicSettings, PublicZone, Removal, Removals, serve_public};
pub use routes::{ROUTES, Reach, Route};
pub use settings::Settings;

use connections::Tcp;
use gate::{Gate, SeesAll, Source};
use problem::Refused;
use routes::By;

use crate::access::Principal;
use crate::dns::Certificates;

/// What clients of the TCP listener speak inside TLS (RFC 7301).
const PROTOCOL: &[u8] = b"http/1.1";

/// A request that takes longer is given up; a database that is locked for longer is reported as such before.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Offers everything on the control socket until `stop` comes.
pub async fn serve_control(
    listener: UnixListener,
    control: Steered,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = alive_route().merge(health_routes(Arc::clone(&control))).merge(api_routes(control));
    let with_caller = |stream: &UnixStream| {
        let name = crate::sys::control::peer_name(stream);
        let caller = Principal::local(name.as_deref().unwrap_or("unknown"));
        routes
            .clone()
            .layer(Extension(caller))
            .layer(Extension(Source::Socket))
            .layer(Extension(SeesAll(true)))
    };
    connections::serve(listener, with_caller, stop).await
}

/// Offers the API, its pages, health and metrics on `listener` to whoever may have them, until `stop` comes; encrypted if
/// `settings` say so, with what is in `certificates`.
pub async fn serve_tcp(
    listener: TcpListener,
    settings: &Settings,
    certificates: &Arc<Certificates>,
    control: Steered,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let gate = Arc::new(Gate::new(Arc::clone(&control), settings));
    let pages = pages::router(&control).layer(from_fn(limit_time)).with_state(Arc::clone(&control));
    let routes = health_routes(Arc::clone(&control)).merge(api_routes(control)).merge(pages);
    let routes = routes.layer(from_fn_with_state(gate, gate::identify)).merge(alive_route());
    let routes = routes.layer(from_fn(pages::for_browsers));
    let with_peer = |stream: &TcpStream| {
        let peer = stream.peer_addr().unwrap_or_else(|_| (Ipv4Addr::UNSPECIFIED, 0).into());
        routes.clone().layer(Extension(peer))
    };
    let tls = settings.tls.then(|| TlsAcceptor::from(Arc::new(crate::dns::tls(certificates, PROTOCOL))));
    connections::serve(Tcp { listener, tls }, with_peer, stop).await
}

/// For everybody, and as often as they like.
fn alive_route() -> Router {
    Router::new().route("/healthz", get(health::alive))
}

fn health_routes(control: Steered) -> Router {
    Router::new()
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .layer(from_fn(limit_time))
        .with_state(control)
}

fn api_routes(control: Steered) -> Router {
    let routes =
        routes::router(&control, ROUTES, Route::is_kept).layer(from_fn(limit_time)).with_state(control);
    Router::new().nest(api::BASE, routes).fallback(not_found).method_not_allowed_fallback(not_so)
}

/// Gives an answer those of `headers` that it does not have.
fn add_missing(headers: &[(HeaderName, &'static str)], mut response: Response) -> Response {
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn limit_time(request: axum::extract::Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refused::new(
            StatusCode::GATEWAY_TIMEOUT,
            "no answer within 30 seconds: the daemon is too busy, or the request did not come whole",
        )
        .into_response(),
    }
}

async fn not_found() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "there is nothing under this path; docs/api.md lists what there is")
}

async fn not_so() -> Refused {
    let detail = "this path is not for this method; `Allow` names those that it is for";
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// What every handler gets beside its arguments.
type Daemon = axum::extract::State<Steered>;
