//! Files in MaxMind's form, from MaxMind, DB-IP, ipinfo and others, which name their fields in two ways.

use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

/// Stands before the description of the file, near its end.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// The description stands in the last so many bytes (MaxMind DB specification, "Database Metadata").
const DESCRIPTION: usize = 128 << 10;

/// An open file.
#[derive(Debug)]
pub(super) struct Mmdb(Reader<Vec<u8>>);

/// What it may have for an address.
#[derive(Debug, Deserialize)]
struct Entry {
    country: Option<Country>,
    country_code: Option<String>,
    autonomous_system_number: Option<Number>,
    autonomous_system_organization: Option<String>,
    asn: Option<Number>,
    as_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country {
    Named { iso_code: Option<String> },
    Code(String),
}

/// The number of an autonomous system, however wide it is written, or `AS64500`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u32),
    Written(String),
}

impl Number {
    fn get(&self) -> Option<u32> {
        match self {
            Self::Plain(number) => Some(*number),
            Self::Written(text) => text.strip_prefix("AS").unwrap_or(text).parse().ok(),
        }
    }
}

impl Mmdb {
    /// Whether `bytes` are such a file.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        let end = &bytes[bytes.len().saturating_sub(DESCRIPTION)..];
        memchr::memmem::find(end, MARK).is_some()
    }

    /// Opens the file with these `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, MaxMindDbError> {
        Reader::from_source(bytes).map(Self)
    }

    /// An entry that can't be read is as good as none.
    fn entry(&self, address: IpAddr) -> Option<Entry> {
        self.0.lookup(address).ok()?.decode().ok()?
    }

    pub(super) fn country(&self, address: IpAddr) -> Option<String> {
        let entry = self.entry(address)?;
        let country = match entry.country {
            Some(Country::Named { iso_code }) => iso_code,
            Some(Country::Code(code)) => Some(code),
            None => None,
        };
        entry.country_code.or(country).filter(|code| !code.is_empty())
    }

    pub(super) fn system(&self, address: IpAddr) -> Option<(u32, String)> {
        let entry = self.entry(address)?;
        let number = entry.autonomous_system_number.or(entry.asn)?.get()?;
        let name = entry.autonomous_system_organization.or(entry.as_name);
        Some((number, name.unwrap_or_default()))
    }
}
