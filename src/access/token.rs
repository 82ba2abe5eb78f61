//! API tokens: `bz_ID_SECRET`. The id is public and names the token; the secret is random and is shown once, when the token
//! is made. Only its hash is kept, which a fast hash is right for: nobody guesses 256 bits.
//!
//! The last characters are a checksum, so that whoever looks for leaked secrets can tell a token from other words, and a
//! typing error is found before the database is asked.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::checked_name;
use super::{Error, Grant, Principal};
use crate::clock::Timestamp;
use crate::store::{self, Reader, TokenRow, Transaction};

/// So many tokens are kept, those that have ended included: the list is shown and searched whole.
pub const MOST: u32 = 10_000;

/// How exactly the last use is known: a token in use is not written at each request.
pub const LAST_USE: Duration = Duration::from_secs(600);

const PREFIX: &str = "bz_";

/// What the prefix is without the underscore.
const LETTERS: &str = "bz";

/// Random octets of the id: enough that no two among [`MOST`] are alike.
const ID: usize = 5;

/// Characters of it, each of five bits.
const ID_LENGTH: usize = ID * 8 / 5;

/// Random octets of the secret.
const SECRET: usize = 32;

/// Octets of the checksum.
const CHECKSUM: usize = 4;

/// A token as it is shown once.
pub struct Secret(String);

impl Secret {
    /// A new token: its id, and what is to be handed over.
    fn new() -> (String, Self) {
        let id = lower(&rand::random::<[u8; ID]>());
        let secret: [u8; SECRET] = rand::random();
        let check = checksum(&id, &secret);
        let written = format!("{PREFIX}{id}_{}", lower(&[&secret[..], &check].concat()));
        (id, Self(written))
    }

    /// What is handed over.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bz_…")
    }
}

fn lower(octets: &[u8]) -> String {
    BASE32_NOPAD.encode(octets).to_ascii_lowercase()
}

fn checksum(id: &str, secret: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::new().chain_update(PREFIX).chain_update(id).chain_update(secret).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The id of what looks like a token and has the right checksum.
pub fn id(written: &str) -> Option<&str> {
    let (id, rest) = written.strip_prefix(PREFIX)?.split_once('_')?;
    let is_lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let octets = BASE32_NOPAD_NOCASE.decode(rest.as_bytes()).ok().filter(|_| is_lower(written))?;
    let (secret, check) = octets.split_at_checked(SECRET)?;
    (id.len() == ID_LENGTH && *check == checksum(id, secret)).then_some(id)
}

/// What `written` calls a token by: whoever hands in a whole one means that one.
fn called(written: &str) -> &str {
    split(written.trim()).map_or(written, |(id, _)| id)
}

/// The id of what begins like a whole token, and what stands behind that.
fn split(text: &str) -> Option<(&str, &str)> {
    let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
    is_id(id).then_some((id, rest))
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `text` with the ids of the tokens in it, and without their secrets. In a path `_` may be written as `%5F`.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, id, behind)) = next(rest) {
        shown.extend([before, PREFIX, id, "_…"]);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '…');
    }
    if shown.is_empty() {
        return text.into();
    }
    (shown + rest).into()
}

/// What stands before the first token in `text`, its id, and what stands behind that.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut letters = text.match_indices(LETTERS).map(|(at, _)| text.split_at(at));
    letters.find_map(|(before, token)| {
        let (id, behind) = underscore(&token[LETTERS.len()..])?.split_at_checked(ID_LENGTH)?;
        let behind = underscore(behind).filter(|_| is_id(id))?;
        Some((before, id, behind))
    })
}

fn underscore(text: &str) -> Option<&str> {
    ["_", "%5F", "%5f"].iter().find_map(|written| text.strip_prefix(written))
}

/// A token as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which one.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub grant: Grant,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends or has ended.
    pub until: Option<Timestamp>,
    /// When it was used last, give or take [`LAST_USE`].
    pub used: Option<Timestamp>,
}

impl Token {
    /// Whether it is good at `now`.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Reads the row; what a later version wrote into it allows nothing.
fn token(row: TokenRow) -> Option<(Token, [u8; 32])> {
    let TokenRow { id, name, hash, granted, created, until, used } = row;
    let grant = serde_json::from_str(&granted).ok()?;
    Some((Token { id, name, grant, created, until, used }, hash))
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It is none, or none in force.
    #[error("the token is unknown, has ended or was revoked; ask an administrator for another")]
    Unknown,
    /// It comes from the wrong place.
    #[error("this token is not for {source_address}; use it from the networks it was made for")]
    Source {
        /// From where.
        source_address: IpAddr,
        /// Whose token it is.
        principal: Principal,
    },
    /// Nobody can tell.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Who shows `written` from `source`, and whether the use should be noted by [`note_use`].
pub fn authenticate(
    reader: &Reader,
    written: &str,
    source: IpAddr,
    now: Timestamp,
) -> Result<(Principal, Option<String>), Denied> {
    let id = id(written).ok_or(Denied::Unknown)?;
    let (token, kept) = reader.token(id)?.and_then(token).ok_or(Denied::Unknown)?;
    let is_right: bool = hash(written).ct_eq(&kept).into();
    if !is_right || !token.is_in_force(now) {
        return Err(Denied::Unknown);
    }
    let principal = Principal::token(&token.name, token.grant);
    if !principal.grant().is_good_from(source) {
        return Err(Denied::Source { source_address: source, principal });
    }
    let is_noted = token.used.is_some_and(|used| now.since(used) < LAST_USE);
    Ok((principal, (!is_noted).then_some(token.id)))
}

/// Notes that the token was used.
pub fn note_use(transaction: &Transaction<'_>, id: &str, now: Timestamp) -> Result<(), store::Error> {
    transaction.use_token(id, now)
}

/// Every token, by name, those that have ended included.
pub fn list(reader: &Reader) -> Result<Vec<Token>, store::Error> {
    Ok(reader.tokens(MOST)?.into_iter().filter_map(token).map(|(token, _)| token).collect())
}

/// Makes a token until `until`, for ever without it.
pub fn add(
    transaction: &Transaction<'_>,
    name: &str,
    grant: Grant,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Token, Secret), Error> {
    let name = checked_name(name)?;
    let grant = grant.checked()?;
    if until.is_some_and(|until| until <= now) {
        return Err(Error::NoTime);
    }
    if transaction.tokens_in_force(name, now)?.into_iter().next().is_some() {
        return Err(Error::TokenExists(name.to_owned()));
    }
    insert(transaction, name, grant, until, now)
}

fn insert(
    transaction: &Transaction<'_>,
    name: &str,
    grant: Grant,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Token, Secret), Error> {
    if transaction.count_tokens()? >= MOST {
        return Err(Error::TooManyTokens(MOST));
    }
    let (id, secret) = Secret::new();
    let granted = serde_json::to_string(&grant).expect("a grant is names and prefixes");
    let token = Token { id, name: name.to_owned(), grant, created: now, until, used: None };
    transaction.insert_token(&TokenRow {
        id: token.id.clone(),
        name: token.name.clone(),
        hash: hash(secret.reveal()),
        granted,
        created: now,
        until,
        used: None,
    })?;
    Ok((token, secret))
}

/// Ends at `now` every token in force that has `name`, or the one with that id. How many there were.
pub fn revoke(transaction: &Transaction<'_>, name: &str, now: Timestamp) -> Result<usize, Error> {
    let name = called(name);
    let found = transaction.tokens_in_force(name, now)?;
    for token in &found {
        transaction.end_token(&token.id, now)?;
    }
    if found.is_empty() { Err(Error::NoToken(name.to_owned())) } else { Ok(found.len()) }
}

/// Makes another token that allows the same until the same time; those before it end after `overlap`.
pub fn rotate(
    transaction: &Transaction<'_>,
    name: &str,
    overlap: Duration,
    now: Timestamp,
) -> Result<(Token, Secret), Error> {
    let name = called(name);
    let unknown = || Error::NoToken(name.to_owned());
    let before = transaction.tokens_in_force(name, now)?;
    let (newest, _) = before.first().cloned().and_then(token).ok_or_else(unknown)?;
    let end = now + overlap;
    for token in before.iter().filter(|token| token.until.is_none_or(|until| end < until)) {
        transaction.end_token(&token.id, end)?;
    }
    insert(transaction, &newest.name, newest.grant, newest.until, now)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::access::Role;
    use crate::store::{Settings, Store};

    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
    const HOUR: Duration = Duration::from_secs(3600);

    struct Kept {
        store: Store,
        path: PathBuf,
        _folder: tempfile::TempDir,
    }

    fn kept() -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("banzone.db");
        let settings = Settings { path: path.clone(), evidence_retention: HOUR, history_retention: HOUR };
        Kept { store: Store::open(&settings, NOW).unwrap(), path, _folder: folder }
    }

    impl Kept {
        fn add(&mut self, name: &str, grant: Grant, until: Option<Timestamp>) -> Result<Secret, Error> {
            self.store.write(|transaction| Ok(add(transaction, name, grant, until, NOW)?.1))
        }

        fn who(&self, token: &str, from: &str, now: Timestamp) -> Result<String, String> {
            let reader = Reader::open(&self.path).unwrap();
            let who = authenticate(&reader, token, from.parse().unwrap(), now);
            who.map(|(principal, _)| principal.name().to_owned()).map_err(|denied| denied.to_string())
        }
    }

    #[test]
    fn tokens_are_recognised_by_their_form() {
        let (made, secret) = Secret::new();
        let written = secret.reveal();
        assert!(written.starts_with("bz_") && written.len() == 70, "{written}");
        assert_eq!(id(written), Some(&*made));
        assert!(!format!("{secret:?}").contains(&written[3..]));
        for at in 0..written.len() {
            let mut changed = written.as_bytes().to_vec();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(id(&changed), None, "{changed}");
        }
        for none in
            ["", "bz_", "bz__", "bz_a_b", &written.to_uppercase(), &written[..69], &format!("{written}a")]
        {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn a_token_is_good_where_and_until_it_says() {
        let mut kept = kept();
        let grant = Grant { sources: vec!["192.0.2.0/24".parse().unwrap()], ..Grant::of(Role::Viewer) };
        let secret = kept.add("ci", grant, Some(NOW + HOUR)).unwrap();
        let token = secret.reveal();
        let unknown = Err(Denied::Unknown.to_string());
        assert_eq!(kept.who(token, "192.0.2.1", NOW), Ok("token ci".to_owned()));
        assert_eq!(kept.who(token, "192.0.2.1", NOW + HOUR), unknown);
        assert!(kept.who(token, "198.51.100.1", NOW).unwrap_err().contains("not for 198.51.100.1"));
        let (_, other) = Secret::new();
        assert_eq!(kept.who(other.reveal(), "192.0.2.1", NOW), unknown);
        // The right id with another secret, its checksum being right.
        let (id, wrong) = (&token[3..11], [7; SECRET]);
        let forged = format!("bz_{id}_{}", lower(&[&wrong[..], &checksum(id, &wrong)].concat()));
        assert_eq!(super::id(&forged), Some(id));
        assert_eq!(kept.who(&forged, "192.0.2.1", NOW), unknown);
    }

    #[test]
    fn the_secret_is_nowhere_in_the_database() {
        let mut kept = kept();
        let secret = kept.add("ci", Grant::of(Role::Admin), None).unwrap();
        drop(kept.store);
        let file = std::fs::read(&kept.path).unwrap();
        let holds = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(holds(&secret.reveal()[3..11]) && !holds(&secret.reveal()[12..28]));
    }

    #[test]
    fn names_are_taken_once_and_are_free_again() {
        let mut kept = kept();
        let viewer = || Grant::of(Role::Viewer);
        let first = kept.add("ci", viewer(), None).unwrap();
        assert!(matches!(kept.add("ci", viewer(), None), Err(Error::TokenExists(_))));
        assert!(matches!(kept.add("a b", viewer(), None), Err(Error::Name(_))));
        assert_eq!(kept.store.write(|transaction| revoke(transaction, "ci", NOW)).unwrap(), 1);
        assert!(kept.who(first.reveal(), "::1", NOW).is_err());
        assert!(kept.store.write(|transaction| revoke(transaction, "ci", NOW)).is_err());
        kept.add("ci", viewer(), None).unwrap();
        assert_eq!(list(&Reader::open(&kept.path).unwrap()).unwrap().len(), 2);
    }

    #[test]
    fn the_token_before_stays_good_for_the_overlap() {
        let mut kept = kept();
        let first = kept.add("ci", Grant::of(Role::Viewer), Some(NOW + HOUR * 10)).unwrap();
        let rotate = |transaction: &Transaction<'_>| rotate(transaction, "ci", HOUR, NOW);
        let (token, second) = kept.store.write(rotate).unwrap();
        assert_eq!(token.until, Some(NOW + HOUR * 10));
        let just_before = NOW + HOUR - Duration::from_millis(1);
        assert!(kept.who(first.reveal(), "::1", just_before).is_ok());
        assert!(kept.who(first.reveal(), "::1", NOW + HOUR).is_err());
        assert!(kept.who(second.reveal(), "::1", NOW + HOUR).is_ok());
        // By its id, one of the two.
        let id = token.id;
        assert_eq!(kept.store.write(|transaction| revoke(transaction, &id, NOW)).unwrap(), 1);
        assert!(kept.who(second.reveal(), "::1", NOW).is_err());
        assert!(kept.who(first.reveal(), "::1", NOW).is_ok());
    }

    #[test]
    fn a_whole_token_is_one_by_its_id() {
        let mut kept = kept();
        let secret = kept.add("ci", Grant::of(Role::Viewer), None).unwrap();
        let written = secret.reveal().to_owned();
        let rotate = |transaction: &Transaction<'_>| rotate(transaction, &written, Duration::ZERO, NOW);
        let (_, second) = kept.store.write(rotate).unwrap();
        assert!(kept.who(&written, "::1", NOW).is_err());
        let pasted = format!(" {}\n", second.reveal());
        let revoke = |transaction: &Transaction<'_>| revoke(transaction, &pasted, NOW);
        assert_eq!(kept.store.write(revoke).unwrap(), 1);
        assert!(kept.who(second.reveal(), "::1", NOW).is_err());
        // What names none is refused without its secret.
        let refused = kept.store.write(revoke).unwrap_err().to_string();
        assert!(!refused.contains(&second.reveal()[12..]), "{refused}");
    }

    #[test]
    fn secrets_are_taken_out_of_texts() {
        let (id, secret) = Secret::new();
        let written = secret.reveal();
        for (text, expected) in [
            (format!("DELETE /tokens/{written}"), format!("DELETE /tokens/bz_{id}_…")),
            (
                format!("{{\"a\":\"{written}\",\"b\":\"{written}\"}}"),
                format!("{{\"a\":\"bz_{id}_…\",\"b\":\"bz_{id}_…\"}}"),
            ),
            (written[..40].to_owned(), format!("bz_{id}_…")),
            // As `banzone token revoke` sends it.
            (format!("DELETE /tokens/{}", written.replace('_', "%5F")), format!("DELETE /tokens/bz_{id}_…")),
            (format!("bz bzbz_{written}"), format!("bz bzbz_bz_{id}_…")),
            ("bz_ and bz_x_y and bz_é_z".to_owned(), "bz_ and bz_x_y and bz_é_z".to_owned()),
        ] {
            assert_eq!(without_secrets(&text), expected);
            assert_eq!(without_secrets(&expected), expected, "nothing is left to take out");
        }
    }

    #[test]
    fn a_use_is_noted_now_and_then() {
        let mut kept = kept();
        let secret = kept.add("ci", Grant::of(Role::Viewer), None).unwrap();
        let to_note = |kept: &Kept, now| {
            let reader = Reader::open(&kept.path).unwrap();
            authenticate(&reader, secret.reveal(), "::1".parse().unwrap(), now).unwrap().1
        };
        let id = to_note(&kept, NOW).unwrap();
        kept.store.write(|transaction| note_use(transaction, &id, NOW)).unwrap();
        assert_eq!(to_note(&kept, NOW + LAST_USE - Duration::from_millis(1)), None);
        assert_eq!(to_note(&kept, NOW + LAST_USE), Some(id));
    }
}
