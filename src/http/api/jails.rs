//! The bodies that speak of one jail's settings and filter, and of failures that are ordered.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;
use crate::clock::Timestamp;
use crate::filter;
use crate::ip::Prefix;
use crate::jail::{BanTime, Settings};

/// The settings of a jail that are in force, with their fail2ban names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JailSettings {
    /// The jail.
    pub jail: String,
    /// Seconds of a first ban; null is permanent.
    pub bantime: Option<u64>,
    /// Longer bans for those that come back; null: none.
    pub increment: Option<IncrementSettings>,
    /// Seconds.
    pub findtime: u64,
    /// This many failures make a ban.
    pub maxretry: u32,
    /// How many lines are kept as evidence.
    pub maxmatches: usize,
    /// Addresses, networks, host names and `file:` paths that never fail here.
    pub ignoreip: Vec<String>,
    /// Whether the host's own addresses never fail here.
    pub ignoreself: bool,
    /// A command that excuses a failure by ending with 0.
    pub ignorecommand: Option<String>,
    /// How its answers are remembered; null: not at all.
    pub ignorecache: Option<IgnoreCacheSettings>,
    /// The encoding of the logs.
    pub logencoding: String,
    /// What a host name in the place of an address is worth: `yes`, `warn`, `no` or `raw`.
    pub usedns: String,
    /// The zone of dates that carry none; null: that of the machine.
    pub logtimezone: Option<String>,
    /// The filter's name.
    pub filter: String,
    /// How many lines the patterns see at once.
    pub maxlines: usize,
    /// What a line must match before the failregexes see it.
    pub prefregex: Option<String>,
    /// The patterns of failures.
    pub failregex: Vec<String>,
    /// The patterns of lines that are no failures all the same.
    pub ignoreregex: Vec<String>,
    /// The date formats; empty: every known one.
    pub datepattern: Vec<String>,
}

/// How bans grow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncrementSettings {
    /// Multiplies every grown ban time.
    pub factor: f64,
    /// How a ban time grows, unless there are multipliers; null: it doubles every time.
    #[serde(default)]
    pub formula: Option<String>,
    /// By the number of earlier bans; empty: by the formula.
    pub multipliers: Vec<u32>,
    /// Seconds; null: no limit.
    pub maxtime: Option<u64>,
    /// Seconds.
    pub rndtime: u64,
    /// Whether bans by other jails count too.
    pub overalljails: bool,
}

/// How answers of `ignorecommand` are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IgnoreCacheSettings {
    /// What an answer is remembered by, with tags such as `<ip>`.
    pub key: String,
    /// So many answers at the most.
    pub max_count: usize,
    /// Seconds.
    pub max_time: u64,
}

impl JailSettings {
    /// What `settings` say, with the list of addresses that are ignored as it is now.
    pub fn of(settings: &Settings, ignored: &[Prefix]) -> Self {
        let filter = &settings.filter;
        Self {
            jail: settings.name.to_string(),
            bantime: seconds(settings.bantime),
            increment: settings.increment.as_ref().map(|increment| IncrementSettings {
                factor: increment.factor,
                formula: increment.formula.as_ref().map(ToString::to_string),
                multipliers: increment.multipliers.clone(),
                maxtime: increment.max_time.map(|time| time.as_secs()),
                rndtime: increment.random_time.as_secs(),
                overalljails: increment.overall_jails,
            }),
            findtime: settings.findtime.as_secs(),
            maxretry: settings.maxretry,
            maxmatches: settings.max_matches,
            ignoreip: ignored_in_order(settings, ignored),
            ignoreself: settings.ignore_self,
            ignorecommand: settings.ignore_command.as_ref().map(|ignore| ignore.command.clone()),
            ignorecache: settings.ignore_command.as_ref().and_then(|ignore| ignore.cache.as_ref()).map(
                |cache| IgnoreCacheSettings {
                    key: cache.key.clone(),
                    max_count: cache.max_count,
                    max_time: cache.max_time.as_secs(),
                },
            ),
            logencoding: settings.encoding.map_or("UTF-8", |encoding| encoding.name()).to_owned(),
            usedns: used(filter).to_owned(),
            logtimezone: filter.timezone.clone(),
            filter: filter.name.clone(),
            maxlines: filter.maxlines.max(1),
            prefregex: filter.prefregex.clone(),
            failregex: filter.failregex.clone(),
            ignoreregex: filter.ignoreregex.clone(),
            datepattern: filter.datepattern.clone(),
        }
    }
}

/// In fail2ban's order: single addresses come last.
fn ignored_in_order(settings: &Settings, ignored: &[Prefix]) -> Vec<String> {
    let (hosts, networks): (Vec<&Prefix>, Vec<&Prefix>) = ignored.iter().partition(|prefix| prefix.is_host());
    let names = settings.ignore_names.iter().cloned();
    let files = settings.ignore_files.iter().map(|file| format!("file:{}", file.display()));
    let networks = networks.into_iter().map(ToString::to_string);
    networks.chain(names).chain(files).chain(hosts.into_iter().map(ToString::to_string)).collect()
}

fn seconds(time: BanTime) -> Option<u64> {
    match time {
        BanTime::For(span) => Some(span.as_secs()),
        BanTime::Permanent => None,
    }
}

/// How often the patterns of a jail's filter matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterHits {
    /// The filter's name.
    pub filter: String,
    /// When counting began: with the daemon, or with the reload that changed the filter.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// Lines that were read.
    pub lines: u64,
    /// Each failregex, in order.
    pub failregex: Vec<PatternHits>,
    /// Each ignoreregex, in order.
    pub ignoreregex: Vec<PatternHits>,
}

/// How often a pattern matched. A line counts for one of them: the first failregex that matches, or the ignoreregex that
/// takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PatternHits {
    /// It, as written.
    pub pattern: String,
    /// How many lines.
    pub hits: u64,
    /// The time of the latest of them; absent: there is none.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

impl FilterHits {
    /// The counts of the filter that `settings` name.
    pub fn of(settings: &filter::Settings, hits: &filter::Hits) -> Self {
        let of = |patterns: &[String], hits: &[filter::Hit]| {
            let each = patterns.iter().zip(hits);
            each.map(|(pattern, hit)| PatternHits {
                pattern: pattern.clone(),
                hits: hit.count,
                last: hit.last,
            })
            .collect()
        };
        Self {
            filter: settings.name.clone(),
            since: hits.since,
            lines: hits.lines,
            failregex: of(&settings.failregex, &hits.failregex),
            ignoreregex: of(&settings.ignoreregex, &hits.ignoreregex),
        }
    }
}

/// Names are looked up in fail2ban's filters only.
fn used(filter: &filter::Settings) -> &'static str {
    use filter::{Dialect, UseDns};
    match (filter.dialect, filter.use_dns) {
        (Dialect::Banzone, _) | (_, UseDns::No) => "no",
        (_, UseDns::Yes) => "yes",
        (_, UseDns::Warn) => "warn",
        (_, UseDns::Raw) => "raw",
    }
}

/// One setting of a jail that is to be another until the next reload or restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum JailChange {
    /// Seconds; null is permanent.
    Bantime(Option<u64>),
    /// Seconds.
    Findtime(u64),
    /// At least 1.
    Maxretry(NonZeroU32),
    /// How many lines are kept as evidence, at most [`MAX_LINES`].
    Maxmatches(u16),
    /// Whether the host's own addresses never fail here.
    Ignoreself(bool),
    /// These never fail here.
    AddIgnoreip(Vec<Prefix>),
    /// This one may fail again.
    DelIgnoreip(Prefix),
}

/// A failure by order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFailure {
    /// Who failed.
    pub prefix: Prefix,
    /// What shows it, a line for each failure, at most [`MAX_LINES`]; without any it is one failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// The outcome of [`NewFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counted {
    /// Always 1.
    pub counted: u64,
}

/// So many lines can be handed over with a failure or a ban.
pub const MAX_LINES: usize = 100;
