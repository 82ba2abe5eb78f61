//! The audit log.

use serde::{Deserialize, Serialize};

use super::rfc3339;
use crate::clock::Timestamp;

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Those before this number; absent: the last ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many: 100 if absent, 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Entries, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLog {
    /// They.
    pub audit: Vec<AuditEntry>,
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerified {
    /// How many entries are right.
    pub entries: u64,
    /// The number of the last one that is right.
    pub number: u64,
    /// And its hash.
    pub hash: String,
    /// The first entry that was changed, or before which one is missing; null: none.
    pub broken: Option<u64>,
}
