//! The bodies about reports and those who send them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{flag, rfc3339};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::HoldReason;

/// For whom reports are sent, by those who may say so: whoever has a token of a reporter is that reporter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// The organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<String>,
}

/// What became of reports. It is durable when this is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reported {
    /// Rows that were counted.
    pub accepted: u64,
    /// Rows that were known already.
    pub duplicate: u64,
    /// Rows that were not taken.
    pub refused: u64,
    /// Whether all of it was taken before: nothing has changed, and the numbers are those of the first time where they are known.
    #[serde(default)]
    pub repeated: bool,
    /// The last row of the spool that was ever taken, if the rows have numbers: one beyond those that its sender has given out
    /// tells it that its spool has gone back in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The rows that were not accepted, in order.
    #[serde(default)]
    pub rows: Vec<RowOutcome>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowOutcome {
    /// Which one, counted from 1; the head of a CSV is none.
    pub row: u32,
    /// What became of it.
    pub result: RowResult,
    /// For what reason it was refused: `too-old`, `future`, `reserved`, `allowlisted`, `too-wide`, `full` or `malformed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of a row that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowResult {
    /// It was known.
    Duplicate,
    /// It was not taken.
    Refused,
}

/// The hub that this server reports to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubStatus {
    /// Where it is.
    pub url: String,
    /// Rows that wait for it.
    pub waiting: u64,
    /// Rows that were given up for want of room, ever.
    pub dropped: u64,
    /// Rows that it counted since the start.
    pub accepted: u64,
    /// Rows that it knew.
    pub duplicate: u64,
    /// Rows that it did not want.
    pub refused: u64,
    /// When it confirmed rows last.
    #[serde(default, with = "rfc3339::option")]
    pub last_sent: Option<Timestamp>,
    /// Why it does not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Who reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reporters {
    /// Every organisation that is known, by name.
    pub reporters: Vec<Reporter>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An organisation that reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reporter {
    /// Its name.
    pub name: String,
    /// What its votes weigh at the beginning.
    pub trust: f64,
    /// Whether that is the default, as nobody has set another.
    pub default_trust: bool,
    /// Since when nothing is taken from it.
    #[serde(default, with = "rfc3339::option")]
    pub cut_off: Option<Timestamp>,
    /// When it reported first.
    #[serde(default, with = "rfc3339::option")]
    pub first_seen: Option<Timestamp>,
    /// When it reported last.
    #[serde(default, with = "rfc3339::option")]
    pub last_seen: Option<Timestamp>,
    /// The votes it has.
    pub votes: u64,
    /// Rows that were counted, ever.
    pub accepted: u64,
    /// Rows that were known already.
    pub duplicate: u64,
    /// Rows that were not taken.
    pub refused: u64,
    /// How many listings began or ended by what was changed now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listings_changed: Option<u64>,
}

/// What is changed about an organisation; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReporter {
    /// What its votes weigh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<f64>,
    /// `true`: nothing is taken from it any more, and its votes are taken back; `false`: it may report again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<bool>,
}

/// Which listings of those that are held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HeldQuery {
    /// Those inside this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub prefix: Option<Prefix>,
    /// All of them.
    #[serde(default, with = "flag", skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// What is held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// How many listings.
    pub total: u64,
    /// They, in the order of addresses.
    pub held: Vec<HeldListing>,
    /// What `after` is for the next page; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A listing that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldListing {
    /// What would be listed.
    pub prefix: Prefix,
    /// Since when it waits.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// When its votes will weigh too little.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// Why.
    pub reason: HoldReason,
    /// Who says so.
    pub votes: Vec<Vote>,
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vote {
    /// For what.
    pub prefix: Prefix,
    /// Whose.
    pub reporter: String,
    /// When it was seen last.
    #[serde(with = "rfc3339")]
    pub seen: Timestamp,
    /// What it weighs now.
    pub weight: f64,
}
