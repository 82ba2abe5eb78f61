//! The kinds of value a configuration has, each read once and right.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use encoding_rs::Encoding;
use toml::de::DeValue;

use super::document::{Raw, Value};
use super::duration;
use super::encoding;
use super::{Level, LogFormat};
use crate::access::{Origin, Role};
use crate::dataset::ClientText;
use crate::ip::Prefix;
use crate::jail::{BanTime, Formula};
use crate::source::Start;
use crate::zone::{KeyLabel, Name, Nsid, Sublist, Template};

impl Value for String {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        raw.string("a string").map(str::to_owned)
    }
}

impl Value for Origin {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let written = raw.string("a URL without a path, such as \"https://bl.example\"")?;
        match Self::parse(written) {
            Ok(origin) => Some(origin),
            Err(wrong) => raw.error(wrong.to_string()),
        }
    }
}

impl Value for PathBuf {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.string("a path")? {
            "" => raw.error("the path is empty: write one"),
            path => Some(path.into()),
        }
    }
}

impl Value for bool {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.value() {
            DeValue::Boolean(value) => Some(*value),
            _ => raw.mismatch("true or false"),
        }
    }
}

impl Value for f64 {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.value() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            #[expect(clippy::cast_precision_loss, reason = "factors are small")]
            DeValue::Integer(_) => raw.integer().map(|number| number as Self),
            _ => raw.mismatch("a number"),
        }
    }
}

impl Value for u32 {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let number = raw.integer()?;
        Self::try_from(number).ok().or_else(|| raw.error(format!("{number} is out of range")))
    }
}

impl Value for Duration {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        parse(raw, "a duration such as \"10m\"", duration::parse)
    }
}

impl Value for BanTime {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        parse(raw, "a duration such as \"1h\", or \"permanent\"", duration::parse_bantime)
    }
}

impl Value for &'static Encoding {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let written = raw.string("an encoding such as \"iso-8859-1\"")?;
        encoding::parse(written).map_or_else(|problem| raw.error(problem), Some)
    }
}

/// Reads a value by `parse`: a string, or a whole number as if it were one.
fn parse<T, E: ToString>(raw: &Raw<'_>, expected: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    let written = match raw.value() {
        DeValue::Integer(_) => raw.integer()?.to_string(),
        _ => raw.string(expected)?.to_owned(),
    };
    parse(&written).or_else(|error| raw.error(error.to_string()).ok_or(())).ok()
}

/// Values that are strings of a certain form.
macro_rules! from_string {
    ($($type:ty: $expected:literal,)*) => {$(
        impl Value for $type {
            fn read(raw: &Raw<'_>) -> Option<Self> {
                let written = raw.string($expected)?;
                match written.parse() {
                    Ok(value) => Some(value),
                    Err(error) => raw.error(explain(written, $expected, &error)),
                }
            }
        }
    )*};
}

from_string! {
    Prefix: "an address or network",
    SocketAddr: "an address with a port such as \"127.0.0.1:53\" or \"[::1]:53\"",
    Ipv4Addr: "an IPv4 address such as \"127.0.0.2\"",
    Name: "a domain name such as \"bl.example.\"",
    Template: "a text",
    Sublist: "a name such as \"sasl\"",
    ClientText: "a text",
    Nsid: "the name of a server such as \"ns1.example\"",
    KeyLabel: "a key",
    Role: "a role such as \"admin\"",
    Formula: "a formula such as \"ban.Time * (ban.Count + 1) * banFactor\"",
}

/// The errors of the standard library name neither the thing nor the remedy.
fn explain(written: &str, expected: &str, error: &impl ToString) -> String {
    let error = error.to_string();
    if error.starts_with("invalid ") { format!("`{written}` is not {expected}") } else { error }
}

/// Values that are one of a few words.
macro_rules! one_of {
    ($($type:ty: $($word:literal => $value:expr),+;)*) => {$(
        impl Value for $type {
            fn read(raw: &Raw<'_>) -> Option<Self> {
                const EXPECTED: &str = concat!("one of", $(" \"", $word, "\""),+);
                match raw.string(EXPECTED)? {
                    $($word => Some($value),)+
                    other => raw.error(format!("`{other}` is not {EXPECTED}")),
                }
            }
        }
    )*};
}

one_of! {
    Start: "head" => Start::Head, "tail" => Start::Tail;
    LogFormat: "text" => LogFormat::Text, "json" => LogFormat::Json;
    Level: "error" => Level::Error, "warn" => Level::Warn, "info" => Level::Info, "debug" => Level::Debug,
        "trace" => Level::Trace;
}
