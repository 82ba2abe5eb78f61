//! The date templates that are tried where a filter does not say how its log writes dates.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex::RegexSet;

use super::directive::{self, Years};
use super::template::Template;

/// The default patterns: first those that most logs use, so that few lines need many tries.
const PATTERNS: &[&str] = &[
    // `2026-11-22T08:04:12.892+01:00`, also with `/` or `.` in the date.
    r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?",
    // `Sun Nov 22 08:04:12.892 2026`, with as little as `Nov 22 08:04:12`.
    r"(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    // `Sun Nov 22 2026 08:04:12.892`.
    r"(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?",
    // `22/11/2026 08:04:12`, also with `-` and with `26`.
    r"%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy) %k:%M:%S",
    // `22/Nov/2026:08:04:12 +0100`, also with `-` and spaces.
    r"%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?",
    // `11/22/2026:08:04:12`.
    r"%m/%d/%ExY:%H:%M:%S",
    // `11-22-2026 08:04:12.892`.
    r"%m-%d-%ExY %k:%M:%S(?:\.%f)?",
    "EPOCH",
    "{^LN-BEG}%H:%M:%S",
    // `<11/22/26@08:04:12>`.
    r"^<%m/%d/%Exy@%H:%M:%S>",
    // `261122 08:04:12`.
    r"%Exy%Exm%Exd  ?%H:%M:%S",
    // `Nov 22, 2026 08:04:12 AM`.
    r"%b %d, %ExY %I:%M:%S %p",
    // `Nov-22-26 08:04:12`.
    r"^%b-%d-%Exy %k:%M:%S",
    // `20261122T080412`, also `20261122-08:04:12`.
    r"%ExY%Exm%Exd(?:-|T|  ?)%ExH:?%ExM:?%ExS(?:[.,]%f)?(?:\s*%z)?",
    // `CET Nov 22 08:04:12`.
    r"(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    // `+01:00 Nov 22 08:04:12`.
    r"(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    "TAI64N",
];

/// The default templates for one range of years.
#[derive(Debug)]
pub(super) struct Defaults {
    years: Years,
    /// The patterns as they stand.
    pub(super) originals: Vec<Arc<Template>>,
    /// Those at the start of a line, and behind them the originals.
    pub(super) all: Vec<Arc<Template>>,
    cores: OnceLock<RegexSet>,
    starts: OnceLock<RegexSet>,
}

/// What was made last: all logs of a process are read in the same years.
static MADE: Mutex<Option<Arc<Defaults>>> = Mutex::new(None);

impl Defaults {
    /// The default templates for these years.
    pub(super) fn of(years: Years) -> Arc<Self> {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        match made.as_ref() {
            Some(defaults) if defaults.years == years => defaults.clone(),
            _ => made.insert(Arc::new(Self::new(years))).clone(),
        }
    }

    fn new(years: Years) -> Self {
        let original = |(core, pattern): (usize, &&str)| {
            let template =
                Template::new(pattern, years).expect("the default patterns hold known directives only");
            Arc::new(template.with_core(core))
        };
        let originals: Vec<_> = PATTERNS.iter().enumerate().map(original).collect();
        let at_line = originals.iter().filter_map(|template| template.at_line(years)).map(Arc::new);
        let all = at_line.chain(originals.iter().cloned()).collect();
        Self { years, originals, all, cores: OnceLock::new(), starts: OnceLock::new() }
    }

    /// Fits at least what each of the patterns does, without regard to where in a line.
    pub(super) fn cores(&self) -> &RegexSet {
        self.cores.get_or_init(|| set("", self.years))
    }

    /// Fits at least what each of the patterns does at the start of a line.
    pub(super) fn starts(&self) -> &RegexSet {
        self.starts.get_or_init(|| set(r"^\W{0,2}", self.years))
    }
}

fn set(lead: &str, years: Years) -> RegexSet {
    let cores = PATTERNS.iter().map(|pattern| format!("{lead}{}", core(pattern, years)));
    RegexSet::new(cores).expect("the default patterns compile")
}

/// Without bounds, without look-around and with any two separators.
fn core(pattern: &str, years: Years) -> String {
    match pattern {
        "EPOCH" => return r"\d{10}".to_owned(),
        "TAI64N" => return "@[0-9a-f]{24}".to_owned(),
        _ => {}
    }
    let body = pattern.trim_start_matches("{^LN-BEG}").trim_start_matches('^').replace("(?P=_sep)", "[-/.]");
    let expanded = directive::expand(&body, years).expect("the default patterns hold known directives only");
    let flags = if directive::has_words(pattern) { "(?i)" } else { "" };
    format!("{flags}{}", expanded.regex)
}
