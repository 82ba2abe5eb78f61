//! Compiled templates.
//!
//! In comes a regular expression in Python's syntax, maybe bound to words; out goes one that tells where in a line it
//! and its groups fit, in linear time unless it is one that somebody wrote with look-around.

use std::collections::BTreeSet;
use std::ops::Range;

use super::bounds::{WORD_BEGINS, WORD_ENDS, flags_length};
use crate::filter::python::{self, Bounds, Flags, Texts};

/// A compiled regular expression.
#[derive(Debug)]
pub(super) struct Pattern(python::Pattern);

/// Where a pattern and each of its groups fitted, in bytes of the line; the first is the whole.
pub(super) type Spans = Vec<Option<Range<usize>>>;

/// What goes before the number of a copy of a group, in its name.
const COPY: &str = "__";

impl Pattern {
    /// Compiles `regex`, or says what is wrong with it.
    pub(super) fn new(regex: &str) -> Result<Self, String> {
        if let Some(name) = twice(regex) {
            return Err(format!("the group {name:?} comes twice, as a directive or in other words"));
        }
        let (flags, body) = regex.split_at(flags_length(regex));
        let inner = body.strip_prefix(WORD_BEGINS).unwrap_or(body);
        let begin = inner.len() < body.len();
        let (inner, end) = match inner.strip_suffix(WORD_ENDS) {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let simple = without_reference(inner).unwrap_or_else(|| inner.to_owned());
        let pattern = format!("{flags}{simple}");
        python::compile_bound(&pattern, Flags::default(), Texts::OneLine, Bounds { begin, end })
            .map(Self)
            .map_err(|error| error.reason)
    }

    /// The names of the groups with their numbers, by number. Copies of a group have the name of the first.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.names().map(|(group, name)| (group, name.split_once(COPY).map_or(name, |(name, _)| name)))
    }

    /// The first place where it fits from byte `start` of `line` on. A line that takes too many steps fits as little as
    /// one that fits nowhere.
    pub(super) fn find(&self, line: &str, start: usize) -> Option<Spans> {
        let groups = self.0.captures_from(line, start).ok()??;
        Some((0..groups.len()).map(|group| groups.span(group)).collect())
    }
}

/// The same without a reference back to a separator, by writing the part between the two once for every separator:
/// `(?P<_sep>[-/])%m(?P=_sep)` is `(?:-%m-|/%m/)`.
fn without_reference(python: &str) -> Option<String> {
    let (before, rest) = python.split_once("(?P<_sep>[")?;
    let (separators, rest) = rest.split_once("])")?;
    let (between, behind) = rest.split_once("(?P=_sep)")?;
    let (name, field) = between.strip_prefix("(?P<")?.split_once('>')?;
    let plain = separators.bytes().all(|byte| byte.is_ascii_punctuation() && !b"\\^[".contains(&byte));
    let numbered = python.contains("(?(") || behind.contains("(?P=") || refers_to_number(python);
    let one_field = field.ends_with(')') && !field.contains('(') && !name.contains(COPY);
    if !plain || numbered || !one_field || !before.contains('(') {
        return None;
    }
    let each: Vec<String> = separators
        .chars()
        .enumerate()
        .map(|(copy, separator)| {
            let separator = regex::escape(separator.encode_utf8(&mut [0; 4]));
            format!("{separator}(?P<{name}{COPY}{copy}>{field}{separator}")
        })
        .collect();
    Some(format!("{before}(?:{}){behind}", each.join("|")))
}

/// The name of a group that there are two of.
fn twice(python: &str) -> Option<&str> {
    let mut names = python.match_indices("(?P<").filter_map(|(at, opening)| {
        let name = &python[at + opening.len()..];
        Some(&name[..name.find('>')?])
    });
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(*name))
}

fn refers_to_number(python: &str) -> bool {
    let mut pairs = python.as_bytes().windows(2);
    pairs.any(|pair| pair[0] == b'\\' && pair[1].is_ascii_digit() && pair[1] != b'0')
}
