//! The directives of a date pattern: `%Y` and its kin, the text they fit and the words reports have for them.
//!
//! In comes a pattern as a filter writes it; out go a regular expression in Python's syntax, in which every
//! directive is a group named by its letter, and the name of the pattern in a report.

use crate::clock::Timestamp;

/// The years that `%ExY` fits: whole decades from the first of this century on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Years {
    /// The last decade, as the first three digits of its years.
    pub(super) last: i16,
}

/// A year that programs were written in: a clock that shows an earlier one is set for a replay of old logs.
const WRITTEN: i16 = 2026;

/// No clock that is right shows a later one.
const LATEST: i16 = 2096;

/// How many years ahead of the present a log may be dated.
const AHEAD: i16 = 3;

/// The first decade of the century.
const FIRST_DECADE: i16 = 200;

impl Years {
    /// The decades up to that of three years from `now`.
    pub(super) fn at(now: Timestamp) -> Self {
        let year = jiff::Timestamp::from_second(now.as_secs())
            .map_or(WRITTEN, |time| jiff::tz::TimeZone::UTC.to_datetime(time).year());
        Self { last: (year.clamp(WRITTEN, LATEST) + AHEAD) / 10 }
    }

    fn regex(self) -> String {
        let decades: Vec<String> = (FIRST_DECADE..=self.last).map(|decade| decade.to_string()).collect();
        format!(r"(?P<Y>(?:{})\d)", decades.join("|"))
    }
}

/// A pattern with its directives written out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) regex: String,
    pub(super) name: String,
}

const HOUR: &str = r"(?P<H>[0-1]?\d|2[0-3])";
const WEEK: &str = r"5[0-3]|[0-4]\d|\d";
const OFFSET: &str = r"[+-][01]\d(?::?\d{2})?";
const ABBREVIATION: &str = r"[A-Z](?:[A-Z]{2,4})?";
const DAYS: &str = "mon|tue|wed|thu|fri|sat|sun";
const MONTHS: &str = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";

/// Of each directive the letters and the word in reports. Longer ones stand before those they begin with.
const NAMES: &[(&str, &str)] = &[
    ("ExY", "ExYear"),
    ("Exy", "ExYear2"),
    ("Exm", "ExMonth"),
    ("Exd", "ExDay"),
    ("ExH", "Ex24hour"),
    ("Exk", "%Exk"),
    ("Exl", "%Exl"),
    ("ExM", "ExMinute"),
    ("ExS", "ExSecond"),
    ("Exz", "ExZone offset"),
    ("ExZ", "ExZone name"),
    ("Y", "Year"),
    ("y", "Year2"),
    ("m", "Month"),
    ("B", "MONTH"),
    ("b", "MON"),
    ("d", "Day"),
    ("A", "DAYNAME"),
    ("a", "DAY"),
    ("H", "24hour"),
    ("k", "%k"),
    ("I", "12hour"),
    ("l", "%l"),
    ("M", "Minute"),
    ("S", "Second"),
    ("f", "Microseconds"),
    ("p", "AMPM"),
    ("z", "Zone offset"),
    ("Z", "Zone name"),
    ("j", "Yearday"),
    ("U", "Yearweek"),
    ("W", "Yearweek"),
    ("w", "Weekday"),
    ("u", "%u"),
    ("V", "%V"),
    ("G", "%G"),
    ("c", "%c"),
    ("x", "%x"),
    ("X", "%X"),
    ("%", "%"),
];

/// What the directive of these letters fits.
fn regex(letters: &str, years: Years) -> String {
    let fixed = match letters {
        "ExY" => return years.regex(),
        "Exz" => return format!("(?P<z>(?:{ABBREVIATION})?{OFFSET}|{ABBREVIATION})"),
        "ExZ" => return format!("(?P<Z>{ABBREVIATION})"),
        "z" => return format!("(?P<z>Z|UTC|GMT|{OFFSET})"),
        "Exk" => return format!(" ?{HOUR}"),
        "U" | "W" => return format!("(?P<{letters}>{WEEK})"),
        "a" => return format!("(?P<a>{DAYS})"),
        "b" => return format!("(?P<b>{MONTHS})"),
        "c" => {
            let (day, time) = (r"(?P<d>3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9])", regex("X", years));
            return format!(r"(?P<a>{DAYS})\s+(?P<b>{MONTHS})\s+{day}\s+{time}\s+(?P<Y>\d{{4}})");
        }
        "Exy" | "y" => r"(?P<y>\d{2})",
        "Exm" => "(?P<m>0[1-9]|1[0-2])",
        "Exd" => r"(?P<d>[1-2]\d|0[1-9]|3[0-1])",
        "ExH" => r"(?P<H>[0-1]\d|2[0-3])",
        "Exl" => r" ?(?P<I>1[0-2]|\d)",
        "ExM" => r"(?P<M>[0-5]\d)",
        "ExS" => r"(?P<S>[0-5]\d|6[0-1])",
        "Y" => r"(?P<Y>\d{4})",
        "G" => r"(?P<G>\d{4})",
        "m" => "(?P<m>0?[1-9]|1[0-2])",
        "d" => r"(?P<d>[1-2]\d|[0 ]?[1-9]|3[0-1])",
        "A" => "(?P<A>monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
        "B" => "(?P<B>january|february|march|april|may|june|july|august|september|october|november|december)",
        "H" => HOUR,
        "k" => r" ?(?P<H>[0-2]?\d)",
        "I" => "(?P<I>1[0-2]|0[1-9]|[1-9])",
        "l" => r" ?(?P<I>1?\d)",
        "M" => r"(?P<M>[0-5]?\d)",
        "S" => r"(?P<S>[0-5]?\d|6[0-1])",
        "f" => "(?P<f>[0-9]{1,6})",
        "p" => "(?P<p>am|pm)",
        "Z" => "(?P<Z>Z|[A-Z]{3,5})",
        "j" => r"(?P<j>36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9])",
        "w" => "(?P<w>[0-6])",
        "u" => "(?P<u>[1-7])",
        "V" => r"(?P<V>5[0-3]|0[1-9]|[1-4]\d|\d)",
        "x" => r"(?P<m>1[0-2]|0[1-9]|[1-9])/(?P<d>3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9])/(?P<y>\d\d)",
        "X" => r"(?P<H>2[0-3]|[0-1]\d|\d):(?P<M>[0-5]\d|\d):(?P<S>6[0-1]|[0-5]\d|\d)",
        _ => "%",
    };
    fixed.to_owned()
}

/// Writes out the directives of `pattern`, or says at which byte there is a `%` that begins none.
pub(super) fn expand(pattern: &str, years: Years) -> Result<Expanded, usize> {
    let mut expanded = Expanded { regex: String::new(), name: String::new() };
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        let (before, directive) = (&rest[..at], &rest[at + 1..]);
        let known = NAMES.iter().find(|(letters, _)| directive.starts_with(letters));
        let (letters, name) = known.ok_or(pattern.len() - rest.len() + at)?;
        expanded.regex.push_str(before);
        expanded.regex.push_str(&regex(letters, years));
        expanded.name.push_str(before);
        expanded.name.push_str(name);
        rest = &directive[letters.len()..];
    }
    expanded.regex.push_str(rest);
    expanded.name.push_str(rest);
    Ok(expanded)
}

/// Whether a pattern has letters in it that logs write in either case.
pub(super) fn has_words(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    (1..bytes.len()).any(|at| {
        bytes[at - 1] == b'%' && b"aAbBpc".contains(&bytes[at]) && (at < 2 || bytes[at - 2] != b'%')
    })
}
