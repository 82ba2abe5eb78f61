//! What people and other programs ask of the jails, and why it may be refused.

use std::sync::Arc;

use super::BanTime;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// The jail of bans that were ordered without naming one. It reads no log.
pub const MANUAL: &str = "manual";

/// A change asked for from outside. It takes the same way as everything found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ban a prefix; one that is banned already is only ever banned longer.
    Ban(BanOrder),
    /// End the bans inside a prefix, and forget its failures and earlier bans.
    Unban {
        /// What to free; absent: everything.
        prefix: Option<Prefix>,
        /// By which jail; absent: all of them.
        jail: Option<Arc<str>>,
        /// Who asks.
        by: String,
    },
    /// Put a prefix on the allowlist. Bans inside it end.
    Allow {
        /// What is never to be banned or published.
        prefix: Prefix,
        /// Why.
        note: String,
        /// Until when; absent: for good.
        until: Option<Timestamp>,
    },
    /// Take a prefix off the allowlist.
    Disallow {
        /// The entry.
        prefix: Prefix,
    },
}

/// An order to ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanOrder {
    /// What to ban.
    pub prefix: Prefix,
    /// By which jail; [`MANUAL`] takes those that nobody else should.
    pub jail: Arc<str>,
    /// For how long; absent: the jail's bantime.
    pub time: Option<BanTime>,
    /// Why; kept as evidence.
    pub reason: Option<String>,
    /// Who asks.
    pub by: String,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such jail.
    #[error("there is no jail `{name}`; there are: {known}")]
    UnknownJail {
        /// The name asked for.
        name: Arc<str>,
        /// The names there are.
        known: String,
    },
    /// The allowlist or an ignoreip covers it.
    #[error("{prefix} is allowlisted by {entry}; remove that entry first")]
    Allowlisted {
        /// What was to be banned.
        prefix: Prefix,
        /// Where it stands.
        entry: String,
    },
    /// Nobody's address on the internet.
    #[error(
        "{prefix} overlaps {range} ({purpose}), which is never listed; name it in `allow_reserved` of the jail if you must"
    )]
    Reserved {
        /// What was to be banned.
        prefix: Prefix,
        /// The reserved range.
        range: Prefix,
        /// What the range is for.
        purpose: &'static str,
    },
    /// A slip of the keyboard, more likely than not (RFC 6471, section 3.4).
    #[error("{0} is too wide: the widest that can be banned or allowed are /8 for IPv4 and /16 for IPv6")]
    TooWide(Prefix),
    /// No such entry.
    #[error("{0} is not on the allowlist")]
    NotAllowed(Prefix),
    /// Nothing can be allowed twice over by mistake; but the list has an end.
    #[error("the allowlist is full ({0} entries); put networks on it instead of single addresses")]
    AllowlistFull(usize),
}
