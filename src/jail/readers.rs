//! From a line to the failures in it, for all jails that read one log: decoded once, dated once, and shown only to the
//! filters that may have something to say.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;

use super::{Found, Settings};
use crate::clock::Timestamp;
use crate::filter::{self, Dialect, Error, Filter, Line, Matcher, Pace, State, Timed, Timing, Verdict};

/// The readers of all logs, by source.
#[derive(Debug, Default)]
pub struct Readers(HashMap<Arc<str>, Reader>);

impl Readers {
    /// Compiles the filters of all jails. The same filter in several jails is compiled for each source they share.
    /// `now` says which years are near.
    pub fn new(jails: &[Settings], now: Timestamp) -> Result<Self, Error> {
        let mut readers = Self::default();
        for jail in jails {
            for source in &jail.sources {
                readers.0.entry(Arc::clone(&source.path)).or_default().add(jail, now)?;
            }
        }
        readers.0.values_mut().for_each(Reader::prepare);
        Ok(readers)
    }

    /// The reader of one source.
    pub fn get_mut(&mut self, source: &str) -> Option<&mut Reader> {
        self.0.get_mut(source)
    }

    /// What the filters remember of their logs, as far as it differs since the last call; to be committed with the lines.
    pub fn finish(&mut self) -> Vec<Remembered> {
        let mut remembered = Vec::new();
        for (source, reader) in &mut self.0 {
            for follower in reader.groups.iter_mut().flat_map(|group| &mut group.followers) {
                remembered.extend(follower.state.take_changes().map(|(key, value)| Remembered {
                    source: Arc::clone(source),
                    jail: Arc::clone(&follower.jail),
                    key,
                    value,
                }));
            }
        }
        remembered
    }

    /// Takes over what the store kept of [`Readers::finish`].
    pub fn restore(&mut self, remembered: &Remembered) {
        let follower =
            self.0.get_mut(&remembered.source).and_then(|reader| reader.follower(&remembered.jail));
        if let (Some(follower), Some(value)) = (follower, &remembered.value) {
            follower.state.restore(&remembered.key, value);
        }
    }

    /// Takes over what the filters of `before` remember, where they are still the same.
    pub fn take_over(&mut self, before: Self) {
        for (source, reader) in before.0 {
            let Some(here) = self.0.get_mut(&source) else { continue };
            for old in reader.groups.into_iter().flat_map(|group| group.followers) {
                if let Some(follower) = here.follower(&old.jail)
                    && follower.filter.settings() == old.filter.settings()
                {
                    follower.state = old.state;
                }
            }
        }
    }

    /// The patterns that took too many steps in some line, in the order of the jails.
    pub fn exhausted(&self) -> Vec<Exhausted> {
        let groups = self.0.values().flat_map(|reader| &reader.groups);
        let mut all: Vec<Exhausted> = Vec::new();
        for follower in groups.flat_map(|group| &group.followers) {
            for (pattern, lines) in follower.filter.exhausted() {
                let is_same =
                    |known: &&mut Exhausted| known.jail == follower.jail && known.pattern == pattern;
                match all.iter_mut().find(is_same) {
                    Some(known) => known.lines += lines,
                    None => all.push(Exhausted { jail: Arc::clone(&follower.jail), pattern, lines }),
                }
            }
        }
        all.sort_by(|one, other| one.jail.cmp(&other.jail));
        all
    }
}

/// A pattern that was stopped, as it took too many steps in some lines: what it would have found there is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The jail whose filter it is in.
    pub jail: Arc<str>,
    /// Which one.
    pub pattern: filter::Place,
    /// How many lines, as far as the filter was compiled since.
    pub lines: u64,
}

/// Reads the lines of one source for every jail on it.
#[derive(Debug, Default)]
pub struct Reader {
    groups: Vec<Group>,
}

/// Something that a filter remembers of the lines of a log before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The log.
    pub source: Arc<str>,
    /// The jail whose filter it is.
    pub jail: Arc<str>,
    /// What it is.
    pub key: String,
    /// What is known of it; `None` once it is forgotten.
    pub value: Option<String>,
}

impl Reader {
    /// Reads one line without its newline, and hands each failure in it to `found`, with the jail it counts in and the
    /// time it is for that jail. `known` is when the line was written, where the source knows it.
    pub fn read(
        &mut self,
        line: &[u8],
        known: Option<Timestamp>,
        pace: Pace,
        mut found: impl FnMut(&Arc<str>, &Found<'_>, Timestamp),
    ) {
        // Groups of one encoding stand together.
        for groups in self.groups.chunk_by_mut(|one, other| one.alike.encoding == other.alike.encoding) {
            let line = decode(line, groups[0].alike.encoding);
            for group in groups {
                group.read(&line, known, pace, &mut found);
            }
        }
    }

    fn follower(&mut self, jail: &str) -> Option<&mut Follower> {
        let mut followers = self.groups.iter_mut().flat_map(|group| &mut group.followers);
        followers.find(|follower| *follower.jail == *jail)
    }

    /// Puts the groups of one encoding together, so that a line is decoded once for all of them.
    fn prepare(&mut self) {
        self.groups.sort_by_key(|group| group.alike.encoding.map(Encoding::name));
        self.groups.iter_mut().for_each(Group::prepare);
    }

    fn add(&mut self, jail: &Settings, now: Timestamp) -> Result<(), Error> {
        let alike = Alike::of(jail);
        let follower = Follower {
            jail: Arc::clone(&jail.name),
            filter: Filter::compile(&jail.filter)?,
            state: State::default(),
            findtime: jail.findtime,
        };
        let known = self.groups.iter().position(|group| group.alike == alike);
        let group = match known {
            Some(known) => &mut self.groups[known],
            None => {
                let timing = Timing::new(&jail.filter, now)?;
                self.groups.push(Group { alike, timing, followers: Vec::new(), matcher: None });
                self.groups.last_mut().expect("a group was just pushed")
            }
        };
        group.followers.push(follower);
        Ok(())
    }
}

/// The text of a line. What is not in the encoding becomes U+FFFD, so that one odd byte can't hide a line from `.`.
fn decode<'a>(line: &'a [u8], encoding: Option<&'static Encoding>) -> Cow<'a, str> {
    match encoding {
        // Most lines are UTF-8, and finding that out alone is faster.
        None => str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed),
        Some(encoding) => encoding.decode_without_bom_handling(line).0,
    }
}

/// What filters have in common that see the same texts and times.
#[derive(Debug, PartialEq, Eq)]
struct Alike {
    /// Absent: UTF-8.
    encoding: Option<&'static Encoding>,
    dialect: Dialect,
    datepattern: Vec<String>,
    timezone: Option<String>,
}

impl Alike {
    fn of(jail: &Settings) -> Self {
        let filter::Settings { dialect, datepattern, timezone, .. } = &jail.filter;
        let (datepattern, timezone) = (datepattern.clone(), timezone.clone());
        Self { encoding: jail.encoding, dialect: *dialect, datepattern, timezone }
    }
}

/// The filters on one source that read its text and its dates alike.
#[derive(Debug)]
struct Group {
    alike: Alike,
    timing: Timing,
    followers: Vec<Follower>,
    matcher: Option<Matcher>,
}

/// The filter of one jail on its way through a log.
#[derive(Debug)]
struct Follower {
    jail: Arc<str>,
    filter: Filter,
    state: State,
    findtime: Duration,
}

impl Group {
    fn prepare(&mut self) {
        let filters: Vec<&Filter> = self.followers.iter().map(|follower| &follower.filter).collect();
        self.matcher = Some(Matcher::new(&filters));
    }

    fn read(
        &mut self,
        line: &str,
        known: Option<Timestamp>,
        pace: Pace,
        found: &mut impl FnMut(&Arc<str>, &Found<'_>, Timestamp),
    ) {
        let (Some(timed), Some(matcher)) = (self.timing.read(line, known, pace), &self.matcher) else {
            return;
        };
        let Timed { text, time: Some(time), now, .. } = timed else { return };
        for candidate in matcher.candidates(text).iter() {
            let Follower { jail, filter, state, findtime } = &mut self.followers[candidate];
            // What is too old to count leaves no traces either.
            if time < now - *findtime {
                continue;
            }
            if let Verdict::Failure(failure) = filter.follow(Line { text, whole: line }, state, now) {
                // As evidence, a line that bears no time of its own is worth less.
                let dated = known.map(|known| format!("{known} {line}"));
                found(jail, &Found { failure, time, line: dated.as_deref().unwrap_or(line) }, now);
            }
        }
    }
}
