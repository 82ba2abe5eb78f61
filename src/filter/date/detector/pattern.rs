//! Compiled regular expressions in Python's syntax.
//!
//! Most run in linear time; look-around other than the bounds of words needs an engine that goes back.

use std::collections::BTreeSet;
use std::ops::Range;

use super::bounds::{WORD_BEGINS, WORD_ENDS};

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Linear(regex::Regex),
    Backtracking(fancy_regex::Regex),
}

/// Where a pattern and each of its groups fitted, in bytes of the line; the first is the whole.
pub(super) type Spans = Vec<Option<Range<usize>>>;

/// Fits exactly where both bounds do: not between two characters of one word.
const NO_WORD_INSIDE: &str = r"(?:\b{start-half}|\b{end-half})";

/// What goes before the number of a copy of a group, in its name.
const COPY: &str = "__";

impl Pattern {
    /// Compiles `python`, or says what is wrong with it.
    pub(super) fn new(python: &str) -> Result<Self, String> {
        if let Some(name) = twice(python) {
            return Err(format!("the group {name:?} comes twice, as a directive or in other words"));
        }
        let simple = without_reference(python).unwrap_or_else(|| python.to_owned());
        let simple = simple.replace(WORD_BEGINS, NO_WORD_INSIDE).replace(WORD_ENDS, NO_WORD_INSIDE);
        if let Ok(regex) = regex::Regex::new(&simple) {
            return Ok(Self::Linear(regex));
        }
        fancy_regex::Regex::new(python).map(Self::Backtracking).map_err(|error| error.to_string())
    }

    /// The names of the groups with their numbers, by number. Copies of a group have the name of the first.
    pub(super) fn names(&self) -> Vec<(usize, String)> {
        let names: Vec<Option<&str>> = match self {
            Self::Linear(regex) => regex.capture_names().collect(),
            Self::Backtracking(regex) => regex.capture_names().collect(),
        };
        let names = names.into_iter().enumerate();
        names
            .filter_map(|(group, name)| Some((group, name?)))
            .map(|(group, name)| (group, name.split_once(COPY).map_or(name, |(name, _)| name).to_owned()))
            .collect()
    }

    /// The first place where it fits from byte `start` of `line` on.
    pub(super) fn find(&self, line: &str, start: usize) -> Option<Spans> {
        match self {
            Self::Linear(regex) => {
                let groups = regex.captures_at(line, start)?;
                Some(groups.iter().map(|group| Some(group?.range())).collect())
            }
            // A line that takes too many steps fits as little as one that fits nowhere.
            Self::Backtracking(regex) => {
                let groups = regex.captures_from_pos(line, start).ok()??;
                Some(groups.iter().map(|group| Some(group?.range())).collect())
            }
        }
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
