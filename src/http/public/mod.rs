//! Pages for everybody: whether an address is listed, why and until when, how listing works, and how to get off the list. What is
//! shown is what DNS answers, for the zones that the configuration shows.

mod client;
mod page;
mod removal;
mod request;
mod settings;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::LazyLock;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};

use super::asset::{self, Asset};
use super::connections::Tcp;
use super::gate::is_of_other_site;
use super::{Failed, Steered, add_missing, connections, limit_time};
use client::{Client, Peer};
use page::{Address, Finding, Home, Missing, Policy, Site, Told, in_sets, listed_in, paragraphs};
use removal::May;
pub use removal::{Removal, Removals};
use request::Asked;
pub use settings::{PublicSettings, PublicZone};

/// The look of all pages.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::style(include_str!("../../../templates/public/style.css")));

/// What a browser may do with a page: show it, with the one style, and send its forms back here. Nothing else is loaded and
/// no script runs, whatever found its way into a text.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The largest form: a page of text, each letter of which may take nine octets.
const MAX_FORM: usize = 16 * 1024 + 9 * request::LONGEST_STATEMENT;

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
    let pages = Router::new()
        .route("/", get(home))
        .route("/ip/{address}", get(address))
        .route("/ip/{address}/removal", post(remove))
        .route("/ip/{address}/request", post(request))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .route("/zone/{origin}", get(policy));
    asset::serve(pages, &STYLE)
        .fallback(missing)
        .layer(from_fn(limit_time))
        .layer(map_response(with_headers))
        .with_state(Public(control))
}

async fn with_headers(response: Response) -> Response {
    add_missing(&HEADERS, response)
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
    match public.address(address, own).await {
        Ok(page) => shown(StatusCode::OK, &page),
        Err(failed) => public.failed(failed),
    }
}

/// `POST /ip/{address}/removal`: whoever asks from an address may take it off, as far as the configuration says.
async fn remove(
    State(public): State<Public>,
    Client(own): Client,
    Path(address): Path<IpAddr>,
    headers: HeaderMap,
) -> Response {
    let address = address.to_canonical();
    if is_of_other_site(&headers) {
        return public.told(StatusCode::FORBIDDEN, OTHER_SITE);
    }
    if address != own {
        return public
            .told(StatusCode::FORBIDDEN, "Only who comes from the address itself can take it off here.");
    }
    match public.remove(address).await {
        Ok(0) => public.told(StatusCode::CONFLICT, "There is nothing that can be taken off here now."),
        Ok(_) => Redirect::to(&format!("/ip/{address}")).into_response(),
        Err(failed) => public.failed(failed),
    }
}

/// `POST /ip/{address}/request`: anybody may ask for an address that is listed, and an operator decides.
async fn request(
    State(public): State<Public>,
    Client(own): Client,
    Path(address): Path<IpAddr>,
    headers: HeaderMap,
    form: Result<Form<request::Form>, FormRejection>,
) -> Response {
    let address = address.to_canonical();
    if is_of_other_site(&headers) {
        return public.told(StatusCode::FORBIDDEN, OTHER_SITE);
    }
    let Some(read) = form.ok().and_then(|Form(form)| form.read()) else {
        return public.told(
            StatusCode::UNPROCESSABLE_ENTITY,
            "A request needs a mail address for the answer, and a reason of at most a page.",
        );
    };
    if !public.is_listed(address) {
        return public.told(StatusCode::CONFLICT, "This address is not listed.");
    }
    match public.request(address, own, read).await {
        Ok(Asked::Waits) => {
            public.told(StatusCode::OK, "The request has come in. Whoever runs the list answers by mail.")
        }
        Ok(Asked::Twice) => public.told(StatusCode::CONFLICT, "A request for this address waits already."),
        Ok(Asked::TooMany) => {
            public.told(StatusCode::TOO_MANY_REQUESTS, "Too many requests wait. Please come back later.")
        }
        Err(failed) => public.failed(failed),
    }
}

/// No other page may act in the name of its reader.
const OTHER_SITE: &str = "This form was sent by a page of another site, and is not carried out.";

/// `GET /zone/{origin}`
async fn policy(State(public): State<Public>, Path(origin): Path<String>) -> Response {
    let settings = public.0.public();
    let asked = origin.trim_end_matches('.').to_ascii_lowercase();
    match settings.zones.iter().find(|zone| zone.name == asked) {
        Some(zone) => {
            let paragraphs = paragraphs(&zone.policy);
            shown(StatusCode::OK, &Policy { site: public.site(), zone: asked, paragraphs })
        }
        None => missing(State(public)).await,
    }
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
        let own_zones = self.zones_that_list(own);
        Home { site: self.site(), mistyped, own, own_zones }
    }

    /// The zones among those that are shown that list `address`.
    fn zones_that_list(&self, address: IpAddr) -> Vec<String> {
        listed_in(&self.0.dns().zones(), &self.0.public(), address, self.0.now())
    }

    fn is_listed(&self, address: IpAddr) -> bool {
        !self.zones_that_list(address).is_empty()
    }

    async fn address(&self, address: IpAddr, own: IpAddr) -> Result<Address, Failed> {
        let is_own = address == own;
        let listings = self.listings(address).await?;
        let can_remove = is_own && listings.iter().any(|(_, may)| matches!(may, May::Now(_)));
        let bans = listings.into_iter().map(|(listed, may)| Finding::of_ban(listed, may));
        let findings: Vec<_> =
            bans.chain(in_sets(&self.0.dns().zones(), &self.0.public(), address, self.0.now())).collect();
        let waits = !findings.is_empty() && self.waits(address).await?;
        Ok(Address { site: self.site(), address, is_own, can_remove, waits, findings })
    }

    /// Nothing was done.
    fn failed(&self, failed: Failed) -> Response {
        tracing::warn!("a public page could not be answered: {failed}");
        self.told(
            StatusCode::SERVICE_UNAVAILABLE,
            "This can't be answered at the moment. Please try again later.",
        )
    }

    fn told(&self, status: StatusCode, message: &'static str) -> Response {
        shown(status, &Told { site: self.site(), message })
    }
}
