//! A compiled pattern.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::parser::Parsed;
use super::writer;
use super::{Bounds, Texts};
use crate::filter::literal;

/// So many steps back at the most may a pattern with look-around, back-references or conditionals take in one text.
/// fail2ban's own filters take some dozens; one that takes more tries every way to read a hostile text.
pub(crate) const STEPS: usize = 20_000;

/// The memory one compiled pattern may take, in bytes: counted repetitions of Unicode classes take much of it.
const COMPILED_LIMIT: usize = 16 << 20;

/// The memory the states of one pattern may take while it matches, in bytes.
const CACHE_LIMIT: usize = 4 << 20;

/// A pattern that is ready to look at texts.
#[derive(Debug)]
pub(crate) struct Pattern {
    engine: Engine,
    names: Vec<(usize, Box<str>)>,
    literals: Option<Vec<Vec<u8>>>,
}

#[derive(Debug)]
enum Engine {
    Linear(Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// A pattern has taken too many steps in a text, which counts as if it did not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Where the groups of a pattern matched.
#[derive(Debug)]
pub(crate) enum Captures<'t> {
    /// By the engine of linear time.
    Linear(regex::Captures<'t>),
    /// By the engine with backtracking.
    Backtracking(fancy_regex::Captures<'t, str>),
}

impl Pattern {
    pub(super) fn new(parsed: &Parsed, texts: Texts, bounds: Bounds) -> Result<Self, String> {
        let written = writer::exactly(parsed, texts);
        let engine = if written.backtracks {
            backtracking(&looking(&written.source, bounds))?
        } else {
            bound(&written.source, bounds)?
        };
        Ok(Self { names: names(&engine), engine, literals: literal::required(&writer::loosely(parsed)) })
    }

    /// Where it first matches in `text`.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Result<Option<Captures<'t>>, Exhausted> {
        match &self.engine {
            // Asking for a match alone first spares most texts the memory for the groups.
            Engine::Linear(regex) if !regex.is_match(text) => Ok(None),
            Engine::Linear(regex) => Ok(regex.captures(text).map(Captures::Linear)),
            Engine::Backtracking(regex) => match regex.captures(text) {
                Ok(captures) => Ok(captures.map(Captures::Backtracking)),
                Err(_) => Err(Exhausted),
            },
        }
    }

    /// Where it first matches in `text` from byte `start` on, with what stands before that in sight.
    pub(crate) fn captures_from<'t>(
        &self,
        text: &'t str,
        start: usize,
    ) -> Result<Option<Captures<'t>>, Exhausted> {
        match &self.engine {
            Engine::Linear(regex) if !regex.is_match_at(text, start) => Ok(None),
            Engine::Linear(regex) => Ok(regex.captures_at(text, start).map(Captures::Linear)),
            Engine::Backtracking(regex) => match regex.captures_from_pos(text, start) {
                Ok(captures) => Ok(captures.map(Captures::Backtracking)),
                Err(_) => Err(Exhausted),
            },
        }
    }

    /// Whether it matches anywhere in `text`.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, Exhausted> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|_| Exhausted),
        }
    }

    /// The groups that have names, by number.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.names.iter().map(|(number, name)| (*number, &**name))
    }

    /// The number of the group called `name`.
    pub(crate) fn group(&self, name: &str) -> Option<usize> {
        self.names().find(|(_, known)| *known == name).map(|(number, _)| number)
    }

    /// Literals one of which is in every text that matches; none if no such are known.
    pub(crate) fn literals(&self) -> Option<&[Vec<u8>]> {
        self.literals.as_deref()
    }
}

impl Captures<'_> {
    /// How many groups there are, with the whole match.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Linear(captures) => captures.len(),
            Self::Backtracking(captures) => captures.len(),
        }
    }

    /// The bytes of the text that the group of this number matched.
    pub(crate) fn span(&self, group: usize) -> Option<Range<usize>> {
        match self {
            Self::Linear(captures) => captures.get(group).map(|found| found.range()),
            Self::Backtracking(captures) => captures.get(group).map(|found| found.range()),
        }
    }
}

/// With bounds as look-ahead.
fn looking(source: &str, bounds: Bounds) -> String {
    let begin = if bounds.begin { r"(?=\A|\b|[^\p{L}\p{N}_])" } else { "" };
    let end = if bounds.end { r"(?=\b|[^\p{L}\p{N}_]|\z)" } else { "" };
    format!("{begin}(?:{source}){end}")
}

/// With bounds in linear time.
fn bound(source: &str, bounds: Bounds) -> Result<Engine, String> {
    if bounds == Bounds::default() {
        return linear(source);
    }
    let mark = |wanted: bool| if wanted { r"(?:\b{start-half}|\b{end-half})" } else { "" };
    let engine = linear(&format!("{}(?:{source}){}", mark(bounds.begin), mark(bounds.end)))?;
    match &engine {
        // What matches nothing at all may do so at the end of a text, where these are not quite the same.
        Engine::Linear(regex) if regex.is_match("") => backtracking(&looking(source, bounds)),
        _ => Ok(engine),
    }
}

fn linear(source: &str) -> Result<Engine, String> {
    let regex = RegexBuilder::new(source).size_limit(COMPILED_LIMIT).dfa_size_limit(CACHE_LIMIT).build();
    regex.map(Engine::Linear).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "it is too large; use smaller counts in its repetitions".to_owned()
        }
        error => error.to_string(),
    })
}

fn backtracking(source: &str) -> Result<Engine, String> {
    let regex = fancy_regex::RegexBuilder::new(source)
        .backtrack_limit(STEPS)
        .delegate_size_limit(COMPILED_LIMIT)
        .delegate_dfa_size_limit(CACHE_LIMIT)
        .build();
    regex.map(|regex| Engine::Backtracking(Box::new(regex))).map_err(|error| error.to_string())
}

fn names(engine: &Engine) -> Vec<(usize, Box<str>)> {
    let named = |(number, name): (usize, Option<&str>)| Some((number, name?.into()));
    match engine {
        Engine::Linear(regex) => regex.capture_names().enumerate().filter_map(named).collect(),
        Engine::Backtracking(regex) => regex.capture_names().enumerate().filter_map(named).collect(),
    }
}
