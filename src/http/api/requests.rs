//! The bodies of requests to take an address off a list.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Limit, rfc3339};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// Which requests are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RequestsQuery {
    /// Those that are decided, the newest first, instead of those that wait.
    #[serde(default, with = "super::flag", skip_serializing_if = "std::ops::Not::not")]
    pub decided: bool,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub limit: Option<Limit>,
}

/// Requests; those that wait the longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovalRequests {
    /// The requests.
    pub requests: Vec<RemovalRequest>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovalRequest {
    /// Its number.
    pub number: u64,
    /// The address to take off.
    pub prefix: Prefix,
    /// Where an answer goes.
    pub contact: String,
    /// Why it should be taken off.
    pub statement: String,
    /// The network that it came from.
    pub source: Prefix,
    /// When.
    #[serde(with = "rfc3339")]
    pub asked: Timestamp,
    /// What became of it; absent: it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Whether the address was taken off.
    pub granted: bool,
    /// Why, for the history.
    pub note: String,
    /// Who decided.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
}

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// Whether the address is taken off.
    pub granted: bool,
    /// Why, for the history.
    #[serde(default)]
    pub note: String,
}

/// The outcome of [`NewDecision`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decided {
    /// The request, decided now.
    pub request: RemovalRequest,
    /// How many bans that ended.
    pub ended: u64,
    /// Networks around the address that are still listed: they are not of its owner alone.
    pub still_listed: Vec<Prefix>,
}
