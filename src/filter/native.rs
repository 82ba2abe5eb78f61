//! banzone's own filters: the syntax of the `regex` crate, and addresses that are whole or none.
//!
//! Patterns are tried in the order they are written; the first that matches with a proper address is the failure,
//! and it is none after all if an ignoreregex matches too. Matching takes time linear in the text.

use std::borrow::Cow;
use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::source::Source;
use super::tag::{self, Expanded};
use super::{Error, Failure, Place, Settings, Verdict, Who, address, literal};
use crate::ip::Prefix;

/// The memory one compiled pattern may take, in bytes: far above what any sensible pattern needs, and it stops
/// repetitions of repetitions from eating the machine.
const COMPILED_LIMIT: usize = 4 << 20;

/// The memory the states of one pattern may take while it matches, in bytes. Beyond it they are made anew, which is
/// slower and nothing else.
const CACHE_LIMIT: usize = 2 << 20;

/// The compiled patterns of a filter.
#[derive(Debug)]
pub(super) struct Rules {
    fail: Vec<Pattern>,
    ignore: Vec<Regex>,
    literals: Option<Vec<Vec<u8>>>,
}

impl Rules {
    /// Compiles the patterns of a filter.
    pub(super) fn compile(settings: &Settings) -> Result<Self, Error> {
        let prefix = prefix(settings)?;
        let fail = settings.failregex.iter().enumerate();
        let ignore = settings.ignoreregex.iter().enumerate();
        Ok(Self {
            fail: fail
                .map(|(index, pattern)| Pattern::compile(pattern, &prefix, Place::Failregex(index)))
                .collect::<Result<_, _>>()?,
            ignore: ignore
                .map(|(index, pattern)| Ok(compile(pattern, &prefix, Place::Ignoreregex(index))?.1))
                .collect::<Result<_, Error>>()?,
            literals: literals(&settings.failregex, &prefix),
        })
    }

    /// Looks for a failure in `text`.
    pub(super) fn check<'t>(&self, text: &'t str) -> Verdict<'t> {
        let mut patterns = self.fail.iter().enumerate();
        let Some(failure) = patterns.find_map(|(index, pattern)| pattern.failure(text, index)) else {
            return Verdict::Miss;
        };
        match self.ignore.iter().position(|regex| regex.is_match(text)) {
            Some(ignoreregex) => Verdict::Ignored { failure: Some(failure), ignoreregex },
            None => Verdict::Failure(failure),
        }
    }

    /// Literals one of which is in every text with a failure; none if any text may have one.
    pub(super) fn literals(&self) -> Option<&[Vec<u8>]> {
        self.literals.as_deref()
    }
}

/// A failregex.
#[derive(Debug)]
struct Pattern {
    regex: Regex,
    /// The groups of its address tags and of its user tags.
    addresses: Vec<usize>,
    users: Vec<usize>,
}

impl Pattern {
    fn compile(pattern: &str, prefix: &str, place: Place) -> Result<Self, Error> {
        let (expanded, regex) = compile(pattern, prefix, place)?;
        if expanded.addresses == 0 {
            let remedy = "put <HOST> where the address stands";
            return Err(Error::new(place, "it has no address", remedy).at(0..pattern.len()));
        }
        Ok(Self { addresses: groups(&regex, tag::ADDRESS), users: groups(&regex, tag::USER), regex })
    }

    /// The failure in `text`. Asking for a match alone first spares most lines the memory for the groups.
    fn failure<'t>(&self, text: &'t str, failregex: usize) -> Option<Failure<'t>> {
        if !self.regex.is_match(text) {
            return None;
        }
        let captures = self.regex.captures(text)?;
        let address = self.addresses.iter().find_map(|&group| captures.get(group))?;
        let users = self.users.iter().filter_map(|&group| captures.get(group));
        Some(Failure {
            who: Who::Prefix(Prefix::host(address::read(text, address.range())?)),
            user: users.map(|user| user.as_str()).find(|user| !user.is_empty()).map(Cow::Borrowed),
            users: Vec::new(),
            failregex,
            earlier: Vec::new(),
            excused: false,
        })
    }
}

fn groups(regex: &Regex, name: &str) -> Vec<usize> {
    let names = regex.capture_names().enumerate();
    let named = names.filter(|(_, group)| group.is_some_and(|group| tag::is_numbered(group, name)));
    named.map(|(index, _)| index).collect()
}

/// What the texts that match must contain. What all lines of a program contain tells little: so the literals of the
/// prefix count only where the rest of a pattern has none.
fn literals(failregex: &[String], prefix: &str) -> Option<Vec<Vec<u8>>> {
    let required =
        |pattern: &String, prefix: &str| literal::required(&tag::expand(pattern, prefix).ok()?.source.regex);
    let each =
        failregex.iter().map(|pattern| required(pattern, ANYTHING).or_else(|| required(pattern, prefix)));
    Some(each.collect::<Option<Vec<_>>>()?.concat())
}

/// Stands in for the prefix, where only the rest of a pattern is of interest.
const ANYTHING: &str = "(?s:.*)";

/// What the tag `<PREFIX>` stands for in a filter.
fn prefix(settings: &Settings) -> Result<String, Error> {
    if let Some(daemon) = &settings.daemon {
        // By itself first: an unbalanced parenthesis would otherwise reach into what surrounds it.
        build(&Source::verbatim(daemon), Place::Daemon)?;
    }
    Ok(tag::prefix(settings.daemon.as_deref()))
}

fn compile(pattern: &str, prefix: &str, place: Place) -> Result<(Expanded, Regex), Error> {
    let expanded = tag::expand(pattern, prefix)
        .map_err(|error| Error::new(place, error.reason, error.remedy).at(error.span))?;
    let regex = build(&expanded.source, place)?;
    Ok((expanded, regex))
}

/// It is parsed by itself first, since only the parser says where an error is.
fn build(source: &Source, place: Place) -> Result<Regex, Error> {
    regex_syntax::parse(&source.regex).map_err(|error| syntax(place, source, &error))?;
    RegexBuilder::new(&source.regex)
        .size_limit(COMPILED_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .build()
        .map_err(|error| too_big(place, &error))
}

fn syntax(place: Place, source: &Source, error: &regex_syntax::Error) -> Error {
    let (reason, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        _ => return Error::new(place, error.to_string(), SYNTAX_REMEDY),
    };
    let span: Range<usize> = span.start.offset..span.end.offset;
    Error::new(place, reason, SYNTAX_REMEDY).at(source.written(span))
}

/// Where the syntax is described, and what most often goes wrong.
const SYNTAX_REMEDY: &str = "patterns are in the syntax of Rust's regex crate, which has no look-around and no \
                             back-references, and wants `[` inside a class written `\\[`";

fn too_big(place: Place, error: &regex::Error) -> Error {
    Error::new(place, error.to_string(), "use smaller counts in its repetitions")
}
