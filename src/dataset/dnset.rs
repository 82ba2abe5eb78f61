//! `dnset` and `dnhash`: domain names; those of `dnhash` may have a condition. `name` is that name, `*.name` everything below it, `.name` both.
//!
//! The name itself counts before what stands for it, and of those the longest. An exclusion is that it is not listed.

use super::DataSet;
use super::answer::{Asked, Records, Subject};
use super::builder::{Builder, Done, Problem, Reading};
use super::names::{self, Key, Names};
use super::ranges::Id;
use super::syntax::{excludes, word};
use super::value::Value;

/// The names read so far.
#[derive(Default)]
pub(super) struct Building {
    all: Vec<(Key, Entry)>,
    count: usize,
    takes_conditions: bool,
}

impl Building {
    /// Entries may have conditions.
    pub(super) fn on_condition() -> Self {
        Self { takes_conditions: true, ..Self::default() }
    }
}

/// What is said of a name, and of everything below it: numbers of values, of which `None` excludes.
#[derive(Debug, Default)]
struct Entry {
    /// The name as it is shown.
    shown: Box<[u8]>,
    itself: Vec<Option<Id>>,
    below: Vec<Option<Id>>,
}

impl Builder for Building {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, written) = excludes(entry);
        let (name, rest) = word(written);
        let (itself, below, name) = match name {
            [b'*', b'.', name @ ..] => (false, true, name),
            [b'.', name @ ..] => (true, true, name),
            name => (true, false, name),
        };
        let labels = names::labels(name).ok_or("it begins with no domain name")?;
        let value = match self.takes_conditions {
            true => reading.value_on_condition(excludes, rest)?,
            false => reading.value(excludes, rest)?,
        };
        let said = |is_said: bool| if is_said { vec![value] } else { Vec::new() };
        let entry = Entry { shown: labels.join(&b'.').into(), itself: said(itself), below: said(below) };
        self.all.push(((*names::key(labels.iter())).into(), entry));
        self.count += 1;
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let names = Names::new(self.all, |all: &mut Entry, one| {
            all.itself.extend(one.itself);
            all.below.extend(one.below);
        });
        Box::new(Domains { names, values: done.values, ttl: done.ttl, count: self.count })
    }
}

/// Domain names with their values.
#[derive(Debug)]
struct Domains {
    names: Names<Entry>,
    values: Box<[Value]>,
    ttl: Option<u32>,
    count: usize,
}

impl Domains {
    /// What is said of the name: by itself, or by the nearest of those above that speaks for what is below.
    fn said(&self, asked: &Asked<'_>) -> Option<(&[u8], &[Option<Id>])> {
        let key = names::key(asked.labels());
        if let Some(entry) = self.names.get(&key).filter(|entry| !entry.itself.is_empty()) {
            return Some((&entry.shown, &entry.itself));
        }
        let mut end = key.len();
        for label in asked.labels() {
            end -= 1 + label.len();
            if let Some(entry) = self.names.get(&key[..end]).filter(|entry| !entry.below.is_empty()) {
                return Some((&entry.shown, &entry.below));
            }
        }
        None
    }
}

impl DataSet for Domains {
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        let Some((shown, said)) = self.said(asked).filter(|(_, said)| said.iter().all(Option::is_some))
        else {
            return false;
        };
        let values = said.iter().flatten().map(|value| &self.values[*value as usize]);
        let add = |value: &'a Value| value.add_to(asked, self.ttl, Subject::Name(shown), records);
        values.map(add).fold(false, |any, added| any | added)
    }

    fn could_have(&self, asked: &Asked<'_>) -> bool {
        !asked.is_apex()
    }

    fn has_below(&self, asked: &Asked<'_>) -> bool {
        let top = names::key(asked.labels()).len();
        let lists = |said: &[Option<Id>]| !said.is_empty() && said.iter().all(Option::is_some);
        self.names
            .within(asked)
            .any(|(key, entry)| lists(&entry.below) || (key.len() > top && lists(&entry.itself)))
    }

    fn len(&self) -> usize {
        self.count
    }
}
