//! fail2ban's filters, by fail2ban's rules.
//!
//! In comes a line without its date and what the lines before it left behind ([`State`]); out goes a verdict. The
//! patterns are Python's, with fail2ban's tags ([`tag`]). What the named groups of a match mean is told by [`groups`];
//! [`connections`] merges the lines of one connection, and [`window`] holds the last lines where a pattern stretches over
//! several.

mod connections;
mod groups;
mod rules;
mod tag;
mod window;

pub(super) use rules::Rules;

use connections::Connections;
use window::Window;

/// What the lines of a log leave behind for later ones. Each filter on each log has its own.
#[derive(Debug, Default)]
pub struct State {
    connections: Connections,
    window: Window,
    /// Holds the text that is looked at.
    scratch: String,
}

/// The key that the window is kept under; that of a connection is [`CONNECTION`] and its id.
const WINDOW: &str = "window";

/// What the keys of connections begin with.
const CONNECTION: &str = "connection ";

impl State {
    /// What differs since this was last asked: keys with their values, and without one where something is forgotten.
    pub fn take_changes(&mut self) -> impl Iterator<Item = (String, Option<String>)> {
        let window = self.window.take_change().map(|lines| (WINDOW.to_owned(), Some(lines)));
        let connections = self.connections.take_changes();
        let connections = connections.map(|(id, known)| (format!("{CONNECTION}{id}"), known));
        window.into_iter().chain(connections)
    }

    /// Every key that [`State::take_changes`] may have given and not taken back.
    pub fn into_keys(self) -> impl Iterator<Item = String> {
        let connections = self.connections.into_ids().map(|id| format!("{CONNECTION}{id}"));
        [WINDOW.to_owned()].into_iter().chain(connections)
    }

    /// Takes over a value that [`State::take_changes`] gave. What cannot be read is forgotten.
    pub fn restore(&mut self, key: &str, value: &str) {
        match key.strip_prefix(CONNECTION) {
            Some(id) => self.connections.restore(id, value),
            None => self.window.restore(value),
        }
    }
}

/// The start of `text`, at most `longest` bytes of it.
fn cut(text: &str, longest: usize) -> String {
    text[..text.floor_char_boundary(longest)].to_owned()
}

#[cfg(test)]
mod tests;
