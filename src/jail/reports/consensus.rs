//! When enough organisations agree: the weight of a vote, the sum of them, and how long a listing lasts by it.

use std::time::Duration;

use crate::clock::Timestamp;

/// A vote older than so many half-lives weighs less than a thousandth of its beginning, and nothing from then on.
const HALF_LIVES: u32 = 10;

/// A listing ends when the sum has fallen to this share of the threshold: were it the threshold itself, a listing would end
/// the moment after it began.
const KEEP: f64 = 0.5;

/// A listing's end is moved when it moves by at least this part of the half-life: not every report is a change of the list.
const STEP: u32 = 8;

/// The rule of one jail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consensus {
    /// A listing begins when the weights add up to this.
    pub threshold: f64,
    /// After so long a vote weighs half.
    pub half_life: Duration,
}

impl Consensus {
    /// What a vote weighs at `now` that was cast at `time` by an organisation of this trust:
    /// `trust · 2^(−age / half-life)`.
    pub fn weight(&self, trust: f64, time: Timestamp, now: Timestamp) -> f64 {
        let age = now.since(time);
        if age > self.horizon() { 0.0 } else { trust * (-self.half_lives(age)).exp2() }
    }

    /// A vote older than this counts for nothing.
    pub fn horizon(&self) -> Duration {
        self.half_life * HALF_LIVES
    }

    /// Whether a listing begins.
    pub fn begins(&self, sum: f64) -> bool {
        sum >= self.threshold
    }

    /// When a sum that is this at `now` will have fallen to half of the threshold, if no vote is added; `None` if it is below
    /// already. All votes decay alike, so this is `now + half-life · log2(sum / (threshold / 2))`.
    pub fn end(&self, sum: f64, now: Timestamp) -> Option<Timestamp> {
        let half_lives = (sum / (self.threshold * KEEP)).log2();
        (half_lives > 0.0).then(|| {
            now + self.half_life.mul_f64(half_lives.min(HALF_LIVES.into())).max(Duration::from_millis(1))
        })
    }

    /// Whether the end of a listing is another one, and not only by a little.
    pub fn moves(&self, old: Timestamp, new: Timestamp) -> bool {
        old.since(new).max(new.since(old)) >= self.half_life / STEP
    }

    fn half_lives(&self, age: Duration) -> f64 {
        age.as_secs_f64() / self.half_life.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn days(days: f64) -> Timestamp {
        Timestamp::from_millis((days * DAY as f64 * 1000.0) as i64)
    }

    /// Votes as trust and age in half-lives of a day, the sum, and after how many half-lives a listing would end.
    type Case = (&'static [(f64, f64)], f64, Option<f64>);

    const CASES: &[Case] = &[
        (&[], 0.0, None),
        (&[(1.0, 0.0)], 1.0, Some(0.415)),
        (&[(1.0, 0.0), (1.0, 0.0)], 2.0, Some(1.415)),
        (&[(1.0, 0.0), (1.0, 1.0)], 1.5, Some(1.0)),
        (&[(1.0, 1.0), (1.0, 1.0)], 1.0, Some(0.415)),
        (&[(0.5, 0.0), (0.25, 0.0)], 0.75, None),
        (&[(4.0, 2.0), (0.0, 0.0)], 1.0, Some(0.415)),
        (&[(1.0, 10.0)], 1.0 / 1024.0, None),
        (&[(1000.0, 10.01)], 0.0, None),
        (&[(1e6, 0.0)], 1e6, Some(10.0)),
    ];

    #[test]
    fn votes_add_up_and_decay() {
        let consensus = Consensus { threshold: 1.5, half_life: Duration::from_secs(DAY as u64) };
        let now = days(100.0);
        for (votes, expected, end) in CASES {
            let sum: f64 =
                votes.iter().map(|(trust, age)| consensus.weight(*trust, days(100.0 - age), now)).sum();
            assert!((sum - expected).abs() < 1e-9, "{votes:?} weigh {sum}");
            let lasts = consensus.end(sum, now).map(|end| end.since(now).as_secs_f64() / DAY as f64);
            match (lasts, end) {
                (Some(lasts), Some(end)) => assert!((lasts - end).abs() < 0.001, "{votes:?} last {lasts}"),
                (lasts, end) => assert_eq!(lasts, *end, "{votes:?}"),
            }
        }
    }

    #[test]
    fn the_end_is_where_the_sum_is_half_of_the_threshold() {
        let consensus = Consensus { threshold: 1.5, half_life: Duration::from_secs(DAY as u64) };
        let votes = [(1.0, days(0.0)), (0.7, days(1.3)), (2.0, days(2.0))];
        let sum = |now| votes.iter().map(|(trust, time)| consensus.weight(*trust, *time, now)).sum::<f64>();
        let end = consensus.end(sum(days(2.5)), days(2.5)).unwrap();
        assert!((sum(end) - 0.75).abs() < 1e-6);
        assert_eq!(consensus.end(sum(end + Duration::from_secs(1)), end + Duration::from_secs(1)), None);
    }

    #[test]
    fn only_a_step_moves_an_end() {
        let consensus = Consensus { threshold: 1.5, half_life: Duration::from_secs(8) };
        let at = Timestamp::from_millis;
        for (old, new, moves) in [(5_000, 5_999, false), (5_000, 6_000, true), (5_000, 4_000, true)] {
            assert_eq!(consensus.moves(at(old), at(new)), moves, "{old} to {new}");
        }
    }
}
