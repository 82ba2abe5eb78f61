//! What the jails must know from outside before they can count a failure: the addresses of a host, and whether a command
//! excuses somebody. The question goes out with all that is needed to go on once the answer is there.

use std::sync::Arc;

use super::IgnoreCommand;
use crate::clock::Timestamp;
use crate::filter;
use crate::ip::Prefix;

/// What a filter found in a line, on its way to a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// What it found.
    pub failure: filter::Failure<'a>,
    /// When it happened, by the line's own date where it can be believed.
    pub time: Timestamp,
    /// The line.
    pub line: &'a str,
}

/// A failure that waits for an answer from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where it counts.
    pub jail: Arc<str>,
    /// What is to be found out.
    pub question: Question,
    /// When it happened.
    pub time: Timestamp,
    /// The user, if known.
    pub user: Option<String>,
    /// The lines that show it, oldest first.
    pub lines: Vec<String>,
}

impl Ask {
    /// Whether the answer is worth a message.
    pub fn wants_told(&self) -> bool {
        matches!(self.question, Question::Addresses { tell: true, .. })
    }
}

/// What is to be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which addresses a host has.
    Addresses {
        /// The name of the host, as somebody wrote it into a log.
        name: String,
        /// Whether the answer is worth a message.
        tell: bool,
    },
    /// Whether the jail's command excuses this failure.
    Excused {
        /// Who failed.
        prefix: Prefix,
        /// The command.
        command: Arc<IgnoreCommand>,
    },
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses of the host; none if it has none or is not known.
    Addresses(Vec<Prefix>),
    /// Whether the failure is excused.
    Excused(bool),
}
