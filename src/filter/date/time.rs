//! From what a date says to a point in time, and from that to the time a line counts for.

use std::time::Duration;

use super::zone::Zone;
use crate::clock::Timestamp;

/// What a date in a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A point in time as it is.
    Epoch(Timestamp),
    /// A date and time of day.
    Civil(Civil),
}

/// A date and a time of day, as written: nothing is known to be in range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    /// The zone, in seconds east of UTC.
    pub(super) offset: Option<i32>,
}

/// How far a date without a year may lie in the future: clocks and zones differ by less.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// How many years back a date without a year is looked for: 29 February comes every eighth year at the rarest.
const YEARS_BACK: i16 = 8;

impl Moment {
    /// The point in time, or none if there is no such day or time of day.
    pub(super) fn resolve(self, local: &mut Zone, utc: &mut Zone, now: Timestamp) -> Option<Timestamp> {
        let seconds = match self {
            Self::Epoch(time) => return Some(time),
            Self::Civil(civil) => match civil.offset {
                Some(offset) => civil.seconds(utc, now)? - i64::from(offset),
                None => civil.seconds(local, now)?,
            },
        };
        Some(Timestamp::from_secs(seconds))
    }
}

impl Civil {
    /// Seconds since the epoch; without a year, in the latest one that puts it no more than a day after `now`.
    fn seconds(&self, zone: &mut Zone, now: Timestamp) -> Option<i64> {
        if let Some(year) = self.year {
            return zone.seconds(self, year);
        }
        let latest = (now + AHEAD).as_secs();
        let year = zone.year(latest)?;
        let years = (0..=YEARS_BACK).map(|back| year - back);
        years.into_iter().find_map(|year| zone.seconds(self, year).filter(|&seconds| seconds <= latest))
    }
}

/// In operation, a time further off than this is taken for a wrong one.
const TOLERANCE: Duration = Duration::from_secs(60);

/// The time a line counts for, by fail2ban's rules.
///
/// `found` is the line's own date, `last` the time of the line before it, and `live` says that the log has been read
/// to its end before, so that a line was written just now. A line without a date has the time of the line before it
/// if that is less than a minute old, else `now`. No line is later than `now`; a live one that claims to be
/// more than a minute old is of `now`.
pub fn line_time(found: Option<Timestamp>, last: Option<Timestamp>, now: Timestamp, live: bool) -> Timestamp {
    match found {
        Some(time) if time > now || (live && now.since(time) > TOLERANCE) => now,
        Some(time) => time,
        None => last.filter(|&last| last <= now && now.since(last) < TOLERANCE).unwrap_or(now),
    }
}
