//! fail2ban's date detection: its patterns, its way to choose between them, and its rules for what a date leaves out.
//!
//! In comes a line and the present time, out goes a [`Found`]: what is cut out of the line and the time it means.
//! Every filter in fail2ban's words is read with it, since what a failregex sees is the line without its date.

mod bounds;
mod defaults;
mod directive;
mod offset;
mod pattern;
mod quick;
mod reading;
mod selection;
mod template;

use std::ops::Range;
use std::sync::Arc;

use self::defaults::Defaults;
use self::directive::Years;
use self::quick::{Likeness, Quick};
use self::reading::{Fault, Home};
use self::selection::{Fit, Selection};
use self::template::{Reason, Template, find_word};
use super::zone::Zone;
use crate::clock::Timestamp;
use crate::filter::{Error, Place};

/// The dates of one log in fail2ban's patterns.
///
/// It keeps what it saw last, so each log has its own.
#[derive(Debug)]
pub struct Detector {
    selection: Selection,
    home: Home,
    last: Option<Last>,
}

/// The last date at the start of a line, and what it meant.
#[derive(Debug)]
struct Last {
    likeness: Likeness,
    reader: Quick,
    now: Timestamp,
    reading: Reading,
}

/// What a line says about its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No pattern fitted.
    Nothing,
    /// A pattern fitted.
    Date {
        /// The bytes that are cut out of the line, maybe none.
        span: Range<usize>,
        /// The time they mean.
        reading: Reading,
    },
}

/// What the text that a pattern fitted means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// This time.
    At(Timestamp),
    /// Nothing: the pattern says that such lines have no date.
    Absent,
    /// Nothing, as there is no such day, time of day or zone. The text is cut out all the same.
    Unreadable,
    /// Nothing, and fail2ban does not look at such a line any further: a zone it does not know by its abbreviation,
    /// or a day without a month.
    Fatal,
}

impl Detector {
    /// Dates in these patterns, in fail2ban's words; none at all stands for its default ones. `timezone`, such as
    /// `UTC+0200` or `CET`, is that of dates that name none, in the place of that of this machine.
    ///
    /// `now` says how far ahead `%ExY` reaches: to the end of the decade in three years, and 2029 at the least.
    ///
    /// # Errors
    ///
    /// An unknown directive, a regular expression that is none, the same pattern twice, an unknown zone.
    pub fn new(patterns: &[String], timezone: Option<&str>, now: Timestamp) -> Result<Self, Error> {
        let offset = timezone.map(offset_of).transpose()?;
        let home = Home { local: Zone::new(None)?, offset };
        Ok(Self { selection: selection(patterns, Years::at(now))?, home, last: None })
    }

    /// The date of `line`.
    pub fn find(&mut self, line: &str, now: Timestamp) -> Found {
        if let Some(found) = self.find_at_start(line, now) {
            return found;
        }
        self.last = None;
        let Some((template, fit)) = self.selection.choose(line, now) else {
            return Found::Nothing;
        };
        self.read(line, &template, &fit, now)
    }

    /// Takes over what `before`, dates in the same patterns, saw last, and the order of its templates.
    pub(in crate::filter) fn take_over(&mut self, before: Self) {
        self.selection.take_over(before.selection);
    }

    /// The templates in the order in which they are tried, as fail2ban names them, and how many dates each found.
    pub fn templates(&self) -> impl Iterator<Item = (&str, u64)> {
        self.selection.hits()
    }

    /// The patterns as fail2ban shows them to people: the first with its name, and no more than that there are many.
    pub fn description(&self) -> String {
        /// So many patterns are still taken for a filter's own.
        const OWN: usize = 2;
        let mut templates = self.selection.templates();
        match (templates.len(), templates.next()) {
            (1..=OWN, Some(Template { pattern: Some(pattern), name, .. })) => format!("{pattern} ({name})"),
            (1..=OWN, Some(template)) => template.name.clone(),
            _ => "Default Detectors".to_owned(),
        }
    }

    /// A date in the same form as the last one, at the start of the line.
    fn find_at_start(&mut self, line: &str, now: Timestamp) -> Option<Found> {
        if let Some((end, reading)) = self.take_repeated(line.as_bytes(), now) {
            return Some(Found::Date { span: 0..end, reading });
        }
        let reader = self.selection.settled()?.quick?;
        let (written, span, likeness) = reader.read(line)?;
        self.selection.settle(now);
        let reading = written.time(&mut self.home, now).into();
        self.last = likeness.map(|likeness| Last { likeness, reader, now, reading });
        Some(Found::Date { span, reading })
    }

    /// Takes the date of a line that begins with that of the last one: where it ends, and what it means.
    #[inline]
    pub(in crate::filter) fn take_repeated(
        &mut self,
        line: &[u8],
        now: Timestamp,
    ) -> Option<(usize, Reading)> {
        let Last { likeness, reader, reading, .. } = self.last.as_ref().filter(|last| last.now == now)?;
        let end = likeness.end_in(line)?;
        if self.selection.settled()?.quick != Some(*reader) {
            return None;
        }
        self.selection.settle(now);
        Some((end, *reading))
    }

    fn read(&mut self, line: &str, template: &Template, fit: &Fit, now: Timestamp) -> Found {
        let span = match fit.groups.get(1) {
            Some(Some(span)) if !span.is_empty() => span.clone(),
            Some(span) => {
                return Found::Date { span: span.clone().unwrap_or(0..0), reading: Reading::Absent };
            }
            None => return Found::Date { span: 0..0, reading: Reading::Fatal },
        };
        let reading = match template.compiled() {
            Ok(compiled) => {
                reading::time(template.kind, compiled, line, &fit.groups, &mut self.home, now).into()
            }
            Err(_) => Reading::Fatal,
        };
        Found::Date { span, reading }
    }

    /// The same where this machine is somewhere else.
    #[cfg(test)]
    fn at_home_in(mut self, local: Zone) -> Self {
        self.home.local = local;
        self
    }
}

impl From<Result<Timestamp, Fault>> for Reading {
    fn from(time: Result<Timestamp, Fault>) -> Self {
        match time {
            Ok(time) => Self::At(time),
            Err(Fault::Unreadable) => Self::Unreadable,
            Err(Fault::Fatal) => Self::Fatal,
        }
    }
}

fn offset_of(timezone: &str) -> Result<i32, Error> {
    offset::minutes(timezone).map_err(|_| {
        let remedy = "write UTC, an offset such as UTC+0200, or an abbreviation such as CET";
        Error::new(Place::Timezone, format!("{timezone:?} is no zone that fail2ban knows"), remedy)
    })
}

/// The templates for these patterns, in order.
fn selection(patterns: &[String], years: Years) -> Result<Selection, Error> {
    let mut list = List { templates: Vec::new(), defaults: Defaults::of(years), years };
    for (index, pattern) in patterns.iter().enumerate() {
        list.add(pattern).map_err(|(reason, remedy)| {
            Error::new(Place::Datepattern(index), reason, remedy).at(0..pattern.len())
        })?;
    }
    if list.templates.is_empty() {
        list.templates.clone_from(&list.defaults.all);
    }
    Ok(Selection::new(list.templates, list.defaults))
}

/// Templates being put together.
struct List {
    templates: Vec<Arc<Template>>,
    defaults: Arc<Defaults>,
    years: Years,
}

impl List {
    /// Adds what `written` stands for: one template or several.
    fn add(&mut self, written: &str) -> Result<(), Reason> {
        let written = written.trim();
        let key = if written.contains('%') { written.to_owned() } else { written.to_uppercase() };
        match key.as_str() {
            "{^LN-BEG}" => self.add_defaults(),
            // fail2ban takes the default templates where there are no others, and none of them behind others.
            "{DEFAULT}" => {}
            _ if key.contains("{DATE}") => return self.add_within(written),
            // Fits every line and takes nothing out of it.
            "{NONE}" => return self.add_checked(Template::new("{UNB}^", self.years)?, written),
            _ => return self.add_checked(Template::new(written, self.years)?, written),
        }
        Ok(())
    }

    /// Adds the default templates that fit at the start of a line only.
    fn add_defaults(&mut self) {
        let defaults = self.defaults.clone();
        for template in defaults.all.iter().filter(|template| template.begins_line) {
            match self.templates.iter_mut().find(|known| known.name == template.name) {
                // Written out by hand it is the same template, and counts like it.
                Some(known) if known.pattern == template.pattern => *known = template.clone(),
                Some(_) => {}
                None => self.templates.push(template.clone()),
            }
        }
    }

    /// Adds every default pattern in the place of `{DATE}`.
    fn add_within(&mut self, frame: &str) -> Result<(), Reason> {
        let first = self.templates.is_empty();
        if find_word(frame, &["{DATE}"]).is_none() {
            let remedy = "take the backslash away for the default patterns";
            return Err((format!("{frame:?} names no date"), remedy));
        }
        let defaults = self.defaults.clone();
        for original in &defaults.originals {
            let template = original.within(frame, self.years)?;
            if first || !self.knows(&template) {
                self.add_checked(template, frame)?;
            }
        }
        Ok(())
    }

    fn add_checked(&mut self, template: Template, written: &str) -> Result<(), Reason> {
        if self.knows(&template) {
            let reason = format!("{written:?}: there is already a template {:?}", template.name);
            return Err((reason, "take one of the two away"));
        }
        if let Err(error) = template.compiled() {
            let remedy = "write a regular expression as Python knows it, with directives such as %Y";
            return Err((format!("{written:?}: {error}"), remedy));
        }
        self.templates.push(Arc::new(template));
        Ok(())
    }

    fn knows(&self, template: &Template) -> bool {
        self.templates.iter().any(|known| known.name == template.name)
    }
}

#[cfg(test)]
mod tests;
