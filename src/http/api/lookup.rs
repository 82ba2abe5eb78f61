//! The bodies about many addresses at once.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Listing, SetListing, rfc3339};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// So many addresses may be asked about in one request: a day's clients of a busy mail server, in an answer that is made at once.
pub const MAX_ADDRESSES: usize = 10_000;

/// Which addresses are asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// At most [`MAX_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
}

/// What is so of them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// One for each address, in the same order.
    pub results: Vec<CheckedAddress>,
}

/// What is so of one address now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedAddress {
    /// The address.
    pub address: IpAddr,
    /// The bans in force that cover it.
    pub bans: Vec<BanInForce>,
    /// What DNS answers for it, per zone.
    pub listings: Vec<Listing>,
    /// What data sets have for it.
    pub sets: Vec<SetListing>,
    /// Whether the allowlist covers it.
    pub is_allowed: bool,
}

/// A ban in force, as far as it is in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanInForce {
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
}
