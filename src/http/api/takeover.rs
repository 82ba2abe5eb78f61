//! The bodies by which the bans of another program are taken over.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// So many bans can be handed over at once.
pub const MAX_BANS: usize = 500;

/// Bans that another program made, at most [`MAX_BANS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownBans {
    /// In force or over.
    pub bans: Vec<KnownBan>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownBan {
    /// What is banned.
    pub prefix: Prefix,
    /// In the name of this jail.
    pub jail: String,
    /// The time of the last failure.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// How long it lasts from there; absent: as long as the jail bans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Until somebody ends it; excludes `seconds`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub permanent: bool,
    /// 1 for the first ban of this prefix.
    pub count: u32,
    /// How many failures led to it.
    #[serde(default)]
    pub failures: u32,
    /// The lines that led to it, oldest first, at most [`super::MAX_LINES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// What became of each of [`KnownBans`], in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenOver {
    /// One for each.
    pub outcomes: Vec<Outcome>,
}

/// What became of one ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "reason")]
pub enum Outcome {
    /// It is in force.
    Banned,
    /// It is over; how often there was one is remembered.
    Remembered,
    /// As much was known already, or it is over for so long that it is forgotten.
    Unchanged,
    /// Why it may not be.
    Refused(String),
}
