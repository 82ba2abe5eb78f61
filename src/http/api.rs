//! The bodies of the HTTP API, shared by the server and by the command line, which is its client.
//!
//! Which request takes and gives which of them stands in `http/routes.rs`.
//! Whatever fails answers [`Problem`] with its status. Times are RFC 3339 strings, spans of time are seconds.

mod allow;
mod audit;
mod bans;
mod changes;
mod dns;
mod figures;
mod jails;
mod lists;
mod lookup;
mod passkeys;
mod reports;
mod requests;
mod schemas;
mod takeover;
mod tokens;
mod users;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::ip::Prefix;

pub use allow::{Allow, AllowChanged, Allowlist, DisallowQuery, NewAllow};
pub use audit::{AuditEntry, AuditLog, AuditQuery, AuditVerified};
pub use bans::{Ban, BanChanged, BanSort, BanState, Bans, BansQuery, MadeBy, NewBan, UnbanQuery};
pub use changes::{ChangeKind, ChangeLine, Changed, ChangesQuery};
pub use dns::{CodeCount, DnsQuery, DnsSeen, DropCount, RankedAddress, ZoneSeen};
pub use figures::FiguresQuery;
pub use jails::{
    Counted, FilterHits, IgnoreCacheSettings, IncrementSettings, JailChange, JailSettings, MAX_LINES,
    NewFailure, PatternHits,
};
pub use lists::{
    Counting, Counts, CountsQuery, DataSet, DataSets, JailSummaries, JailSummary, Limit, ListQuery, Listings,
    ListingsQuery, Paged, PublishRule, PublishedPrefix, Zone, Zones,
};
pub use lookup::{
    Addresses, BanInForce, Checked, CheckedAddress, Failures, JailOfNetwork, ListedInNetwork, Listing,
    Lookup, MAX_ADDRESSES, NameLookup, NetworkLookup, NetworkQuery, Score, SetListing,
};
pub use passkeys::{NewPasskey, PasskeyAdded, PasskeyAnswer, PasskeyChallenge, PasskeyView, Passkeys};
pub use reports::{
    Held, HeldListing, HeldQuery, HubStatus, NewReporter, ReportQuery, Reported, Reporter, Reporters,
    RowOutcome, RowResult, Vote,
};
pub use requests::{Decided, Decision, NewDecision, RemovalRequest, RemovalRequests, RequestsQuery};
pub use takeover::{KnownBan, KnownBans, MAX_BANS, Outcome, TakenOver};
pub use tokens::{Granted, NewToken, Rotation, Token, TokenMade, Tokens};
pub use users::{
    Confirmation, Enrolment, NewPassword, NewSession, NewUser, RecoveryCodes, SessionView, Sessions,
    SignedIn, User, UserChange, Users, Verification,
};

/// What every path begins with.
pub const BASE: &str = "/api/v1";

/// The media type of [`Problem`] (RFC 9457, section 3).
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// How the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of the running program.
    pub version: String,
    /// When it started.
    #[serde(with = "rfc3339")]
    pub started: Timestamp,
    /// The names of the enabled jails in order.
    pub jails: Vec<String>,
    /// The zones it answers for.
    #[serde(default)]
    pub zones: Vec<ZoneStatus>,
    /// What failures wait for outside, by kind.
    #[serde(default)]
    pub outside: Vec<OutsideStatus>,
    /// The hub that is reported to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubStatus>,
    /// Patterns that were stopped, as they took too many steps in some lines.
    #[serde(default)]
    pub patterns_stopped: Vec<StoppedPattern>,
}

/// Failures that need an answer from outside before they can count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutsideStatus {
    /// What is asked: `host name` or `ignore_command`.
    pub kind: String,
    /// How many were asked since the start.
    pub asked: u64,
    /// How many had no answer.
    pub failed: u64,
    /// How many were not counted, as too many others waited.
    pub dropped: u64,
    /// How many wait now.
    pub waiting: u64,
}

/// A pattern that is too costly for some lines: what it would have found there is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoppedPattern {
    /// The jail whose filter it is in.
    pub jail: String,
    /// Which one, such as `failregex 3`.
    pub pattern: String,
    /// How many lines since the start or the last reload.
    pub lines: u64,
}

/// How one zone is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneStatus {
    /// Its name.
    pub origin: String,
    /// The SOA's serial.
    pub serial: u32,
    /// How many prefixes it lists.
    pub listings: u64,
}

/// How one jail is: what fail2ban-client shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JailStatus {
    /// Its name.
    pub jail: String,
    /// Addresses with failures that are still counted.
    pub currently_failed: u64,
    /// Failures since the start.
    pub total_failed: u64,
    /// The files it reads now.
    pub files: Vec<String>,
    /// What it reads besides files and the journal, as `logpath` names it: syslog, standard input.
    #[serde(default)]
    pub streams: Vec<String>,
    /// The groups of matches one of which an entry of the journal must have; null: it does not read the journal.
    #[serde(default)]
    pub journal_matches: Option<Vec<String>>,
    /// Bans in force.
    pub currently_banned: u64,
    /// Bans since the start, those in force at the start included.
    pub total_banned: u64,
    /// What is banned now, in order.
    pub banned: Vec<Prefix>,
    /// How often the patterns of its filter matched; null: it reads no log.
    #[serde(default)]
    pub hits: Option<FilterHits>,
}

/// How many bans, or entries of the allowlist, were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// The number.
    pub ended: u64,
}

/// What the daemon was told about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DaemonSettings {
    /// Where the database is.
    pub database: String,
    /// For how many seconds bans that ended are kept.
    pub history_retention: u64,
    /// The most lines that any jail keeps as evidence for a ban.
    pub max_matches: usize,
    /// Messages below this are not written: `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
}

/// The new configuration is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    /// What a person should look at all the same, one line each: what takes a restart, and as under `/readyz` data sets that
    /// are not what their files say, and logs that are missing.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The new configuration is refused, the old one stays in force: a [`Problem`] with every error found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotReloaded {
    /// What went wrong in general.
    #[serde(flatten)]
    pub problem: Problem,
    /// One line each: file, line, the thing and the remedy.
    pub errors: Vec<String>,
}

/// Why a request failed (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What went wrong in general.
    pub title: String,
    /// What went wrong this time, and the remedy.
    #[serde(default)]
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
}

/// Times as RFC 3339 strings.
mod rfc3339 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::Timestamp;

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        parse(&String::deserialize(deserializer)?)
    }

    fn parse<E: Error>(written: &str) -> Result<Timestamp, E> {
        written.parse().map_err(E::custom)
    }

    /// The same for times that may be absent.
    pub mod option {
        use super::*;

        pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => serializer.collect_str(time),
                None => serializer.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            let written = Option::<String>::deserialize(deserializer)?;
            written.as_deref().map(parse).transpose()
        }
    }
}

/// `1` or `true` in a query string.
mod flag {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if *flag { "1" } else { "0" })
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            other => Err(Error::custom(format!("`{other}` is neither 1 nor 0"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `json` as a `T` and checks that writing it gives the same again.
    fn check<T: Serialize + for<'de> Deserialize<'de>>(json: &str) {
        let value: T = serde_json::from_str(json).unwrap();
        let written: serde_json::Value = serde_json::to_value(&value).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }

    #[test]
    fn bodies_have_the_documented_form() {
        check::<Ban>(
            r#"{"prefix":"192.0.2.7","jail":"postfix-sasl","since":"2026-11-22T08:04:12Z","until":null,
                "origin":{"kind":"log"},"failures":5,"count":1}"#,
        );
        check::<Ban>(
            r#"{"prefix":"2001:db8::/64","jail":"postfix-sasl","since":"2026-11-22T08:04:12Z",
                "until":"2026-11-22T09:04:12Z","origin":{"kind":"order","by":"root"},"failures":0,"count":2,
                "ended":"2026-11-22T09:04:12Z","end_cause":{"kind":"expired"}}"#,
        );
        check::<NewBan>(r#"{"prefix":"192.0.2.0/24","permanent":true,"reason":"spam"}"#);
        check::<NotReloaded>(r#"{"title":"t","detail":"d","status":422,"errors":["a.toml:1: b"]}"#);
        check::<NewBan>(r#"{"prefix":"192.0.2.7","since":"2026-11-22T08:04:12Z","seconds":60}"#);
        check::<JailChange>(r#"{"bantime":null}"#);
        check::<JailChange>(r#"{"add-ignoreip":["192.0.2.0/24"]}"#);
        check::<TakenOver>(r#"{"outcomes":[{"outcome":"banned"},{"outcome":"refused","reason":"r"}]}"#);
        assert!(serde_json::from_str::<NewBan>(r#"{"prefix":"192.0.2.0/24","forever":true}"#).is_err());
        assert!(serde_json::from_str::<JailChange>(r#"{"maxretry":0}"#).is_err());
    }
}
