//! HTTP: the control API on a Unix socket, health and metrics on a TCP listener.
//!
//! Whoever may open the socket may do everything; the listener offers nothing that changes anything. The daemon is
//! steered through [`Control`], so that an order by a person takes the same way as a line of a log.

pub mod api;
mod bans;
mod connections;
mod control;
mod dns;
mod health;
mod jails;
mod lookup;
mod metrics;
mod problem;
mod settings;
mod takeover;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::{TcpListener, UnixListener, UnixStream};

pub use control::{
    Control, DataSetView, Failed, Health, Look, OutsideView, ReloadFailed, SourceView, Steered,
};
pub use settings::Settings;

use problem::Refused;

/// The largest body of a request: an order with a reason is far smaller.
const MAX_BODY: usize = 64 * 1024;

/// The same for bans that are taken over, many at once and with the lines that led to them.
const MAX_TAKEOVER: usize = 2 << 20;

/// A request that takes longer is given up; a database that is locked for longer is reported as such before.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Offers health and metrics on `listener` until `stop` comes.
pub async fn serve_health(
    listener: TcpListener,
    control: Steered,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = health_routes(control);
    connections::serve(listener, |_| routes.clone(), stop).await
}

/// Offers everything on the control socket until `stop` comes.
pub async fn serve_control(
    listener: UnixListener,
    control: Steered,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = health_routes(Arc::clone(&control)).merge(api_routes(control));
    let with_caller = |stream: &UnixStream| routes.clone().layer(Extension(Caller::of(stream)));
    connections::serve(listener, with_caller, stop).await
}

fn health_routes(control: Steered) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .layer(from_fn(limit_time))
        .with_state(control)
}

fn api_routes(control: Steered) -> Router {
    let routes = Router::new()
        .route("/status", get(bans::status))
        .route("/jails/{jail}", get(bans::jail))
        .route("/jails/{jail}/settings", get(jails::settings).patch(jails::adjust))
        .route("/jails/{jail}/failures", post(jails::fail))
        .route("/bans", get(bans::list).post(bans::ban).delete(bans::unban))
        .route("/lookup/{address}", get(lookup::lookup))
        .route("/names/{name}", get(lookup::name))
        .route("/dns", get(dns::seen))
        .route("/allow", get(bans::allowlist).post(bans::allow).delete(bans::disallow))
        .route("/settings", get(jails::of_daemon))
        .route("/reload", post(bans::reload))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .route("/takeover", post(takeover::take_over).layer(DefaultBodyLimit::max(MAX_TAKEOVER)))
        .layer(from_fn(limit_time))
        .with_state(control);
    Router::new().nest(api::BASE, routes).fallback(not_found)
}

async fn limit_time(request: axum::extract::Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Refused::new(StatusCode::GATEWAY_TIMEOUT, "the daemon is too busy to answer").into_response()
        }
    }
}

async fn not_found() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "there is nothing under this path; docs/api.md lists what there is")
}

/// Who sent a request over the control socket, for the history.
#[derive(Clone, Debug)]
struct Caller(Arc<str>);

impl Caller {
    fn of(stream: &UnixStream) -> Self {
        let name = crate::sys::control::peer_name(stream);
        Self(name.unwrap_or_else(|_| "unknown".to_owned()).into())
    }
}

/// What every handler gets beside its arguments.
type Daemon = axum::extract::State<Steered>;

/// The caller, as handlers take it.
type By = Extension<Caller>;
