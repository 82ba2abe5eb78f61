//! The bodies about the allowlist.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::rfc3339;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// The allowlist in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allowlist {
    /// The entries.
    pub allow: Vec<Allow>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allow {
    /// What is never banned or published.
    pub prefix: Prefix,
    /// Why.
    pub note: String,
    /// Who answers for it; empty where nobody was named.
    #[serde(default)]
    pub owner: String,
    /// When it was added; null for what the configuration allows.
    #[serde(with = "rfc3339::option")]
    pub since: Option<Timestamp>,
    /// When it ends by itself; null is never.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
}

/// An order to allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAllow {
    /// What is never to be banned or published.
    pub prefix: Prefix,
    /// Why.
    #[serde(default)]
    pub note: String,
    /// Who answers for it; absent: whoever asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How long; absent: until somebody removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// The outcome of [`NewAllow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllowChanged {
    /// Whether the allowlist is another now.
    pub changed: bool,
    /// The entry in force now.
    pub allow: Allow,
    /// How many bans it ended.
    pub ended: u64,
}

/// Which entry of the allowlist goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DisallowQuery {
    /// The entry.
    #[param(inline)]
    pub prefix: Prefix,
}
