//! Who may ask, as typed and as the zones and servers are told it: lists of clients, keys and their files, limits of replies,
//! and what a server says of itself.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::document::{Document, Raw, Section, Value};
use super::error::{At, Place, Report};
use super::{keys, load};
use crate::clock::Timestamp;
use crate::dataset::{Acl, Clients, Treatment};
use crate::dns::RateLimit;
use crate::ip::PrefixSet;
use crate::zone::{
    Admission, HIGHEST_QUOTA, HIGHEST_RATE, KeyRules, KeySettings, Nsid, Rate, Secret, Secrets, Server,
};

/// A name that is shown to people and in metrics.
const LONGEST_KEY_NAME: usize = 64;

/// Every second reply over a limit is sent short.
const SLIP: u32 = 2;

/// More would be as good as none.
const HIGHEST_SLIP: u64 = 10;

/// What of `[dns]` holds for all zones.
pub(super) struct Guard {
    clients: Vec<Clients>,
    nsid: Option<Nsid>,
    secrets: Vec<Secret>,
    pub rate_limit: Option<RateLimit>,
}

impl Guard {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let limits = section.raw("rate_limit").and_then(|raw| raw.section(keys::RATE_LIMIT));
        Self {
            clients: clients(section),
            nsid: section.get("nsid"),
            secrets: section
                .some("cookie_secret", "\"...\" with what `openssl rand -hex 16` prints")
                .unwrap_or_default(),
            rate_limit: limits.map(|section| rate_limit(&section)),
        }
    }

    /// What the zones are told. Without a secret here, one has to be made at the start.
    pub(super) fn server(&self) -> Server {
        let secrets = self.secrets.split_first();
        Server {
            clients: (!self.clients.is_empty()).then(|| Arc::new(Acl::new(&self.clients))),
            nsid: self.nsid.clone(),
            cookies: secrets
                .map(|(newest, others)| Secrets::Shared { newest: *newest, others: others.to_vec() }),
            idle_timeout: None,
        }
    }
}

/// `[dns.rate_limit]`
fn rate_limit(section: &Section<'_>) -> RateLimit {
    let limit = RateLimit {
        responses: rate(section, "responses_per_second"),
        errors: rate(section, "errors_per_second"),
        slip: section.number("slip", 0, HIGHEST_SLIP).map_or(SLIP, |slip| slip as u32),
        exempt: section.get::<Vec<_>>("exempt").unwrap_or_default().into_iter().collect::<PrefixSet>(),
    };
    if section.is_right() && limit.responses.is_none() && limit.errors.is_none() {
        section.error("limits nothing: write responses_per_second = 1000, or errors_per_second = 100");
    }
    limit
}

fn rate(section: &Section<'_>, key: &str) -> Option<Rate> {
    section.number(key, 1, HIGHEST_RATE.into()).map(|per_second| Rate::new(per_second as u32))
}

impl Value for Secret {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        const EXPECTED: &str = "32 hexadecimal digits, as `openssl rand -hex 16` prints them";
        let written = raw.string(EXPECTED)?;
        let number = u128::from_str_radix(written, 16).ok();
        match number.filter(|_| written.len() == 32 && !written.starts_with('+')) {
            Some(number) => Some(Self::new(number.to_be_bytes())),
            // What was written may be a secret, save for a slip.
            None => raw.error(format!("this is not {EXPECTED}")),
        }
    }
}

/// Every `[[access]]` of a section; no network stands in two.
fn clients(section: &Section<'_>) -> Vec<Clients> {
    let mut known = std::collections::HashSet::new();
    let sections = section.list("access", keys::ACCESS);
    let read = |section: &Section<'_>| {
        let networks: Vec<At<_>> = section.require_some("clients", "[\"192.0.2.0/24\"]");
        for At { value, .. } in networks.iter().filter(|network| !known.insert(network.value)) {
            section.error(format!("{value} is named twice: which of the two counts?"));
        }
        let networks = networks.into_iter().map(|network| network.value).collect();
        Some(Clients { networks, treatment: treatment(section)? })
    };
    sections.iter().filter_map(read).collect()
}

fn treatment(section: &Section<'_>) -> Option<Treatment> {
    let action = section.require("action", "\"refuse\"");
    let code = section.get::<Ipv4Addr>("code");
    let text = section.get("text");
    if !matches!(action, Some(Treatment::List { .. }) | None) {
        let unused = ["code", "text"].into_iter().find_map(|key| section.raw(key));
        if let Some(unused) = unused {
            return unused.error("only action = \"list\" has one: remove it");
        }
        return action;
    }
    action?;
    match code {
        Some(code) if code.is_loopback() && code > Ipv4Addr::LOCALHOST => {
            Some(Treatment::List { code, text })
        }
        Some(code) => section.raw("code")?.error(format!("{code} is outside 127.0.0.2 to 127.255.255.255")),
        None => {
            let code: Option<Ipv4Addr> = section.require("code", "\"127.0.0.9\"");
            code.map(|code| Treatment::List { code, text })
        }
    }
}

impl Value for Treatment {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        const EXPECTED: &str = "one of \"pass\" \"refuse\" \"ignore\" \"empty\" \"list\"";
        match raw.string(EXPECTED)? {
            "pass" => Some(Self::Pass),
            "refuse" => Some(Self::Refuse),
            "ignore" => Some(Self::Ignore),
            "empty" => Some(Self::Empty),
            // Code and text stand beside it.
            "list" => Some(Self::List { code: Ipv4Addr::LOCALHOST, text: None }),
            other => raw.error(format!("`{other}` is not {EXPECTED}")),
        }
    }
}

/// What a zone says of who may ask.
pub(super) struct Askers {
    clients: Vec<Clients>,
    keys: Vec<At<KeySettings>>,
    /// Files with more keys.
    pub key_files: Vec<At<String>>,
    silently: bool,
    has_keys: bool,
}

impl Askers {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let has_keys = ["key", "key_files"].into_iter().any(|key| section.raw(key).is_some());
        if !has_keys && let Some(raw) = section.raw("key_refusal") {
            raw.error::<()>("the zone has no keys: add a [[key]] or key_files, or remove this");
        }
        Self {
            clients: clients(section),
            keys: section.list("key", keys::KEY).iter().filter_map(key).collect(),
            key_files: section.get("key_files").unwrap_or_default(),
            silently: section.get("key_refusal").is_some_and(|refusal| matches!(refusal, Refusal::Ignore)),
            has_keys,
        }
    }

    /// Takes in the keys of a file, which is named at `named`.
    pub(super) fn read_keys(&mut self, path: &Path, named: &Place, report: &Report) {
        if let Some(document) = Document::open(path, Some(named), report) {
            self.keys.extend(document.lines(report, key_of_line));
        }
    }

    /// Where the first key with one name stands, and the last with another.
    pub(super) fn twins(&self, first: &str, second: &str) -> Option<(&Place, &Place)> {
        let is = |name: &str, key: &At<KeySettings>| *key.value.name == *name;
        let first = self.keys.iter().find(|key| is(first, key))?;
        let second = self.keys.iter().rfind(|key| is(second, key))?;
        Some((&first.place, &second.place))
    }

    pub(super) fn settings(&self) -> Admission {
        let keys = self.has_keys.then(|| KeyRules {
            keys: self.keys.iter().map(|key| key.value.clone()).collect(),
            silently: self.silently,
        });
        Admission { clients: self.clients.clone(), keys }
    }
}

/// What becomes of names without a good key.
enum Refusal {
    Refuse,
    Ignore,
}

impl Value for Refusal {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        const EXPECTED: &str = "one of \"refuse\" \"ignore\"";
        match raw.string(EXPECTED)? {
            "refuse" => Some(Self::Refuse),
            "ignore" => Some(Self::Ignore),
            other => raw.error(format!("`{other}` is not {EXPECTED}")),
        }
    }
}

/// `[[key]]`
fn key(section: &Section<'_>) -> Option<At<KeySettings>> {
    let name: Option<String> = section.require("name", "\"customer-1\"");
    let label = section.require("key", "\"...\", 16 to 63 small letters and digits");
    let name = name.and_then(|name| match key_name(&name) {
        Ok(name) => Some(name),
        Err(problem) => section.raw("name")?.error(problem),
    });
    let value = KeySettings {
        per_second: rate(section, "queries_per_second"),
        per_day: section.number("queries_per_day", 1, HIGHEST_QUOTA),
        expires: section.get::<Moment>("expires").map(|moment| moment.0),
        name: name?,
        label: label?,
    };
    Some(At { value, place: section.place().clone() })
}

fn key_name(written: &str) -> Result<Arc<str>, String> {
    let fits = written.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    if fits && (1..=LONGEST_KEY_NAME).contains(&written.len()) {
        return Ok(written.into());
    }
    Err(format!("the name of a key has 1 to {LONGEST_KEY_NAME} letters, digits and `-`, `_`, `.`, `@`"))
}

/// One line of a file of keys: `NAME KEY [queries_per_day=N] [queries_per_second=N] [expires=DATE]`. Messages don't repeat
/// what stands there, as it may be a key.
fn key_of_line(line: &str) -> Result<Option<KeySettings>, String> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    let Some(name) = words.next() else { return Ok(None) };
    let label = words.next().ok_or("a line is a name and a key: NAME KEY")?;
    let mut key = KeySettings {
        name: key_name(name)?,
        label: label.parse().map_err(|error: crate::zone::ParseKeyError| error.to_string())?,
        per_second: None,
        per_day: None,
        expires: None,
    };
    let mut known = Vec::new();
    for word in words {
        let (option, value) = word.split_once('=').unwrap_or((word, ""));
        if known.contains(&option) {
            return Err("the same limit stands twice in the line: remove one".to_owned());
        }
        known.push(option);
        match option {
            "queries_per_day" => key.per_day = Some(number(option, value, HIGHEST_QUOTA)?),
            "queries_per_second" => {
                key.per_second = Some(Rate::new(number(option, value, HIGHEST_RATE.into())? as u32));
            }
            "expires" => key.expires = Some(moment(value).ok_or(NO_MOMENT)?),
            _ => {
                return Err("behind a name and a key stand queries_per_day=N, queries_per_second=N and \
                            expires=DATE, and nothing else"
                    .to_owned());
            }
        }
    }
    Ok(Some(key))
}

fn number(option: &str, written: &str, most: u64) -> Result<u64, String> {
    let number = written.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{option} is a number between 1 and {most}"))
}

const NO_MOMENT: &str = "this is no date such as \"2027-01-31\" or \"2027-01-31T12:00:00Z\"";

/// A day, which is its beginning in UTC, or a moment.
struct Moment(Timestamp);

impl Value for Moment {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let written = match raw.value() {
            DeValue::Datetime(date) => date.to_string(),
            _ => raw.string("a date such as \"2027-01-31\"")?.to_owned(),
        };
        moment(&written).map(Moment).or_else(|| raw.error(NO_MOMENT))
    }
}

fn moment(written: &str) -> Option<Timestamp> {
    let moment: Option<jiff::Timestamp> = written.parse().ok();
    let day = || {
        let day: jiff::civil::Date = written.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    moment.or_else(day).map(|moment| Timestamp::from_millis(moment.as_millisecond()))
}

/// Reads the files of keys of all zones; gives their paths.
pub(super) fn read_key_files<'a>(
    all: impl Iterator<Item = &'a mut Askers>,
    report: &Report,
) -> Vec<std::path::PathBuf> {
    let mut paths = Vec::new();
    for askers in all {
        for At { value, place } in askers.key_files.clone() {
            let path = load::resolve(&place.file, &value);
            askers.read_keys(&path, &place, report);
            paths.push(path);
        }
    }
    paths
}
