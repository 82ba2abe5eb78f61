//! A compiled pattern.

use std::ops::Range;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::class::Alphabet;
use super::parser::Parsed;
use super::program::Program;
use super::walk::Spans;
use super::writer;
use super::{Bounds, Texts};
use crate::filter::literal;

/// So many steps back at the most may a pattern with look-around, back-references or conditionals take in one text.
/// fail2ban's own filters take some dozens; one that takes more tries every way to read a hostile text.
pub(crate) const STEPS: usize = 20_000;

/// A step may look at all of the text: so in texts longer than this, in bytes, fewer are taken.
const LONG: &[(usize, usize)] = &[(8 << 10, STEPS / 8), (64 << 10, STEPS / 32)];

/// The memory one compiled pattern may take, in bytes: counted repetitions of Unicode classes take much of it.
const COMPILED_LIMIT: usize = 16 << 20;

/// The memory the states of one pattern may take while it matches, in bytes.
const CACHE_LIMIT: usize = 4 << 20;

/// A pattern that is ready to look at texts.
#[derive(Debug)]
pub(crate) struct Pattern {
    ascii: Ascii,
    /// For all texts. It is made at once where something may be wrong with it, and else when it is needed.
    unicode: OnceLock<Engine>,
    parsed: Parsed,
    texts: Texts,
    bounds: Bounds,
    names: Vec<(usize, Box<str>)>,
    literals: Option<Vec<Vec<u8>>>,
}

/// What is faster for texts of ASCII.
#[derive(Debug)]
enum Ascii {
    /// They may give up.
    Steps(Program),
    Engine(Engine),
    /// Nothing is.
    #[cfg(test)]
    Nothing,
}

#[derive(Debug)]
enum Engine {
    Linear(Regex),
    Backtracking(Box<Backtracking>),
}

/// A pattern for the engine with backtracking.
#[derive(Debug)]
struct Backtracking {
    source: String,
    /// Finds at least the same in linear time, and so where to begin; most texts need no more.
    loose: Option<Regex>,
    /// For texts that are not long.
    exact: fancy_regex::Regex,
    /// For those of [`LONG`], which few logs have.
    long: [OnceLock<fancy_regex::Regex>; LONG.len()],
}

/// A pattern has taken too many steps in a text, which counts as if it did not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Where the groups of a pattern matched.
#[derive(Debug)]
pub(crate) enum Captures<'t> {
    /// By steps.
    Steps(Spans),
    /// By the engine of linear time.
    Linear(regex::Captures<'t>),
    /// By the engine with backtracking.
    Backtracking(fancy_regex::Captures<'t, str>),
}

impl Pattern {
    pub(super) fn new(parsed: Parsed, texts: Texts, bounds: Bounds) -> Result<Self, String> {
        let ascii = Ascii::new(&parsed, texts, bounds)?;
        let unicode = OnceLock::new();
        let written = writer::exactly(&parsed, texts, Alphabet::Unicode);
        // Otherwise only its size could still be wrong with it.
        let is_understood = !written.backtracks && regex_syntax::parse(&written.source).is_ok();
        if !is_understood || parsed.node.most_compiled() > COMPILED_LIMIT >> 10 {
            let engine = Engine::new(&parsed, texts, bounds, Alphabet::Unicode)?;
            unicode.get_or_init(|| engine);
        }
        let names = parsed.node.names().into_iter().enumerate();
        Ok(Self {
            ascii,
            unicode,
            names: names.filter_map(|(index, name)| Some((index + 1, name?.into()))).collect(),
            literals: literal::required(&writer::loosely(&parsed, Alphabet::Unicode)),
            parsed,
            texts,
            bounds,
        })
    }

    /// The same pattern without steps, if it has any.
    #[cfg(test)]
    pub(super) fn without_steps(self) -> Option<Self> {
        matches!(self.ascii, Ascii::Steps(_)).then_some(Self { ascii: Ascii::Nothing, ..self })
    }

    /// Where it first matches in `text` from byte `start` on, if there are steps for such texts that come to an end.
    fn steps(&self, text: &str, start: usize) -> Option<Option<Spans>> {
        match &self.ascii {
            Ascii::Steps(program) if text.is_ascii() => program.find(text, start).ok(),
            _ => None,
        }
    }

    fn engine(&self, text: &str) -> &Engine {
        match &self.ascii {
            Ascii::Engine(engine) if text.is_ascii() => engine,
            _ => self.unicode.get_or_init(|| {
                let engine = Engine::new(&self.parsed, self.texts, self.bounds, Alphabet::Unicode);
                engine.expect("what is understood and small enough can be compiled")
            }),
        }
    }

    /// Where it first matches in `text`.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Result<Option<Captures<'t>>, Exhausted> {
        self.captures_from(text, 0)
    }

    /// Where it first matches in `text` from byte `start` on, with what stands before that in sight.
    pub(crate) fn captures_from<'t>(
        &self,
        text: &'t str,
        start: usize,
    ) -> Result<Option<Captures<'t>>, Exhausted> {
        if let Some(found) = self.steps(text, start) {
            return Ok(found.map(Captures::Steps));
        }
        match self.engine(text) {
            // Asking for a match alone first spares most texts the memory for the groups. Those that have one of the
            // literals do not need it.
            Engine::Linear(regex) if self.literals.is_none() && !regex.is_match_at(text, start) => Ok(None),
            Engine::Linear(regex) => Ok(regex.captures_at(text, start).map(Captures::Linear)),
            Engine::Backtracking(regex) => regex.captures(text, start),
        }
    }

    /// Whether it matches anywhere in `text`.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, Exhausted> {
        if let Some(found) = self.steps(text, 0) {
            return Ok(found.is_some());
        }
        match self.engine(text) {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Backtracking(regex) => regex.is_match(text),
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

    /// Whether it begins with a literal, so that most texts without a match are told at once.
    pub(crate) fn begins_with_literal(&self) -> bool {
        matches!(&self.ascii, Ascii::Steps(program) if program.begins_with_literal())
    }

    /// Literals one of which is in every text that matches; none if no such are known.
    pub(crate) fn literals(&self) -> Option<&[Vec<u8>]> {
        self.literals.as_deref()
    }
}

impl Ascii {
    fn new(parsed: &Parsed, texts: Texts, bounds: Bounds) -> Result<Self, String> {
        let is_free = bounds == Bounds::default();
        Ok(match is_free.then(|| Program::new(parsed, texts)).flatten() {
            Some(program) => Self::Steps(program),
            None => Self::Engine(Engine::new(parsed, texts, bounds, Alphabet::Ascii)?),
        })
    }
}

impl Engine {
    fn new(parsed: &Parsed, texts: Texts, bounds: Bounds, alphabet: Alphabet) -> Result<Self, String> {
        let written = writer::exactly(parsed, texts, alphabet);
        let loose = writer::loosely(parsed, alphabet);
        if written.backtracks {
            backtracking(looking(&written.source, bounds), &loose)
        } else {
            bound(&written.source, &loose, bounds, alphabet)
        }
    }
}

impl Backtracking {
    fn captures<'t>(&self, text: &'t str, start: usize) -> Result<Option<Captures<'t>>, Exhausted> {
        let Some(start) = self.start(text, start) else {
            return Ok(None);
        };
        let captures = self.exact(text).captures_from_pos(text, start).map_err(|_| Exhausted)?;
        Ok(captures.map(Captures::Backtracking))
    }

    fn is_match(&self, text: &str) -> Result<bool, Exhausted> {
        let Some(start) = self.start(text, 0) else {
            return Ok(false);
        };
        let found = self.exact(text).find_from_pos(text, start).map_err(|_| Exhausted)?;
        Ok(found.is_some())
    }

    /// Where to begin: no match starts between `start` and there.
    fn start(&self, text: &str, start: usize) -> Option<usize> {
        match &self.loose {
            Some(loose) => Some(loose.find_at(text, start)?.start()),
            None => Some(start),
        }
    }

    fn exact(&self, text: &str) -> &fancy_regex::Regex {
        match LONG.iter().rposition(|(length, _)| text.len() > *length) {
            None => &self.exact,
            Some(index) => self.long[index].get_or_init(|| {
                stopped(&self.source, LONG[index].1).expect("the same was compiled for other texts")
            }),
        }
    }
}

impl Captures<'_> {
    /// How many groups there are, with the whole match.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Steps(spans) => spans.len(),
            Self::Linear(captures) => captures.len(),
            Self::Backtracking(captures) => captures.len(),
        }
    }

    /// The bytes of the text that the group of this number matched.
    pub(crate) fn span(&self, group: usize) -> Option<Range<usize>> {
        match self {
            Self::Steps(spans) => spans.get(group),
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
fn bound(source: &str, loose: &str, bounds: Bounds, alphabet: Alphabet) -> Result<Engine, String> {
    if bounds == Bounds::default() {
        return linear(source).map(Engine::Linear);
    }
    let mark = |wanted: bool| match alphabet {
        _ if !wanted => "",
        Alphabet::Unicode => r"(?:\b{start-half}|\b{end-half})",
        Alphabet::Ascii => r"(?:(?-u:\b{start-half})|(?-u:\b{end-half}))",
    };
    let engine = linear(&format!("{}(?:{source}){}", mark(bounds.begin), mark(bounds.end)))?;
    // What matches nothing at all may do so at the end of a text, where these are not quite the same.
    if engine.is_match("") {
        return backtracking(looking(source, bounds), loose);
    }
    Ok(Engine::Linear(engine))
}

fn linear(source: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(source).size_limit(COMPILED_LIMIT).dfa_size_limit(CACHE_LIMIT).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "it is too large; use smaller counts in its repetitions".to_owned()
        }
        error => error.to_string(),
    })
}

fn backtracking(source: String, loose: &str) -> Result<Engine, String> {
    let exact = stopped(&source, STEPS)?;
    let loose = linear(loose).ok();
    Ok(Engine::Backtracking(Box::new(Backtracking { source, loose, exact, long: Default::default() })))
}

fn stopped(source: &str, steps: usize) -> Result<fancy_regex::Regex, String> {
    let regex = fancy_regex::RegexBuilder::new(source)
        .backtrack_limit(steps)
        .delegate_size_limit(COMPILED_LIMIT)
        .delegate_dfa_size_limit(CACHE_LIMIT)
        .build();
    regex.map_err(|error| error.to_string())
}
