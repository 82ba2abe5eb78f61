//! Why a change of tokens is refused.

use super::GrantError;
use crate::store;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It would allow what makes no sense.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A name that cannot be shown or typed.
    #[error(
        "`{0}` is no name: write 1 to 64 letters, digits and any of -._@, beginning with a letter or digit"
    )]
    Name(String),
    /// The name is in use.
    #[error("there is a token `{0}` already: choose another name, or rotate or revoke that one")]
    TokenExists(String),
    /// No such token is in force.
    #[error("no token `{0}` is in force; `banzone token list` shows those that are")]
    NoToken(String),
    /// No more fit.
    #[error(
        "there are {0} tokens, and no more than that: revoke some; those that have ended go after 90 days"
    )]
    TooManyTokens(u32),
}

/// Takes `name` if it is one that people can read and type, also in a URL.
pub(super) fn checked_name(name: &str) -> Result<&str, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._@".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && name.len() <= 64 && name.chars().all(is_plain) {
        return Ok(name);
    }
    Err(Error::Name(name.chars().take(64).collect()))
}
