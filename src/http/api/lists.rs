//! The bodies of lists that come a page at a time.

use std::net::Ipv4Addr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Allowlist, AuditLog, Bans, Held, RemovalRequests, Reporters, Tokens, Users, ZoneStatus, rfc3339,
};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// How many rows a page has at most: between 1 and [`Limit::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit(u16);

impl Limit {
    /// No page has more: its rows are made at once.
    pub const MOST: Self = Self(1000);

    /// So many rows.
    pub fn rows(self) -> usize {
        self.0.into()
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = u64::deserialize(deserializer)?;
        let in_range = u16::try_from(rows).ok().filter(|rows| (1..=Self::MOST.0).contains(rows));
        let wrong = || D::Error::custom(format!("`limit` is between 1 and {}", Self::MOST.0));
        in_range.map(Self).ok_or_else(wrong)
    }
}

/// Which page of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub limit: Option<Limit>,
}

/// A list that comes a page at a time.
pub trait Paged {
    /// Adds the next page, if there was to be one.
    fn append(&mut self, page: Self);

    /// Where the next page begins.
    fn next(&self) -> Option<&str>;

    /// How many rows there are.
    fn rows(&self) -> usize;

    /// Leaves out the rows behind the first `most`.
    fn truncate(&mut self, most: usize);
}

macro_rules! paged {
    ($($list:ident $rows:ident),* $(,)?) => {
        $(impl Paged for $list {
            fn append(&mut self, page: Self) {
                self.$rows.extend(page.$rows);
                self.next = page.next;
            }

            fn next(&self) -> Option<&str> {
                self.next.as_deref()
            }

            fn rows(&self) -> usize {
                self.$rows.len()
            }

            fn truncate(&mut self, most: usize) {
                self.$rows.truncate(most);
            }
        })*
    };
}

paged! {
    Allowlist allow, AuditLog audit, Bans bans, Held held, RemovalRequests requests, Reporters reporters,
    Tokens tokens, Users users,
}

/// Every jail, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JailSummaries {
    /// They.
    pub jails: Vec<JailSummary>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a jail has done and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JailSummary {
    /// Its name.
    pub jail: String,
    /// Addresses with failures that are still counted.
    pub currently_failed: u64,
    /// Failures ever.
    pub total_failed: u64,
    /// Bans in force.
    pub currently_banned: u64,
    /// Bans ever.
    pub total_banned: u64,
    /// Failures since the start that were excused, as their addresses are allowed or reserved.
    pub ignored: u64,
    /// Failures since the start of hosts without an address.
    pub without_address: u64,
    /// Lines that were read since the start, or since a reload changed the filter.
    #[serde(default)]
    pub lines: u64,
    /// How many of them a failregex matched.
    #[serde(default)]
    pub matched: u64,
}

/// Which failures are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CountsQuery {
    /// Only those of this jail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// Only those of this address or network and what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub prefix: Option<Prefix>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub limit: Option<Limit>,
}

/// Failures that have not made a ban yet, by jail and address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// They.
    pub failures: Vec<Counting>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The failures of an address that a jail counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counting {
    /// Whose.
    pub prefix: Prefix,
    /// The jail.
    pub jail: String,
    /// So many.
    pub failures: u32,
    /// The time of the first one.
    #[serde(with = "rfc3339")]
    pub first: Timestamp,
    /// The time of the last one.
    #[serde(with = "rfc3339")]
    pub last: Timestamp,
    /// The last lines, oldest first.
    pub lines: Vec<String>,
}

/// Which listings are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListingsQuery {
    /// Of this zone.
    pub zone: String,
    /// Only those of this address or network and what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub prefix: Option<Prefix>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub limit: Option<Limit>,
}

/// What a zone publishes of the bans, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listings {
    /// They.
    pub listings: Vec<PublishedPrefix>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A prefix that a zone lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedPrefix {
    /// What is listed.
    pub prefix: Prefix,
    /// By which jail.
    pub jail: String,
    /// The A record.
    #[schema(value_type = String, format = "ipv4")]
    pub code: Ipv4Addr,
    /// When the ban began.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// When it ends by itself; null is never.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
}

/// The zones that the daemon answers for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Zones {
    /// They.
    pub zones: Vec<Zone>,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Zone {
    /// How it is; the keys stand among these.
    #[serde(flatten)]
    pub status: ZoneStatus,
    /// Its name servers.
    pub name_servers: Vec<String>,
    /// Time to live of its answers, in seconds.
    pub ttl: u64,
    /// What it publishes of the bans.
    pub publish: Vec<PublishRule>,
}

/// Which jails a zone publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishRule {
    /// Their names; `*` is every jail that no other rule names.
    pub jails: Vec<String>,
    /// The A record.
    #[schema(value_type = String, format = "ipv4")]
    pub code: Ipv4Addr,
}

/// The data sets of the zones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DataSets {
    /// They, zone by zone.
    pub datasets: Vec<DataSet>,
}

/// A list that is read from files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DataSet {
    /// The zone that serves it.
    pub zone: String,
    /// Its type and its files.
    pub set: String,
    /// How many entries are served.
    pub entries: u64,
    /// When they were read; null: its files could never be read.
    #[serde(with = "rfc3339::option")]
    pub loaded: Option<Timestamp>,
    /// How often reading its files failed.
    pub failures: u64,
    /// Why what is served is not what its files say now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
