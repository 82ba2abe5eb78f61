//! The bodies about bans.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Limit, flag, rfc3339};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{EndCause, Origin};

/// Which bans are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BansQuery {
    /// Only those of this jail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// In force, or over; absent: in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<BanState>,
    /// Only this address or network and what is in it; these come in the order of addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub prefix: Option<Prefix>,
    /// Only those that began then or later.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub from: Option<Timestamp>,
    /// Only those that began before.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub until: Option<Timestamp>,
    /// Only those that were made so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub origin: Option<MadeBy>,
    /// In which order; absent: the newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub sort: Option<BanSort>,
    /// With the lines that led to them.
    #[serde(default, with = "flag", skip_serializing_if = "std::ops::Not::not")]
    pub evidence: bool,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub limit: Option<Limit>,
}

/// Whether bans are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BanState {
    /// They are.
    #[default]
    Active,
    /// They are over.
    Ended,
    /// Either.
    All,
}

/// The order of bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum BanSort {
    /// By when they began, the last first.
    #[default]
    #[serde(rename = "-since")]
    Newest,
    /// By when they began.
    #[serde(rename = "since")]
    Oldest,
    /// By when they will end, or did.
    #[serde(rename = "until")]
    FirstToEnd,
    /// The same, the last first.
    #[serde(rename = "-until")]
    LastToEnd,
    /// By address.
    #[serde(rename = "address")]
    Address,
}

/// Who or what makes bans: the `kind` of an `origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MadeBy {
    /// Failures found in a log.
    Log,
    /// Enough hosts of the network were banned at a time.
    Escalation,
    /// Somebody ordered it.
    Order,
    /// Enough organisations reported it.
    Reports,
}

/// The bans asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bans {
    /// The bans.
    pub bans: Vec<Ban>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ban {
    /// What is banned.
    pub prefix: Prefix,
    /// By which jail.
    pub jail: String,
    /// The time of the last failure, or of the order.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// When it ends by itself; null is never.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
    /// The first of the failures that counted towards it, if it is known.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Who or what made it.
    pub origin: Origin,
    /// How many failures led to it.
    pub failures: u32,
    /// 1 for the first ban of this prefix in this jail.
    pub count: u32,
    /// When it ended, if it did.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_cause: Option<EndCause>,
    /// How many questions for codes were answered with it since the daemon started; absent: it is over, or
    /// that is not for whoever asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// The last lines that led to it, oldest first, or the reason given with an order; empty in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

impl From<&crate::jail::Ban> for Ban {
    fn from(ban: &crate::jail::Ban) -> Self {
        Self {
            prefix: ban.prefix,
            jail: ban.jail.to_string(),
            since: ban.since,
            until: ban.until,
            first: ban.first,
            origin: ban.origin.clone(),
            failures: ban.failures,
            count: ban.count,
            ended: None,
            end_cause: None,
            asked: None,
            evidence: ban.evidence.iter().map(ToString::to_string).collect(),
        }
    }
}

/// An order to ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBan {
    /// What to ban.
    pub prefix: Prefix,
    /// In the name of this jail; absent: the one jail there is, or a 422 that names the jails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// From when on its time counts, such as the last failure; absent: from now on.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How long; absent: as long as the jail bans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Until somebody ends it; excludes `seconds`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub permanent: bool,
    /// Kept as evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The outcome of [`NewBan`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BanChanged {
    /// Whether there is a new ban or one ends later; false: it was banned as long already.
    pub changed: bool,
    /// The ban in force now.
    pub ban: Ban,
}

/// What to unban: every ban inside `prefix`, or `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UnbanQuery {
    /// Bans of this prefix and of everything in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub prefix: Option<Prefix>,
    /// Only those of this jail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// Every ban.
    #[serde(default, with = "flag", skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}
