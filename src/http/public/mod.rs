//! Pages for everybody: whether an address is listed, why and until when, and how listing works. Nothing here reads the database
//! or changes anything; what is shown is what DNS answers, for the zones that the configuration shows.

mod client;
mod page;
mod settings;

use std::future::Future;
use std::io;
use std::net::IpAddr;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};

use super::connections::Tcp;
use super::{Steered, connections, limit_time};
use client::{Client, Peer};
use page::{Address, Home, Missing, Policy, Site, findings, paragraphs};
pub use settings::{PublicSettings, PublicZone};

/// The look of all pages; it is small, so that it is asked for once in a while only.
const STYLE: &str = include_str!("../../../templates/public/style.css");

/// What a browser may do with a page: show it, with the one style, and send its forms back here. Nothing else is loaded and
/// no script runs, whatever found its way into a text.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every response.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What the pages are made from.
#[derive(Clone)]
struct Public(Steered);

/// Serves the pages on `listener` until `stop` comes.
pub async fn serve_public(
    listener: TcpListener,
    control: Steered,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = routes(control);
    let with_peer = |stream: &TcpStream| match stream.peer_addr() {
        Ok(peer) => routes.clone().layer(Extension(Peer(peer.ip()))),
        // It is gone already.
        Err(_) => Router::new(),
    };
    connections::serve(Tcp { listener, tls: None }, with_peer, stop).await
}

fn routes(control: Steered) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/ip/{address}", get(address))
        .route("/zone/{origin}", get(policy))
        .route("/style.css", get(style))
        .fallback(missing)
        .layer(from_fn(limit_time))
        .layer(map_response(with_headers))
        .with_state(Public(control))
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// What was typed into the field.
#[derive(Deserialize)]
struct Search {
    q: Option<String>,
}

/// `GET /`
async fn home(State(public): State<Public>, Client(own): Client, Query(search): Query<Search>) -> Response {
    let typed = search.q.as_deref().map(str::trim).filter(|typed| !typed.is_empty());
    match typed.map(|typed| (typed, typed.parse::<IpAddr>())) {
        Some((_, Ok(address))) => Redirect::to(&format!("/ip/{address}")).into_response(),
        Some((typed, Err(_))) => {
            shown(StatusCode::UNPROCESSABLE_ENTITY, &public.home(own, Some(typed.to_owned())))
        }
        None => shown(StatusCode::OK, &public.home(own, None)),
    }
}

/// `GET /ip/{address}`
async fn address(State(public): State<Public>, Client(own): Client, Path(written): Path<String>) -> Response {
    let Ok(address) = written.parse::<IpAddr>() else {
        return shown(StatusCode::NOT_FOUND, &public.home(own, Some(written)));
    };
    let address = address.to_canonical();
    let page =
        Address { site: public.site(), address, is_own: address == own, findings: public.findings(address) };
    shown(StatusCode::OK, &page)
}

/// `GET /zone/{origin}`
async fn policy(State(public): State<Public>, Path(origin): Path<String>) -> Response {
    let settings = public.0.public();
    let asked = origin.trim_end_matches('.').to_ascii_lowercase();
    match settings.zones.iter().find(|zone| zone.shown() == asked) {
        Some(zone) => {
            let paragraphs = paragraphs(&zone.policy);
            shown(StatusCode::OK, &Policy { site: public.site(), zone: asked, paragraphs })
        }
        None => missing(State(public)).await,
    }
}

/// `GET /style.css`
async fn style() -> Response {
    const HOUR: &str = "max-age=3600";
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, HOUR)], STYLE)
        .into_response()
}

async fn missing(State(public): State<Public>) -> Response {
    shown(StatusCode::NOT_FOUND, &Missing { site: public.site() })
}

fn shown(status: StatusCode, page: &impl Template) -> Response {
    let html = page.render().expect("writing to memory cannot fail");
    (status, Html(html)).into_response()
}

impl Public {
    fn site(&self) -> Site {
        Site::new(&self.0.public())
    }

    fn home(&self, own: IpAddr, mistyped: Option<String>) -> Home {
        let mut own_zones: Vec<String> = self.findings(own).into_iter().map(|finding| finding.zone).collect();
        own_zones.dedup();
        Home { site: self.site(), mistyped, own, own_zones }
    }

    fn findings(&self, address: IpAddr) -> Vec<page::Finding> {
        findings(&self.0.dns().zones(), &self.0.public(), address, self.0.now())
    }
}
