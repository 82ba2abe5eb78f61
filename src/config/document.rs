//! A TOML file as sections and values that know where they stand. Whatever is wrong is taken down and reading goes
//! on, so that one run finds everything.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{At, Place, Report, did_you_mean_or};

/// Larger files are no configuration written by people; it bounds what reading a wrong path costs.
const LARGEST: u64 = 4 << 20;

/// The keys a section may have.
type Keys = &'static [&'static str];

/// The text of one file.
pub(super) struct Document {
    file: Arc<Path>,
    text: String,
}

impl Document {
    /// A text; `file` is its name in messages.
    pub(super) fn new(file: &Path, text: String) -> Self {
        let file = file.into();
        Self { file, text }
    }

    /// Reads a file. `named` is where the configuration names it.
    pub(super) fn open(file: &Path, named: Option<&Place>, report: &Report) -> Option<Self> {
        match read_bounded(file).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other)) {
            Ok(text) => Some(Self::new(file, text)),
            Err(error) => {
                let whole = Place::file(file);
                let message = format!("cannot read `{}`: {error}", file.display());
                report.add_unreadable(named.unwrap_or(&whole), message);
                None
            }
        }
    }

    /// Reads the whole document as the section without a name. Keys that are not in `keys` are taken down.
    pub(super) fn read<T>(&self, keys: Keys, report: &Report, read: impl FnOnce(&Section<'_>) -> T) -> T {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            report.add_unreadable(&self.place(offset), format!("this is no TOML: {}", error.message()));
        }
        // What was recovered from a broken text would only give misleading findings.
        let ignored = Report::default();
        let report = if errors.is_empty() { report } else { &ignored };
        let context = Context { document: self, report };
        read(&Section::new(context, String::new(), self.place(0), Some(table.get_ref()), keys))
    }

    /// Reads the document line by line. What is wrong with a line is taken down.
    pub(super) fn lines<T>(
        &self,
        report: &Report,
        read: impl Fn(&str) -> Result<Option<T>, String>,
    ) -> Vec<At<T>> {
        let mut all = Vec::new();
        for (line, text) in (1..).zip(self.text.lines()) {
            let place = Place { file: Arc::clone(&self.file), line, column: 0 };
            match read(text) {
                Ok(read) => all.extend(read.map(|value| At { value, place })),
                Err(problem) => report.add(&place, problem),
            }
        }
        all
    }

    /// Where the byte at `offset` stands.
    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place {
            file: Arc::clone(&self.file),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

/// The bytes of a file of the configuration.
pub(super) fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB; is this the right path?"));
    }
    Ok(bytes)
}

/// Which file is read, and where findings go.
#[derive(Clone, Copy)]
struct Context<'a> {
    document: &'a Document,
    report: &'a Report,
}

/// One table.
pub(super) struct Section<'a> {
    context: Context<'a>,
    /// The dotted path to it; empty for the whole document.
    name: String,
    place: Place,
    /// Absent: the section is not written, which is the same as an empty one.
    table: Option<&'a DeTable<'a>>,
    keys: Keys,
    /// How much was taken down before it was looked at.
    found_before: usize,
}

/// Any key is welcome: the names are the user's.
pub(super) const ANY: &[&str] = &["*"];

impl<'a> Section<'a> {
    fn new(
        context: Context<'a>,
        name: String,
        place: Place,
        table: Option<&'a DeTable<'a>>,
        keys: Keys,
    ) -> Self {
        let section = Self { context, name, place, table, keys, found_before: context.report.len() };
        section.refuse_unknown_keys();
        section
    }

    fn refuse_unknown_keys(&self) {
        let unknown = |key: &&Spanned<_>| self.keys != ANY && !self.keys.contains(&text(key));
        for key in self.table.into_iter().flat_map(DeTable::keys).filter(unknown) {
            let place = self.context.document.place(key.span().start);
            let hint = did_you_mean_or(text(key), self.keys.iter().copied(), "the keys here");
            self.context.report.add(&place, format!("unknown key `{}`{hint}", self.path(text(key))));
        }
    }

    /// Where the section begins.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether nothing was taken down of what has been read of it so far.
    pub(super) fn is_right(&self) -> bool {
        self.context.report.len() == self.found_before
    }

    /// Takes down that something is wrong with the section as a whole.
    pub(super) fn error(&self, message: impl AsRef<str>) {
        let end = if self.name.is_empty() { "" } else { ": " };
        self.context.report.add(&self.place, format!("{}{end}{}", self.name, message.as_ref()));
    }

    /// The value of `key` if it is there and right.
    pub(super) fn get<T: Value>(&self, key: &str) -> Option<T> {
        T::read(&self.raw(key)?)
    }

    /// The value of `key`; that it is missing is an error.
    pub(super) fn require<T: Value>(&self, key: &str, example: &str) -> Option<T> {
        let raw = self.raw(key);
        if raw.is_none() {
            self.error(format!("`{key}` is missing: write {key} = {example}"));
        }
        T::read(&raw?)
    }

    /// The elements of the list `key`; that there are none is an error.
    pub(super) fn require_some<T: Value>(&self, key: &str, example: &str) -> Vec<T> {
        match self.raw(key) {
            Some(_) => self.some(key, example),
            None => self.require(key, example),
        }
        .unwrap_or_default()
    }

    /// The elements of the list `key` if it is there; that it is empty is an error.
    pub(super) fn some<T: Value>(&self, key: &str, example: &str) -> Option<Vec<T>> {
        let raw = self.raw(key)?;
        if matches!(raw.value(), DeValue::Array(values) if values.is_empty()) {
            return raw.error(format!("the list is empty: write {key} = {example}"));
        }
        Value::read(&raw)
    }

    /// A whole number between `least` and `most`.
    pub(super) fn number(&self, key: &str, least: u64, most: u64) -> Option<u64> {
        let raw = self.raw(key)?;
        let number = raw.integer()?;
        match u64::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => raw.error(format!("{number} is not between {least} and {most}")),
        }
    }

    /// The table `key`; an empty one if it is absent.
    pub(super) fn section(&self, key: &str, keys: Keys) -> Self {
        let written = self.raw(key).and_then(|raw| raw.section(keys));
        written.unwrap_or_else(|| Section::new(self.context, self.path(key), self.place.clone(), None, keys))
    }

    /// Every table in this one with its name: `[jail.NAME]`.
    pub(super) fn sections(&self, keys: Keys) -> Vec<(At<String>, Self)> {
        let read = |key: &Spanned<_>| {
            let section = self.raw(text(key))?.section(keys)?;
            let place = self.context.document.place(key.span().start);
            Some((At { value: text(key).to_owned(), place }, section))
        };
        self.table.into_iter().flat_map(DeTable::keys).filter_map(read).collect()
    }

    /// Every value in this table with its name.
    pub(super) fn values<T: Value>(&self) -> Vec<(At<String>, T)> {
        let read = |key: &Spanned<_>| {
            let place = self.context.document.place(key.span().start);
            Some((At { value: text(key).to_owned(), place }, self.get(text(key))?))
        };
        self.table.into_iter().flat_map(DeTable::keys).filter_map(read).collect()
    }

    /// An array of tables: `[[publish]]`.
    pub(super) fn list(&self, key: &str, keys: Keys) -> Vec<Self> {
        let items = self.raw(key).and_then(|raw| raw.items()).unwrap_or_default();
        items.into_iter().filter_map(|item| item.section(keys)).collect()
    }

    /// The value of `key` as it stands.
    pub(super) fn raw(&self, key: &str) -> Option<Raw<'a>> {
        debug_assert!(self.keys == ANY || self.keys.contains(&key), "`{key}` is not in the list of keys");
        let value = self.table?.get(key)?;
        Some(Raw { context: self.context, name: self.path(key), value })
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

fn text<'a>(key: &'a Spanned<DeString<'a>>) -> &'a str {
    key.get_ref()
}

/// A value as it stands in the file.
pub(super) struct Raw<'a> {
    context: Context<'a>,
    name: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Raw<'a> {
    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.context.document.place(self.value.span().start)
    }

    /// Takes down what is wrong with it.
    pub(super) fn error<T>(&self, message: impl AsRef<str>) -> Option<T> {
        self.context.report.add(&self.place(), format!("{}: {}", self.name, message.as_ref()));
        None
    }

    /// Takes down that it is of another kind than `expected`.
    pub(super) fn mismatch<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(format!("expected {expected}, found {found}"))
    }

    /// The value itself.
    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// The value if it is a string.
    pub(super) fn string(&self, expected: &str) -> Option<&'a str> {
        match self.value() {
            DeValue::String(text) => Some(text),
            _ => self.mismatch(expected),
        }
    }

    /// The value if it is a whole number.
    pub(super) fn integer(&self) -> Option<i64> {
        match self.value() {
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                read.ok().or_else(|| self.error(format!("{number} is too large")))
            }
            _ => self.mismatch("a whole number"),
        }
    }

    /// The elements if it is a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let DeValue::Array(values) = self.value() else {
            return self.mismatch("a list");
        };
        let item = |value| Raw { context: self.context, name: self.name.clone(), value };
        Some(values.iter().map(item).collect())
    }

    /// The table if it is one.
    pub(super) fn section(&self, keys: Keys) -> Option<Section<'a>> {
        let DeValue::Table(table) = self.value() else {
            return self.mismatch("a table");
        };
        Some(Section::new(self.context, self.name.clone(), self.place(), Some(table), keys))
    }
}

/// What a value of a file can be read as. A value that is wrong is taken down and gives `None`.
pub(super) trait Value: Sized {
    /// Reads it.
    fn read(raw: &Raw<'_>) -> Option<Self>;
}

impl<T: Value> Value for At<T> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        T::read(raw).map(|value| Self { value, place: raw.place() })
    }
}

/// A list; a single value stands for a list of one.
impl<T: Value> Value for Vec<T> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.value() {
            DeValue::Array(_) => Some(raw.items()?.iter().filter_map(T::read).collect()),
            _ => T::read(raw).map(|value| vec![value]),
        }
    }
}
