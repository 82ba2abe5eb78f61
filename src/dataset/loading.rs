//! From the bytes of files to a data set.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::builder::{Builder, Problem, Reading};
use super::syntax::{Line, lines};
use super::types::{builder, type_names};
use super::value::Written;
use super::{DataSet, Header, Options};
use crate::clock::Timestamp;

/// A file is not unpacked to more than this.
const LARGEST: u64 = 8 << 30;

/// So many wrong lines of a data set are told; the others are counted.
const MOST_WARNINGS: usize = 5;

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What it is called in warnings.
    pub name: &'a str,
    /// What is in it; gzip is unpacked.
    pub bytes: &'a [u8],
}

/// A data set that was read.
#[derive(Debug)]
pub struct Loaded<S = Box<dyn DataSet>> {
    /// What can be asked.
    pub set: S,
    /// What the files say of the zone.
    pub header: Header,
    /// What was found in them, line by line.
    pub findings: Findings,
}

impl<S> Loaded<S> {
    /// The same, read from the same files, in another form.
    pub fn map<T>(self, form: impl FnOnce(S) -> T) -> Loaded<T> {
        Loaded { set: form(self.set), header: self.header, findings: self.findings }
    }
}

/// What was found in files, line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Of each file, in their order.
    pub files: Vec<Tally>,
    /// The first lines that are wrong.
    pub warnings: Vec<Warning>,
}

/// How many lines of a file are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that list or exclude something.
    pub entries: usize,
    /// Lines that were left out.
    pub wrong: usize,
}

impl Findings {
    /// How many lines are wrong in all.
    pub fn wrong(&self) -> usize {
        self.files.iter().map(|file| file.wrong).sum()
    }

    /// How many lines are wrong that no warning tells of.
    pub fn untold(&self) -> usize {
        self.wrong() - self.warnings.len()
    }

    fn warn(&mut self, file: &Source<'_>, line: usize, problem: Problem) {
        if self.warnings.len() < MOST_WARNINGS {
            let problem = problem.into_owned();
            self.warnings.push(Warning { file: file.name.to_owned(), line, problem });
        }
    }
}

/// A line that was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}; the line is left out")]
pub struct Warning {
    /// The name of the file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Why there is no data set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such type.
    #[error("there is no type `{kind}` of data sets; there are: {known}")]
    Type {
        /// What was asked for.
        kind: String,
        /// What there is.
        known: String,
    },
    /// A file is damaged or too large.
    #[error("{file}: it cannot be unpacked: {source}")]
    Packed {
        /// The name of the file.
        file: String,
        /// What gzip says.
        source: std::io::Error,
    },
    /// A file says that it was made later than now.
    #[error(
        "{file}: it says with $TIMESTAMP that it is of {created}, which is still to come; correct the clock or the file"
    )]
    Future {
        /// The name of the file.
        file: String,
        /// When it says it was made.
        created: Timestamp,
    },
}

/// Reads the files of a data set of this type.
pub fn load(kind: &str, files: &[Source<'_>], options: &Options, now: Timestamp) -> Result<Loaded, Error> {
    let unknown =
        || Error::Type { kind: kind.to_owned(), known: type_names().collect::<Vec<_>>().join(", ") };
    let builder = builder(kind).ok_or_else(unknown)?;
    let mut loading = Loading { builder, reading: Reading::new(options), header: Header::default() };
    let mut findings = Findings::default();
    for file in files {
        read_lines(file, &mut findings, |line| loading.line(line))?;
        loading.end_file(file, now)?;
    }
    let Loading { builder, reading, header } = loading;
    let ttl = header.ttl.or(options.default_ttl);
    Ok(Loaded { set: builder.finish(reading.finish(ttl)), header, findings })
}

/// Has every line of a file read, and counts them.
pub(super) fn read_lines(
    file: &Source<'_>,
    findings: &mut Findings,
    mut read: impl FnMut(Line<'_>) -> Result<(), Problem>,
) -> Result<(), Error> {
    let mut tally = Tally::default();
    for (number, line) in lines(&unpacked(file)?) {
        match read(line) {
            Ok(()) => tally.entries += usize::from(line.has_key()),
            Err(problem) => {
                tally.wrong += 1;
                findings.warn(file, number, problem);
            }
        }
    }
    findings.files.push(tally);
    Ok(())
}

fn unpacked<'a>(file: &Source<'a>) -> Result<Cow<'a, [u8]>, Error> {
    if !file.bytes.starts_with(GZIP) {
        return Ok(Cow::Borrowed(file.bytes));
    }
    let mut unpacked = Vec::new();
    let unpacking = MultiGzDecoder::new(file.bytes).take(LARGEST).read_to_end(&mut unpacked);
    unpacking.map_err(|source| Error::Packed { file: file.name.to_owned(), source })?;
    Ok(Cow::Owned(unpacked))
}

/// How every file begins that is packed with gzip (RFC 1952, section 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A data set on its way from files.
struct Loading {
    builder: Box<dyn Builder>,
    reading: Reading,
    header: Header,
}

impl Loading {
    fn end_file(&mut self, file: &Source<'_>, now: Timestamp) -> Result<(), Error> {
        self.reading.end_file();
        match self.header.created {
            Some(created) if created > now => Err(Error::Future { file: file.name.to_owned(), created }),
            _ => Ok(()),
        }
    }

    fn line(&mut self, line: Line<'_>) -> Result<(), Problem> {
        match line {
            Line::Special { name, rest } => self.special(name, rest),
            Line::Default(default) => {
                let default = Written::read(default, &Written::of(&self.reading.options))?;
                self.builder.new_default(&default);
                self.reading.set_default(default);
                Ok(())
            }
            Line::Entry(entry) => self.builder.entry(entry, &mut self.reading),
        }
    }

    fn special(&mut self, name: &[u8], rest: &[u8]) -> Result<(), Problem> {
        let is_known = self.builder.special(name, rest, &mut self.reading)?
            || self.reading.special(name, rest)?
            || self.header.read(name, rest)?;
        if is_known { Ok(()) } else { Err("there is no such special line".into()) }
    }
}
