//! From a line to the failures in it, for all jails that read one log: decoded once, dated once, and shown only to the
//! filters that may have something to say.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use encoding_rs::Encoding;

use super::{Found, Settings};
use crate::clock::Timestamp;
use crate::filter::{Dates, Error, Filter, Matcher, Verdict, cut, line_time};

/// The readers of all logs, by source.
#[derive(Debug, Default)]
pub struct Readers(HashMap<Arc<str>, Reader>);

impl Readers {
    /// Compiles the filters of all jails. The same filter in several jails is compiled for each source they share.
    pub fn new(jails: &[Settings]) -> Result<Self, Error> {
        let mut readers = Self::default();
        for jail in jails {
            for source in &jail.sources {
                readers.0.entry(Arc::clone(&source.path)).or_default().add(jail)?;
            }
        }
        readers.0.values_mut().for_each(Reader::prepare);
        Ok(readers)
    }

    /// The reader of one source.
    pub fn get_mut(&mut self, source: &str) -> Option<&mut Reader> {
        self.0.get_mut(source)
    }
}

/// Reads the lines of one source for every jail on it.
#[derive(Debug, Default)]
pub struct Reader {
    groups: Vec<Group>,
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
}

impl Reader {
    /// Reads one line without its newline, and hands each failure in it to `found`, with the jail it counts in and the
    /// time it is for that jail.
    pub fn read(&mut self, line: &[u8], pace: Pace, mut found: impl FnMut(&Arc<str>, &Found<'_>, Timestamp)) {
        // Groups of one encoding stand together.
        for groups in self.groups.chunk_by_mut(|one, other| one.encoding == other.encoding) {
            let line = decode(line, groups[0].encoding);
            for group in groups {
                group.read(&line, pace, &mut found);
            }
        }
    }

    /// Puts the groups of one encoding together, so that a line is decoded once for all of them.
    fn prepare(&mut self) {
        self.groups.sort_by_key(|group| group.encoding.map(Encoding::name));
        self.groups.iter_mut().for_each(Group::prepare);
    }

    fn add(&mut self, jail: &Settings) -> Result<(), Error> {
        let filter = Filter::compile(&jail.filter)?;
        let dating = (jail.filter.datepattern.clone(), jail.filter.timezone.clone());
        let is_alike = |group: &Group| group.dating == dating && group.encoding == jail.encoding;
        let group = match self.groups.iter().position(is_alike) {
            Some(known) => known,
            None => {
                self.groups.push(Group::new(dating, jail.encoding)?);
                self.groups.len() - 1
            }
        };
        self.groups[group].filters.push((Arc::clone(&jail.name), filter));
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

/// The filters on one source that read its text and its dates alike.
#[derive(Debug)]
struct Group {
    /// Absent: UTF-8.
    encoding: Option<&'static Encoding>,
    /// Date patterns and time zone.
    dating: (Vec<String>, Option<String>),
    dates: Dates,
    /// The time of the line before.
    last: Option<Timestamp>,
    filters: Vec<(Arc<str>, Filter)>,
    matcher: Option<Matcher>,
    /// Holds a line whose date was cut out of its middle.
    scratch: String,
}

impl Group {
    fn new(
        dating: (Vec<String>, Option<String>),
        encoding: Option<&'static Encoding>,
    ) -> Result<Self, Error> {
        let dates = Dates::new(&dating.0, dating.1.as_deref())?;
        Ok(Self {
            encoding,
            dating,
            dates,
            last: None,
            filters: Vec::new(),
            matcher: None,
            scratch: String::new(),
        })
    }

    fn prepare(&mut self) {
        let filters: Vec<&Filter> = self.filters.iter().map(|(_, filter)| filter).collect();
        self.matcher = Some(Matcher::new(&filters));
    }

    fn read(&mut self, line: &str, pace: Pace, found: &mut impl FnMut(&Arc<str>, &Found<'_>, Timestamp)) {
        let now = match pace {
            Pace::Following { now, .. } => now,
            Pace::Replaying { before } => before,
        };
        let date = self.dates.find(line, now);
        let (time, now) = match pace {
            Pace::Following { now, live } => {
                (line_time(date.as_ref().map(|date| date.time), self.last, now, live), now)
            }
            Pace::Replaying { before } => {
                let time = date.as_ref().map(|date| date.time).or(self.last).unwrap_or(before);
                (time, time.max(self.last.unwrap_or(time)))
            }
        };
        if date.is_some() {
            self.last = Some(time);
        }
        let text = match &date {
            Some(date) => cut(line, &date.span, &mut self.scratch),
            None => line,
        };
        let Some(matcher) = &self.matcher else { return };
        for candidate in matcher.candidates(text).iter() {
            let (jail, filter) = &self.filters[candidate];
            if let Verdict::Failure(failure) = filter.check(text) {
                found(jail, &Found { failure, time, line }, now);
            }
        }
    }
}
