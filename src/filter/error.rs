//! What is wrong with a filter, where in it, and how to mend it.

use std::fmt;
use std::ops::Range;

/// A filter that does not compile. `config` adds the file and line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The filter's name; empty when only its dates were looked at.
    pub filter: String,
    /// Which of the filter's values is wrong.
    pub place: Place,
    /// The bytes of that value that are wrong, as far as that is known.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// One value of a filter. Patterns are counted from 0 here and from 1 in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `daemon`.
    Daemon,
    /// `prefregex`.
    Prefregex,
    /// One of `failregex`.
    Failregex(usize),
    /// One of `ignoreregex`.
    Ignoreregex(usize),
    /// One of `datepattern`.
    Datepattern(usize),
    /// `timezone`.
    Timezone,
}

impl Error {
    pub(super) fn new(place: Place, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { filter: String::new(), place, span: None, reason: reason.into(), remedy: remedy.into() }
    }

    pub(super) fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    pub(super) fn of(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.filter);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.filter.is_empty() {
            write!(f, "filter {}: ", self.filter)?;
        }
        write!(f, "{}", self.place)?;
        if let Some(span) = &self.span {
            write!(f, ", bytes {} to {}", span.start, span.end)?;
        }
        write!(f, ": {}; {}", self.reason, self.remedy)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => write!(f, "daemon"),
            Self::Prefregex => write!(f, "prefregex"),
            Self::Failregex(index) => write!(f, "failregex {}", index + 1),
            Self::Ignoreregex(index) => write!(f, "ignoreregex {}", index + 1),
            Self::Datepattern(index) => write!(f, "datepattern {}", index + 1),
            Self::Timezone => write!(f, "timezone"),
        }
    }
}
