//! The structure of a pattern.

use super::Flags;
use super::class::{Class, Shorthand};

/// A pattern or a part of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(char),
    /// `.`
    Any,
    Class(Class),
    Shorthand(Shorthand),
    Assertion(Assertion),
    Concat(Vec<Self>),
    Alternation(Vec<Self>),
    Repeat(Repeat),
    /// A group with a number, and a name if it has one.
    Capture {
        name: Option<String>,
        inner: Box<Self>,
    },
    /// A group that only holds together.
    Group(Box<Self>),
    /// The flags in force inside of a group.
    Flagged(Flags, Box<Self>),
    Look {
        look: Look,
        inner: Box<Self>,
    },
    /// `(?>...)`
    Atomic(Box<Self>),
    /// The text of a group once more.
    Backreference(usize),
    /// `(?(1)yes|no)`
    Conditional {
        group: usize,
        yes: Box<Self>,
        no: Box<Self>,
    },
}

/// What matches between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    /// `^`
    LineStart,
    /// `$`
    LineEnd,
    /// `\A`
    TextStart,
    /// `\Z`
    TextEnd,
    /// `\b`
    WordBoundary,
    /// `\B`
    NoWordBoundary,
}

/// `x*`, `x+?`, `x{2,3}`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Repeat {
    pub(super) inner: Box<Node>,
    pub(super) least: u32,
    /// Absent: without end.
    pub(super) most: Option<u32>,
    pub(super) greed: Greed,
}

/// How much a repetition takes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

/// The four kinds of looking around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Ahead,
    NotAhead,
    Behind,
    NotBehind,
}
