//! DNS over HTTPS (RFC 8484), with HTTP/2: a query in the body of a POST or in the URL of a GET, the reply as a body with
//! the time for which caches may keep it. Whatever is no query gets a status that says so, and nothing in the log.

use std::convert::Infallible;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use hickory_proto::op::Message;
use hickory_proto::rr::RData;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{CONCURRENT_QUERIES, Connection, FAREWELL, Front, LONGEST_QUERY, accept, stop};
use crate::dns::Respond;

/// The media type of queries and replies (RFC 8484, section 6).
const MESSAGE: &str = "application/dns-message";

/// The longest query in a URL, and room for what clients say about themselves.
const LARGEST_HEAD: u32 = 16 * 1024;

/// What one request may have waiting to be sent: the longest reply.
const SEND_BUFFER: usize = 64 * 1024;

/// DNS over HTTPS at one path.
pub(super) struct Https {
    /// TLS for clients that speak HTTP/2.
    pub(super) tls: ServerConfig,
    /// The path of the URL, such as `/dns-query`.
    pub(super) path: Arc<str>,
}

impl Https {
    /// Answers what comes over `listener`.
    pub(super) async fn serve<R: Respond>(self, listener: TcpListener, front: Arc<Front<R>>) {
        let tls = TlsAcceptor::from(Arc::new(self.tls));
        accept(listener, front, |stream, connection| {
            let (tls, path) = (tls.clone(), Arc::clone(&self.path));
            async move {
                if let Some(stream) = connection.encrypt(&tls, stream).await {
                    serve_connection(stream, Arc::new(connection), path).await;
                }
            }
        })
        .await;
    }
}

pub(super) async fn serve_connection<R: Respond>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Arc<Connection<R>>,
    path: Arc<str>,
) {
    let asked = Arc::new(Notify::new());
    let service = service_fn(|request| {
        asked.notify_one();
        let (connection, path) = (Arc::clone(&connection), Arc::clone(&path));
        async move { Ok::<_, Infallible>(respond(request, &connection, &path).await) }
    });
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(CONCURRENT_QUERIES)
        .max_header_list_size(LARGEST_HEAD)
        .max_send_buf_size(SEND_BUFFER);
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // A client that breaks off is no news.
        _ = served.as_mut() => return,
        () = silence(&connection, &asked) => {}
        () = stop(connection.stopped.clone()) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = timeout(FAREWELL, served).await;
}

/// Comes when nothing was asked for as long as a connection may do nothing. Frames that ask for nothing don't count.
async fn silence<R: Respond>(connection: &Connection<R>, asked: &Notify) {
    while connection.in_time(asked.notified()).await.is_some() {}
}

async fn respond<R: Respond>(
    request: Request<Incoming>,
    connection: &Connection<R>,
    path: &str,
) -> Response<Full<Bytes>> {
    let query = match connection.in_time(query(request, path)).await {
        Some(Ok(query)) => query,
        Some(Err(status)) => return refusal(status),
        None => return refusal(StatusCode::REQUEST_TIMEOUT),
    };
    let mut reply = Vec::new();
    match connection.ask(&query, &mut reply).await {
        true => success(reply),
        false => refusal(StatusCode::BAD_REQUEST),
    }
}

/// The query of a request, or what is wrong with the request (RFC 8484, section 4.1).
async fn query(request: Request<Incoming>, path: &str) -> Result<Vec<u8>, StatusCode> {
    if request.uri().path() != path {
        return Err(StatusCode::NOT_FOUND);
    }
    match *request.method() {
        Method::GET => query_in_url(request.uri()),
        Method::POST if is_message(&request) => query_in_body(request.into_body()).await,
        Method::POST => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The variable `dns`, in base64url without padding (RFC 8484, section 6).
fn query_in_url(url: &Uri) -> Result<Vec<u8>, StatusCode> {
    let variables = url.query().unwrap_or_default().split('&');
    let query = variables.filter_map(|variable| variable.strip_prefix("dns=")).next();
    let query = query.ok_or(StatusCode::BAD_REQUEST)?;
    if query.len() > BASE64URL_NOPAD.encode_len(LONGEST_QUERY) {
        return Err(StatusCode::URI_TOO_LONG);
    }
    BASE64URL_NOPAD.decode(query.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)
}

fn is_message<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(MESSAGE))
}

async fn query_in_body(body: Incoming) -> Result<Vec<u8>, StatusCode> {
    match Limited::new(body, LONGEST_QUERY).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

fn success(reply: Vec<u8>) -> Response<Full<Bytes>> {
    let cache = HeaderValue::try_from(format!("max-age={}", lifetime(&reply)));
    let mut response = Response::new(Full::new(Bytes::from(reply)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MESSAGE));
    headers.insert(CACHE_CONTROL, cache.expect("digits and letters make a header"));
    response
}

fn refusal(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

/// How many seconds a reply may be kept: as long as the shortest of its answers, or as its SOA says that there are none
/// (RFC 8484, section 5.1; RFC 2308, section 5). What has neither is not kept.
fn lifetime(reply: &[u8]) -> u32 {
    let Ok(reply) = Message::from_vec(reply) else { return 0 };
    let answers = reply.answers.iter().map(|record| record.ttl);
    let negative = reply.authorities.iter().filter_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    answers.min().or_else(|| negative.min()).unwrap_or(0)
}
