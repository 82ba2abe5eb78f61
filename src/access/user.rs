//! Users: people with a password, and a second factor if they have one.

use super::error::checked_name;
use super::password::Hashed;
use super::second::{self, Secret};
use super::{Error, Grant};
use crate::clock::Timestamp;
use crate::store::{self, Reader, Transaction, UserRow};

/// So many users are kept: the list is shown whole.
pub const MOST: u32 = 1000;

/// A user as administrators see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What they are called.
    pub name: String,
    /// What they may.
    pub grant: Grant,
    /// Whether they have a second factor.
    pub has_second_factor: bool,
    /// How many passkeys they have.
    pub passkeys: u32,
    /// How many recovery codes they have left.
    pub recovery_codes: usize,
    /// Whether they are kept out.
    pub disabled: bool,
    /// When they came.
    pub created: Timestamp,
    /// When they signed in last.
    pub seen: Option<Timestamp>,
}

/// Reads the row; what a later version wrote into it allows nothing.
pub(super) fn user(row: &UserRow) -> Option<User> {
    Some(User {
        name: row.name.clone(),
        grant: grant(row)?,
        has_second_factor: has_second_factor(row),
        passkeys: row.passkeys,
        recovery_codes: row.recovery.len(),
        disabled: row.disabled,
        created: row.created,
        seen: row.seen,
    })
}

pub(super) fn has_second_factor(row: &UserRow) -> bool {
    row.totp.is_some() || row.passkeys > 0
}

fn grant(row: &UserRow) -> Option<Grant> {
    serde_json::from_str(&row.granted).ok()
}

fn written(grant: &Grant) -> String {
    serde_json::to_string(grant).expect("a grant is names and prefixes")
}

/// Every user, by name.
pub fn list(reader: &Reader) -> Result<Vec<User>, store::Error> {
    Ok(reader.all_users(MOST)?.iter().filter_map(user).collect())
}

/// Adds a user.
pub fn add(
    transaction: &Transaction<'_>,
    name: &str,
    grant: Grant,
    password: &Hashed,
    now: Timestamp,
) -> Result<User, Error> {
    let name = checked_name(name)?;
    let grant = grant.checked()?;
    if transaction.user(name)?.is_some() {
        return Err(Error::UserExists(name.to_owned()));
    }
    if transaction.count_users()? >= MOST {
        return Err(Error::TooManyUsers(MOST));
    }
    let row = UserRow {
        name: name.to_owned(),
        granted: written(&grant),
        password: password.as_str().to_owned(),
        totp: None,
        totp_pending: None,
        totp_step: 0,
        recovery: Vec::new(),
        passkeys: 0,
        disabled: false,
        created: now,
        seen: None,
    };
    transaction.put_user(&row)?;
    Ok(user(&row).expect("the grant was written just now"))
}

pub(super) fn existing(transaction: &Transaction<'_>, name: &str) -> Result<UserRow, Error> {
    transaction.user(name)?.ok_or_else(|| Error::NoUser(name.to_owned()))
}

/// What changes of a user; what is `None` stays.
#[derive(Default)]
pub struct Change {
    /// Another password.
    pub password: Option<Hashed>,
    /// Whether they are kept out.
    pub disabled: Option<bool>,
    /// What they may.
    pub grant: Option<Grant>,
}

/// Changes a user. All their sessions end, but for the one with the id `but`.
pub fn change(
    transaction: &Transaction<'_>,
    name: &str,
    change: Change,
    but: Option<&str>,
) -> Result<User, Error> {
    let mut row = existing(transaction, name)?;
    if let Some(password) = change.password {
        row.password = password.as_str().to_owned();
    }
    if let Some(disabled) = change.disabled {
        row.disabled = disabled;
    }
    if let Some(grant) = change.grant {
        row.granted = written(&grant.checked()?);
    }
    transaction.put_user(&row)?;
    transaction.end_sessions(name, but)?;
    user(&row).ok_or_else(|| Error::NoUser(name.to_owned()))
}

/// Removes a user, with their sessions.
pub fn remove(transaction: &Transaction<'_>, name: &str) -> Result<(), Error> {
    if transaction.delete_user(name)? { Ok(()) } else { Err(Error::NoUser(name.to_owned())) }
}

/// A secret for a second factor, which is one once it is confirmed.
pub fn begin_totp(transaction: &Transaction<'_>, name: &str) -> Result<Secret, Error> {
    let mut row = existing(transaction, name)?;
    let secret = Secret::new();
    row.totp_pending = Some(secret.as_bytes().to_vec());
    transaction.put_user(&row)?;
    Ok(secret)
}

/// Takes the secret of [`begin_totp`] in use, since its owner shows a code of it. Recovery codes come back, this once; those
/// before, and all sessions but the one with the id `but`, end.
pub fn confirm_totp(
    transaction: &Transaction<'_>,
    name: &str,
    code: &str,
    but: Option<&str>,
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let mut row = existing(transaction, name)?;
    let secret = row.totp_pending.take().map(Secret::from_bytes).ok_or(Error::NothingToConfirm)?;
    row.totp_step = secret.step(code, now).ok_or(Error::WrongCode)?;
    row.totp = Some(secret.as_bytes().to_vec());
    let codes;
    (codes, row.recovery) = second::recovery_codes();
    transaction.put_user(&row)?;
    transaction.end_sessions(name, but)?;
    Ok(codes)
}

/// Takes the codes of the telephone away, for who has lost it; all their sessions but the one with the id `but` end.
pub fn remove_totp(transaction: &Transaction<'_>, name: &str, but: Option<&str>) -> Result<(), Error> {
    let row = UserRow { totp: None, totp_pending: None, ..existing(transaction, name)? };
    weaken(transaction, row, but)
}

/// Keeps `row`, which has a second factor less: recovery codes stand in for one, and go with the last. All sessions but the one
/// with the id `but` end.
pub(super) fn weaken(
    transaction: &Transaction<'_>,
    mut row: UserRow,
    but: Option<&str>,
) -> Result<(), Error> {
    if !has_second_factor(&row) {
        row.recovery.clear();
    }
    transaction.put_user(&row)?;
    transaction.end_sessions(&row.name, but)?;
    Ok(())
}

/// Takes away all second factors, for who has lost them; all their sessions end.
pub fn remove_factors(transaction: &Transaction<'_>, name: &str) -> Result<(), Error> {
    for passkey in transaction.passkeys(name)? {
        transaction.remove_passkey(name, &passkey.id)?;
    }
    remove_totp(transaction, name, None)
}

/// Whether `code` is one of the telephone that was not used yet, or a recovery code; it is used up by that.
pub(super) fn use_code(row: &mut UserRow, code: &str, now: Timestamp) -> bool {
    if let Some(secret) = row.totp.clone().map(Secret::from_bytes)
        && let Some(step) = secret.step(code, now).filter(|step| *step > row.totp_step)
    {
        row.totp_step = step;
        return true;
    }
    let index = second::recovery_index(code, &row.recovery);
    index.map(|index| row.recovery.remove(index)).is_some()
}
