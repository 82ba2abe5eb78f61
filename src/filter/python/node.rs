//! The structure of a pattern.

use std::iter;

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

impl Node {
    /// The parts that it is made of.
    pub(super) fn parts(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Concat(parts) | Self::Alternation(parts) => Box::new(parts.iter()),
            Self::Repeat(Repeat { inner, .. })
            | Self::Capture { inner, .. }
            | Self::Group(inner)
            | Self::Flagged(_, inner)
            | Self::Look { inner, .. }
            | Self::Atomic(inner) => Box::new(iter::once(&**inner)),
            Self::Conditional { yes, no, .. } => Box::new([&**yes, &**no].into_iter()),
            _ => Box::new(iter::empty()),
        }
    }

    /// How much memory it may take when it is compiled for the engine of linear time, in KiB. A class of all letters takes 47.
    pub(super) fn most_compiled(&self) -> usize {
        match self {
            Self::Class(class) => 48 + class.items.len(),
            Self::Shorthand(_) => 48,
            Self::Repeat(repeat) => {
                let times = repeat.most.unwrap_or_else(|| repeat.least.saturating_add(1));
                self.parts_compiled().saturating_mul(times as usize)
            }
            _ => self.parts_compiled().saturating_add(1),
        }
    }

    fn parts_compiled(&self) -> usize {
        self.parts().map(Self::most_compiled).fold(0, usize::saturating_add)
    }

    /// How many groups with numbers are in it.
    pub(super) fn groups(&self) -> usize {
        let own = usize::from(matches!(self, Self::Capture { .. }));
        own + self.parts().map(Self::groups).sum::<usize>()
    }

    /// The names of these groups, in the order of their numbers.
    pub(super) fn names(&self) -> Vec<Option<&str>> {
        let own = match self {
            Self::Capture { name, .. } => vec![name.as_deref()],
            _ => Vec::new(),
        };
        own.into_iter().chain(self.parts().flat_map(Self::names)).collect()
    }
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
