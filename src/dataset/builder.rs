//! How a data set is read: line by line, by a builder of its type.

use std::borrow::Cow;

use super::ranges::Id;
use super::syntax::number;
use super::value::{Interning, Texts, Value, Written};
use super::{DataSet, Options, condition};

/// What is wrong with a line, in words for people.
pub(super) type Problem = Cow<'static, str>;

/// Takes in the entries of one data set.
pub(super) trait Builder {
    /// Reads an entry. Its value, if it has none, is the default of `reading`.
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem>;

    /// Reads `$name rest`, if lines of this name are for this type alone; `false`: they are not.
    fn special(&mut self, _name: &[u8], _rest: &[u8], _reading: &mut Reading) -> Result<bool, Problem> {
        Ok(false)
    }

    /// Takes in the value of entries without one, if it is kept elsewhere than in the reading of all.
    fn new_default(&mut self, _value: &Written) {}

    /// The data set of all entries.
    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet>;
}

/// What is known while lines are read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) options: Options,
    pub(super) values: Interning,
    /// The value of entries without one, up to the end of the file.
    pub(super) default: Written,
    /// The first default of all.
    pub(super) first_default: Option<Written>,
    pub(super) texts: Texts,
    /// `$MAXRANGE4`: an entry may have so many addresses.
    pub(super) max_range: Option<u64>,
}

impl Reading {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            values: Interning::default(),
            default: Written::of(options),
            first_default: None,
            texts: Texts::default(),
            max_range: None,
        }
    }

    /// The number of the value that stands behind a key; none for an exclusion, which has no value.
    pub(super) fn value(&mut self, excludes: bool, text: &[u8]) -> Result<Option<Id>, Problem> {
        if excludes {
            return Ok(None);
        }
        Ok(Some(self.values.id(Written::read(text, &self.default)?)))
    }

    /// The same of a type whose entries may have conditions.
    pub(super) fn value_on_condition(&mut self, excludes: bool, text: &[u8]) -> Result<Option<Id>, Problem> {
        if excludes {
            return Ok(None);
        }
        let (text, condition) = condition::split(text);
        let written = Written::read(text, &self.default)?;
        Ok(Some(self.values.id(Written { condition, ..written })))
    }

    /// Reads `$name rest`, if it says how lines are read; `false`: it does not.
    pub(super) fn special(&mut self, name: &[u8], rest: &[u8]) -> Result<bool, Problem> {
        match name {
            [name @ (b'0'..=b'9' | b'=')] => self.texts.set(*name, rest),
            b"MAXRANGE4" => {
                let most = max_range(rest)
                    .ok_or("write $MAXRANGE4 with a number of addresses, or with /24 or the like")?;
                self.max_range = Some(self.max_range.map_or(most, |before| before.min(most)));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Entries without a value have this one from here on.
    pub(super) fn set_default(&mut self, value: Written) {
        self.first_default.get_or_insert_with(|| value.clone());
        self.default = value;
    }

    /// A file is at its end.
    pub(super) fn end_file(&mut self) {
        self.default = Written::of(&self.options);
    }

    /// What a data set keeps of it. `ttl` is the time to live that its files give.
    pub(super) fn finish(self, ttl: Option<u32>) -> Done {
        let ttl = ttl.map(|ttl| self.options.bounded(ttl));
        let first_default = self.first_default.unwrap_or_else(|| Written::of(&self.options));
        let mut values = self.values;
        let default = values.id(first_default);
        Done { values: values.finish(&self.texts), default, ttl }
    }
}

/// A number of addresses, or the length of a network that has as many.
fn max_range(rest: &[u8]) -> Option<u64> {
    match rest {
        [b'/', length @ ..] => Some(1 << (32 - number(length).filter(|length| *length <= 32)?)),
        _ => number(rest).map(u64::from).filter(|most| *most > 0),
    }
}

/// What there is when all lines are read.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) values: Box<[Value]>,
    /// The first default value of all.
    pub(super) default: Id,
    pub(super) ttl: Option<u32>,
}
