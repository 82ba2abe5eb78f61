//! What clients get, as lists of clients say it.

use super::builder::{Problem, Reading};
use super::ranges::Id;
use super::value::Written;

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers, as if there were no list of clients.
    Pass,
    /// REFUSED, whatever it asks for.
    Refuse,
    /// Silence.
    Ignore,
    /// Answers as if nothing were listed.
    Empty,
    /// Every address is listed, with the records of this number.
    List(Id),
}

/// The words for actions.
const ACTIONS: &[(&[u8], Action)] = &[
    (b"pass", Action::Pass),
    (b"refuse", Action::Refuse),
    (b"ignore", Action::Ignore),
    (b"blackhole", Action::Ignore),
    (b"empty", Action::Empty),
];

/// What is wrong with anything else.
const UNKNOWN: &str = "it is none of :pass, :refuse, :ignore and :empty, and its code is neither an IPv4 address such as \
                       127.0.0.2 nor a number from 1 to 255";

impl Action {
    /// Reads what stands behind a client; `default` if there is nothing.
    pub(super) fn read(text: &[u8], default: Self, reading: &mut Reading) -> Result<Self, Problem> {
        let text = text.trim_ascii();
        if matches!(text, [] | [b'#' | b';', ..]) {
            return Ok(default);
        }
        if let [b':' | b'=', word @ ..] = text
            && let Some(action) = Self::named(word.trim_ascii_start())
        {
            return Ok(action);
        }
        let written = Written::read(text, &reading.default).map_err(|_| UNKNOWN)?;
        Ok(Self::List(reading.values.id(written)))
    }

    /// The action whose name `text` begins with; what stands behind it has no meaning.
    fn named(text: &[u8]) -> Option<Self> {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b':';
        let word = &text[..text.iter().position(is_end).unwrap_or(text.len())];
        let found = ACTIONS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
        found.map(|(_, action)| *action)
    }
}
