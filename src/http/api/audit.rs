//! The audit log.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Limit, rfc3339};
use crate::clock::Timestamp;

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only what this one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The `next` of the page before: entries before this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub limit: Option<Limit>,
}

/// Entries, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditLog {
    /// They.
    pub audit: Vec<AuditEntry>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// 1 for the first entry ever, without gaps.
    pub number: u64,
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From which address, or `socket`.
    pub source: String,
    /// Method and path.
    pub action: String,
    /// The body, cut to 1000 bytes.
    pub detail: String,
    /// The HTTP status.
    pub outcome: u16,
    /// SHA-256 of this entry and the hash of the one before.
    pub hash: String,
}

/// What a look at the whole audit log has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    /// How many entries are right.
    pub entries: u64,
    /// The number of the last one that is right.
    pub number: u64,
    /// And its hash.
    pub hash: String,
    /// The first entry that was changed, or before which one is missing; null: none.
    pub broken: Option<u64>,
    /// Whether the first entries are gone although they were younger than `history_retention`.
    pub gone_early: bool,
}
