//! The only reader of the system time, and the point in time every stage speaks of.
//!
//! Everything below the daemon takes `now` as an argument; a test sets the clock and moves it by hand.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch. Log lines, bans and SQLite rows all count in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The point `seconds` seconds after the Unix epoch; beyond the representable range it saturates.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The full hour in UTC that this lies in.
    pub const fn start_of_hour(self) -> Self {
        self.round_down(3600)
    }

    /// The midnight in UTC that the day of this began with.
    pub const fn start_of_day(self) -> Self {
        self.round_down(86_400)
    }

    const fn round_down(self, seconds: i64) -> Self {
        Self::from_secs(self.as_secs().div_euclid(seconds) * seconds)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC with whole seconds, such as `2026-11-22T08:04:12Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_secs()) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "@{}", self.as_secs()),
        }
    }
}

/// Reads RFC 3339, with any offset; parts of a second down to milliseconds.
impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where `now` comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The time of this machine.
    System,
    /// A time that whoever holds a clone may set.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `time` until [`Clock::set`] moves it.
    pub fn at(time: Timestamp) -> Self {
        Self::Set(Arc::new(AtomicI64::new(time.as_millis())))
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Set(millis) => Timestamp(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a set clock to `time`; the system's clock is left alone.
    pub fn set(&self, time: Timestamp) {
        if let Self::Set(millis) = self {
            millis.store(time.as_millis(), Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one reader of the system time")]
fn system_now() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(span) => Timestamp(millis(span)),
        Err(before) => Timestamp(-millis(before.duration())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_moves_only_when_told() {
        let clock = Clock::at(Timestamp::from_secs(10));
        let other = clock.clone();
        assert_eq!(clock.now(), Timestamp::from_secs(10));
        clock.set(Timestamp::from_secs(11));
        assert_eq!(other.now(), Timestamp::from_secs(11));
    }

    #[test]
    fn arithmetic_saturates_and_shows_utc() {
        let time = Timestamp::from_secs(1_795_334_652);
        assert_eq!(time.to_string(), "2026-11-22T08:04:12Z");
        assert_eq!((time + Duration::MAX).as_millis(), i64::MAX);
        assert_eq!(time.since(time + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(-1).as_secs(), -1);
        assert_eq!(time.start_of_hour().to_string(), "2026-11-22T08:00:00Z");
        assert_eq!(time.start_of_day().to_string(), "2026-11-22T00:00:00Z");
    }
}
