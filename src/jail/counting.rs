//! Counting failures towards a ban, with fail2ban's arithmetic: an estimate of the rate, not an exact window, at
//! constant memory for each address.

use std::time::Duration;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::evidence::Evidence;
use super::schedule::Schedule;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// A jail counts at most this many addresses at a time; beyond it the ones that have been quiet longest are let go, so
/// that an attack from millions of addresses can't exhaust the memory (about 300 bytes each, beside their lines).
const MAX_COUNTED: usize = 1_000_000;

/// A jail that keeps lines of this many bytes in all goes on counting without lines.
const MAX_LINE_BYTES: usize = 64 << 20;

/// What is known of the failures of one address that is not banned yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// When the interval that `retry` stands for began.
    pub first: Timestamp,
    /// The last failure.
    pub last: Timestamp,
    /// Failures in the interval, scaled when the interval was cut to the findtime; known offenders weigh more.
    pub retry: u32,
    /// Failures as they were seen, unscaled.
    pub failures: u32,
    /// The last lines, oldest first.
    pub lines: Evidence,
}

/// One failure on its way into a counter.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// How much it weighs: 1, or more for a known offender.
    pub weight: u32,
    /// The lines before it that belong to it, oldest first.
    pub earlier: &'a [String],
    /// The line that shows it.
    pub line: &'a str,
}

/// The counters of one jail.
#[derive(Debug)]
pub struct Counters {
    findtime: Duration,
    max_lines: usize,
    /// The counters stand one behind the other, so that there is little to look for beside them.
    counters: IndexMap<Prefix, Counted, RandomState>,
    /// The same counters by their last failure, to let the quietest go first.
    by_age: Schedule<Prefix>,
    /// What differs from what the store knows; some stand here twice.
    touched: Vec<Prefix>,
    /// How often the store was told.
    round: u64,
    /// How long all lines are together.
    line_bytes: usize,
}

/// A counter, and what the store knows of it.
#[derive(Debug)]
struct Counted {
    counter: Counter,
    /// In which round it changed last; `None` if the store knows it as it is.
    touched: Option<u64>,
}

impl Counters {
    /// No failures yet.
    pub fn new(findtime: Duration, max_lines: usize) -> Self {
        Self {
            findtime,
            max_lines,
            counters: IndexMap::default(),
            by_age: Schedule::default(),
            touched: Vec::new(),
            round: 0,
            line_bytes: 0,
        }
    }

    /// Takes over a counter that the store kept.
    pub fn restore(&mut self, prefix: Prefix, counter: Counter) {
        self.by_age.add(counter.last, prefix);
        self.line_bytes += counter.lines.bytes();
        self.counters.insert(prefix, Counted { counter, touched: None });
    }

    /// Goes on with another findtime and another number of lines after a reload.
    pub fn reconfigure(&mut self, findtime: Duration, max_lines: usize) {
        self.findtime = findtime;
        self.max_lines = max_lines;
    }

    /// Counts one failure of `prefix` and tells how many weigh on it now.
    pub fn add(&mut self, prefix: Prefix, attempt: &Attempt<'_>) -> u32 {
        let counted = self.counters.entry(prefix).or_insert_with(|| {
            self.by_age.add(attempt.time, prefix);
            Counted { counter: Counter::new(attempt.time), touched: None }
        });
        let counter = &mut counted.counter;
        counter.advance(attempt.time, self.findtime);
        let has_room = self.line_bytes < MAX_LINE_BYTES;
        counter.add(attempt, if has_room { self.max_lines } else { 0 }, &mut self.line_bytes);
        let retry = counter.retry;
        if counted.touched.replace(self.round) != Some(self.round) {
            self.touched.push(prefix);
        }
        self.shrink_to(MAX_COUNTED);
        retry
    }

    /// Takes the counter of `prefix` away, because it led to a ban or the address is forgiven.
    pub fn remove(&mut self, prefix: Prefix) -> Option<Counter> {
        let Counted { counter, touched } = self.counters.swap_remove(&prefix)?;
        self.line_bytes -= counter.lines.bytes();
        if touched != Some(self.round) {
            self.touched.push(prefix);
        }
        let known = self.counters.iter().map(|(prefix, counted)| (counted.counter.last, *prefix));
        self.by_age.leave_out_gone(self.counters.len(), known);
        Some(counter)
    }

    /// Takes away every counter inside `prefix`, or all of them.
    pub fn remove_within(&mut self, prefix: Option<Prefix>) {
        let is_inside = |counted: &Prefix| prefix.is_none_or(|prefix| prefix.covers(*counted));
        let inside: Vec<Prefix> = self.counters.keys().copied().filter(is_inside).collect();
        for counted in inside {
            self.remove(counted);
        }
    }

    /// Lets go of everything that has been quiet for the findtime.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some(prefix) = self.quiet_since(now - self.findtime) {
            self.remove(prefix);
        }
    }

    /// The counter that has been quiet longest, if it has been since `time`.
    fn quiet_since(&mut self, time: Timestamp) -> Option<Prefix> {
        let last = |prefix| self.counters.get(&prefix).map(|counted| counted.counter.last);
        self.by_age.first_due(time, last).map(|(_, prefix)| prefix)
    }

    /// The counter of `prefix`, if there is one.
    pub fn get(&self, prefix: Prefix) -> Option<&Counter> {
        self.counters.get(&prefix).map(|counted| &counted.counter)
    }

    /// How many addresses are being counted.
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// What changed since the last call, or since [`Counters::pass_over_touched`]: the state now, or `None` where the
    /// counter is gone.
    pub fn take_touched(&mut self) -> Vec<(Prefix, Option<Counter>)> {
        let mut touched = std::mem::take(&mut self.touched);
        self.round += 1;
        // One that was removed and counted anew stands there twice.
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().map(|prefix| (prefix, self.get(prefix).cloned())).collect()
    }

    /// Lets nobody know what changed up to now.
    pub fn pass_over_touched(&mut self) {
        self.touched.clear();
        self.round += 1;
    }

    fn shrink_to(&mut self, limit: usize) {
        while self.counters.len() > limit
            && let Some(quietest) = self.quiet_since(Timestamp::from_millis(i64::MAX))
        {
            self.remove(quietest);
        }
    }
}

impl Counter {
    fn new(time: Timestamp) -> Self {
        Self { first: time, last: time, retry: 0, failures: 0, lines: Evidence::default() }
    }

    /// Moves the interval on to `time`. When it would grow beyond the findtime it is cut to that length, and the count
    /// is scaled down in proportion.
    fn advance(&mut self, time: Timestamp, findtime: Duration) {
        if time <= self.last {
            return;
        }
        if self.first < time - findtime {
            // In seconds and in this order, rounded half to even: the last bit of a float is fail2ban's too.
            let rate = f64::from(self.retry) / time.since(self.first).as_secs_f64();
            self.retry = (rate * findtime.as_secs_f64()).round_ties_even() as u32;
            self.first = time - findtime;
        }
        self.last = time;
    }

    /// Adds a failure, of whose lines and the former ones the last `max_lines` are kept. `line_bytes` counts all lines of
    /// all counters.
    fn add(&mut self, attempt: &Attempt<'_>, max_lines: usize, line_bytes: &mut usize) {
        self.retry = self.retry.saturating_add(attempt.weight);
        self.failures = self.failures.saturating_add(1);
        *line_bytes -= self.lines.bytes();
        let added = (attempt.earlier.len() + 1).min(max_lines);
        self.lines.keep_last(max_lines - added);
        if added > 0 {
            let earlier = &attempt.earlier[attempt.earlier.len() + 1 - added..];
            earlier.iter().for_each(|line| self.lines.push(line));
            self.lines.push(attempt.line);
        }
        *line_bytes += self.lines.bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds failures at the given seconds (findtime 600) and checks the count after each.
    fn check(times_and_counts: &[(i64, u32)]) {
        let prefix: Prefix = "192.0.2.1".parse().unwrap();
        let mut counters = Counters::new(Duration::from_secs(600), 3);
        for (time, expected) in times_and_counts {
            let time = Timestamp::from_secs(*time);
            counters.expire(time);
            let retry = counters.add(prefix, &Attempt { time, weight: 1, earlier: &[], line: "line" });
            assert_eq!(retry, *expected, "at {time:?} of {times_and_counts:?}");
        }
    }

    #[test]
    fn counts_are_rates() {
        // Within the findtime: a plain count.
        check(&[(0, 1), (300, 2), (600, 3)]);
        // 3 failures in 700 s are 3 / 700 * 600 = 2.57, rounded to 3, and then one more.
        check(&[(0, 1), (300, 2), (600, 3), (700, 4)]);
        // 2 / 900 * 600 = 1.33.
        check(&[(0, 1), (500, 2), (900, 2)]);
        // Half to even: 1 / 1200 * 600 is never reached, since quiet for the findtime starts anew.
        check(&[(0, 1), (600, 1), (1199, 2), (1800, 1)]);
        // An older line does not move the interval back.
        check(&[(100, 1), (50, 2), (600, 3), (701, 4)]);
    }

    #[test]
    fn lines_are_the_last_ones() {
        let prefix: Prefix = "192.0.2.1".parse().unwrap();
        let mut counters = Counters::new(Duration::from_secs(600), 2);
        for line in ["one", "two", "three"] {
            counters.add(prefix, &Attempt { time: Timestamp::from_secs(1), weight: 2, earlier: &[], line });
        }
        let counter = counters.remove(prefix).unwrap();
        assert_eq!(counter.lines, ["two", "three"].iter().collect());
        assert_eq!((counter.retry, counter.failures), (6, 3));
        assert_eq!(counters.take_touched(), vec![(prefix, None)]);
        assert!(counters.take_touched().is_empty());
    }

    #[test]
    fn the_lines_before_a_failure_are_kept_with_it() {
        let prefix: Prefix = "192.0.2.1".parse().unwrap();
        let mut counters = Counters::new(Duration::from_secs(600), 3);
        let earlier = ["one", "two"].map(str::to_owned);
        let time = Timestamp::from_secs(1);
        for (earlier, line) in [(&earlier[..], "three"), (&[], "four")] {
            counters.add(prefix, &Attempt { time, weight: 1, earlier, line });
        }
        let counter = counters.remove(prefix).unwrap();
        assert_eq!(counter.lines, ["two", "three", "four"].iter().collect());
        assert_eq!(counter.failures, 2);
    }

    #[test]
    fn the_quietest_are_let_go_when_there_are_too_many() {
        let mut counters = Counters::new(Duration::from_secs(600), 0);
        for last in 0..10u8 {
            let prefix = Prefix::host([192, 0, 2, last].into());
            counters.add(
                prefix,
                &Attempt { time: Timestamp::from_secs(last.into()), weight: 1, earlier: &[], line: "" },
            );
        }
        counters.shrink_to(3);
        assert_eq!(counters.len(), 3);
        assert!(counters.get("192.0.2.9".parse().unwrap()).is_some());
        assert!(counters.get("192.0.2.6".parse().unwrap()).is_none());
    }
}
