//! The date of a line: where it stands and what time it is.
//!
//! In comes a line and the present time, out goes a [`Date`]; [`cut`] takes it out of the line. A date stands at
//! the start of the line, behind at most a syslog priority and two characters such as `[`. Only where there is
//! none do the formats that belong elsewhere get their turn, so that text a client chose is not taken for the
//! date of a line that has one.

mod custom;
mod detector;
mod format;
mod time;
mod zone;

use std::ops::Range;

use super::{Error, Place};
use crate::clock::Timestamp;
use custom::Custom;
pub use detector::{Detector, Found as DateFound, Reading as DateReading};
pub use format::NAMES as DATE_FORMATS;
use format::{Format, Found};
pub use time::line_time;
use zone::Zone;

/// The dates of one kind of log: formats to look for, and the zone of dates that name none.
///
/// It keeps what it saw last, so each log has its own.
#[derive(Debug)]
pub struct Dates {
    templates: Vec<Template>,
    /// The template that is tried first, as it fitted last.
    recent: usize,
    local: Zone,
    utc: Zone,
}

/// A date in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Date {
    /// Its time; fractions of a second count only in the epoch format, as in fail2ban.
    pub time: Timestamp,
    /// The bytes of the line that are the date, without brackets around it.
    pub span: Range<usize>,
    /// Which template fitted, as an index into [`Dates::templates`].
    pub template: usize,
}

#[derive(Debug)]
struct Template {
    kind: Kind,
    hits: u64,
}

#[derive(Debug)]
enum Kind {
    Named(&'static Format),
    Custom(Box<Custom>),
}

impl Dates {
    /// Dates in these formats: names out of [`DATE_FORMATS`], or patterns such as `%Y-%m-%d %H:%M:%S`, which stand
    /// at the start of the line if they begin with `^` and else wherever they fit. None at all means all names.
    ///
    /// A date without a zone is local in `timezone` (`UTC`, `+02:00`, `Europe/Zurich`), or else where this machine is.
    ///
    /// # Errors
    ///
    /// An unknown name, a pattern that does not say when, an unknown zone.
    pub fn new(patterns: &[String], timezone: Option<&str>) -> Result<Self, Error> {
        let named = patterns.iter().enumerate();
        let mut kinds =
            named.map(|(index, pattern)| Kind::new(pattern, index)).collect::<Result<Vec<_>, _>>()?;
        if kinds.is_empty() {
            kinds.extend(format::FORMATS.iter().map(Kind::Named));
        }
        Ok(Self {
            templates: kinds.into_iter().map(|kind| Template { kind, hits: 0 }).collect(),
            recent: 0,
            local: Zone::new(timezone)?,
            utc: Zone::utc(),
        })
    }

    /// The date of `line`. A date without a year has the latest one that puts it no more than a day after `now`.
    ///
    /// What reads like a date and is none, such as 30 February, is not found.
    pub fn find(&mut self, line: &str, now: Timestamp) -> Option<Date> {
        let start = start(line.as_bytes());
        let at_start = self.first(now, |kind| kind.at_start(line, start));
        let (time, span, template) = at_start.or_else(|| self.first(now, |kind| kind.anywhere(line)))?;
        self.recent = template;
        self.templates[template].hits += 1;
        Some(Date { time, span, template })
    }

    /// Takes over what `before`, dates in the same formats, saw last.
    pub(super) fn take_over(&mut self, before: &Self) {
        if self.templates.len() == before.templates.len() {
            self.recent = before.recent;
            for (template, before) in self.templates.iter_mut().zip(&before.templates) {
                template.hits = before.hits;
            }
        }
    }

    /// What each template is called and how many dates it found.
    pub fn templates(&self) -> impl Iterator<Item = (&str, u64)> {
        self.templates.iter().map(|template| (template.kind.name(), template.hits))
    }

    /// The first template that `find` finds a real time with, the one that fitted last before all others.
    fn first(
        &mut self,
        now: Timestamp,
        find: impl Fn(&Kind) -> Found,
    ) -> Option<(Timestamp, Range<usize>, usize)> {
        let recent = self.recent;
        self.fits(recent, now, &find).or_else(|| {
            let mut others = (0..self.templates.len()).filter(|&index| index != recent);
            others.find_map(|index| self.fits(index, now, &find))
        })
    }

    #[inline]
    fn fits(
        &mut self,
        template: usize,
        now: Timestamp,
        find: impl Fn(&Kind) -> Found,
    ) -> Option<(Timestamp, Range<usize>, usize)> {
        let (moment, span) = find(&self.templates[template].kind)?;
        let time = moment.resolve(&mut self.local, &mut self.utc, now)?;
        Some((time, span, template))
    }
}

impl Kind {
    fn new(pattern: &str, index: usize) -> Result<Self, Error> {
        if let Some(format) = format::FORMATS.iter().find(|format| format.name == pattern) {
            return Ok(Self::Named(format));
        }
        Ok(Self::Custom(Box::new(Custom::new(pattern, Place::Datepattern(index))?)))
    }

    fn name(&self) -> &str {
        match self {
            Self::Named(format) => format.name,
            Self::Custom(custom) => custom.name(),
        }
    }

    fn at_start(&self, line: &str, start: usize) -> Found {
        match self {
            Self::Named(format) => (format.at)(line.as_bytes(), start),
            Self::Custom(custom) => custom.at_start(line, start),
        }
    }

    fn anywhere(&self, line: &str) -> Found {
        match self {
            Self::Named(format) => (format.anywhere?)(line),
            Self::Custom(custom) => custom.anywhere(line),
        }
    }
}

/// Where a date at the start of a line begins: behind a priority with or without a version (RFC 5424, section 6.2)
/// and up to two characters that are no part of a word.
fn start(line: &[u8]) -> usize {
    let first = line.first().copied().unwrap_or(b'0');
    if first.is_ascii_alphanumeric() || first == b'@' {
        return 0;
    }
    let priority = priority_length(line);
    let punctuation = |byte: &&u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"_@".contains(byte);
    priority + line[priority..].iter().take(2).take_while(punctuation).count()
}

fn priority_length(line: &[u8]) -> usize {
    let digits =
        |from: usize| line[from.min(line.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = digits(1);
    if !line.starts_with(b"<") || !(1..=3).contains(&number) || line.get(number + 1) != Some(&b'>') {
        return 0;
    }
    let priority = number + 2;
    let version = digits(priority);
    if (1..=2).contains(&version) && line.get(priority + version) == Some(&b' ') {
        return priority + version;
    }
    priority
}

/// The line without its date: a part of `line` if the date stands at its start, else put together in `scratch`.
pub fn cut<'a>(line: &'a str, date: &Range<usize>, scratch: &'a mut String) -> &'a str {
    if date.start == 0 {
        return &line[date.end..];
    }
    scratch.clear();
    scratch.push_str(&line[..date.start]);
    scratch.push_str(&line[date.end..]);
    scratch
}

#[cfg(test)]
mod tests;
