//! Why a change of tokens, users and sessions is refused.

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
    /// It would be over before it is used.
    #[error("a token that is good for no time lets nobody in: give it some, or leave the time out")]
    NoTime,
    /// No more fit.
    #[error(
        "there are {0} tokens, and no more than that: revoke some; those that have ended go after 90 days"
    )]
    TooManyTokens(u32),
    /// The name is in use.
    #[error("there is a user `{0}` already: choose another name")]
    UserExists(String),
    /// No such user.
    #[error("there is no user `{0}`; `banzone user list` shows those that there are")]
    NoUser(String),
    /// No more fit.
    #[error("there are {0} users, and no more than that: remove some")]
    TooManyUsers(u32),
    /// Too easy to guess, or too much to read.
    #[error(
        "a password has {shortest} characters at least, and {longest} bytes at most: choose another, such as some words"
    )]
    Password {
        /// Characters.
        shortest: usize,
        /// Bytes.
        longest: usize,
    },
    /// Of a second factor.
    #[error("the code is wrong, or was used before: wait for the next one")]
    WrongCode,
    /// A second factor that was not begun.
    #[error("there is no second factor to confirm: begin again")]
    NothingToConfirm,
    /// No passkeys without it.
    #[error(
        "there are no passkeys here: `[sign_in] origin` does not say under which name browsers find the pages"
    )]
    NoOrigin,
    /// Something else, or long ago.
    #[error("nothing waits for this answer: five minutes are over, or it was answered; begin again")]
    NothingAsked,
    /// What a browser has made is none, or not for us.
    #[error("this is no passkey for this service: {0}")]
    Passkey(String),
    /// Not kept here, or the signature is wrong.
    #[error("this passkey is not known here, or did not sign what it was asked")]
    WrongPasskey,
    /// It is kept already.
    #[error("this passkey is known here already: use another device, or remove the passkey first")]
    PasskeyExists,
    /// No such passkey of the user.
    #[error("there is no passkey `{0}`")]
    NoPasskey(String),
    /// No more fit.
    #[error("a user has {0} passkeys at most: remove one first")]
    TooManyPasskeys(usize),
    /// What a passkey is called.
    #[error("a passkey is called something of 1 to {0} characters: write for which device it is")]
    Label(usize),
    /// No such session.
    #[error("no session `{0}` is open")]
    NoSession(String),
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
