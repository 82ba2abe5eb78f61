//! API tokens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;
use crate::access::{Grant, Role};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// Every token, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// They; those that have ended are kept for 90 days.
    pub tokens: Vec<Token>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The part of it that is no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do; its keys stand among these.
    #[serde(flatten)]
    pub grant: Granted,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// When it ends or has ended; null is never.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
    /// When it was used last, give or take ten minutes; null is never.
    #[serde(with = "rfc3339::option")]
    pub used: Option<Timestamp>,
    /// Whether it is good now.
    pub in_force: bool,
}

/// What a token or a user may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Granted {
    /// The kind of work.
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

impl From<Grant> for Granted {
    fn from(Grant { role, jails, zones, sources, organisation }: Grant) -> Self {
        Self { role, jails, zones, sources, organisation }
    }
}

/// An order for a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it may do.
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
    /// For whom a reporter reports; it must have one, and nobody else may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Arc<str>>,
    /// For how long; absent: until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// A new token, this once with its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// What to send as `Authorization: Bearer`.
    pub secret: String,
    /// The token.
    pub token: Token,
}

/// An order for a token in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// For how many seconds the one before stays good.
    pub overlap: u64,
}
