//! The time that the lines of one log count for, and their texts without the date.
//!
//! In comes a line and how the log is read ([`Pace`]); out go the text that the patterns see and the line's time, by the
//! rules of the filter's dialect.

use std::ops::Range;
use std::time::Duration;

use super::date::{self, DateFound, DateReading};
use super::{Dates, Detector, Dialect, Error, Settings, line_time};
use crate::clock::Timestamp;

/// The dates of one log, for all filters that read them alike. It keeps what it saw last, so each log has its own.
#[derive(Debug)]
pub struct Timing {
    dates: Kind,
    /// The time of the last line that had one.
    last: Option<Timestamp>,
    /// How that line was read.
    pace: Option<Pace>,
    /// Holds a line whose date was cut out of its middle.
    scratch: String,
}

#[derive(Debug)]
enum Kind {
    Banzone(Box<Dates>),
    Fail2ban(Box<Detector>),
}

/// The time of a log that is read, and when that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The log of a running server, at `now`. `live`: it had been read to its end before.
    Following {
        /// The present time.
        now: Timestamp,
        /// Whether lines are read as they are written.
        live: bool,
    },
    /// An old log: it is always as late as its last line says. `before`: no line is later than that.
    Replaying {
        /// When the log ended, at the latest; completes dates without a year.
        before: Timestamp,
    },
    /// A sample of lines: each has the time it says, however old, and none if it says none.
    Sampling {
        /// The time to take for now.
        now: Timestamp,
    },
}

/// A line on its way to the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed<'a> {
    /// The line without its date.
    pub text: &'a str,
    /// When it was written, as far as can be told.
    pub time: Option<Timestamp>,
    /// When it is read.
    pub now: Timestamp,
    /// Whether a date was found in it.
    pub is_dated: bool,
    /// The text was put together from what stands before the date and what stands behind it.
    pub is_joined: bool,
}

/// In operation, a time further off than this is taken for a wrong one; and a line without a date is of the time of the
/// line before if that is not longer ago.
const MINUTE: Duration = Duration::from_secs(60);

impl Timing {
    /// The dates that a filter of these settings reads. `now` says which years are near.
    pub fn new(settings: &Settings, now: Timestamp) -> Result<Self, Error> {
        let (patterns, timezone) = (&settings.datepattern, settings.timezone.as_deref());
        let dates = match settings.dialect {
            Dialect::Banzone => Kind::Banzone(Box::new(Dates::new(patterns, timezone)?)),
            Dialect::Fail2ban => Kind::Fail2ban(Box::new(Detector::new(patterns, timezone, now)?)),
        };
        Ok(Self { dates, last: None, pace: None, scratch: String::new() })
    }

    /// The text and the time of the next line. `known` is its time where the source knows it; then it has no date in it.
    ///
    /// `None`: nobody looks at such a line any further.
    pub fn read<'a>(&'a mut self, line: &'a str, known: Option<Timestamp>, pace: Pace) -> Option<Timed<'a>> {
        let now = pace.now();
        self.pace = Some(pace);
        let found = match known {
            Some(time) => Found { span: 0..0, time: Some(time), or_now: false },
            None => self.find(line, now)?,
        };
        let is_dated = found.time.is_some();
        let (time, now) = self.time(&found, pace);
        let (text, is_joined) = match (found.span.is_empty(), found.span.start) {
            (true, _) => (line, false),
            (false, 0) => (&line[found.span.end..], false),
            (false, _) => (date::cut(line, &found.span, &mut self.scratch), true),
        };
        Some(Timed { text, time, now, is_dated, is_joined })
    }

    /// Takes the next line, if it begins with the date of the line before and is read alike: then its time is the same, and
    /// nothing else is to be told of it.
    #[inline]
    pub fn take_repeated(&mut self, line: &[u8], known: Option<Timestamp>, pace: Pace) -> bool {
        match &mut self.dates {
            Kind::Fail2ban(detector) if known.is_none() && self.pace == Some(pace) => {
                detector.take_repeated(line, pace.now()).is_some()
            }
            _ => false,
        }
    }

    /// Takes over what `before`, which reads dates by the same settings, saw last.
    pub fn take_over(&mut self, before: Self) {
        self.last = before.last;
        match (&mut self.dates, before.dates) {
            (Kind::Banzone(dates), Kind::Banzone(before)) => dates.take_over(&before),
            (Kind::Fail2ban(detector), Kind::Fail2ban(before)) => detector.take_over(*before),
            _ => {}
        }
    }

    /// What each date template is called and how many dates it found.
    pub fn templates(&self) -> Vec<(&str, u64)> {
        match &self.dates {
            Kind::Banzone(dates) => dates.templates().collect(),
            Kind::Fail2ban(detector) => detector.templates().collect(),
        }
    }

    fn find(&mut self, line: &str, now: Timestamp) -> Option<Found> {
        let recent = self.recent(now).is_some();
        match &mut self.dates {
            Kind::Banzone(dates) => Some(match dates.find(line, now) {
                Some(date) => Found { span: date.span, time: Some(date.time), or_now: false },
                None => Found { span: 0..0, time: None, or_now: false },
            }),
            Kind::Fail2ban(detector) => match detector.find(line, now) {
                DateFound::Nothing => Some(Found { span: 0..0, time: None, or_now: false }),
                DateFound::Date { span, reading } => match reading {
                    DateReading::At(time) => Some(Found { span, time: Some(time), or_now: false }),
                    DateReading::Absent => Some(Found { span, time: None, or_now: true }),
                    // fail2ban shows the patterns all of the line when it takes the time of the line before.
                    DateReading::Unreadable if recent => {
                        Some(Found { span: 0..0, time: None, or_now: false })
                    }
                    DateReading::Unreadable => Some(Found { span, time: None, or_now: false }),
                    DateReading::Fatal => None,
                },
            },
        }
    }

    /// The time of the line before, if it is less than a minute ago.
    fn recent(&self, now: Timestamp) -> Option<Timestamp> {
        self.last.filter(|&last| last + MINUTE > now)
    }

    /// The time of a line, and when that is.
    fn time(&mut self, found: &Found, pace: Pace) -> (Option<Timestamp>, Timestamp) {
        let now = pace.now();
        if let Pace::Replaying { before } = pace {
            let time = found.time.or(self.last).unwrap_or(before);
            let now = time.max(self.last.unwrap_or(time));
            self.last = found.time.or(self.last);
            return (Some(time), now);
        }
        let time = match (&self.dates, pace) {
            (Kind::Banzone(_), Pace::Following { live, .. }) => {
                Some(line_time(found.time, self.last, now, live))
            }
            (Kind::Banzone(_), _) => Some(line_time(found.time, self.last, now, false)),
            (Kind::Fail2ban(_), pace) => self.fail2ban_time(found, pace),
        };
        if found.time.is_some() {
            self.last = time;
        }
        (time, now)
    }

    /// The time of a line by fail2ban's rules. While a log is read for the first time, a line of no time at all has none.
    fn fail2ban_time(&self, found: &Found, pace: Pace) -> Option<Timestamp> {
        let now = pace.now();
        let live = matches!(pace, Pace::Following { live: true, .. });
        let time = found.time.or_else(|| self.recent(now));
        let time = time.or_else(|| (live || found.or_now).then_some(now))?;
        match pace {
            Pace::Sampling { .. } => Some(time),
            // Whole seconds, as fail2ban counts them.
            _ if live && off_by(time, now).as_secs() > MINUTE.as_secs() => Some(now),
            _ => Some(time.min(now)),
        }
    }
}

impl Pace {
    /// The present time, or the latest it can be.
    pub fn now(self) -> Timestamp {
        match self {
            Self::Following { now, .. } | Self::Sampling { now } => now,
            Self::Replaying { before } => before,
        }
    }
}

fn off_by(time: Timestamp, now: Timestamp) -> Duration {
    now.since(time).max(time.since(now))
}

/// What a line says of its time.
struct Found {
    /// What is cut out of the line.
    span: Range<usize>,
    time: Option<Timestamp>,
    /// The pattern says that such lines have no date, so this one was written when it is read.
    or_now: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    const NOW: i64 = 1_900_000_000;

    fn timing(dialect: Dialect, datepattern: &str) -> Timing {
        let settings = Settings { dialect, datepattern: vec![datepattern.to_owned()], ..Settings::default() };
        Timing::new(&settings, at(NOW)).unwrap()
    }

    /// The seconds before [`NOW`] that each line counts for, as epochs in front of the lines.
    fn check(mut timing: Timing, pace: Pace, lines: &[(&str, Option<i64>)]) {
        for (line, expected) in lines {
            let timed = timing.read(line, None, pace).unwrap();
            let ago = timed.time.map(|time| NOW - time.as_secs());
            assert_eq!(ago, *expected, "{line} in {pace:?}");
        }
    }

    #[test]
    fn a_log_that_is_followed_is_of_now() {
        let live = Pace::Following { now: at(NOW), live: true };
        check(
            timing(Dialect::Fail2ban, "EPOCH"),
            live,
            &[
                ("none", Some(0)),
                ("1899999950 x", Some(50)),
                ("none", Some(50)),
                ("1899999939 x", Some(0)),
                ("1899999940 x", Some(60)),
                ("none", Some(0)),
                ("1900000061 x", Some(0)),
                ("1900000003 x", Some(0)),
            ],
        );
    }

    #[test]
    fn a_log_that_is_caught_up_with_is_of_its_own_time() {
        let catching_up = Pace::Following { now: at(NOW), live: false };
        check(
            timing(Dialect::Fail2ban, "EPOCH"),
            catching_up,
            &[("none", None), ("1899990000 x", Some(10_000)), ("none", None), ("1900000061 x", Some(0))],
        );
        check(timing(Dialect::Fail2ban, "^(x)?(()**)"), catching_up, &[("none", Some(0))]);
    }

    #[test]
    fn a_sample_is_of_the_time_it_says() {
        let sampling = Pace::Sampling { now: at(NOW) };
        let lines = [("none", None), ("1900009999 x", Some(-9999)), ("1800000000 x", Some(100_000_000))];
        check(timing(Dialect::Fail2ban, "EPOCH"), sampling, &lines);
    }

    #[test]
    fn what_was_seen_last_can_be_taken_over() {
        let live = Pace::Following { now: at(NOW), live: true };
        for (dialect, patterns) in
            [(Dialect::Fail2ban, ["%Y %m %d", "EPOCH"]), (Dialect::Banzone, ["%Y %m %d %H:%M:%S", "epoch"])]
        {
            let datepattern = patterns.map(str::to_owned).to_vec();
            let settings = Settings { dialect, datepattern, ..Settings::default() };
            let new = || Timing::new(&settings, at(NOW)).unwrap();
            let mut before = new();
            for _ in 0..20 {
                before.read("1899999970 x", None, live);
            }
            let templates = |timing: &Timing| -> Vec<(String, u64)> {
                timing.templates().into_iter().map(|(name, hits)| (name.to_owned(), hits)).collect()
            };
            let expected = templates(&before);
            let mut after = new();
            assert_ne!(templates(&after), expected);
            after.take_over(before);
            assert_eq!(templates(&after), expected);
            assert_eq!(after.read("none", None, live).unwrap().time, Some(at(NOW - 30)));
        }
    }

    #[test]
    fn the_date_is_cut_out() {
        let pace = Pace::Sampling { now: at(NOW) };
        for (dialect, pattern) in [(Dialect::Banzone, "epoch"), (Dialect::Fail2ban, "{^LN-BEG}EPOCH")] {
            let mut timing = timing(dialect, pattern);
            assert_eq!(timing.read("1899999999 x", None, pace).unwrap().text, " x");
            assert_eq!(timing.read("[1899999999] x", None, pace).unwrap().text, "[] x");
            assert_eq!(timing.read("no x", None, pace).unwrap().text, "no x");
            let known = timing.read("1899999999 x", Some(at(7)), pace).unwrap();
            assert_eq!((known.text, known.time), ("1899999999 x", Some(at(7))));
        }
    }
}
