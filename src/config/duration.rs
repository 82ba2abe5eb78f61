//! Spans of time as people write them, in fail2ban's units: `10m`, `1d12h30m`, `1.5h`, `4w`, `600`.

use std::time::Duration;

use crate::jail::BanTime;

/// What the units are called, in any case, and how many seconds each has.
const UNITS: &[(&[&str], f64)] = &[
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
    (&["w", "week", "weeks"], 604_800.0),
    (&["mo", "mon", "month", "months"], 2_629_800.0),
    (&["y", "year", "years"], 31_557_600.0),
];

/// Longer spans are slips of the finger, and would leave the calendar when added to a date.
pub const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

/// What was written is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// It has not the form of one.
    #[error("`{0}` is no duration: write it like \"10m\", \"1h30m\", \"7d\" or as a number of seconds")]
    Form(String),
    /// It has a unit nobody knows.
    #[error("`{0}` is no unit of time: use s, m, h, d, w, mo or y")]
    Unit(String),
    /// It is beyond [`LONGEST`].
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

/// Reads a span of time: numbers with units, added up; a number without a unit counts seconds.
pub fn parse(written: &str) -> Result<Duration, ParseDurationError> {
    let form = || ParseDurationError::Form(written.to_owned());
    let mut rest = written.trim();
    if rest.is_empty() {
        return Err(form());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, behind) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, behind) = split(behind.trim_start(), char::is_alphabetic);
        seconds += number.parse::<f64>().map_err(|_| form())? * unit_seconds(unit)?;
        rest = behind.trim_start();
    }
    if seconds > LONGEST.as_secs_f64() {
        return Err(ParseDurationError::TooLong(written.to_owned()));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| form())
}

/// Reads how long a ban lasts: a span of time, or `permanent` (fail2ban's `-1`).
pub fn parse_bantime(written: &str) -> Result<BanTime, ParseDurationError> {
    match written.trim() {
        "permanent" | "-1" => Ok(BanTime::Permanent),
        span => parse(span).map(BanTime::For),
    }
}

/// Writes a span of time so that [`parse`] reads the same whole seconds: `1d12h`, `0s`.
pub fn show(span: Duration) -> String {
    let mut seconds = span.as_secs();
    let mut shown = String::new();
    for (unit, size) in [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if seconds >= size {
            shown.push_str(&format!("{}{unit}", seconds / size));
            seconds %= size;
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// How many seconds a unit has; no unit is one of seconds.
pub(super) fn unit_seconds(unit: &str) -> Result<f64, ParseDurationError> {
    let name = unit.to_lowercase();
    let known = UNITS.iter().find(|(names, _)| names.contains(&name.as_str()));
    match known {
        Some((_, seconds)) => Ok(*seconds),
        None if unit.is_empty() => Ok(1.0),
        None => Err(ParseDurationError::Unit(unit.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        for (written, seconds) in [
            ("600", 600),
            ("10m", 600),
            ("10M", 600),
            ("1d12h30m", 131_400),
            ("1 d 12 hours", 129_600),
            ("1.5h", 5400),
            ("4w", 2_419_200),
            ("1mo", 2_629_800),
            ("1y 6mo", 47_336_400),
            ("0", 0),
            ("100y", 3_155_760_000),
        ] {
            assert_eq!(parse(written), Ok(Duration::from_secs(seconds)), "{written}");
        }
        for wrong in ["", "m", "-5m", "10x", "1h-5m", "1..5h", "1e9s", "inf", "101y", "\u{0663}m"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_reads_the_same() {
        for (seconds, shown) in [(0, "0s"), (90, "1m30s"), (3600, "1h"), (700_000, "1w1d2h26m40s")] {
            assert_eq!(show(Duration::from_secs(seconds)), shown);
            assert_eq!(parse(shown), Ok(Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn a_ban_may_last_for_ever() {
        assert_eq!(parse_bantime("-1"), Ok(BanTime::Permanent));
        assert_eq!(parse_bantime("permanent"), Ok(BanTime::Permanent));
        assert_eq!(parse_bantime("1h"), Ok(BanTime::For(Duration::from_secs(3600))));
    }
}
