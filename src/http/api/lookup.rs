//! The bodies about addresses, one or many, and domain names.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Allow, Ban, Vote, rfc3339};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// All that is known of one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lookup {
    /// The address asked for.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Bans in force that cover it, with their evidence.
    pub bans: Vec<Ban>,
    /// What DNS answers for it, per zone; a zone that does not list it is absent.
    pub listings: Vec<Listing>,
    /// What data sets have for it.
    #[serde(default)]
    pub sets: Vec<SetListing>,
    /// The entry of the allowlist that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allow>,
    /// Failures counted at present, per jail.
    pub failures: Vec<Failures>,
    /// What other servers say of it.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// What their votes weigh together, for each prefix that there are votes for.
    #[serde(default)]
    pub scores: Vec<Score>,
    /// Bans that covered it and ended, the newest first.
    pub history: Vec<Ban>,
}

/// What the votes for a prefix weigh together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// The prefix.
    pub prefix: Prefix,
    /// The sum of their weights now.
    pub sum: f64,
    /// So much makes a listing.
    pub threshold: f64,
}

/// One answer of DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing {
    /// The zone's name.
    pub zone: String,
    /// The listed prefix.
    pub prefix: Prefix,
    /// The A record.
    #[schema(value_type = String, format = "ipv4")]
    pub code: Ipv4Addr,
    /// The TXT record.
    pub text: String,
}

/// Which network is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct NetworkQuery {
    /// The network.
    #[param(inline)]
    pub prefix: Prefix,
}

/// What is known of a network and of what is in it; `GET /bans`, `/failures` and `/listings` with its `prefix` list that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkLookup {
    /// The network asked for.
    pub prefix: Prefix,
    /// Bans in force that cover all of it.
    pub bans: Vec<BanInForce>,
    /// What allows all of it: an entry of the allowlist, several together, or the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allow>,
    /// The jails that have or had something in it, by name.
    pub jails: Vec<JailOfNetwork>,
    /// The zones that list something of bans in it.
    pub listings: Vec<ListedInNetwork>,
    /// Whether there may be more bans that are over, or addresses with failures, than were counted.
    pub is_cut: bool,
}

/// What a jail has in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JailOfNetwork {
    /// Its name.
    pub jail: String,
    /// Bans in force.
    pub banned: u64,
    /// Bans that are over, as far as they are kept.
    pub ended: u64,
    /// Addresses with failures that have not made a ban yet.
    pub failing: u64,
}

/// What a zone lists of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedInNetwork {
    /// The zone's name.
    pub zone: String,
    /// How many addresses and networks.
    pub listings: u64,
}

/// What data sets have for a domain name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameLookup {
    /// The name, without a dot at its end.
    pub name: String,
    /// What is there.
    pub sets: Vec<SetListing>,
}

/// An entry of a data set, as DNS answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetListing {
    /// The zone's name.
    pub zone: String,
    /// The type of the data set and its files.
    pub set: String,
    /// The A record.
    #[schema(value_type = String, format = "ipv4")]
    pub code: Ipv4Addr,
    /// The TXT record.
    pub text: String,
}

/// Failures of an address that have not made a ban yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failures {
    /// In this jail.
    pub jail: String,
    /// So many are counted.
    pub failures: u32,
    /// The time of the last one.
    #[serde(with = "rfc3339")]
    pub last: Timestamp,
}

/// So many addresses may be asked about in one request: a day's clients of a busy mail server, in an answer that is made at once.
pub const MAX_ADDRESSES: usize = 10_000;

/// Which addresses are asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// At most [`MAX_ADDRESSES`].
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
}

/// What is so of them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// One for each address, in the same order.
    pub results: Vec<CheckedAddress>,
}

/// What is so of one address now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckedAddress {
    /// The address.
    #[schema(value_type = String)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
