//! Local time in one zone, fast for many lines of the same hour.

use std::cell::OnceCell;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::super::{Error, Place};
use super::time::Civil;

/// A zone and the hours last asked for.
#[derive(Debug)]
pub(super) struct Zone {
    /// That of this machine if it is empty: finding that takes a while, and dates that say their zone need none. It is found at
    /// the first date that does, and kept.
    zone: OnceCell<TimeZone>,
    /// By the last bit of the year, as a date without one is tried in two years running.
    hours: [Option<Hour>; 2],
    /// The last quarter of an hour asked for, and its year.
    year: Option<(i64, i16)>,
    /// The last quarter of an hour asked for, and how far the zone was off UTC in it.
    offset: Option<(i64, i64)>,
    /// The last hour that clocks showed and that was asked for, and how far the zone was off UTC in all of it.
    shown: Option<(i64, i64)>,
}

/// An hour in which the zone's offset stays the same.
#[derive(Clone, Copy, Debug)]
struct Hour {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    /// Seconds since the epoch at its start.
    start: i64,
}

/// In seconds.
const HOUR: i64 = 60 * 60;

/// In seconds. No zone is off UTC by anything finer, so the year does not change within one.
const QUARTER_HOUR: i64 = 15 * 60;

impl Zone {
    /// The zone of this name or offset, or that of this machine.
    pub(super) fn new(name: Option<&str>) -> Result<Self, Error> {
        Ok(Self::of(name.map(named).transpose()?.map_or_else(OnceCell::new, OnceCell::from)))
    }

    pub(super) fn utc() -> Self {
        Self::of(TimeZone::UTC.into())
    }

    fn of(zone: OnceCell<TimeZone>) -> Self {
        Self { zone, hours: [None; 2], year: None, offset: None, shown: None }
    }

    fn zone(&self) -> &TimeZone {
        self.zone.get_or_init(TimeZone::system)
    }

    /// Seconds since the epoch at `civil` in `year`, or none if there is no such time. Where the clocks go forward, a
    /// time left out counts as if they had not yet; where they go back, a time that comes twice is the first.
    pub(super) fn seconds(&mut self, civil: &Civil, year: i16) -> Option<i64> {
        let slot = usize::from(year & 1 != 0);
        let hour = match self.hours[slot] {
            Some(hour) if hour.is(civil, year) => hour,
            _ => match self.hour(civil, year)? {
                Ok(hour) => *self.hours[slot].insert(hour),
                Err(seconds) => return Some(seconds),
            },
        };
        in_hour(civil).map(|seconds| hour.start + seconds)
    }

    /// The hour of `civil`, or if the zone's offset changes in it, the time itself.
    fn hour(&self, civil: &Civil, year: i16) -> Option<Result<Hour, i64>> {
        let first = DateTime::new(year, civil.month, civil.day, civil.hour, 0, 0, 0).ok()?;
        let last = DateTime::new(year, civil.month, civil.day, civil.hour, 59, 59, 0).ok()?;
        let (first, last) =
            (self.zone().to_ambiguous_timestamp(first), self.zone().to_ambiguous_timestamp(last));
        if matches!(first.offset(), AmbiguousOffset::Unambiguous { .. }) && first.offset() == last.offset() {
            let start = first.compatible().ok()?.as_second();
            let Civil { month, day, hour, .. } = *civil;
            return Some(Ok(Hour { year, month, day, hour, start }));
        }
        let second = civil.second.min(59);
        let time = DateTime::new(year, civil.month, civil.day, civil.hour, civil.minute, second, 0).ok()?;
        Some(Err(self.zone().to_timestamp(time).ok()?.as_second()))
    }

    /// What the clocks in this zone show, `seconds` after the epoch, in seconds from the beginning of 1970 there.
    pub(super) fn wall_clock(&mut self, seconds: i64) -> Option<i64> {
        let quarter = seconds.div_euclid(QUARTER_HOUR);
        let offset = match self.offset {
            Some((known, offset)) if known == quarter => offset,
            _ => {
                let time = jiff::Timestamp::from_second(seconds).ok()?;
                let offset = i64::from(self.zone().to_offset(time).seconds());
                self.offset = Some((quarter, offset));
                offset
            }
        };
        Some(seconds + offset)
    }

    /// The time when clocks in this zone show `seconds` from the beginning of 1970 there, by the rules of
    /// [`Zone::seconds`].
    pub(super) fn when_shown(&mut self, seconds: i64) -> Option<i64> {
        let hour = seconds.div_euclid(HOUR);
        if let Some((known, offset)) = self.shown
            && known == hour
        {
            return Some(seconds - offset);
        }
        let at = |seconds: i64| {
            let time = jiff::Timestamp::from_second(seconds).ok()?;
            Some(self.zone().to_ambiguous_timestamp(TimeZone::UTC.to_datetime(time)))
        };
        let (first, last) = (at(hour * HOUR)?, at(hour * HOUR + HOUR - 1)?);
        let steady =
            matches!(first.offset(), AmbiguousOffset::Unambiguous { .. }) && first.offset() == last.offset();
        let time = at(seconds)?.compatible().ok()?.as_second();
        self.shown = steady.then_some((hour, seconds - time));
        Some(time)
    }

    /// The year in this zone, `seconds` after the epoch.
    pub(super) fn year(&mut self, seconds: i64) -> Option<i16> {
        let quarter = seconds.div_euclid(QUARTER_HOUR);
        match self.year {
            Some((known, year)) if known == quarter => Some(year),
            _ => {
                let time = jiff::Timestamp::from_second(seconds).ok()?;
                let year = self.zone().to_datetime(time).year();
                self.year = Some((quarter, year));
                Some(year)
            }
        }
    }
}

impl Hour {
    fn is(&self, civil: &Civil, year: i16) -> bool {
        (self.hour, self.day, self.month, self.year) == (civil.hour, civil.day, civil.month, year)
    }
}

/// Seconds since the full hour; a leap second is the one before it again.
fn in_hour(civil: &Civil) -> Option<i64> {
    let (minute, second) = (civil.minute, civil.second);
    ((0..60).contains(&minute) && (0..=60).contains(&second))
        .then(|| i64::from(minute) * 60 + i64::from(second.min(59)))
}

fn named(name: &str) -> Result<TimeZone, Error> {
    if let Some(offset) = super::format::offset(name.as_bytes())
        && let Ok(offset) = jiff::tz::Offset::from_seconds(offset)
    {
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(name).map_err(|error| {
        let remedy = "write UTC, an offset such as +02:00, or a name of the time zone database (package tzdata) \
                      such as Europe/Zurich";
        Error::new(Place::Timezone, format!("{name:?}: {error}"), remedy)
    })
}
