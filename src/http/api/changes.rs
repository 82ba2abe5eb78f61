//! The bodies about changes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Limit, rfc3339};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::EndCause;

/// Which changes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChangesQuery {
    /// The `position` that was told last; absent: tell the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// For how many seconds to wait for a change if there is none, at most 25.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
    /// Only bans of this jail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// At most so many.
    #[param(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ChangeLine {
    /// What changed.
    Change(Changed),
    /// The last line: what `after` is for the next ones.
    Position {
        /// Behind all that was told.
        position: String,
    },
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// What.
    pub change: ChangeKind,
    /// Of what.
    pub prefix: Prefix,
    /// By which jail; absent for the allowlist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// When the ban or the entry of the allowlist ends by itself; absent: never, or that it is over.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why a ban is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<EndCause>,
}

/// The kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A ban began.
    Banned,
    /// One in force ends at another time.
    Extended,
    /// A ban is over.
    Unbanned,
    /// The allowlist has an entry, or another end of it.
    Allowed,
    /// One is gone.
    Disallowed,
}
