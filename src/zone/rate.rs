//! How often something may happen: a bucket that fills evenly and holds what comes in a second, kept in one number.

use crate::clock::Timestamp;

/// Parts of a millisecond, so that thousands in a second are told apart.
const TICKS: u64 = 1024;

/// One second.
const SECOND: u64 = 1000 * TICKS;

/// Times have so many bits, which last 12 days; they go round.
pub const TIME_BITS: u32 = 40;

/// The bits of a number that are a time.
pub const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// The highest rate. What is beyond is no limit.
pub const HIGHEST_RATE: u32 = 100_000;

/// So many a second, of which a second's worth may come at once (the generic cell rate algorithm of ITU-T I.371).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What one takes out of the bucket.
    share: u64,
}

impl Rate {
    /// `per_second` from 1 to [`HIGHEST_RATE`]; what is outside becomes the nearest of them.
    pub const fn new(per_second: u32) -> Self {
        let most = if per_second > HIGHEST_RATE { HIGHEST_RATE } else { per_second };
        Self { share: SECOND / if most == 0 { 1 } else { most as u64 } }
    }

    /// `due` is the number that is kept, 0 at first: when the bucket will be full again. It comes back with one taken out,
    /// or not at all if the bucket is empty.
    pub fn take(self, due: u64, now: Timestamp) -> Option<u64> {
        let debt = debt(due, now) + self.share;
        (debt <= SECOND).then(|| (ticks(now) + debt) & TIME_MASK)
    }
}

/// How much was taken out of a bucket and is not in it again, 0 for nothing. What lies in the past or more than a second
/// ahead is from long ago, or the clock was set.
pub fn debt(due: u64, now: Timestamp) -> u64 {
    let ahead = due.wrapping_sub(ticks(now)) & TIME_MASK;
    if ahead > SECOND { 0 } else { ahead }
}

fn ticks(time: Timestamp) -> u64 {
    time.as_millis().cast_unsigned().wrapping_mul(TICKS) & TIME_MASK
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

    /// How many of `tried` in the same moment go through.
    fn through(rate: Rate, due: &mut u64, now: Timestamp, tried: u32) -> u32 {
        let take = |_: &u32| rate.take(*due, now).inspect(|after| *due = *after).is_some();
        (0..tried).filter(take).count() as u32
    }

    #[test]
    fn a_seconds_worth_comes_at_once_and_then_as_it_fills() {
        for per_second in [1, 2, 50, 999, 10_000, HIGHEST_RATE] {
            let (rate, mut due) = (Rate::new(per_second), 0);
            let first = through(rate, &mut due, NOW, 2 * per_second);
            // Ticks are whole numbers, so that a little more than the rate may fit.
            assert!((per_second..=per_second + per_second / 10).contains(&first), "{per_second}: {first}");
            assert_eq!(through(rate, &mut due, NOW, 10), 0);
            let half = through(rate, &mut due, NOW + Duration::from_millis(500), 2 * per_second);
            assert!((per_second / 2..=per_second * 6 / 10).contains(&half), "{per_second}: {half}");
        }
    }

    #[test]
    fn a_clock_that_is_set_locks_nobody_out() {
        let (rate, mut due) = (Rate::new(1), 0);
        assert_eq!(through(rate, &mut due, NOW, 5), 1);
        assert_eq!(through(rate, &mut due, NOW - Duration::from_secs(3600), 5), 1);
        assert_eq!(through(rate, &mut due, NOW + Duration::from_secs(3600), 5), 1);
        assert_eq!(debt(due, NOW + Duration::from_secs(3600)), SECOND);
    }
}
