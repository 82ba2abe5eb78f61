//! Which days a report is about, and which it compares them with. Days are those of UTC.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{ToSpan, Unit};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::Span;

/// A report is about no more days: so many are kept, and a table of more would be read by nobody.
pub const LONGEST: u32 = 400;

/// A day in UTC, written `2026-11-28`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// What was written is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day: write 2026-11-28")]
pub struct ParseDayError(String);

impl Day {
    /// The day that `time` lies in; the epoch for times that no calendar has.
    pub fn of(time: Timestamp) -> Self {
        let time = jiff::Timestamp::from_second(time.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(time.to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        let start = self.0.to_zoned(jiff::tz::TimeZone::UTC).map(|start| start.timestamp().as_second());
        Timestamp::from_secs(start.unwrap_or_default())
    }

    /// So many days later, or earlier.
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.days()))
    }

    fn plus_months(self, months: i64) -> Self {
        Self(self.0.saturating_add(months.months()))
    }

    fn is_first_of_month(self) -> bool {
        self.0.day() == 1
    }

    /// As people say it on an axis, such as `Sat 28`.
    pub fn short(self) -> String {
        self.0.strftime("%a %-d").to_string()
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDayError(text.to_owned());
        let date: Date = text.parse().map_err(|_| error())?;
        // A date with a time would be cut without a word.
        let is_plain = text.len() == "2026-11-28".len() && (1970..=9998).contains(&date.year());
        if is_plain { Ok(Self(date)) } else { Err(error()) }
    }
}

impl TryFrom<String> for Day {
    type Error = ParseDayError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How long a period is that has an end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first of a month to its last.
    Month,
}

/// Some days, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub from: Day,
    /// The first day behind it.
    pub until: Day,
}

/// Why days are no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It ends before it begins.
    #[error("a period from {from} until {until} has no day: `until` is the first day behind it")]
    Empty {
        /// The first day.
        from: Day,
        /// The first day behind it.
        until: Day,
    },
    /// It is too long.
    #[error("a period of {0} days is too long: at most {LONGEST} are kept")]
    TooLong(u32),
}

impl Period {
    /// From one day until another, which is the first that is not in it.
    pub fn new(from: Day, until: Day) -> Result<Self, PeriodError> {
        let period = Self { from, until };
        match period.days() {
            0 => Err(PeriodError::Empty { from, until }),
            days if days > LONGEST => Err(PeriodError::TooLong(days)),
            _ => Ok(period),
        }
    }

    /// The last one of this length that is over on `today`.
    pub fn last(length: Length, today: Day) -> Self {
        match length {
            Length::Day => Self { from: today.plus(-1), until: today },
            Length::Week => {
                let monday = today.plus(-i64::from(today.0.weekday().to_monday_zero_offset()));
                Self { from: monday.plus(-7), until: monday }
            }
            Length::Month => {
                let first = Day(today.0.first_of_month());
                Self { from: first.plus_months(-1), until: first }
            }
        }
    }

    /// How many days it has.
    pub fn days(self) -> u32 {
        let days = self.from.0.until((Unit::Day, self.until.0)).map_or(0, |span| span.get_days());
        u32::try_from(days).unwrap_or(0)
    }

    /// The one that it is compared with: the month before a month, or as many days before it.
    pub fn before(self) -> Self {
        let is_month = self.from.is_first_of_month() && self.from.plus_months(1) == self.until;
        let from = if is_month { self.from.plus_months(-1) } else { self.from.plus(-i64::from(self.days())) };
        Self { from, until: self.from }
    }

    /// The last day of it.
    pub fn last_day(self) -> Day {
        self.until.plus(-1)
    }

    /// As the store has it.
    pub fn span(self) -> Span {
        Span { from: self.from.start(), until: self.until.start() }
    }

    /// The beginnings of its hours, or of its days, and how long each is: hours of one or two days, days of more.
    pub(super) fn step(self) -> Duration {
        Duration::from_secs(if self.days() <= 2 { 3600 } else { 86_400 })
    }
}

/// One day, or the first and the last.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from)?;
        if self.days() > 1 { write!(f, " to {}", self.last_day()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_those_of_utc() {
        let time = Timestamp::from_secs(1_795_334_652);
        assert_eq!(Day::of(time), day("2026-11-22"));
        assert_eq!(day("2026-11-22").start(), time.start_of_day());
        assert_eq!(day("2026-11-22").short(), "Sun 22");
        assert_eq!(Day::of(Timestamp::from_millis(i64::MAX)), day("1970-01-01"));
        for wrong in
            ["", "2026-11-31", "2026-11-22T10:00:00", "today", "0026-11-22", "-00001-01-01", "9999-12-31"]
        {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_period_is_compared_with_the_one_before() {
        for (today, length, period, before) in [
            ("2026-11-28", Length::Day, "2026-11-27", "2026-11-26"),
            ("2026-11-28", Length::Week, "2026-11-16 to 2026-11-22", "2026-11-09 to 2026-11-15"),
            ("2026-11-23", Length::Week, "2026-11-16 to 2026-11-22", "2026-11-09 to 2026-11-15"),
            ("2026-11-28", Length::Month, "2026-10-01 to 2026-10-31", "2026-09-01 to 2026-09-30"),
            ("2026-03-01", Length::Month, "2026-02-01 to 2026-02-28", "2026-01-01 to 2026-01-31"),
        ] {
            let last = Period::last(length, day(today));
            assert_eq!(last.to_string(), period, "{length:?} before {today}");
            assert_eq!(last.before().to_string(), before, "{length:?} before {today}");
        }
        let own = Period::new(day("2026-11-05"), day("2026-11-08")).unwrap();
        assert_eq!(own.before().to_string(), "2026-11-02 to 2026-11-04");
    }

    #[test]
    fn a_period_has_days_and_not_too_many() {
        let error = |from, until| Period::new(day(from), day(until)).unwrap_err().to_string();
        assert!(error("2026-11-05", "2026-11-05").contains("has no day"));
        assert!(error("2026-11-06", "2026-11-05").contains("has no day"));
        assert!(error("2024-01-01", "2026-01-01").contains("731 days is too long"));
    }
}
