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

#[cfg(test)]
mod tests;
