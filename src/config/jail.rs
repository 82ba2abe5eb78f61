//! A jail as typed, over the defaults, becomes the jail's settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::{At, Report};
use super::file::{self, Spared};
use super::filter::Filters;
use super::load::{resolve, resolve_absolute};
use crate::filter;
use crate::ip::Prefix;
use crate::jail::{BanTime, Escalate, IgnoreCache, IgnoreCommand, Increment, MANUAL, Settings};
use crate::source::{self, Start};

const FINDTIME: Duration = Duration::from_secs(10 * 60);
const MAXRETRY: u32 = 5;
const BANTIME: BanTime = BanTime::For(Duration::from_secs(3600));
/// Every address by itself, as fail2ban counts.
const IPV6_PREFIX: u8 = 128;
/// What one customer has, whose servers each report another address of it.
const IPV6_REPORTED: u8 = 64;
const MAX_MATCHES: usize = 10;
const START: Start = Start::Tail;

const ESCALATE_HOSTS: u32 = 5;
const ESCALATE_IPV4: u8 = 24;
const ESCALATE_IPV6: u8 = 48;

/// fail2ban's.
const IGNORE_KEY: &str = "<ip>";
const IGNORE_COUNT: usize = 100;
const IGNORE_TIME: Duration = Duration::from_secs(5 * 60);

const INCREMENT_FACTOR: f64 = 1.0;

/// Longer names fit no table and no DNS text.
const LONGEST_NAME: usize = 64;

/// What jails are made of besides themselves.
pub(super) struct Resolver<'a> {
    pub defaults: &'a file::Policy,
    pub filters: &'a Filters,
    pub report: &'a Report,
}

impl Resolver<'_> {
    /// The settings of `jail`; `None` if it is not enabled, or wrong, which is taken down.
    pub(super) fn settings(&self, jail: &file::Jail) -> Option<Settings> {
        check_name(&jail.name, self.report);
        if !jail.enabled {
            return None;
        }
        if jail.name.value == MANUAL {
            self.check_reads_nothing(jail);
            return Some(self.with_policy(jail, Vec::new(), filter::Settings::default()));
        }
        if jail.counts_bans || jail.reports.is_some() {
            self.check_reads_nothing(jail);
            return Some(self.with_policy(jail, Vec::new(), filter::Settings::default()));
        }
        let sources = self.sources(jail);
        let filter = self.filters.of_jail(jail, self.report)?;
        Some(self.with_policy(jail, sources, filter))
    }

    fn with_policy(
        &self,
        jail: &file::Jail,
        sources: Vec<source::Settings>,
        filter: filter::Settings,
    ) -> Settings {
        let (own, defaults) = (&jail.policy, self.defaults);
        let ipv6_default = if jail.reports.is_some() { IPV6_REPORTED } else { IPV6_PREFIX };
        let ipv6_prefix = own.ipv6_prefix.or(defaults.ipv6_prefix).unwrap_or(ipv6_default);
        let spared = || own.ignoreip.iter().chain(&defaults.ignoreip);
        let increment = own.increment.as_ref().or(defaults.increment.as_ref());
        Settings {
            name: jail.name.value.as_str().into(),
            sources,
            filter,
            findtime: own.findtime.or(defaults.findtime).unwrap_or(FINDTIME),
            maxretry: own.maxretry.or(defaults.maxretry).unwrap_or(MAXRETRY),
            bantime: own.bantime.or(defaults.bantime).unwrap_or(BANTIME),
            increment: increment.and_then(Option::as_ref).map(increment_settings),
            ignore: prefixes(spared()).collect(),
            ignore_names: spared().filter_map(name).collect(),
            ignore_files: spared().filter_map(ignore_file).collect(),
            ignore_command: ignore_command(own, defaults),
            ignore_self: own.ignoreself.or(defaults.ignoreself).unwrap_or(true),
            ipv6_prefix,
            escalate: self.escalate(own.escalate.as_ref().or(defaults.escalate.as_ref()), ipv6_prefix),
            max_matches: own.max_matches.or(defaults.max_matches).unwrap_or(MAX_MATCHES),
            allow_reserved: jail.allow_reserved.iter().copied().collect(),
            // UTF-8 is what logs are in anyway.
            encoding: own.encoding.or(defaults.encoding).filter(|encoding| *encoding != encoding_rs::UTF_8),
            counts_bans: jail.counts_bans,
            reports: jail.reports.as_ref().map(|reports| reports.value.settings),
        }
    }

    fn check_reads_nothing(&self, jail: &file::Jail) {
        if jail.filter.is_some() || !jail.logpath.is_empty() {
            let message = if jail.reports.is_some() {
                format!(
                    "jail `{}` lists what other servers report and reads nothing: remove filter and logpath, or reports",
                    jail.name.value
                )
            } else if jail.counts_bans {
                format!(
                    "jail `{}` counts the bans of other jails and reads nothing: \
                     remove filter and logpath, or counts_bans",
                    jail.name.value
                )
            } else {
                format!(
                    "jail `{MANUAL}` is that of bans by hand and reads nothing: \
                     remove filter and logpath, or use another name"
                )
            };
            self.report.add(&jail.place, message);
        }
    }

    fn sources(&self, jail: &file::Jail) -> Vec<source::Settings> {
        if jail.logpath.is_empty() {
            let message = format!(
                "jail `{}` reads nothing: write logpath = \"/var/log/mail.log\", or enabled = false",
                jail.name.value
            );
            self.report.add(&jail.place, message);
        }
        let start = jail.policy.start.or(self.defaults.start).unwrap_or(START);
        let source = |path| source::Settings { path: self.source_path(path), start, horizon: None };
        let sources: Vec<_> = jail.logpath.iter().map(source).collect();
        self.check_read_once(&jail.logpath, &sources);
        sources
    }

    /// A file that two of the patterns name would count twice.
    fn check_read_once(&self, written: &[At<String>], sources: &[source::Settings]) {
        for (number, (at, source)) in written.iter().zip(sources).enumerate() {
            if sources[..number].iter().any(|earlier| earlier.path == source.path) {
                let message = format!("logpath: `{}` is named twice: name it once", at.value);
                self.report.add(&at.place, message);
            } else if let Some(pattern) = sources.iter().position(|other| matches(&other.path, &source.path))
            {
                let message = format!(
                    "logpath: `{}` is read through `{}` already, and its lines would count twice: remove one of them",
                    at.value, written[pattern].value
                );
                self.report.add(&at.place, message);
            }
        }
    }

    /// A path that is valid from every working directory, since it names the source in the store.
    fn source_path(&self, written: &At<String>) -> Arc<str> {
        let kind = source::kind(&written.value);
        if !kind.is_files {
            if let Err(error) = (kind.check)(&written.value) {
                self.report.add(&written.place, format!("logpath: {error}"));
            }
            return written.value.as_str().into();
        }
        if written.value.is_empty() {
            self.report.add(&written.place, "logpath: the path is empty");
        }
        if let Err(error) = glob::Pattern::new(&written.value) {
            let message = format!("logpath: `{}` is no pattern of file names: {}", written.value, error.msg);
            self.report.add(&written.place, message);
        }
        let path = resolve(&written.place.file, &written.value);
        std::path::absolute(&path).unwrap_or(path).to_string_lossy().into()
    }

    fn escalate(&self, written: Option<&At<Option<file::Escalate>>>, counted: u8) -> Option<Escalate> {
        let At { value, place } = written?;
        let value = (*value)?;
        let escalate = Escalate {
            hosts: value.hosts.unwrap_or(ESCALATE_HOSTS),
            ipv4: value.ipv4.unwrap_or(ESCALATE_IPV4),
            ipv6: value.ipv6.unwrap_or(ESCALATE_IPV6),
        };
        if escalate.ipv6 >= counted {
            let message = format!(
                "escalate.ipv6 = {} is no wider than what is counted, ipv6_prefix = {counted}: make it smaller",
                escalate.ipv6
            );
            self.report.add(place, message);
        }
        Some(escalate)
    }
}

/// Names stand in DNS texts, in addresses of the API and in shells.
pub(super) fn check_name(name: &At<String>, report: &Report) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.value.is_empty() || name.value.len() > LONGEST_NAME || !name.value.chars().all(allowed) {
        let message = format!(
            "`{}` cannot be the name of a jail: use up to {LONGEST_NAME} letters, digits, `-`, `_` and `.`",
            name.value
        );
        report.add(&name.place, message);
    }
}

/// Whether `path` is no pattern and stands for a file that `pattern` finds.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    // As files are found: `*` ends at a slash.
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let is_pattern = |path: &str| path.contains(['*', '?', '[']);
    let finds = |pattern: glob::Pattern| pattern.matches_path_with(Path::new(path), options);
    is_pattern(pattern) && !is_pattern(path) && glob::Pattern::new(pattern).is_ok_and(finds)
}

/// The addresses and networks among what never fails.
pub(super) fn prefixes<'a>(spared: impl Iterator<Item = &'a At<Spared>>) -> impl Iterator<Item = Prefix> {
    spared.filter_map(|spared| match spared.value {
        Spared::Prefix(prefix) => Some(prefix),
        Spared::Name(_) | Spared::File(_) => None,
    })
}

fn name(spared: &At<Spared>) -> Option<String> {
    match &spared.value {
        Spared::Name(name) => Some(name.clone()),
        Spared::Prefix(_) | Spared::File(_) => None,
    }
}

fn ignore_file(spared: &At<Spared>) -> Option<PathBuf> {
    match &spared.value {
        Spared::File(path) => Some(resolve_absolute(&spared.place.file, path)),
        Spared::Prefix(_) | Spared::Name(_) => None,
    }
}

/// The empty command asks nobody, where the defaults have one.
fn ignore_command(own: &file::Policy, defaults: &file::Policy) -> Option<IgnoreCommand> {
    let command = own.ignore_command.as_ref().or(defaults.ignore_command.as_ref())?;
    let cache = own.ignore_cache.as_ref().or(defaults.ignore_cache.as_ref());
    let cache = cache.map(|cache| IgnoreCache {
        key: cache.key.clone().unwrap_or_else(|| IGNORE_KEY.to_owned()),
        max_count: cache.max_count.unwrap_or(IGNORE_COUNT),
        max_time: cache.max_time.unwrap_or(IGNORE_TIME),
    });
    (!command.trim().is_empty()).then(|| IgnoreCommand { command: command.clone(), cache })
}

fn increment_settings(written: &file::Increment) -> Increment {
    Increment {
        factor: written.factor.unwrap_or(INCREMENT_FACTOR),
        formula: written.formula.clone(),
        multipliers: written.multipliers.clone(),
        max_time: written.max_time,
        random_time: written.random_time.unwrap_or(Duration::ZERO),
        overall_jails: written.overall_jails.unwrap_or(false),
    }
}
