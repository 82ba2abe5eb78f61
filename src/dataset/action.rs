//! What clients get, as lists of clients and of keys say it.

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

impl Action {
    /// Reads what stands behind a client or a key; `default` if there is nothing.
    pub(super) fn read(text: &[u8], default: Self, reading: &mut Reading) -> Result<Self, Problem> {
        let text = text.trim_ascii();
        if matches!(text, [] | [b'#' | b';', ..]) {
            return Ok(default);
        }
        if let [b':' | b'=', word @ ..] = text
            && let Some((_, action)) =
                ACTIONS.iter().find(|(known, _)| word.trim_ascii().eq_ignore_ascii_case(known))
        {
            return Ok(*action);
        }
        let written = Written::read(text, &reading.default)?;
        Ok(Self::List(reading.values.id(written)))
    }
}
