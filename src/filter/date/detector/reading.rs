//! From the fields of a date to a point in time, by fail2ban's rules.
//!
//! In comes what a line says; what it leaves out is filled in from the present. Fractions of a second count for
//! nothing here.

use std::ops::Range;

use super::offset::{self, Wrong};
use super::template::{Compiled, Kind};
use crate::clock::Timestamp;
use crate::filter::date::zone::Zone;

/// What a piece of a date says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    Hour,
    HourOfHalf,
    Minute,
    Second,
    Half,
    WeekdayName,
    Weekday,
    DayOfYear,
    WeekFromSunday,
    WeekFromMonday,
    Zone,
}

/// The names of the groups that say something.
const FIELDS: &[(&str, Field)] = &[
    ("Y", Field::Year),
    ("y", Field::YearOfCentury),
    ("m", Field::Month),
    ("B", Field::MonthName),
    ("b", Field::MonthName),
    ("d", Field::Day),
    ("H", Field::Hour),
    ("I", Field::HourOfHalf),
    ("M", Field::Minute),
    ("S", Field::Second),
    ("p", Field::Half),
    ("A", Field::WeekdayName),
    ("a", Field::WeekdayName),
    ("w", Field::Weekday),
    ("j", Field::DayOfYear),
    ("U", Field::WeekFromSunday),
    ("W", Field::WeekFromMonday),
    ("z", Field::Zone),
    ("Z", Field::Zone),
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What a date says, as written: nothing is known to be in range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) year: Option<i32>,
    pub(super) month: Option<i32>,
    pub(super) day: Option<i32>,
    pub(super) hour: i32,
    pub(super) minute: i32,
    pub(super) second: i32,
    /// From Monday, which is 0.
    pub(super) weekday: Option<i32>,
    pub(super) day_of_year: Option<i32>,
    pub(super) week: Option<Week>,
    /// Minutes east of UTC.
    pub(super) offset: Option<i32>,
}

/// A week of the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Week {
    number: i32,
    from_sunday: bool,
}

/// Why there is no time in what fitted a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no such day, time of day or zone.
    Unreadable,
    /// fail2ban gives up the whole line over it.
    Fatal,
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Form => Self::Unreadable,
            Wrong::Unknown => Self::Fatal,
        }
    }
}

impl Field {
    /// What the group of this name says.
    pub(super) fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }
}

/// Where dates without a zone are at home.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) local: Zone,
    /// Minutes east of UTC, where the filter says so.
    pub(super) offset: Option<i32>,
}

impl Home {
    fn wall_clock(&mut self, now: Timestamp) -> Result<i64, Fault> {
        self.local.wall_clock(now.as_secs()).ok_or(Fault::Unreadable)
    }
}

/// The time of what fitted a template, in these groups of `line`.
pub(super) fn time(
    kind: Kind,
    compiled: &Compiled,
    line: &str,
    groups: &[Option<Range<usize>>],
    home: &mut Home,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let text = |group: usize| groups.get(group).cloned().flatten().map(|span| &line[span]);
    match kind {
        Kind::Epoch { group, long } => epoch(text(group).ok_or(Fault::Fatal)?, long).map(latest),
        Kind::Tai64n => tai64n(text(1).ok_or(Fault::Fatal)?).map(latest),
        Kind::Fields => {
            let fields = compiled.fields.iter().filter_map(|&(field, group)| Some((field, text(group)?)));
            let halves = compiled.fields.iter().filter(|(field, _)| *field == Field::Half);
            let half = halves.map(|&(_, group)| text(group)).next_back();
            Written::read(fields, half)?.time(home, now)
        }
    }
}

/// Seconds since the epoch; with 13 characters or more milliseconds, with 16 digits or more microseconds.
fn epoch(text: &str, long: bool) -> Result<Timestamp, Fault> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().map_err(|_| Fault::Unreadable)?;
    let millis = match text.len() {
        16.. if long && !text.contains('.') => whole / 1000,
        13.. if long => whole,
        _ => {
            let digits = format!("{fraction:0<3.3}").parse().map_err(|_| Fault::Unreadable)?;
            whole.saturating_mul(1000).saturating_add(digits)
        }
    };
    Ok(Timestamp::from_millis(millis))
}

/// No later than the calendar goes.
fn latest(time: Timestamp) -> Timestamp {
    time.min(Timestamp::from_secs(LAST))
}

/// The seconds of a label, without its first digit and without regard to leap seconds.
fn tai64n(text: &str) -> Result<Timestamp, Fault> {
    let digits = text.get(2..17).ok_or(Fault::Unreadable)?;
    i64::from_str_radix(digits, 16).map(Timestamp::from_secs).map_err(|_| Fault::Unreadable)
}

impl Written {
    /// Puts together the fields of a date in their order. `half` is the text of `%p`, if the pattern has one.
    fn read<'a>(
        fields: impl Iterator<Item = (Field, &'a str)>,
        half: Option<Option<&str>>,
    ) -> Result<Self, Fault> {
        let mut written = Self::default();
        for (field, text) in fields {
            written.take(field, text, half)?;
        }
        Ok(written)
    }

    fn take(&mut self, field: Field, text: &str, half: Option<Option<&str>>) -> Result<(), Fault> {
        match field {
            Field::Year => self.year = Some(number(text)?),
            Field::YearOfCentury => self.year = Some(this_century(number(text)?)),
            Field::Month => self.month = Some(number(text)?),
            Field::MonthName => self.month = Some(named(text, &MONTHS)? + 1),
            Field::Day => self.day = Some(number(text)?),
            Field::Hour => self.hour = number(text)?,
            Field::HourOfHalf => self.hour = of_half(number(text)?, half)?,
            Field::Minute => self.minute = number(text)?,
            Field::Second => self.second = number(text)?,
            Field::Half => {}
            Field::WeekdayName => self.weekday = Some(named(text, &WEEKDAYS)?),
            Field::Weekday => self.weekday = Some((number(text)? + 6) % 7),
            Field::DayOfYear => self.day_of_year = Some(number(text)?),
            Field::WeekFromSunday => self.week = Some(Week { number: number(text)?, from_sunday: true }),
            Field::WeekFromMonday => self.week = Some(Week { number: number(text)?, from_sunday: false }),
            Field::Zone => self.offset = Some(offset::minutes(text)?),
        }
        Ok(())
    }

    /// The time that is meant, with what is not said taken from the present.
    pub(super) fn time(mut self, home: &mut Home, now: Timestamp) -> Result<Timestamp, Fault> {
        let assume_year = self.year.is_none();
        let mut year = match self.year {
            Some(year) => year,
            None => home.local.year(now.as_secs()).ok_or(Fault::Unreadable)?.into(),
        };
        if self.month.is_none() || self.day.is_none() {
            year = self.day_in_year(year)?;
        }
        let assume_today = self.month.is_none() && self.day.is_none();
        if assume_today {
            let (_, month, day) = civil(home.wall_clock(now)?);
            (self.month, self.day) = (Some(month), Some(day));
        }
        let (Some(month), Some(day)) = (self.month, self.day) else {
            return Err(Fault::Fatal);
        };
        let offset = self.offset.or(home.offset);
        let mut seconds = midnight(year, month, day)? + self.of_day()?;
        seconds = in_calendar(seconds - i64::from(offset.unwrap_or(0)) * 60)?;
        // The present is always taken as the local clocks show it, even where the date is in another zone.
        if assume_today && seconds > home.wall_clock(now)? {
            seconds -= DAY;
        }
        if assume_year && seconds > home.wall_clock(now)? + DAY {
            seconds = midnight(year - 1, month, day)? + seconds.rem_euclid(DAY);
        }
        match offset {
            Some(_) => Ok(Timestamp::from_secs(seconds)),
            None => home.local.when_shown(seconds).map(Timestamp::from_secs).ok_or(Fault::Unreadable),
        }
    }

    /// Month and day from the day of the year, or from the day of a week of it. Gives the year they are in.
    fn day_in_year(&mut self, year: i32) -> Result<i32, Fault> {
        let day = match (self.day_of_year, self.week, self.weekday) {
            (Some(day), ..) => day,
            (None, Some(week), Some(weekday)) => week.day_of_year(weekday, midnight(year, 1, 1)?),
            _ => return Ok(year),
        };
        let seconds = midnight(year, 1, 1)? + i64::from(day - 1) * DAY;
        if !(FIRST..=LAST).contains(&seconds) {
            return Err(Fault::Unreadable);
        }
        let (year, month, day) = civil(seconds);
        (self.month, self.day) = (Some(month), Some(day));
        Ok(year)
    }

    /// Seconds since midnight. A leap second is no time of day.
    fn of_day(&self) -> Result<i64, Fault> {
        let valid = |value: i32, limit: i32| (0..limit).contains(&value);
        if !valid(self.hour, 24) || !valid(self.minute, 60) || !valid(self.second, 60) {
            return Err(Fault::Unreadable);
        }
        Ok(i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second))
    }
}

impl Week {
    /// The day of the year, from 1, that is the `weekday` of this week. Days before the first week are in week 0.
    fn day_of_year(self, weekday: i32, new_year: i64) -> i32 {
        let shift = i32::from(self.from_sunday);
        // The epoch began on a Thursday.
        let first = (new_year.div_euclid(DAY) + 3).rem_euclid(7) as i32;
        let (first, weekday) = ((first + shift) % 7, (weekday + shift) % 7);
        if self.number == 0 {
            return 1 + weekday - first;
        }
        1 + (7 - first) % 7 + 7 * (self.number - 1) + weekday
    }
}

fn number(text: &str) -> Result<i32, Fault> {
    text.trim().parse().map_err(|_| Fault::Unreadable)
}

/// The number of the name that `text` is, or begins, in `names`.
fn named(text: &str, names: &[&str]) -> Result<i32, Fault> {
    let text = text.to_lowercase();
    let fits = |name: &&str| **name == *text || name[..3] == *text;
    let at = names.iter().position(fits).ok_or(Fault::Unreadable)?;
    i32::try_from(at).map_err(|_| Fault::Unreadable)
}

/// There are no logs of the last century.
fn this_century(year: i32) -> i32 {
    if year <= 2000 { year + 2000 } else { year }
}

fn of_half(hour: i32, half: Option<Option<&str>>) -> Result<i32, Fault> {
    let half = match half {
        Some(None) => return Err(Fault::Fatal),
        Some(Some(half)) => half.to_lowercase(),
        None => String::new(),
    };
    Ok(match (half.as_str(), hour) {
        ("" | "am", 12) => 0,
        ("pm", hour) if hour != 12 => hour + 12,
        _ => hour,
    })
}

/// Seconds in a day.
const DAY: i64 = 24 * 60 * 60;
/// The first second of year 1.
const FIRST: i64 = -62_135_596_800;
/// The last second of year 9999.
const LAST: i64 = 253_402_300_799;

fn in_calendar(seconds: i64) -> Result<i64, Fault> {
    if (FIRST..=LAST).contains(&seconds) { Ok(seconds) } else { Err(Fault::Fatal) }
}

/// Seconds from 1970 to the beginning of a day, by the same clock.
fn midnight(year: i32, month: i32, day: i32) -> Result<i64, Fault> {
    const BEFORE: [i64; 12] = [306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
    const LENGTHS: [i32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let at = usize::try_from(month - 1).ok().filter(|&at| at < 12).ok_or(Fault::Unreadable)?;
    let length = LENGTHS[at] + i32::from(leap && month == 2);
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return Err(Fault::Unreadable);
    }
    // Years that begin in March have their leap day at the end.
    let year = i64::from(year) - i64::from(month < 3);
    let days = year * 365 + year / 4 - year / 100 + year / 400 + BEFORE[at] + i64::from(day) - 1;
    Ok((days - EPOCH_DAY) * DAY)
}

/// Days from 1 March of year 0 to the epoch.
const EPOCH_DAY: i64 = 719_468;

/// Year, month and day, `seconds` after the beginning of 1970 by the same clock.
fn civil(seconds: i64) -> (i32, i32, i32) {
    let days = seconds.div_euclid(DAY) + EPOCH_DAY;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month < 3);
    (year as i32, month as i32, day_of_month as i32)
}
