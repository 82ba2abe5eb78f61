//! A filter on its way through a sample of lines: what it makes of each, and nothing is counted or kept.

use super::{Error, Filter, Line, Pace, Settings, State, Timing, Verdict};
use crate::clock::Timestamp;

/// The filter, and what the lines so far have left behind.
#[derive(Debug)]
pub struct Trial {
    filter: Filter,
    timing: Timing,
    state: State,
    known: Option<Timestamp>,
    now: Timestamp,
}

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What the filter says.
    pub verdict: Verdict<'static>,
    /// The time of the line, if it has one or matters.
    pub time: Option<Timestamp>,
    /// Every failregex that matches it by itself, as [`Filter::matching`] tells them.
    pub matching: Vec<usize>,
}

impl Trial {
    /// Begins with a filter of these settings, at `now`.
    pub fn new(settings: &Settings, now: Timestamp) -> Result<Self, Error> {
        let (filter, timing) = (Filter::compile(settings)?, Timing::new(settings, now)?);
        Ok(Self { filter, timing, state: State::default(), known: None, now })
    }

    /// The same for lines that have no dates, and are all of `known`.
    #[must_use]
    pub fn of_time(self, known: Option<Timestamp>) -> Self {
        Self { known, ..self }
    }

    /// What becomes of the next line. `None`: nobody looks at it any further, as its date cannot be.
    pub fn line(&mut self, line: &str) -> Option<Tried> {
        let timed = self.timing.read(line, self.known, Pace::Sampling { now: self.now })?;
        let text = timed.text;
        let verdict = self.filter.follow(Line { text, whole: line }, &mut self.state, self.now).into_owned();
        let is_miss = verdict == Verdict::Miss;
        let matching = if is_miss { Vec::new() } else { self.filter.matching(text) };
        // There is no store to keep them in.
        drop(self.state.take_changes());
        Some(Tried { verdict, time: timed.time.filter(|_| timed.is_dated || !is_miss), matching })
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What each date template is called and how many dates it found; nothing where lines have none.
    pub fn dates(&self) -> Option<Vec<(&str, u64)>> {
        self.known.is_none().then(|| self.timing.templates())
    }
}
