//! Sessions: what a browser shows after its user has signed in. The cookie is random, made anew at each sign-in, and kept as
//! its hash; a session ends when it is not used for a while, when it is old, and when anything about its user changes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::PublicKeyCredential;

use super::passkey::Who;
use super::user::{self, use_code};
use super::{Error, Grant, Origin, Principal, Role};
use crate::clock::Timestamp;
use crate::store::{self, Reader, SessionRow, Transaction, UserRow};

/// How exactly the last use is known.
const LAST_USE: Duration = Duration::from_secs(60);

/// How long it is enough to have shown who one is, for what cannot be undone.
pub const RECENT: Duration = Duration::from_secs(600);

/// So many sessions has a user; the oldest ends for a new one.
const MOST: usize = 20;

/// What browsers say about themselves is cut to this.
const LONGEST_AGENT: usize = 200;

/// What is configured about signing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A session that is not used for so long ends.
    pub idle_timeout: Duration,
    /// A session that is so old ends.
    pub lifetime: Duration,
    /// Roles that must have a second factor, and may do nothing but set one up before that.
    pub second_factor: Vec<Role>,
    /// Where browsers find the pages; absent: there are no passkeys.
    pub origin: Option<Origin>,
}

/// A session in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which one.
    pub id: Arc<str>,
    /// Whose.
    pub user: Arc<str>,
    /// What changing requests must show beside the cookie: a page of another site can send the cookie, but not read this.
    pub csrf: String,
    /// When they last showed who they are.
    pub verified: Timestamp,
    /// When it ends at the latest.
    pub until: Timestamp,
    /// Whether they have a second factor.
    pub has_second_factor: bool,
    /// Whether they may do nothing but set one up.
    pub must_enrol: bool,
}

/// Where somebody signs in.
#[derive(Clone, Debug)]
pub struct Place {
    /// The address.
    pub source: IpAddr,
    /// What the browser says that it is.
    pub agent: String,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// One of name, password and code; which, nobody is told.
    #[error("the user name, the password or the code is wrong")]
    Wrong,
    /// All is right so far.
    #[error(
        "a code of the second factor is missing: send it as `code`, with user name and password again, or sign in with a passkey"
    )]
    NeedsCode,
    /// Whose passkey it is may not come in, or it is nobody's.
    #[error("this passkey is not known here, or did not sign what it was asked in time: begin again")]
    WrongPasskey,
    /// They are who they say they are, and may not come in from there.
    #[error("you may not sign in from there: an administrator has named the networks for it")]
    Elsewhere,
    /// Nobody can tell.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What the cookie of a new session holds.
pub struct Opened {
    /// For the cookie.
    pub cookie: String,
    /// Who it is.
    pub principal: Principal,
}

/// The hash of the password of `name`, if they may sign in, for [`super::password::is_right`].
pub fn kept_password(reader: &Reader, name: &str) -> Result<Option<String>, store::Error> {
    Ok(reader.user(name)?.filter(|user| !user.disabled).map(|user| user.password))
}

/// Lets in `name`, whose password is the one that `kept` was read of, if the second factor is right as well.
pub fn open(
    transaction: &Transaction<'_>,
    (name, kept): (&str, &str),
    code: Option<&str>,
    place: &Place,
    settings: &Settings,
    now: Timestamp,
) -> Result<Opened, Denied> {
    let mut row = transaction.user(name)?.ok_or(Denied::Wrong)?;
    if row.disabled || row.password != kept {
        return Err(Denied::Wrong);
    }
    if user::has_second_factor(&row) {
        let code = code.ok_or(Denied::NeedsCode)?;
        if !use_code(&mut row, code, now) {
            return Err(Denied::Wrong);
        }
    }
    let_in(transaction, row, place, settings, now, Denied::Wrong)
}

/// Lets in whose passkey has signed what was asked.
pub fn open_by_passkey(
    transaction: &Transaction<'_>,
    (who, origin, shown): (Who, &Origin, &PublicKeyCredential),
    place: &Place,
    settings: &Settings,
    now: Timestamp,
) -> Result<Opened, Denied> {
    let owner = who.owner(transaction, origin, shown, now).map_err(|error| match error {
        Error::Store(failed) => Denied::Store(failed),
        _ => Denied::WrongPasskey,
    })?;
    let row = transaction.user(&owner)?.filter(|row| !row.disabled).ok_or(Denied::WrongPasskey)?;
    let_in(transaction, row, place, settings, now, Denied::WrongPasskey)
}

/// A new session of who has shown everything. Of whom a later version made something that is not understood there is none, but
/// `unreadable`.
fn let_in(
    transaction: &Transaction<'_>,
    mut row: UserRow,
    place: &Place,
    settings: &Settings,
    now: Timestamp,
    unreadable: Denied,
) -> Result<Opened, Denied> {
    let Some(user) = user::user(&row) else { return Err(unreadable) };
    if !user.grant.is_good_from(place.source) {
        return Err(Denied::Elsewhere);
    }
    row.seen = Some(now);
    transaction.put_user(&row)?;
    for old in transaction.sessions(&row.name)?.iter().skip(MOST - 1) {
        transaction.end_session(&row.name, &old.id)?;
    }
    let cookie = BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>());
    let session = begin(&cookie, &row.name, place, now);
    transaction.insert_session(&session)?;
    let principal = principal(&cookie, session, user, settings);
    Ok(Opened { cookie, principal })
}

fn begin(cookie: &str, user: &str, place: &Place, now: Timestamp) -> SessionRow {
    let agent = &place.agent;
    SessionRow {
        id: BASE32_NOPAD.encode(&rand::random::<[u8; 10]>()).to_ascii_lowercase(),
        hash: hash(cookie),
        user: user.to_owned(),
        created: now,
        used: now,
        verified: now,
        source: place.source.to_string(),
        agent: agent[..agent.floor_char_boundary(LONGEST_AGENT)].to_owned(),
    }
}

fn principal(cookie: &str, row: SessionRow, user: user::User, settings: &Settings) -> Principal {
    let must_enrol = !user.has_second_factor && settings.second_factor.contains(&user.grant.role);
    let session = Session {
        id: row.id.into(),
        user: row.user.into(),
        csrf: csrf(cookie),
        verified: row.verified,
        until: row.created + settings.lifetime,
        has_second_factor: user.has_second_factor,
        must_enrol,
    };
    Principal::user(session, user.grant)
}

fn hash(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

/// Follows from the cookie, and the cookie does not follow from it.
fn csrf(cookie: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::new().chain_update("csrf ").chain_update(cookie).finalize())
}

/// Who shows `cookie`, and whether the use should be noted by [`note_use`]. `is_good_from` is asked about the grant.
pub fn authenticate(
    reader: &Reader,
    cookie: &str,
    is_good_from: impl FnOnce(&Grant) -> bool,
    settings: &Settings,
    now: Timestamp,
) -> Result<Option<(Principal, bool)>, store::Error> {
    let Some(row) = reader.session(&hash(cookie))? else { return Ok(None) };
    let is_over = now >= row.used + settings.idle_timeout || now >= row.created + settings.lifetime;
    let user = reader.user(&row.user)?.as_ref().and_then(user::user);
    let user = user.filter(|user| !is_over && !user.disabled && is_good_from(&user.grant));
    let is_noted = now.since(row.used) < LAST_USE;
    Ok(user.map(|user| (principal(cookie, row, user, settings), !is_noted)))
}

/// Notes that a session was used.
pub fn note_use(transaction: &Transaction<'_>, id: &str, now: Timestamp) -> Result<(), store::Error> {
    transaction.use_session(id, now)
}

/// Who has a second factor shows a code of it, who has none the password again (which is known to be right); for a while
/// they may do what cannot be undone.
pub fn verify(
    transaction: &Transaction<'_>,
    session: &Session,
    code: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut row = user::existing(transaction, &session.user)?;
    let is_right = match code {
        Some(code) => use_code(&mut row, code, now),
        None => !user::has_second_factor(&row),
    };
    if !is_right {
        return Err(Error::WrongCode);
    }
    transaction.put_user(&row)?;
    transaction.verify_session(&session.id, now)?;
    Ok(())
}

/// The same by a passkey, which must be one of theirs.
pub fn verify_by_passkey(
    transaction: &Transaction<'_>,
    session: &Session,
    (who, origin, shown): (Who, &Origin, &PublicKeyCredential),
    now: Timestamp,
) -> Result<(), Error> {
    if who.owner(transaction, origin, shown, now)? != *session.user {
        return Err(Error::WrongPasskey);
    }
    transaction.verify_session(&session.id, now)?;
    Ok(())
}

/// The sessions of `user` that are not over, the newest first.
pub fn list(
    reader: &Reader,
    user: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<SessionRow>, store::Error> {
    let mut sessions = reader.sessions(user)?;
    sessions.retain(|row| now < row.used + settings.idle_timeout && now < row.created + settings.lifetime);
    Ok(sessions)
}

/// Ends a session of `user`.
pub fn end(transaction: &Transaction<'_>, user: &str, id: &str) -> Result<(), Error> {
    let ended = transaction.end_session(user, id)?;
    if ended { Ok(()) } else { Err(Error::NoSession(id.chars().take(64).collect())) }
}
