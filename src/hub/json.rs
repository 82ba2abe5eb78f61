//! Rows as JSON: an object, an array of objects, or one in each line.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rows::{Malformed, Rows, RowsError, Time, Written, shown};
use crate::clock::Timestamp;
use crate::jail::ReportKind;

/// What of an object means something. Other keys are left to their senders: comments and log lines often name people, and are
/// not kept.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    ip: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Option<When<'a>>,
    #[serde(borrow, default)]
    category: Cow<'a, str>,
    failures: Option<u32>,
    #[serde(default)]
    kind: ReportKind,
}

enum When<'a> {
    Text(Cow<'a, str>),
    Seconds(i64),
}

/// Reads an object or an array.
pub(super) fn read(body: &[u8], rows: &mut Rows, now: Timestamp) -> Result<(), RowsError> {
    let text = std::str::from_utf8(body).map_err(|_| RowsError::Text)?;
    let text = text.trim_ascii();
    if text.starts_with('{') {
        serde_json::from_str::<&RawValue>(text).map_err(no_json)?;
        return push(text, rows, now);
    }
    let mut array = serde_json::Deserializer::from_str(text);
    let pushed = Array { rows, now }.deserialize(&mut array).map_err(no_json)?;
    array.end().map_err(no_json)?;
    pushed
}

/// Where the elements of an array go, one by one: a body may have millions.
struct Array<'r> {
    rows: &'r mut Rows,
    now: Timestamp,
}

impl<'de> DeserializeSeed<'de> for Array<'_> {
    type Value = Result<(), RowsError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Array<'_> {
    type Value = Result<(), RowsError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    /// Goes to the end all the same when there are too many, as serde wants it.
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut pushed = Ok(());
        while let Some(row) = elements.next_element::<&RawValue>()? {
            if pushed.is_ok() {
                pushed = push(row.get(), self.rows, self.now);
            }
        }
        Ok(pushed)
    }
}

/// Reads an object from each line that is not empty.
pub(super) fn read_lines(body: &[u8], rows: &mut Rows, now: Timestamp) -> Result<(), RowsError> {
    let text = std::str::from_utf8(body).map_err(|_| RowsError::Text)?;
    let lines = text.lines().map(str::trim_ascii).filter(|line| !line.is_empty());
    lines.into_iter().try_for_each(|line| push(line, rows, now))
}

fn no_json(error: serde_json::Error) -> RowsError {
    RowsError::Json(error.to_string())
}

fn push(text: &str, rows: &mut Rows, now: Timestamp) -> Result<(), RowsError> {
    match serde_json::from_str::<Row<'_>>(text) {
        Ok(row) => {
            let time = row.time.as_ref().map(|time| match time {
                When::Text(text) => Time::Text(text),
                When::Seconds(seconds) => Time::Seconds(*seconds),
            });
            let Row { ip, category, failures, kind, .. } = &row;
            rows.push(Ok(Written { ip, time, category, failures: *failures, kind: *kind }), now)
        }
        Err(error) => rows.push(Err(malformed(&error)), now),
    }
}

/// Where in a row of one line something is wrong says nothing that its number does not.
fn malformed(error: &serde_json::Error) -> Malformed {
    let message = error.to_string();
    let words = message.split(" at line ").next().unwrap_or_default();
    Malformed::Json(shown(words))
}

impl<'de: 'a, 'a> Deserialize<'de> for When<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = When<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as RFC 3339 or as seconds since 1970")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(When::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(When::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Self::Value, E> {
                Ok(When::Seconds(seconds))
            }

            /// fail2ban's times have parts of a second.
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
                Ok(When::Seconds(seconds as i64))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
                Ok(When::Seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
