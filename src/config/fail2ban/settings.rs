//! A jail's options become the jail's settings.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};

use super::super::duration::LONGEST;
use super::super::encoding;
use super::super::error::{Error, Errors, Place};
use super::jail::{Jail, TRUE};
use super::parser::is_space;
use super::text::Text;
use super::{expression, parameters};
use crate::filter;
use crate::ip::{Prefix, PrefixSet};
use crate::jail::{
    BanTime, Formula, FormulaError, IgnoreCache, IgnoreCommand, Increment, MOST_ANSWERS, Settings,
};
use crate::source;

/// What fail2ban takes when the option is nowhere set.
const MAXRETRY: u32 = 3;
const MAX_MATCHES: usize = 5;
const FINDTIME: Duration = Duration::from_secs(600);
const BANTIME: BanTime = BanTime::For(Duration::from_secs(600));
const CACHE_COUNT: usize = 100;
const CACHE_TIME: Duration = Duration::from_secs(300);

/// So many lines are kept as evidence at the most, for every address that is counted.
const MOST_MATCHES: usize = 100;

/// fail2ban's own filter for those that are banned again and again, which reads fail2ban's log.
const RECIDIVE: &str = "recidive";

/// fail2ban's own formula, without spaces.
const DEFAULT_FORMULA: &str = "ban.Time*(1<<(ban.Countifban.Count<20else20))*banFactor";

/// Whether the jail counts the bans of others instead of reading a log.
pub(super) fn counts_bans(jail: &Jail) -> bool {
    jail.filter_name.as_deref() == Some(RECIDIVE)
}

/// The settings of `jail`, which reads `sources`.
pub(super) fn of_jail(
    jail: &Jail,
    sources: Vec<source::Settings>,
    notices: &mut Vec<Error>,
) -> Result<Settings, Errors> {
    let read = Options { jail };
    let ignore = Ignore::read(jail)?;
    let mut filter = jail.filter.settings.clone();
    if counts_bans(jail) {
        filter =
            filter::Settings { name: filter.name, dialect: filter.dialect, ..filter::Settings::default() };
    }
    filter.timezone = read.some("logtimezone").map(|text| text.as_str().to_owned());
    Ok(Settings {
        name: jail.name.as_str().into(),
        sources,
        filter,
        findtime: read.findtime()?,
        maxretry: read
            .number("maxretry")
            .map_or(MAXRETRY, |number| u32::try_from(number.max(1)).unwrap_or(u32::MAX)),
        bantime: read.bantime(notices)?,
        increment: read.increment()?,
        ignore: ignore.prefixes.into_iter().collect::<PrefixSet>(),
        ignore_names: ignore.names,
        ignore_files: ignore.files,
        ignore_command: read.ignore_command()?,
        ignore_self: read.flag("ignoreself", true),
        ipv6_prefix: 128,
        escalate: None,
        max_matches: read.number("maxmatches").map_or(MAX_MATCHES, |number| {
            usize::try_from(number.max(0)).unwrap_or(MOST_MATCHES).min(MOST_MATCHES)
        }),
        allow_reserved: PrefixSet::default(),
        encoding: read.encoding()?,
        counts_bans: counts_bans(jail),
        reports: None,
    })
}

struct Options<'a> {
    jail: &'a Jail,
}

impl Options<'_> {
    /// The value of an option that is set to something.
    fn some(&self, name: &str) -> Option<&Text> {
        self.jail.options.get(name).filter(|text| !text.as_str().is_empty())
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.jail.options.get(name).map_or(default, |flag| flag.as_str() == TRUE)
    }

    /// A number that was read as one before.
    fn number(&self, name: &str) -> Option<i64> {
        expression::integer(self.some(name)?.as_str())
    }

    fn seconds(&self, name: &str) -> Result<Option<(f64, &Place)>, Error> {
        let Some(text) = self.jail.options.get(name) else {
            return Ok(None);
        };
        match expression::seconds(text.as_str()) {
            Ok(seconds) => Ok(Some((seconds, text.place()))),
            Err(reason) => {
                let problem = format!("`{}` is no time: {reason}", text.as_str());
                Err(error(text.place(), name, &problem))
            }
        }
    }

    fn findtime(&self) -> Result<Duration, Error> {
        match self.seconds("findtime")? {
            None => Ok(FINDTIME),
            Some((seconds, _)) if seconds > 0.0 => Ok(span(seconds)),
            Some((_, place)) => {
                Err(error(place, "findtime", "no failure counts in no time: write findtime = 10m"))
            }
        }
    }

    fn bantime(&self, notices: &mut Vec<Error>) -> Result<BanTime, Error> {
        let Some((seconds, place)) = self.seconds("bantime")? else {
            return Ok(BANTIME);
        };
        match seconds.trunc() {
            -1.0 => Ok(BanTime::Permanent),
            negative if negative < 0.0 => {
                Err(error(place, "bantime", "it ends before it begins: write -1 for a ban without an end"))
            }
            whole => {
                if whole == 0.0 {
                    notices.push(error(place, "bantime", "bans that last no time are never published"));
                }
                Ok(BanTime::For(span(whole)))
            }
        }
    }

    fn increment(&self) -> Result<Option<Increment>, Error> {
        if !self.flag("bantime.increment", false) {
            return Ok(None);
        }
        let multipliers = self.multipliers()?;
        let formula = if multipliers.is_empty() { self.formula()? } else { None };
        Ok(Some(Increment {
            factor: self.factor()?,
            formula,
            multipliers,
            max_time: self.optional_span("bantime.maxtime")?,
            random_time: self.optional_span("bantime.rndtime")?.unwrap_or(Duration::ZERO),
            overall_jails: self.flag("bantime.overalljails", false),
        }))
    }

    fn optional_span(&self, name: &str) -> Result<Option<Duration>, Error> {
        if self.some(name).is_none() {
            return Ok(None);
        }
        match self.seconds(name)? {
            Some((seconds, place)) if seconds < 0.0 => {
                Err(error(place, name, "the time is negative: write 4w"))
            }
            other => Ok(other.map(|(seconds, _)| span(seconds))),
        }
    }

    fn factor(&self) -> Result<f64, Error> {
        let Some(text) = self.some("bantime.factor") else {
            return Ok(1.0);
        };
        expression::arithmetic(text.as_str()).map_err(|reason| error(text.place(), "bantime.factor", &reason))
    }

    fn multipliers(&self) -> Result<Vec<u32>, Error> {
        let Some(text) = self.some("bantime.multipliers") else {
            return Ok(Vec::new());
        };
        let number = |word: &str| {
            let problem = || {
                error(text.place(), "bantime.multipliers", &format!("`{word}` is no number: write 1 2 4 8"))
            };
            word.parse().map_err(|_| problem())
        };
        text.as_str().split(is_space).filter(|word| !word.is_empty()).map(number).collect()
    }

    /// What bans grow by, unless it is the usual formula.
    fn formula(&self) -> Result<Option<Formula>, Error> {
        let Some(text) = self.some("bantime.formula") else {
            return Ok(None);
        };
        let formula: String = text.as_str().chars().filter(|c| !is_space(*c)).collect();
        if formula == DEFAULT_FORMULA {
            return Ok(None);
        }
        let parsed = text.as_str().parse();
        parsed
            .map(Some)
            .map_err(|problem: FormulaError| error(text.place(), "bantime.formula", &problem.to_string()))
    }

    fn ignore_command(&self) -> Result<Option<IgnoreCommand>, Error> {
        let Some(command) = self.some("ignorecommand") else {
            return Ok(None);
        };
        let cache = self.some("ignorecache").map(ignore_cache).transpose()?;
        Ok(Some(IgnoreCommand { command: command.as_str().to_owned(), cache }))
    }

    fn encoding(&self) -> Result<Option<&'static Encoding>, Error> {
        let Some(text) = self.some("logencoding").filter(|text| !text.as_str().eq_ignore_ascii_case("auto"))
        else {
            return Ok(None);
        };
        match encoding::parse(text.as_str()) {
            Ok(encoding) => Ok(Some(encoding).filter(|encoding| *encoding != UTF_8)),
            Err(problem) => Err(error(text.place(), "logencoding", &problem)),
        }
    }
}

fn error(place: &Place, option: &str, problem: &str) -> Error {
    Error { place: place.clone(), message: format!("{option}: {problem}") }
}

/// Seconds that are not negative, as a span of time that fits the calendar.
fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(LONGEST, |span| span.min(LONGEST))
}

fn ignore_cache(text: &Text) -> Result<IgnoreCache, Error> {
    let wrong = |problem: &str| error(text.place(), "ignorecache", problem);
    let written = format!("cache[{}]", text.as_str());
    let (_, options) = parameters::split(&written).map_err(|reason| wrong(&reason))?;
    let Some(key) = options.get("key") else {
        return Err(wrong("`key` is missing: write key=\"<ip>\", max-count=100, max-time=5m"));
    };
    let max_count = match options.get("max-count") {
        None => CACHE_COUNT,
        Some(count) => expression::integer(count)
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| wrong(&format!("`{count}` is no number of answers: write max-count=100")))?,
    };
    let max_time = match options.get("max-time") {
        None => CACHE_TIME,
        Some(time) => match expression::seconds(time) {
            Ok(seconds) if seconds >= 0.0 => span(seconds),
            _ => return Err(wrong(&format!("`{time}` is no time: write max-time=5m"))),
        },
    };
    Ok(IgnoreCache { key: key.clone(), max_count: max_count.min(MOST_ANSWERS), max_time })
}

/// What `ignoreip` says, by kind.
#[derive(Default)]
struct Ignore {
    prefixes: Vec<Prefix>,
    names: Vec<String>,
    files: Vec<PathBuf>,
}

impl Ignore {
    fn read(jail: &Jail) -> Result<Self, Error> {
        let mut ignore = Self::default();
        for (line, place) in jail.options.get("ignoreip").into_iter().flat_map(Text::lines) {
            for word in line.split([' ', ',']).map(|word| word.trim_matches(is_space)) {
                if let Some(path) = word.strip_prefix("file:") {
                    ignore.files.push(path.into());
                } else if let Some(prefix) = prefix(word) {
                    ignore.prefixes.push(prefix);
                } else if word.contains('/') {
                    let problem = format!(
                        "`{word}` is no network: write 192.0.2.0/24, 192.0.2.0/255.255.255.0 or 2001:db8::/32"
                    );
                    return Err(error(place, "ignoreip", &problem));
                } else if !word.is_empty() {
                    ignore.names.push(word.to_owned());
                }
            }
        }
        Ok(ignore)
    }
}

/// An address, or one with the length of its network or a mask.
fn prefix(word: &str) -> Option<Prefix> {
    let bare = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(word);
    match bare.split_once('/') {
        None => bare.parse().ok().map(Prefix::host),
        Some((address, length)) => Prefix::new(address.parse().ok()?, prefix_length(length)?),
    }
}

fn prefix_length(written: &str) -> Option<u8> {
    let mask = match written.parse::<IpAddr>() {
        Ok(IpAddr::V4(mask)) => ipnet::ipv4_mask_to_prefix(mask).ok(),
        Ok(IpAddr::V6(mask)) => ipnet::ipv6_mask_to_prefix(mask).ok(),
        Err(_) => None,
    };
    mask.or_else(|| written.trim_matches(is_space).parse().ok())
}
