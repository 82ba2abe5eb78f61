//! What the user typed: every key of the files, not yet weighed against defaults and other files.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use encoding_rs::Encoding;
use toml::de::DeValue;

use super::acme;
use super::admission::Askers;
use super::dns::Dns;
use super::document::{ANY, Raw, Section, Value};
use super::error::{At, Place};
use super::http::Http;
use super::hub::Hub;
use super::public::Public;
use super::report::ReportFiles;
use super::reports::{self, Reports};
use super::sign_in::SignIn;
use super::store::Store;
use super::{Level, LogFormat};
use crate::ip::Prefix;
use crate::jail::{BanTime, Formula, MANUAL, MOST_ANSWERS};
use crate::source::Start;
use crate::zone::{Name, Sublist, Template};

/// The keys of each kind of section, for reading, for messages and for the test of the manual.
pub mod keys {
    /// `banzone.toml` itself.
    pub const MAIN: &[&str] = &[
        "include", "zones", "filters", "store", "dns", "http", "acme", "public", "sign_in", "control", "hub",
        "daemon", "log", "report", "fail2ban", "defaults", "jail", "zone",
    ];
    /// A file of `include`.
    pub const INCLUDED: &[&str] = &["jail"];
    /// `[store]`
    pub const STORE: &[&str] = &["path", "spool", "evidence_retention", "history_retention"];
    /// `[report]`
    pub const REPORT: &[&str] = &["countries", "networks"];
    /// `[dns]`
    pub const DNS: &[&str] = &[
        "listen",
        "threads",
        "nap_microseconds",
        "count_addresses",
        "query_log",
        "nsid",
        "cookie_secret",
        "access",
        "rate_limit",
        "connections",
        "connections_per_client",
        "idle_timeout",
        "tls",
    ];
    /// `[dns.query_log]`
    pub const QUERY_LOG: &[&str] = &["path", "sample"];
    /// `[dns.rate_limit]`
    pub const RATE_LIMIT: &[&str] = &["responses_per_second", "errors_per_second", "slip", "exempt"];
    /// `[[access]]` of a zone, `[[dns.access]]`
    pub const ACCESS: &[&str] = &["clients", "action", "code", "text"];
    /// `[dns.tls]`
    pub const TLS: &[&str] = &["certificate", "key", "acme", "dot", "doh", "doh_path", "doq"];
    /// `[http]`
    pub const HTTP: &[&str] = &["listen", "certificate", "key", "acme", "proxies", "monitors", "rate_limit"];
    /// `[acme]`
    pub const ACME: &[&str] = &["names", "directory", "contact", "ca", "folder"];
    /// `[public]`
    pub const PUBLIC: &[&str] = &["listen", "proxies", "contact", "removal"];
    /// `[sign_in]`
    pub const SIGN_IN: &[&str] = &["second_factor", "idle_timeout", "lifetime", "origin"];
    /// `[control]`
    pub const CONTROL: &[&str] = &["socket"];
    /// `[hub]`
    pub const HUB: &[&str] = &["url", "token", "token_file", "ca", "jails", "max_spooled"];
    /// `[daemon]`
    pub const DAEMON: &[&str] = &["user"];
    /// `[log]`
    pub const LOG: &[&str] = &["level", "format"];
    /// `[fail2ban]`
    pub const FAIL2BAN: &[&str] = &["dir"];
    /// `[defaults]`
    pub const DEFAULTS: &[&str] = &[
        "findtime",
        "maxretry",
        "bantime",
        "ignoreip",
        "ignoreself",
        "ignore_command",
        "ignore_cache",
        "ipv6_prefix",
        "escalate",
        "increment",
        "max_matches",
        "encoding",
        "start",
    ];
    /// `[jail.NAME]`
    pub const JAIL: &[&str] = &[
        "enabled",
        "filter",
        "logpath",
        "allow_reserved",
        "counts_bans",
        "reports",
        "findtime",
        "maxretry",
        "bantime",
        "ignoreip",
        "ignoreself",
        "ignore_command",
        "ignore_cache",
        "ipv6_prefix",
        "escalate",
        "increment",
        "max_matches",
        "encoding",
        "start",
    ];
    /// `escalate = { }`
    pub const ESCALATE: &[&str] = &["hosts", "ipv4", "ipv6"];
    /// `increment = { }`
    pub const INCREMENT: &[&str] =
        &["factor", "formula", "multipliers", "max_time", "random_time", "overall_jails"];
    /// `ignore_cache = { }`
    pub const IGNORE_CACHE: &[&str] = &["key", "max_count", "max_time"];
    /// `reports = { }`
    pub const REPORTS: &[&str] = &["threshold", "half_life", "trust", "guard"];
    /// `guard = { }`
    pub const GUARD: &[&str] = &["share", "window", "least"];
    /// A file of `zones`, or `[[zone]]`.
    pub const ZONE: &[&str] = &[
        "origin",
        "ns",
        "contact",
        "ttl",
        "soa_ttl",
        "refresh",
        "retry",
        "expire",
        "negative_ttl",
        "policy",
        "publish",
        "dataset",
        "access",
        "key",
        "key_files",
        "key_refusal",
    ];
    /// `[[key]]`
    pub const KEY: &[&str] = &["name", "key", "queries_per_day", "queries_per_second", "expires"];
    /// `[[publish]]`
    pub const PUBLISH: &[&str] = &["jails", "code", "text", "name"];
    /// `[[dataset]]`
    pub const DATASET: &[&str] =
        &["type", "files", "code", "text", "ttl", "name", "allow_reserved", "clear_host_bits"];
    /// A file of `filters`.
    pub const FILTER: &[&str] = &["daemon", "failregex", "ignoreregex", "datepattern", "timezone"];

    /// All of them, with the name of the section as people write it.
    pub const ALL: &[(&str, &[&str])] = &[
        ("banzone.toml", MAIN),
        ("[store]", STORE),
        ("[dns]", DNS),
        ("[dns.query_log]", QUERY_LOG),
        ("[dns.rate_limit]", RATE_LIMIT),
        ("[[access]]", ACCESS),
        ("[dns.tls]", TLS),
        ("[http]", HTTP),
        ("[acme]", ACME),
        ("[public]", PUBLIC),
        ("[sign_in]", SIGN_IN),
        ("[control]", CONTROL),
        ("[hub]", HUB),
        ("[daemon]", DAEMON),
        ("[log]", LOG),
        ("[report]", REPORT),
        ("[fail2ban]", FAIL2BAN),
        ("[defaults]", DEFAULTS),
        ("[jail.NAME]", JAIL),
        ("escalate", ESCALATE),
        ("increment", INCREMENT),
        ("ignore_cache", IGNORE_CACHE),
        ("reports", REPORTS),
        ("guard", GUARD),
        ("[[zone]]", ZONE),
        ("[[key]]", KEY),
        ("[[publish]]", PUBLISH),
        ("[[dataset]]", DATASET),
        ("filters/NAME.toml", FILTER),
    ];
}

/// `banzone.toml`.
pub(super) struct Main {
    pub include: Vec<At<String>>,
    pub zone_files: Vec<At<String>>,
    pub filters: Vec<At<String>>,
    pub store: Store,
    pub dns: Dns,
    pub http: Http,
    pub acme: Option<acme::Written>,
    pub sign_in: SignIn,
    pub public: Public,
    pub hub: Option<Hub>,
    pub user: Option<At<String>>,
    pub log: Log,
    pub report: ReportFiles,
    pub fail2ban: Option<At<PathBuf>>,
    pub defaults: Policy,
    pub jails: Vec<Jail>,
    pub zones: Vec<Zone>,
}

impl Main {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            include: section.get("include").unwrap_or_default(),
            zone_files: section.get("zones").unwrap_or_default(),
            filters: section.get("filters").unwrap_or_default(),
            store: Store::read(&section.section("store", keys::STORE)),
            dns: Dns::read(&section.section("dns", keys::DNS)),
            http: Http::read(section),
            acme: acme::Written::read(section),
            sign_in: SignIn::read(&section.section("sign_in", keys::SIGN_IN)),
            public: Public::read(&section.section("public", keys::PUBLIC)),
            hub: Hub::read(section),
            user: section.section("daemon", keys::DAEMON).get("user"),
            log: Log::read(&section.section("log", keys::LOG)),
            report: ReportFiles::read(&section.section("report", keys::REPORT)),
            fail2ban: section.section("fail2ban", keys::FAIL2BAN).get("dir"),
            defaults: Policy::read(&section.section("defaults", keys::DEFAULTS)),
            jails: Jail::read_all(section),
            zones: section.list("zone", keys::ZONE).iter().map(Zone::read).collect(),
        }
    }
}

/// `[log]`
pub(super) struct Log {
    pub level: Option<Level>,
    pub format: Option<LogFormat>,
}

impl Log {
    fn read(section: &Section<'_>) -> Self {
        Self { level: section.get("level"), format: section.get("format") }
    }
}

/// What `[defaults]` and every jail can say.
#[derive(Default)]
pub(super) struct Policy {
    pub findtime: Option<Duration>,
    pub maxretry: Option<u32>,
    pub bantime: Option<BanTime>,
    pub ignoreip: Vec<At<Spared>>,
    pub ignoreself: Option<bool>,
    pub ignore_command: Option<String>,
    pub ignore_cache: Option<IgnoreCache>,
    pub ipv6_prefix: Option<u8>,
    pub escalate: Option<At<Option<Escalate>>>,
    pub increment: Option<Option<Increment>>,
    pub max_matches: Option<usize>,
    pub encoding: Option<&'static Encoding>,
    pub start: Option<Start>,
}

impl Policy {
    fn read(section: &Section<'_>) -> Self {
        /// It bounds nothing but nonsense.
        const MOST_RETRIES: u64 = 1_000_000;
        /// So many lines are kept in memory for every address that is counted.
        const MOST_MATCHES: u64 = 100;
        Self {
            findtime: section.get("findtime").and_then(|time| not_zero(section, "findtime", time)),
            maxretry: narrow(section.number("maxretry", 1, MOST_RETRIES)),
            bantime: section.get("bantime").and_then(|time| match time {
                BanTime::For(span) => not_zero(section, "bantime", span).map(BanTime::For),
                BanTime::Permanent => Some(time),
            }),
            ignoreip: section.get("ignoreip").unwrap_or_default(),
            ignoreself: section.get("ignoreself"),
            ignore_command: section.get("ignore_command"),
            ignore_cache: section.get("ignore_cache"),
            ipv6_prefix: narrow(section.number("ipv6_prefix", 16, 128)),
            escalate: section.get("escalate"),
            increment: section.get("increment"),
            max_matches: narrow(section.number("max_matches", 0, MOST_MATCHES)),
            encoding: section.get("encoding"),
            start: section.get("start"),
        }
    }
}

/// A number that was checked to be small enough.
pub(super) fn narrow<T: TryFrom<u64>>(number: Option<u64>) -> Option<T> {
    number.and_then(|number| T::try_from(number).ok())
}

fn not_zero(section: &Section<'_>, key: &str, span: Duration) -> Option<Duration> {
    if span.is_zero() {
        return section.raw(key)?.error("0 bans nobody: write a duration such as \"10m\"");
    }
    Some(span)
}

/// `escalate = { hosts = 5, ipv4 = 24, ipv6 = 48 }`, or `false`.
#[derive(Clone, Copy)]
pub(super) struct Escalate {
    pub hosts: Option<u32>,
    pub ipv4: Option<u8>,
    pub ipv6: Option<u8>,
}

impl Value for Option<Escalate> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        if let DeValue::Boolean(on) = raw.value() {
            return Some(on.then_some(Escalate { hosts: None, ipv4: None, ipv6: None }));
        }
        let section = raw.section(keys::ESCALATE)?;
        Some(Some(Escalate {
            hosts: narrow(section.number("hosts", 2, u32::MAX.into())),
            ipv4: narrow(section.number("ipv4", 8, 31)),
            ipv6: narrow(section.number("ipv6", 16, 127)),
        }))
    }
}

/// `increment = { factor = 2 }`, `true` or `false`.
#[derive(Clone, Default)]
pub(super) struct Increment {
    pub factor: Option<f64>,
    pub formula: Option<Formula>,
    pub multipliers: Vec<u32>,
    pub max_time: Option<Duration>,
    pub random_time: Option<Duration>,
    pub overall_jails: Option<bool>,
}

impl Value for Option<Increment> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        if let DeValue::Boolean(on) = raw.value() {
            return Some(on.then(Increment::default));
        }
        let section = raw.section(keys::INCREMENT)?;
        Some(Some(Increment {
            factor: section.get("factor").and_then(|factor| positive(&section, factor)),
            formula: section.get("formula"),
            multipliers: section.get("multipliers").unwrap_or_default(),
            max_time: section.get("max_time"),
            random_time: section.get("random_time"),
            overall_jails: section.get("overall_jails"),
        }))
    }
}

/// One entry of `ignoreip`: somebody who never fails.
#[derive(Clone)]
pub(super) enum Spared {
    Prefix(Prefix),
    /// The addresses of a host.
    Name(String),
    /// The entries of a file.
    File(String),
}

impl Value for Spared {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let written = raw.string("an address, a network, a host name, or \"file:\" with a path")?;
        if let Some(path) = written.strip_prefix("file:") {
            return Some(Self::File(path.to_owned()));
        }
        if is_host_name(written) {
            return Some(Self::Name(written.to_owned()));
        }
        Prefix::read(raw).map(Self::Prefix)
    }
}

/// Whether `written` can be the name of a host, and no address.
fn is_host_name(written: &str) -> bool {
    /// No name is longer (RFC 1035, section 2.3.4).
    const LONGEST: usize = 253;
    written.len() <= LONGEST
        && written.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && written.chars().any(|c| c.is_ascii_alphabetic())
}

/// `ignore_cache = { key = "<ip>" }`
#[derive(Clone)]
pub(super) struct IgnoreCache {
    pub key: Option<String>,
    pub max_count: Option<usize>,
    pub max_time: Option<Duration>,
}

impl Value for IgnoreCache {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let section = raw.section(keys::IGNORE_CACHE)?;
        Some(Self {
            key: section.get("key"),
            max_count: narrow(section.number("max_count", 1, MOST_ANSWERS as u64)),
            max_time: section.get("max_time"),
        })
    }
}

fn positive(section: &Section<'_>, factor: f64) -> Option<f64> {
    if factor.is_finite() && factor > 0.0 {
        return Some(factor);
    }
    section.raw("factor")?.error(format!("{factor} is not above 0"))
}

/// `[jail.NAME]`
pub(super) struct Jail {
    pub name: At<String>,
    pub enabled: bool,
    pub filter: Option<At<String>>,
    pub logpath: Vec<At<String>>,
    /// Where the section begins.
    pub place: Place,
    pub allow_reserved: Vec<Prefix>,
    /// Whether the bans of other jails are what it reads.
    pub counts_bans: bool,
    /// What other servers report is what it reads.
    pub reports: Option<At<Reports>>,
    pub policy: Policy,
}

impl Jail {
    /// The jail of bans by hand, as it is if nobody writes about it.
    pub(super) fn manual(file: &Path) -> Self {
        let place = Place::file(file);
        Self {
            name: At { value: MANUAL.to_owned(), place: place.clone() },
            enabled: true,
            filter: None,
            logpath: Vec::new(),
            place,
            allow_reserved: Vec::new(),
            counts_bans: false,
            reports: None,
            policy: Policy::default(),
        }
    }

    /// All of a file.
    pub(super) fn read_all(file: &Section<'_>) -> Vec<Self> {
        let jails = file.section("jail", ANY).sections(keys::JAIL);
        jails.into_iter().map(|(name, section)| Self::read(name, &section)).collect()
    }

    fn read(name: At<String>, section: &Section<'_>) -> Self {
        Self {
            name,
            enabled: section.get("enabled").unwrap_or(true),
            filter: section.get("filter"),
            logpath: section.get("logpath").unwrap_or_default(),
            place: section.place().clone(),
            allow_reserved: section.get("allow_reserved").unwrap_or_default(),
            counts_bans: section.get("counts_bans").unwrap_or(false),
            reports: reports::read(section),
            policy: Policy::read(section),
        }
    }
}

/// A zone file, or `[[zone]]`.
pub(super) struct Zone {
    pub origin: Option<At<Name>>,
    pub name_servers: Vec<Name>,
    pub contact: Option<Name>,
    pub ttl: Option<Duration>,
    pub soa_ttl: Option<Duration>,
    pub refresh: Option<Duration>,
    pub retry: Option<Duration>,
    pub expire: Option<Duration>,
    pub negative_ttl: Option<Duration>,
    pub policy: Option<String>,
    pub publish: Vec<Publish>,
    pub data_sets: Vec<DataSet>,
    pub askers: Askers,
    /// Where the section begins.
    pub place: Place,
    /// Whether all that is written could be read.
    pub is_read: bool,
}

impl Zone {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let publish = section.list("publish", keys::PUBLISH);
        let data_sets = section.list("dataset", keys::DATASET);
        Self {
            origin: section.require("origin", "\"bl.example.\""),
            name_servers: section.require("ns", "[\"ns1.example.\"]").unwrap_or_default(),
            contact: contact(section),
            ttl: section.get("ttl"),
            soa_ttl: section.get("soa_ttl"),
            refresh: section.get("refresh"),
            retry: section.get("retry"),
            expire: section.get("expire"),
            negative_ttl: section.get("negative_ttl"),
            policy: section.get("policy"),
            publish: publish.iter().map(Publish::read).collect(),
            data_sets: data_sets.iter().map(DataSet::read).collect(),
            askers: Askers::read(section),
            place: section.place().clone(),
            // The last field: all the others are read by now.
            is_read: section.is_right(),
        }
    }
}

/// A mail address, as such or as the SOA has it, with a dot for the `@`.
fn contact(section: &Section<'_>) -> Option<Name> {
    let raw = section.raw("contact")?;
    let written = raw.string("a mail address such as \"hostmaster@bl.example\"")?;
    if written.split_once('@').is_some_and(|(local, _)| local.contains('.')) {
        return raw
            .error(format!("`{written}` has a dot before the `@`, which SOA records confuse: use another"));
    }
    match written.replacen('@', ".", 1).parse() {
        Ok(name) => Some(name),
        Err(error) => raw.error(error.to_string()),
    }
}

/// `[[publish]]`
pub(super) struct Publish {
    pub jails: Vec<At<String>>,
    pub code: Option<Ipv4Addr>,
    pub text: Option<Template>,
    pub name: Option<Sublist>,
}

impl Publish {
    fn read(section: &Section<'_>) -> Self {
        Self {
            jails: section.require("jails", "[\"*\"]").unwrap_or_default(),
            code: section.get("code"),
            text: section.get("text"),
            name: section.get("name"),
        }
    }
}

/// `[[dataset]]`
pub(super) struct DataSet {
    /// Where the section begins.
    pub place: Place,
    pub kind: Option<At<String>>,
    pub files: Vec<At<String>>,
    pub code: Option<Ipv4Addr>,
    pub text: Option<At<String>>,
    pub ttl: Option<Duration>,
    pub name: Option<Sublist>,
    pub allow_reserved: Vec<Prefix>,
    pub clear_host_bits: bool,
}

impl DataSet {
    fn read(section: &Section<'_>) -> Self {
        Self {
            place: section.place().clone(),
            kind: section.require("type", "\"ip4trie\""),
            files: section.require_some("files", "[\"drop.rbldnsd\"]"),
            code: section.get("code"),
            text: section.get("text"),
            ttl: section.get("ttl"),
            name: section.get("name"),
            allow_reserved: section.get("allow_reserved").unwrap_or_default(),
            clear_host_bits: section.get("clear_host_bits").unwrap_or(false),
        }
    }
}

/// A file of `filters`.
pub(super) struct Filter {
    pub daemon: Option<At<String>>,
    pub failregex: Vec<At<String>>,
    pub ignoreregex: Vec<At<String>>,
    pub datepattern: Vec<At<String>>,
    pub timezone: Option<At<String>>,
}

impl Filter {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            daemon: section.get("daemon"),
            failregex: section.require_some("failregex", "['^failed login from <HOST>$']"),
            ignoreregex: section.get("ignoreregex").unwrap_or_default(),
            datepattern: section.get("datepattern").unwrap_or_default(),
            timezone: section.get("timezone"),
        }
    }
}
