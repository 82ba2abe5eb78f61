//! Reports of other servers: a body with rows in, a receipt out once all of it is durable.

use std::hash::Hasher;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use siphasher::sip::SipHasher13;
use tokio::sync::Semaphore;

use super::api::{ReportQuery, Reported, RowOutcome, RowResult};
use super::problem::Refused;
use super::{By, Daemon, turns};
use crate::access::{self, LONGEST_NAME, Principal};
use crate::clock::Timestamp;
use crate::hub::{Body, BodyError, Format, Malformed, Rows, RowsError};
use crate::jail::{Identity, Outcome, Receipt, ReportBatch, RowRefused};

/// The name of a request, chosen by its sender: sent twice, it is counted once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A spool and the number of the first row in it: `0123456789abcdef/42`. It stands beside the rows, not among them, so that every
/// format has it.
const SEQUENCE: &str = "banzone-sequence";

/// Longer keys and names only fill the database.
const LONGEST_KEY: usize = 255;

/// Bodies that are decompressed and read at a time: each may take some dozen megabytes meanwhile.
static READING: Semaphore = Semaphore::const_new(4);

/// `POST /api/v1/reports`
pub(super) async fn report(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<ReportQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Reported>, Refused> {
    let Query(ReportQuery { reporter }) = query?;
    let reporter = organisation(&by, reporter)?;
    if by.organisation().is_none() && !by.is_certain(daemon.now()) {
        return Err(Refused::uncertain());
    }
    let body = body?;
    let (identity, format) = (identity(&headers, &body)?, format(&headers)?);
    let encoding = text(&headers, header::CONTENT_ENCODING.as_str())?.unwrap_or_default().parse()?;
    let now = daemon.now();
    let turn = turns::turn(&READING).await?;
    let rows = turns::work(turn, move || read(&body, encoding, format, now)).await??;
    let Rows { reports, categories, malformed, count, .. } = rows;
    let batch = ReportBatch { reporter, identity, reports, categories, rows: count };
    let receipt = daemon.report(batch).await?;
    Ok(Json(reported(receipt, malformed)))
}

fn read(
    body: &[u8],
    encoding: crate::hub::Encoding,
    format: Format,
    now: Timestamp,
) -> Result<Rows, Refused> {
    Ok(Rows::read(Body::read(body, encoding)?.bytes(), format, now)?)
}

/// For whom the sender reports: whoever has a token of a reporter, for its organisation alone.
fn organisation(by: &Principal, named: Option<String>) -> Result<Arc<str>, Refused> {
    let named = named.as_deref().map(read_name).transpose()?;
    match (by.organisation(), named) {
        (Some(own), Some(named)) if *own != named => Err(Refused::forbidden(format!(
            "you report for `{own}`, and for nobody else: leave ?reporter= out"
        ))),
        (Some(own), _) => Ok(Arc::clone(own)),
        (None, _) if by.grant().is_confined() => Err(Refused::forbidden(
            "reports are of no jail or zone, and you are confined to some: send them with the token of a reporter",
        )),
        (None, Some(named)) => Ok(named),
        (None, None) => {
            let detail = "say for which organisation this is: add ?reporter=NAME";
            Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
        }
    }
}

/// The name of an organisation, as it stands in tables.
pub(super) fn read_name(typed: &str) -> Result<Arc<str>, Refused> {
    let name = access::organisation(typed);
    if !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control) {
        return Ok(name.into());
    }
    let detail = format!("the name of a reporter has 1 to {LONGEST_NAME} bytes and no control characters");
    Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refused> {
    let unreadable = || Refused::new(StatusCode::BAD_REQUEST, format!("the header {name} is no text"));
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().map_err(|_| unreadable())).transpose()?;
    if values.next().is_some() {
        return Err(Refused::new(StatusCode::BAD_REQUEST, format!("send the header {name} once")));
    }
    Ok(value)
}

fn format(headers: &HeaderMap) -> Result<Format, Refused> {
    let media_type = text(headers, header::CONTENT_TYPE.as_str())?.unwrap_or("application/json");
    Format::of(media_type).ok_or_else(|| {
        let detail = format!(
            "`{media_type}` is no form of reports: send application/json, application/x-ndjson or text/csv"
        );
        Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    })
}

fn identity(headers: &HeaderMap, body: &[u8]) -> Result<Identity, Refused> {
    let refused = |detail: &str| Err(Refused::new(StatusCode::BAD_REQUEST, detail));
    match (text(headers, SEQUENCE)?, text(headers, IDEMPOTENCY_KEY)?) {
        (None, None) => Ok(Identity::Unknown),
        (Some(sequence), None) => match parse_sequence(sequence) {
            Some(identity) => Ok(identity),
            None => refused(
                "Banzone-Sequence is a spool and the number of its first row here, as in 0123456789abcdef/42",
            ),
        },
        (None, Some(key)) if !key.is_empty() && key.len() <= LONGEST_KEY => {
            Ok(Identity::Key { key: key.into(), fingerprint: fingerprint(body) })
        }
        (None, Some(_)) => refused("an Idempotency-Key has 1 to 255 characters"),
        (Some(_), Some(_)) => refused("send Banzone-Sequence or Idempotency-Key, not both"),
    }
}

fn parse_sequence(written: &str) -> Option<Identity> {
    let (spool, first) = written.split_once('/')?;
    let first = first.parse().ok().filter(|first| *first > 0)?;
    Some(Identity::Rows { spool: spool.parse().ok()?, first })
}

/// The same in every process, since it is kept.
fn fingerprint(body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(body);
    hasher.finish()
}

/// The receipt, with the rows that the jails did not get to see.
fn reported(receipt: Receipt, malformed: Vec<(u32, Malformed)>) -> Reported {
    let mut rows: Vec<RowOutcome> = Vec::with_capacity(receipt.others.len() + malformed.len());
    rows.extend(receipt.others.iter().map(|(row, outcome)| shown(*row, *outcome)));
    if !receipt.repeated {
        let new = malformed.iter().filter(|(row, _)| *row >= receipt.from);
        rows.extend(new.map(|(row, malformed)| refused(*row, "malformed", malformed.to_string())));
    }
    rows.sort_by_key(|outcome| outcome.row);
    let crate::jail::Tally { accepted, duplicate, refused } = receipt.tally;
    Reported { accepted, duplicate, refused, repeated: receipt.repeated, sequence: receipt.reached, rows }
}

fn shown(row: u32, outcome: Outcome) -> RowOutcome {
    match outcome {
        Outcome::Refused(why) => refused(row, reason(why), why.to_string()),
        Outcome::Accepted | Outcome::Duplicate => {
            RowOutcome { row: row + 1, result: RowResult::Duplicate, reason: None, detail: None }
        }
    }
}

fn refused(row: u32, reason: &str, detail: String) -> RowOutcome {
    RowOutcome {
        row: row + 1,
        result: RowResult::Refused,
        reason: Some(reason.to_owned()),
        detail: Some(detail),
    }
}

fn reason(refused: RowRefused) -> &'static str {
    match refused {
        RowRefused::TooOld => "too-old",
        RowRefused::Future => "future",
        RowRefused::Reserved => "reserved",
        RowRefused::Allowlisted => "allowlisted",
        RowRefused::TooWide => "too-wide",
        RowRefused::Full => "full",
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::UnknownEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RowsError> for Refused {
    fn from(error: RowsError) -> Self {
        let status = match error {
            RowsError::TooMany | RowsError::LongLine(_) => StatusCode::PAYLOAD_TOO_LARGE,
            RowsError::Json(_) | RowsError::Text | RowsError::NoColumns | RowsError::OpenQuote(_) => {
                StatusCode::BAD_REQUEST
            }
        };
        Self::new(status, error.to_string())
    }
}
