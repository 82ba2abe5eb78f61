//! The figures of a report, as they go over the API: numbers and names, no words.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Period;
use crate::ip::Prefix;

/// A number in the period, and in the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Compared {
    /// In the period.
    pub now: u64,
    /// In the period before.
    pub before: u64,
}

/// All that a report tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// The days it is about.
    pub period: Period,
    /// The days it compares them with.
    pub before: Period,
    /// Whether the period is over.
    pub is_over: bool,
    /// When it was made (RFC 3339).
    pub made: String,
    /// Of this jail only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// The sums.
    pub totals: Totals,
    /// How it went, hour by hour or day by day.
    pub course: Course,
    /// Every jail in which something happened, the one with most failures first.
    pub jails: Vec<JailFigures>,
    /// What zones publish of it.
    pub categories: Vec<CategoryFigures>,
    /// Failures by address.
    pub addresses: Top,
    /// Failures by network: /24 of IPv4.
    pub networks_ipv4: Top,
    /// Failures by network: /64 of IPv6.
    pub networks_ipv6: Top,
    /// Failures by user name, masked.
    pub users: Top,
    /// Failures by country (ISO 3166-1); absent where nothing is known of countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countries: Option<Top>,
    /// Failures by autonomous system; absent where nothing is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systems: Option<Top>,
    /// Reports by organisation; none if one jail is chosen.
    #[serde(default)]
    pub reporters: Top,
    /// Reports by what they say that was done; none if one jail is chosen.
    #[serde(default)]
    pub reported: Top,
    /// How long bans took since the first failure.
    pub waits: Vec<Wait>,
    /// The listings that DNS was asked for most; of all jails even if one is chosen.
    pub listings: Vec<ListingFigures>,
    /// What is wrong with the data, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The sums of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Failures.
    pub failures: Compared,
    /// Addresses that failed, each once a day and jail.
    pub addresses: Compared,
    /// New bans.
    pub bans: Compared,
    /// Those of them of what the jail had banned before.
    pub again: Compared,
    /// Answers of DNS that were a listing: each stands for about one connection. Of all jails even if one is chosen.
    pub answers: Compared,
}

/// A period in steps, one behind the other from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Course {
    /// How long a step is, in seconds: an hour or a day.
    pub step: u64,
    /// Failures.
    pub failures: Vec<Compared>,
    /// New bans.
    pub bans: Vec<Compared>,
}

/// What one jail did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JailFigures {
    /// Its name.
    pub jail: String,
    /// Failures.
    pub failures: Compared,
    /// New bans.
    pub bans: Compared,
    /// Those of them of what it had banned before.
    pub again: Compared,
}

/// What the jails did that one rule of a zone publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryFigures {
    /// The zone's name.
    pub zone: String,
    /// The return code.
    #[schema(value_type = String, format = "ipv4")]
    pub code: Ipv4Addr,
    /// The name inside the zone under which it is answered alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sublist: Option<String>,
    /// Failures.
    pub failures: Compared,
    /// New bans.
    pub bans: Compared,
}

/// The first of many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Top {
    /// The largest of the period, in order.
    pub rows: Vec<Ranked>,
    /// The sum of all others.
    pub others: u64,
}

/// One of the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ranked {
    /// Who or what it is.
    pub name: String,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// How often.
    #[serde(flatten)]
    pub count: Compared,
}

/// Bans that took so long since the first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wait {
    /// Up to so many seconds; null: longer than all others.
    pub seconds: Option<u64>,
    /// So many bans.
    pub bans: Compared,
}

/// A listing that DNS was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListingFigures {
    /// The listing.
    pub prefix: Prefix,
    /// The jails that have banned it.
    pub jails: Vec<String>,
    /// How often it was the answer.
    pub answers: Compared,
}
