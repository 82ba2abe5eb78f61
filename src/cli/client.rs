//! The client of the daemon: HTTP over its control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::http::api::{BASE, Limit, NotReloaded, Paged, Problem};

/// A daemon that has not answered for so long is stuck; a reload compiles every filter and takes a moment.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Some million bans; a larger answer would only fill the memory.
const LARGEST_ANSWER: usize = 512 << 20;

/// Asks the daemon, one question for each connection.
pub(super) struct Client {
    socket: PathBuf,
}

impl Client {
    /// The client of the daemon that listens at `socket`.
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// `GET`: `query` is what stands behind the question mark.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> anyhow::Result<T> {
        self.ask(Method::GET, &with_query(path, query)?, Bytes::new())
    }

    /// The first `most` rows of a list, or of what is behind `after`: its pages put together.
    pub(super) fn pages<T: DeserializeOwned + Paged>(
        &self,
        path: &str,
        query: &impl Serialize,
        after: Option<String>,
        most: usize,
    ) -> anyhow::Result<T> {
        let path = with_query(path, query)?;
        let mark = if path.contains('?') { '&' } else { '?' };
        let page = |after: Option<&str>| {
            let after = after.map(|after| format!("&after={}", segment(after))).unwrap_or_default();
            let limit = most.clamp(1, Limit::MOST.rows());
            self.ask(Method::GET, &format!("{path}{mark}limit={limit}{after}"), Bytes::new())
        };
        let mut list: T = page(after.as_deref())?;
        while list.rows() < most
            && let Some(next) = list.next()
        {
            let more = page(Some(next))?;
            list.append(more);
        }
        list.truncate(most);
        Ok(list)
    }

    /// `POST` with a body.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?.into())
    }

    /// `PATCH` with a body.
    pub(super) fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.ask(Method::PATCH, path, serde_json::to_vec(body)?.into())
    }

    /// `DELETE`: `query` is what stands behind the question mark.
    pub(super) fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.ask(Method::DELETE, &with_query(path, query)?, Bytes::new())
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exchange = async { tokio::time::timeout(TIMEOUT, self.exchange(method, path, body)).await };
        let answer = runtime.block_on(exchange);
        let (status, body) = answer.map_err(|_| {
            let seconds = TIMEOUT.as_secs();
            anyhow!("the daemon at {} has not answered for {seconds} s", self.socket.display())
        })??;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .context("the daemon's answer is not understood; is it of another version?");
        }
        Err(refusal(status, &body))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| no_daemon(&self.socket, &error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(format!("{BASE}{path}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        tokio::spawn(connection);
        read(sender.send_request(request).await?).await
    }
}

async fn read(response: Response<Incoming>) -> anyhow::Result<(StatusCode, Bytes)> {
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| anyhow!("cannot read the daemon's answer: {error}"))?;
    Ok((status, body.to_bytes()))
}

/// What the daemon says against a request.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(super) struct Refused {
    /// The HTTP status.
    pub(super) status: u16,
    words: String,
}

/// One segment of a path, whatever people type.
pub(super) fn segment(written: &str) -> String {
    utf8_percent_encode(written, NON_ALPHANUMERIC).to_string()
}

fn with_query(path: &str, query: &impl Serialize) -> anyhow::Result<String> {
    let query = serde_urlencoded::to_string(query)?;
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(format!("{path}{mark}{query}"))
}

/// Why there is no connection, and what to do about it.
fn no_daemon(socket: &Path, error: &io::Error) -> anyhow::Error {
    let socket = socket.display();
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "no daemon listens at {socket}: start it with `banzone serve`, or name its socket with --socket"
        ),
        io::ErrorKind::ConnectionRefused => {
            anyhow!("no daemon listens at {socket} any more: start it again with `banzone serve`")
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("you may not open {socket}: become root, or a member of the group that owns it")
        }
        _ => anyhow!("cannot connect to {socket}: {error}"),
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let words = if let Ok(refused) = serde_json::from_slice::<NotReloaded>(body) {
        format!("{}\n{}", refused.problem.detail, refused.errors.join("\n"))
    } else {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if !problem.detail.is_empty() => problem.detail,
            Ok(problem) => problem.title,
            Err(_) => format!("the daemon answered {status}"),
        }
    };
    Refused { status: status.as_u16(), words }.into()
}
