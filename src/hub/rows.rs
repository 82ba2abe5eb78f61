//! The rows of a batch, in whatever form they come.

use std::collections::HashMap;
use std::sync::Arc;

use super::csv::{MAX_COLUMNS, MAX_LINE};
use super::{csv, json};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{MAX_ROWS, Report, ReportKind};

/// Longer names of categories fit no table.
const LONGEST_CATEGORY: usize = 64;

/// The category of rows that name none.
const UNNAMED: &str = "other";

/// More failures of one address nobody counts in a row; it keeps the figures in range.
pub(super) const MOST_FAILURES: u32 = 1_000_000;

/// What AbuseIPDB's numbers stand for, from 1.
const NUMBERED: [&str; 23] = [
    "dns-compromise",
    "dns-poisoning",
    "fraud-orders",
    "ddos",
    "ftp-brute-force",
    "ping-of-death",
    "phishing",
    "fraud-voip",
    "open-proxy",
    "web-spam",
    "email-spam",
    "blog-spam",
    "vpn",
    "port-scan",
    "hacking",
    "sql-injection",
    "spoofing",
    "brute-force",
    "bad-web-bot",
    "exploited-host",
    "web-attack",
    "ssh",
    "iot",
];

/// In which form rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object, or an array of them.
    Json,
    /// An object in each line.
    Ndjson,
    /// `IP,Categories,ReportDate,Comment`, as AbuseIPDB takes it.
    Csv,
}

impl Format {
    /// What a Content-Type stands for; `None` for those that nobody sends rows in.
    pub fn of(media_type: &str) -> Option<Self> {
        let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Ndjson),
            "text/csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Why no row can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// It is not what it should be.
    #[error("the body is no JSON: {0}")]
    Json(String),
    /// It is not text.
    #[error("the body is not UTF-8")]
    Text,
    /// The columns have no names.
    #[error(
        "the first line must name the columns, as in IP,Categories,ReportDate,Comment; there is no IP among them"
    )]
    NoColumns,
    /// A line that nobody means; its number, that with the names of the columns being 1.
    #[error("line {0} has more than {MAX_COLUMNS} columns or {MAX_LINE} bytes: leave long comments out")]
    LongLine(u32),
    /// The lines behind it would be a part of its comment; its number.
    #[error("line {0} has a quote that is not closed: no row is taken")]
    OpenQuote(u32),
    /// More than fit.
    #[error("there are more than {MAX_ROWS} rows: send fewer at once")]
    TooMany,
}

/// Why a row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no object, or a value is of another kind.
    #[error("{0}")]
    Json(String),
    /// Whom it is about cannot be told.
    #[error("`ip` is no address or network: `{0}`")]
    Prefix(String),
    /// When it was cannot be told.
    #[error("`time` is neither RFC 3339 nor seconds since 1970: `{0}`")]
    Time(String),
    /// It is no name.
    #[error("`category` has up to {LONGEST_CATEGORY} letters, digits, `-`, `_` and `.`: `{0}`")]
    Category(String),
    /// Nobody has seen so many.
    #[error("`failures` is at most {MOST_FAILURES}")]
    Failures,
}

/// A row as it is written.
pub(super) struct Written<'a> {
    pub ip: &'a str,
    pub time: Option<Time<'a>>,
    pub category: &'a str,
    pub failures: Option<u32>,
    pub kind: ReportKind,
}

/// A time as it is written.
pub(super) enum Time<'a> {
    Text(&'a str),
    Seconds(i64),
}

/// What was read of a body.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows that are right.
    pub reports: Vec<Report>,
    /// The categories they name.
    pub categories: Vec<Arc<str>>,
    /// The others: their place from 0, and what is wrong with each.
    pub malformed: Vec<(u32, Malformed)>,
    /// How many there are.
    pub count: u32,
    known: HashMap<Arc<str>, u16>,
}

impl Rows {
    /// Reads all rows of `body`. Those without a time were seen `now`.
    pub fn read(body: &[u8], format: Format, now: Timestamp) -> Result<Self, RowsError> {
        let mut rows = Self::default();
        match format {
            Format::Json => json::read(body, &mut rows, now)?,
            Format::Ndjson => json::read_lines(body, &mut rows, now)?,
            Format::Csv => csv::read(body, &mut rows, now)?,
        }
        Ok(rows)
    }

    /// Adds a row, or why it is none.
    pub(super) fn push(
        &mut self,
        row: Result<Written<'_>, Malformed>,
        now: Timestamp,
    ) -> Result<(), RowsError> {
        let place = self.count;
        if place as usize >= MAX_ROWS {
            return Err(RowsError::TooMany);
        }
        self.count += 1;
        match row.and_then(|written| self.report(&written, place, now)) {
            Ok(report) => self.reports.push(report),
            Err(malformed) => self.malformed.push((place, malformed)),
        }
        Ok(())
    }

    fn report(&mut self, written: &Written<'_>, row: u32, now: Timestamp) -> Result<Report, Malformed> {
        let prefix: Prefix = written.ip.trim().parse().map_err(|_| Malformed::Prefix(shown(written.ip)))?;
        let time = match written.time {
            None => now,
            Some(Time::Seconds(seconds)) => Timestamp::from_secs(seconds),
            Some(Time::Text(text)) => text.trim().parse().map_err(|_| Malformed::Time(shown(text)))?,
        };
        let category = self.category(written.category)?;
        let failures = written.failures.unwrap_or(1);
        if failures > MOST_FAILURES {
            return Err(Malformed::Failures);
        }
        Ok(Report { row, prefix, time, failures, category, kind: written.kind })
    }

    /// The number of a category.
    fn category(&mut self, written: &str) -> Result<u16, Malformed> {
        let name = named(written).ok_or_else(|| Malformed::Category(shown(written)))?;
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        let number = u16::try_from(self.categories.len()).expect("there are fewer rows than 65536");
        let name: Arc<str> = name.into();
        self.categories.push(Arc::clone(&name));
        self.known.insert(name, number);
        Ok(number)
    }
}

/// The name of a category; of several numbers of AbuseIPDB the first counts.
fn named(written: &str) -> Option<&str> {
    let written = written.trim();
    if written.is_empty() {
        return Some(UNNAMED);
    }
    if written.bytes().all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b' ') {
        let first = written.split(',').next()?.trim().parse::<usize>().ok()?;
        // The vote counts, whatever others number in another way.
        return Some(first.checked_sub(1).and_then(|place| NUMBERED.get(place).copied()).unwrap_or(UNNAMED));
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (written.len() <= LONGEST_CATEGORY && written.bytes().all(is_allowed)).then_some(written)
}

/// The beginning of what was written, for a message.
pub(super) fn shown(written: &str) -> String {
    written[..written.floor_char_boundary(LONGEST_CATEGORY)].escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn read(body: &str, format: Format) -> Vec<String> {
        let rows = Rows::read(body.as_bytes(), format, NOW).unwrap();
        assert_eq!(rows.count as usize, rows.reports.len() + rows.malformed.len());
        let report = |report: &Report| {
            let Report { row, prefix, time, failures, category, kind } = *report;
            let category = &rows.categories[usize::from(category)];
            format!("{row}: {prefix} {} {failures} {category} {kind:?}", time.as_secs())
        };
        let wrong = rows.malformed.iter().map(|(row, malformed)| format!("{row}: {malformed}"));
        rows.reports.iter().map(report).chain(wrong).collect()
    }

    #[test]
    fn rows_of_json() {
        let full = r#"{"ip":"192.0.2.1","time":"1970-01-02T00:00:00Z","category":"postfix-sasl","failures":5,"comment":"é"}"#;
        assert_eq!(read(full, Format::Json), ["0: 192.0.2.1 86400 5 postfix-sasl Ban"]);
        let all = r#" [{"ip":"2001:DB8::1/64","time":86400,"kind":"failures","failures":0,"more":[1]},
            {"ip":"host.example"}, {"time":1}, 7, {"ip":"192.0.2.1","time":"yesterday"},
            {"ip":"192.0.2.1","category":"a b"}, {"ip":"192.0.2.1","failures":-1}, {"ip":"\u0031.2.3.4","category":"18,22"}] "#;
        let expected = [
            "0: 2001:db8::/64 86400 0 other Failures",
            "7: 1.2.3.4 1000000 1 brute-force Ban",
            "1: `ip` is no address or network: `host.example`",
            "2: missing field `ip`",
            "3: invalid type: integer `7`, expected struct Row",
            "4: `time` is neither RFC 3339 nor seconds since 1970: `yesterday`",
            "5: `category` has up to 64 letters, digits, `-`, `_` and `.`: `a b`",
            "6: invalid value: integer `-1`, expected u32",
        ];
        assert_eq!(read(all, Format::Json), expected);
        assert_eq!(read("[]", Format::Json), [""; 0]);
        assert_eq!(
            read(r#"{"ip":"192.0.2.1","time":86400.9}"#, Format::Json),
            ["0: 192.0.2.1 86400 1 other Ban"]
        );
    }

    #[test]
    fn rows_of_ndjson() {
        let lines = "{\"ip\":\"192.0.2.1\"}\r\n\n{\"ip\":\n  {\"ip\":\"192.0.2.2\"}";
        let expected = [
            "0: 192.0.2.1 1000000 1 other Ban",
            "2: 192.0.2.2 1000000 1 other Ban",
            "1: EOF while parsing a value",
        ];
        assert_eq!(read(lines, Format::Ndjson), expected);
    }

    #[test]
    fn rows_of_csv() {
        let text = "IP,Categories,ReportDate,Comment\n\
            192.0.2.1,\"18,22\",1970-01-02T01:00:00+01:00,\"Two\nlines, \"\"quoted\"\"\"\n\
            192.0.2.2,24,1970-01-02T00:00:00Z,\n\
            192.0.2.3\n\
            ,5,1970-01-02T00:00:00Z,nobody\n";
        let expected = [
            "0: 192.0.2.1 86400 1 brute-force Ban",
            "1: 192.0.2.2 86400 1 other Ban",
            "2: 192.0.2.3 1000000 1 other Ban",
            "3: `ip` is no address or network: ``",
        ];
        assert_eq!(read(text, Format::Csv), expected);
        let other = "\u{feff}comment,ip\nx,2001:db8::1\n";
        assert_eq!(read(other, Format::Csv), ["0: 2001:db8::1 1000000 1 other Ban"]);
    }

    #[test]
    fn what_is_no_batch_is_refused_whole() {
        let many = "{\"ip\":\"192.0.2.1\"}\n".repeat(MAX_ROWS + 1);
        let zeros = format!("[{}0]", "0,".repeat(MAX_ROWS));
        let wide = format!("IP\n{}\n", ",".repeat(64));
        let long = format!("IP\n\"{}\"\n", "x\n".repeat(40_000));
        for (body, format, expected) in [
            ("[{\"ip\":1}", Format::Json, "the body is no JSON"),
            ("\"192.0.2.1\"", Format::Json, "the body is no JSON"),
            ("", Format::Json, "the body is no JSON"),
            ("192.0.2.1,18\n", Format::Csv, "the first line must name the columns"),
            ("", Format::Csv, "the first line must name the columns"),
            (many.as_str(), Format::Ndjson, "there are more than 10000 rows"),
            ("IP,Comment\n192.0.2.1,\"oops\n192.0.2.2,\n", Format::Csv, "line 2 has a quote"),
            (zeros.as_str(), Format::Json, "there are more than 10000 rows"),
            (wide.as_str(), Format::Csv, "line 2 has more than 64 columns"),
            (long.as_str(), Format::Csv, "line 2 has more than 64 columns or 65536 bytes"),
        ] {
            let refused = Rows::read(body.as_bytes(), format, NOW).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
        assert_eq!(Rows::read(b"\xff", Format::Ndjson, NOW).unwrap_err(), RowsError::Text);
    }
}
