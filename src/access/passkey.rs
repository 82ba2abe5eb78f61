//! Passkeys (Web Authentication, level 2): keys in a telephone, a computer or a stick, which sign what we ask once they have
//! asked for a finger, a face or a PIN themselves. One of them is both factors, and says who it is.
//!
//! It takes two requests: the first asks, the second brings the signature. What was asked waits here under a ticket.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use indexmap::IndexMap;
use serde_json::Value;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Uuid,
};

use super::origin::Origin;
use super::{Error, second, user};
use crate::clock::Timestamp;
use crate::store::{PasskeyRow, Transaction};

/// So many passkeys has a user: their telephones, computers and sticks.
pub const MOST: usize = 10;

/// Characters of what a passkey is called.
const LONGEST_LABEL: usize = 64;

/// Longer nobody looks for their stick; browsers are told the same.
const PATIENCE: Duration = Duration::from_secs(300);

/// So much waits at a time, at about a kilobyte each: anybody may ask.
const MOST_ASKED: usize = 5000;

/// What waits for its signature.
#[derive(Default)]
pub struct Asked(Mutex<IndexMap<String, (Timestamp, Question)>>);

enum Question {
    NewKey { user: String, handle: Uuid, state: PasskeyRegistration },
    Who(DiscoverableAuthentication),
}

/// What a browser is asked.
pub struct Challenge {
    /// To be sent back with the answer.
    pub ticket: String,
    /// For `navigator.credentials`, as JSON of its own kind.
    pub options: Value,
}

/// A question for a new passkey that was answered.
pub struct NewKey {
    handle: Uuid,
    state: PasskeyRegistration,
}

/// A question who it is that was answered.
pub struct Who(DiscoverableAuthentication);

impl Asked {
    fn keep(&self, question: Question, now: Timestamp) -> String {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, (at, _)| now.since(*at) < PATIENCE);
        if asked.len() >= MOST_ASKED {
            asked.shift_remove_index(0);
        }
        let ticket = BASE32_NOPAD.encode(&rand::random::<[u8; 20]>()).to_ascii_lowercase();
        asked.insert(ticket.clone(), (now, question));
        ticket
    }

    fn take(&self, ticket: &str, now: Timestamp) -> Option<Question> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, question) = asked.shift_remove(ticket)?;
        (now.since(at) < PATIENCE).then_some(question)
    }

    /// Asks who it is.
    pub fn who(&self, origin: &Origin, now: Timestamp) -> Result<Challenge, Error> {
        let asked = origin.webauthn().start_discoverable_authentication();
        let (options, state) = asked.map_err(|failed| Error::Passkey(failed.to_string()))?;
        Ok(Challenge { ticket: self.keep(Question::Who(state), now), options: json(&options) })
    }

    /// Asks for another passkey of `user`, who has `kept`.
    pub fn new_key(
        &self,
        origin: &Origin,
        user: &str,
        kept: &[PasskeyRow],
        now: Timestamp,
    ) -> Result<Challenge, Error> {
        if kept.len() >= MOST {
            return Err(Error::TooManyPasskeys(MOST));
        }
        let handle =
            kept.first().map_or_else(|| Uuid::from_bytes(rand::random()), |row| Uuid::from_bytes(row.handle));
        let known = kept.iter().map(|row| row.credential.clone()).collect();
        let asked = origin.webauthn().start_passkey_registration(handle, user, user, Some(known));
        let (options, state) = asked.map_err(|failed| Error::Passkey(failed.to_string()))?;
        let mut options = json(&options);
        // The authenticator keeps the name, so that nobody has to type it.
        options["publicKey"]["authenticatorSelection"]["residentKey"] = "required".into();
        options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = true.into();
        let question = Question::NewKey { user: user.to_owned(), handle, state };
        Ok(Challenge { ticket: self.keep(question, now), options })
    }

    /// What [`Asked::who`] gave this ticket for.
    pub fn answered_who(&self, ticket: &str, now: Timestamp) -> Result<Who, Error> {
        match self.take(ticket, now) {
            Some(Question::Who(state)) => Ok(Who(state)),
            _ => Err(Error::NothingAsked),
        }
    }

    /// What [`Asked::new_key`] gave `user` this ticket for.
    pub fn answered_new_key(&self, ticket: &str, user: &str, now: Timestamp) -> Result<NewKey, Error> {
        match self.take(ticket, now) {
            Some(Question::NewKey { user: of, handle, state }) if of == user => Ok(NewKey { handle, state }),
            _ => Err(Error::NothingAsked),
        }
    }
}

fn json(options: &impl serde::Serialize) -> Value {
    serde_json::to_value(options).expect("options are names and strings")
}

impl NewKey {
    /// Keeps the passkey that a browser has made for `user` and calls `label`. Whose first second factor it is gets recovery
    /// codes, this once; all their sessions but the one with the id `but` end.
    pub fn keep(
        self,
        transaction: &Transaction<'_>,
        (origin, user, label): (&Origin, &str, &str),
        made: &RegisterPublicKeyCredential,
        but: &str,
        now: Timestamp,
    ) -> Result<(PasskeyRow, Vec<String>), Error> {
        let label = checked_label(label)?;
        let key = origin.webauthn().finish_passkey_registration(made, &self.state);
        let key = key.map_err(|wrong| Error::Passkey(wrong.to_string()))?;
        let mut owner = user::existing(transaction, user)?;
        if transaction.passkey(key.cred_id())?.is_some() {
            return Err(Error::PasskeyExists);
        }
        if transaction.passkeys(user)?.len() >= MOST {
            return Err(Error::TooManyPasskeys(MOST));
        }
        let row = PasskeyRow {
            id: BASE32_NOPAD.encode(&rand::random::<[u8; 10]>()).to_ascii_lowercase(),
            credential: key.cred_id().to_vec(),
            user: user.to_owned(),
            handle: self.handle.into_bytes(),
            label,
            key: written(&key),
            created: now,
            used: None,
        };
        transaction.insert_passkey(&row)?;
        let mut codes = Vec::new();
        if owner.recovery.is_empty() {
            (codes, owner.recovery) = second::recovery_codes();
            transaction.put_user(&owner)?;
        }
        transaction.end_sessions(user, Some(but))?;
        Ok((row, codes))
    }
}

impl Who {
    /// Whose passkey has signed what was asked.
    pub fn owner(
        self,
        transaction: &Transaction<'_>,
        origin: &Origin,
        shown: &PublicKeyCredential,
        now: Timestamp,
    ) -> Result<String, Error> {
        let row = transaction.passkey(shown.get_credential_id())?.ok_or(Error::WrongPasskey)?;
        let mut key: Passkey = serde_json::from_str(&row.key).map_err(|_| Error::WrongPasskey)?;
        let signed = origin.webauthn().finish_discoverable_authentication_v2(shown, self.0, &key);
        let signed = signed.map_err(|_| Error::WrongPasskey)?;
        key.update_credential(&signed);
        transaction.use_passkey(&row.id, &written(&key), now)?;
        Ok(row.user)
    }
}

fn written(key: &Passkey) -> String {
    serde_json::to_string(key).expect("a key is numbers and names")
}

fn checked_label(label: &str) -> Result<String, Error> {
    let label = label.trim();
    let is_good =
        !label.is_empty() && label.chars().count() <= LONGEST_LABEL && !label.chars().any(char::is_control);
    if is_good { Ok(label.to_owned()) } else { Err(Error::Label(LONGEST_LABEL)) }
}

/// Removes a passkey of `user`; all their sessions but the one with the id `but` end.
pub fn remove(transaction: &Transaction<'_>, user: &str, id: &str, but: Option<&str>) -> Result<(), Error> {
    if !transaction.remove_passkey(user, id)? {
        return Err(Error::NoPasskey(id.chars().take(64).collect()));
    }
    user::weaken(transaction, user::existing(transaction, user)?, but)
}
