//! Users and their sessions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;
use super::tokens::Granted;
use crate::access::Role;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// Every user, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Users {
    /// They.
    pub users: Vec<User>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// What they are called.
    pub name: String,
    /// What they may do; its keys stand among these.
    #[serde(flatten)]
    pub grant: Granted,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// How many passkeys they have.
    #[serde(default)]
    pub passkeys: u32,
    /// How many recovery codes they have left.
    pub recovery_codes: u64,
    /// Whether they are kept out.
    pub disabled: bool,
    /// When they were added.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// When they signed in last; null is never.
    #[serde(with = "rfc3339::option")]
    pub seen: Option<Timestamp>,
}

/// An order for a user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What they are called.
    pub name: String,
    /// Their first password, of 12 characters at least.
    pub password: String,
    /// What they may do.
    pub role: Role,
    /// On which jails; absent: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jails: Option<Vec<Arc<str>>>,
    /// On which zones; absent: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Arc<str>>>,
    /// From which networks; absent: from everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Prefix>,
    /// For whom a reporter reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Arc<str>>,
}

/// What changes of a user; all their sessions end.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// Another password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether they are kept out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Another role, with what it is confined to; what is absent beside it confines no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// On which jails; only with `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jails: Option<Vec<Arc<str>>>,
    /// On which zones; only with `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Arc<str>>>,
    /// From which networks; only with `role`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Prefix>,
    /// For whom a reporter reports; only with `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Arc<str>>,
}

/// A second factor that waits for its confirmation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolment {
    /// For whoever has to type it.
    pub secret: String,
    /// What the picture says.
    pub url: String,
    /// The picture, for a browser.
    pub svg: String,
    /// The picture, for a terminal.
    pub text: String,
}

/// What confirms a second factor.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// What the telephone shows.
    pub code: String,
}

/// Codes for whoever has lost the telephone, each good once, shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// They.
    pub recovery_codes: Vec<String>,
}

/// Somebody who wants to sign in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Who.
    pub user: String,
    /// Their password.
    pub password: String,
    /// Of the second factor, or a recovery code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Who has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Who.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// On which jails; absent: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jails: Option<Vec<Arc<str>>>,
    /// On which zones; absent: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Arc<str>>>,
    /// What to send as `X-CSRF-Token` with whatever changes something.
    pub csrf: String,
    /// When the session ends at the latest.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// When they last showed that it is they.
    #[serde(with = "rfc3339")]
    pub verified: Timestamp,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// Whether they must set one up before they may do anything else.
    pub must_enrol: bool,
}

/// Shows once more who one is: by a code, or by the password without a second factor.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Of the second factor, or a recovery code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Another password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The present one.
    pub password: String,
    /// The one from now on.
    pub new_password: String,
}

/// The sessions of a user, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// They.
    pub sessions: Vec<SessionView>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Which one.
    pub id: String,
    /// When it began.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// When it was used last, give or take a minute.
    #[serde(with = "rfc3339")]
    pub used: Timestamp,
    /// Where it began.
    pub source: String,
    /// What the browser said that it is.
    pub agent: String,
    /// Whether it is the one that asks.
    pub current: bool,
}
