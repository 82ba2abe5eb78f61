//! What comes out of the jails: changes to bans and to the allowlist, in the order in which they happened.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ip::Prefix;

/// Who or what made a ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "by")]
pub enum Origin {
    /// Failures found in a log.
    Log,
    /// Enough hosts of the network were banned at a time.
    Escalation,
    /// Somebody ordered it; who, as far as known.
    Order(String),
    /// Enough organisations reported it.
    Reports,
}

/// Why a ban ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "by")]
pub enum EndCause {
    /// Its time was up.
    Expired,
    /// Somebody ordered it; who, as far as known.
    Order(String),
    /// The allowlist came to cover it.
    Allowed,
    /// The votes of this organisation were taken back, or weigh less.
    Withdrawn(String),
}

impl EndCause {
    /// The same without the name of an organisation, for those who are not to know who reports.
    pub fn without_reporter(self) -> Self {
        match self {
            Self::Withdrawn(_) => Self::Withdrawn(String::new()),
            other => other,
        }
    }

    /// Why, as people say it.
    pub fn in_words(&self) -> String {
        match self {
            Self::Expired => "its time was up".to_owned(),
            Self::Order(by) => format!("by {by}"),
            Self::Allowed => "as it is allowed".to_owned(),
            Self::Withdrawn(organisation) if organisation.is_empty() => {
                "as it is not reported any more".to_owned()
            }
            Self::Withdrawn(organisation) => format!("as {organisation} does not say so any more"),
        }
    }
}

/// A prefix that one jail holds banned. There is at most one at a time for each jail and prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// What is banned.
    pub prefix: Prefix,
    /// By which jail.
    pub jail: Arc<str>,
    /// The time of the last failure, or of the order.
    pub since: Timestamp,
    /// When it ends by itself; `None` is never.
    pub until: Option<Timestamp>,
    /// The first of the failures that counted towards it; `None` where none did, or where it is not known.
    #[serde(default)]
    pub first: Option<Timestamp>,
    /// Who or what made it.
    pub origin: Origin,
    /// How many failures led to it.
    pub failures: u32,
    /// 1 for the first ban of this prefix in this jail, 2 for the second, ...; with `overall_jails` one more than all jails
    /// counted before.
    pub count: u32,
    /// The last lines that led to it, oldest first; or the reason given with an order.
    pub evidence: Vec<Arc<str>>,
}

/// One entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// What is never banned or published.
    pub prefix: Prefix,
    /// Why, as the person who added it wrote.
    pub note: String,
    /// Who answers for it; empty where nobody was named.
    pub owner: String,
    /// When it was added.
    pub since: Timestamp,
    /// When it ends by itself; `None` is never.
    pub until: Option<Timestamp>,
}

/// One step in the history of bans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// A new ban.
    Banned(Ban),
    /// A ban in force now ends later; one by reports may end earlier as well.
    Extended {
        /// What is banned.
        prefix: Prefix,
        /// By which jail.
        jail: Arc<str>,
        /// When this was decided.
        at: Timestamp,
        /// The new end; `None` is never.
        until: Option<Timestamp>,
    },
    /// A ban ended.
    Unbanned {
        /// What was banned.
        prefix: Prefix,
        /// By which jail.
        jail: Arc<str>,
        /// When it ended.
        at: Timestamp,
        /// Why it ended.
        cause: EndCause,
    },
    /// The allowlist has a new entry, or a new note or end for an old one.
    Allowed(Allow),
    /// An entry of the allowlist is gone.
    Disallowed {
        /// The entry.
        prefix: Prefix,
        /// When it went.
        at: Timestamp,
    },
}
