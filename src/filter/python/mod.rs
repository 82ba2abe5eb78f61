//! Regular expressions in the syntax of Python's `re`, as fail2ban's filters are written.
//!
//! In comes a pattern; out goes a [`Pattern`] that finds the same in the same texts. It is parsed into a tree (`node`). For
//! texts of ASCII the tree becomes steps (`program`) that are taken by `walk`, in the order in which Python tries. What
//! they do not know or do not finish, and all other texts, are for the tree written out again (`writer`) in the syntax of
//! the `regex` crate, whose matching takes linear time, or where look-around, back-references and conditionals need it in
//! that of `fancy-regex`, which is stopped after [`pattern::STEPS`] steps.

mod class;
mod node;
mod parser;
mod pattern;
mod program;
mod set;
mod walk;
mod writer;

pub(crate) use pattern::{Captures, Exhausted, Pattern};

use std::ops::Range;

/// What a pattern means beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Letters match in either case.
    pub ignore_case: bool,
    /// `^` and `$` match at every line.
    pub multi_line: bool,
    /// `.` matches a line feed.
    pub dot_all: bool,
    /// White space and comments are passed over.
    pub verbose: bool,
    /// `\w`, `\d`, `\s` and `\b` know ASCII only.
    pub ascii: bool,
}

/// The texts a pattern is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Texts {
    /// There is a line feed at the end of a text or nowhere.
    #[default]
    OneLine,
    /// There may be line feeds anywhere.
    ManyLines,
}

/// Where a match may not begin or end, beside what its pattern says: between two characters of one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// It does not begin there: `(?=^|\b|\W)`.
    pub begin: bool,
    /// It does not end there: `(?=\b|\W|$)`.
    pub end: bool,
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PythonError {
    /// The bytes of the pattern that are wrong.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub reason: String,
}

/// Compiles a pattern.
pub(crate) fn compile(pattern: &str, flags: Flags, texts: Texts) -> Result<Pattern, PythonError> {
    compile_bound(pattern, flags, texts, Bounds::default())
}

/// Compiles a pattern that is bound to words, which unlike other look-ahead takes linear time.
pub(crate) fn compile_bound(
    pattern: &str,
    flags: Flags,
    texts: Texts,
    bounds: Bounds,
) -> Result<Pattern, PythonError> {
    let parsed = parser::parse(pattern, flags)?;
    Pattern::new(parsed, texts, bounds).map_err(|reason| PythonError { span: 0..pattern.len(), reason })
}

#[cfg(test)]
mod tests;
