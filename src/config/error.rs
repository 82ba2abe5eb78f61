//! What is wrong with a configuration: every finding with its place, all of them at once.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<Path>,
    /// The line from 1; 0: the file as a whole.
    pub line: u32,
    /// The column from 1, in characters; 0: the line as a whole.
    pub column: u32,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: &Path) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

/// `file`, `file:line` or `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        for number in [self.line, self.column].into_iter().take_while(|number| *number > 0) {
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// One thing that is wrong, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Error {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong, in the order of the files and lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Errors(pub Vec<Error>);

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

/// One line for each.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

/// Takes down findings while the files are read, so that reading goes on behind each.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: RefCell<Vec<Error>>,
    unreadable: Cell<bool>,
}

impl Report {
    /// Takes down that something is wrong.
    pub(super) fn add(&self, place: &Place, message: impl Into<String>) {
        let (place, message) = (place.clone(), message.into());
        self.errors.borrow_mut().push(Error { place, message });
    }

    /// Takes down that a file could not be read, or not to its end.
    pub(super) fn add_unreadable(&self, place: &Place, message: impl Into<String>) {
        self.unreadable.set(true);
        self.add(place, message);
    }

    /// How much was taken down.
    pub(super) fn len(&self) -> usize {
        self.errors.borrow().len()
    }

    /// Whether parts of the configuration are not known: what seems to be missing may stand there.
    pub(super) fn is_incomplete(&self) -> bool {
        self.unreadable.get()
    }

    /// `value`, or else everything that was taken down. Where there is no value, something was.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Errors> {
        let mut errors = self.errors.into_inner();
        errors.sort();
        errors.dedup();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(Errors(errors)),
        }
    }
}

/// The one of `known` that `written` was probably meant to be, as the end of a message.
pub(super) fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// Below this, names have little more in common than some letters.
    const ALIKE: f64 = 0.8;
    let likeness = |name: &str| strsim::jaro_winkler(&written.to_lowercase(), name);
    let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(name) if likeness(name) >= ALIKE => format!("; did you mean `{name}`?"),
        _ => String::new(),
    }
}

/// The same, and where none of `known` is near, what there is: `what` says what they are.
pub(super) fn did_you_mean_or<'a>(
    written: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    /// More are no help in a line.
    const MOST_NAMED: usize = 24;
    let near = did_you_mean(written, known.clone());
    if !near.is_empty() {
        return near;
    }
    let names: Vec<_> = known.clone().take(MOST_NAMED).map(|name| format!("`{name}`")).collect();
    let more = if known.count() > MOST_NAMED { " and others" } else { "" };
    format!("; {what} are {}{more}", names.join(", "))
}
