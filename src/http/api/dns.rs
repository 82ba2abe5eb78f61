//! The bodies about what the DNS servers have seen.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How much is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DnsQuery {
    /// At most so many addresses of each kind; absent: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What the DNS servers have seen since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsSeen {
    /// By zone; the last, without origin, is for questions that belong to none.
    pub zones: Vec<ZoneSeen>,
    /// Queries that got no reply.
    pub dropped: Vec<DropCount>,
    /// Who asks most; empty if addresses are not counted.
    pub clients: Vec<RankedAddress>,
    /// The listed addresses that are most asked for; empty if addresses are not counted.
    pub listed: Vec<RankedAddress>,
    /// Answers that no ban has among its `asked`, as there are too many bans.
    pub asked_without_room: u64,
    /// Lines that the query log lacks.
    pub log_lost: u64,
}

/// What was seen of one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneSeen {
    /// Its name.
    pub origin: Option<String>,
    /// Queries that got a reply.
    pub queries: u64,
    /// Those for what is listed.
    pub listed: u64,
    /// Those for names that are neither addresses nor listed.
    pub names: u64,
    /// The codes that were answered.
    pub codes: Vec<CodeCount>,
    /// Octets of the queries.
    pub received: u64,
    /// Octets of the replies.
    pub sent: u64,
}

/// How often a code was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CodeCount {
    /// The code; null are all that are not 127.0.0.N.
    #[schema(value_type = Option<String>)]
    pub code: Option<Ipv4Addr>,
    /// How often.
    pub answers: u64,
}

/// Queries that got no reply for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DropCount {
    /// Why.
    pub reason: String,
    /// How many.
    pub queries: u64,
}

/// How much one address has to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RankedAddress {
    /// The address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// About how many queries.
    pub queries: u64,
}
