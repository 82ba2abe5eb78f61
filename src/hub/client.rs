//! The way to a hub: rows in, what the hub says out. Blocks.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, http};

use super::{Settings, Token};
use crate::store::Waiting;

/// Rows of one request: the most that a hub takes.
pub const MAX_BATCH: usize = crate::jail::MAX_ROWS;

/// A hub has this long to let in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// And this long for the answer, which comes when all is durable: a hub itself gives up after half of it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Larger answers are none of a hub.
const MAX_ANSWER: u64 = 16 << 20;

/// More of what a hub says does not help.
const MAX_DETAIL: usize = 300;

/// How well reports compress hardly depends on it.
const COMPRESSION: i32 = 3;

/// What a hub made of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Confirmed {
    /// Counted.
    pub accepted: u64,
    /// Known already.
    pub duplicate: u64,
    /// Not taken.
    pub refused: u64,
    /// The last row of the spool that was ever taken.
    #[serde(default)]
    pub sequence: Option<u64>,
}

impl Confirmed {
    /// Whether the hub has rows of this spool that were never given out: then the database was taken back to an older state,
    /// and the numbers from there on are of other rows to the hub.
    pub fn is_ahead_of(&self, waiting: &Waiting) -> bool {
        self.sequence.is_some_and(|sequence| sequence > waiting.last())
    }
}

/// Why rows are not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The hub can't be reached, or does not answer.
    #[error("the hub cannot be reached: {0}")]
    Away(String),
    /// The hub has no time; it may say when to come again.
    #[error("the hub answers {status}: {detail}")]
    Later {
        /// The HTTP status.
        status: u16,
        /// What it says.
        detail: String,
        /// How long to wait at least.
        after: Option<Duration>,
    },
    /// The hub does not want them as long as nobody changes anything.
    #[error("the hub answers {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// Something here can't be read.
    #[error("{0}")]
    Local(String),
}

/// A client of one hub.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    settings: Settings,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(settings: &Settings) -> Result<Self, SendError> {
        let roots = match &settings.ca {
            None => RootCerts::WebPki,
            Some(path) => {
                let unreadable = |error: &dyn std::fmt::Display| {
                    SendError::Local(format!("`{}`: {error}", path.display()))
                };
                let pem = fs::read(path).map_err(|error| unreadable(&error))?;
                let certificates = parse_pem(&pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                });
                let certificates: Vec<_> = certificates.collect();
                if certificates.is_empty() {
                    return Err(unreadable(
                        &"there is no certificate in it; name a PEM file as `ca` in [hub]",
                    ));
                }
                RootCerts::from(certificates)
            }
        };
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            // A token goes nowhere but to the hub.
            .max_redirects(0)
            .user_agent(concat!("banzone/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), settings: settings.clone() })
    }

    /// Sends rows; when this is well, the hub has them for good.
    pub fn send(&self, waiting: &Waiting) -> Result<Confirmed, SendError> {
        let body = zstd::encode_all(written(waiting).as_bytes(), COMPRESSION).map_err(local)?;
        let mut response = self
            .agent
            .post(format!("{}/api/v1/reports", self.settings.url))
            .header("Authorization", format!("Bearer {}", self.token()?))
            .header("Content-Type", "application/x-ndjson")
            .header("Content-Encoding", "zstd")
            .header("Banzone-Sequence", format!("{}/{}", waiting.spool, waiting.first))
            .send(&body[..])
            .map_err(|error| SendError::Away(error.to_string()))?;
        let status = response.status();
        let after = retry_after(response.headers());
        let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let answer = answer.map_err(|error| SendError::Away(error.to_string()))?;
        if status == http::StatusCode::OK {
            return serde_json::from_str(&answer)
                .map_err(|_| SendError::Away("what answers there is no hub".to_owned()));
        }
        Err(failed(status, detail(&answer), after))
    }

    fn token(&self) -> Result<String, SendError> {
        match &self.settings.token {
            Token::Written(token) => Ok(token.clone()),
            Token::File(path) => {
                let read = fs::read_to_string(path);
                let read =
                    read.map_err(|error| SendError::Local(format!("`{}`: {error}", path.display())))?;
                Ok(read.trim().to_owned())
            }
        }
    }
}

fn local(error: io::Error) -> SendError {
    SendError::Local(error.to_string())
}

/// Rows as a hub takes them.
fn written(waiting: &Waiting) -> String {
    let mut text = String::new();
    for row in &waiting.rows {
        let kind = if row.is_ban { "ban" } else { "failures" };
        // Writing to a string cannot fail, and none of it holds a quotation mark.
        let _ = writeln!(
            text,
            r#"{{"ip":"{}","time":"{}","category":"{}","failures":{},"kind":"{kind}"}}"#,
            row.prefix, row.time, row.jail, row.failures
        );
    }
    text
}

/// Some seconds (RFC 9110, section 10.2.3); hubs send no dates.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn failed(status: http::StatusCode, detail: String, after: Option<Duration>) -> SendError {
    let is_later = status.is_server_error()
        || [http::StatusCode::TOO_MANY_REQUESTS, http::StatusCode::REQUEST_TIMEOUT].contains(&status);
    let status = status.as_u16();
    if is_later { SendError::Later { status, detail, after } } else { SendError::Refused { status, detail } }
}

/// What a problem document says, or the beginning of whatever else it is.
fn detail(answer: &str) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let words = serde_json::from_str(answer).map_or_else(|_| answer.to_owned(), |Problem { detail }| detail);
    words[..words.floor_char_boundary(MAX_DETAIL)].escape_debug().to_string()
}

/// How long to wait before the next attempt: longer each time, until one is well.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

/// The first wait and the longest: a hub that was away for a day is not fallen upon by all at once, and is back in five minutes.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// A hub that asks for more patience than this is asked again all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

impl Default for Backoff {
    fn default() -> Self {
        Self { next: WAITS.0 }
    }
}

impl Backoff {
    /// The wait after `error`. `random` in 0..1 keeps many reporters apart.
    pub fn wait(&mut self, error: &SendError, random: f64) -> Duration {
        let wait = match error {
            SendError::Away(_) | SendError::Later { .. } => {
                let wait = self.next;
                self.next = (wait * 2).min(WAITS.1);
                wait
            }
            // Somebody has to do something first.
            SendError::Refused { .. } | SendError::Local(_) => WAITS.1,
        };
        let asked = match error {
            SendError::Later { after, .. } => after.unwrap_or_default().min(LONGEST_RETRY_AFTER),
            _ => Duration::ZERO,
        };
        wait.mul_f64(0.5 + random / 2.0).max(asked)
    }

    /// All is well.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::jail::{ReportKind, SpoolId};
    use crate::store::Spooled;

    #[test]
    fn a_hub_reads_what_is_written() {
        let row = |text: &str, is_ban| Spooled {
            prefix: text.parse().unwrap(),
            jail: "postfix-sasl".into(),
            time: Timestamp::from_secs(86_400),
            failures: 0,
            is_ban,
        };
        let rows = vec![row("192.0.2.1", true), row("2001:db8::/56", false)];
        let text = written(&Waiting { spool: SpoolId(1), first: 1, rows: rows.clone() });
        let read =
            super::super::Rows::read(text.as_bytes(), super::super::Format::Ndjson, Timestamp::default());
        let read = read.unwrap();
        assert_eq!(read.malformed, []);
        for (written, read) in rows.iter().zip(&read.reports) {
            let kind = if written.is_ban { ReportKind::Ban } else { ReportKind::Failures };
            assert_eq!(
                (read.prefix, read.time, read.failures, read.kind),
                (written.prefix, written.time, 0, kind)
            );
        }
        assert_eq!(read.categories, ["postfix-sasl".into()]);
    }

    #[test]
    fn a_reporter_is_patient() {
        let away = SendError::Away(String::new());
        let later = |seconds| SendError::Later {
            status: 503,
            detail: String::new(),
            after: Some(Duration::from_secs(seconds)),
        };
        let refused = SendError::Refused { status: 401, detail: String::new() };
        let mut backoff = Backoff::default();
        let mut wait = |error: &SendError| backoff.wait(error, 1.0).as_secs();
        assert_eq!(
            [wait(&away), wait(&away), wait(&later(60)), wait(&later(0)), wait(&refused)],
            [1, 2, 60, 8, 300]
        );
        assert_eq!((0..9).map(|_| wait(&away)).last(), Some(300));
        assert_eq!(wait(&later(u64::MAX)), 86_400);
        backoff.reset();
        assert_eq!(backoff.wait(&away, 0.0), Duration::from_millis(500));
    }

    #[test]
    fn what_a_hub_says_is_shown_in_short() {
        assert_eq!(detail(r#"{"title":"Forbidden","status":403,"detail":"cut off"}"#), "cut off");
        assert_eq!(detail("<html>\u{1b}[2J"), "<html>\\u{1b}[2J");
        assert_eq!(detail(&"é".repeat(1000)).chars().count(), 150);
    }
}
