//! Reports on their way in, and what becomes of each.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ip::Prefix;

/// Rows of one batch: so many take the jails some milliseconds, in which no line is read.
pub const MAX_ROWS: usize = 10_000;

/// The name of a reporter's spool: chosen at random when its database is made, so that one made anew starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolId(pub u64);

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What was written names no spool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no spool: 16 hexadecimal digits do")]
pub struct ParseSpoolError(String);

impl FromStr for SpoolId {
    type Err = ParseSpoolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_right = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_right.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| ParseSpoolError(text.to_owned()))
    }
}

/// How a batch is known again that comes a second time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// It is not.
    #[default]
    Unknown,
    /// Its rows are numbered in their reporter's spool, one after the other.
    Rows {
        /// Which spool.
        spool: SpoolId,
        /// The number of the first row; the first of all is 1.
        first: u64,
    },
    /// Its sender has named it.
    Key {
        /// The name.
        key: Arc<str>,
        /// A hash of what was sent.
        fingerprint: u64,
    },
}

/// By what a batch that was taken is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// By nothing.
    Nothing,
    /// By the numbers of its rows.
    Spool {
        /// Which spool.
        spool: SpoolId,
        /// The number of the last row that was ever taken of it.
        last: u64,
    },
    /// By the name that its sender gave it.
    Key {
        /// The name.
        key: Arc<str>,
        /// A hash of what was sent.
        fingerprint: u64,
    },
}

/// What a row says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportKind {
    /// The prefix attacks: this is a vote.
    #[default]
    Ban,
    /// The prefix failed, which everybody may: it counts in the figures only.
    Failures,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its place in the batch, from 0.
    pub row: u32,
    /// Who.
    pub prefix: Prefix,
    /// When it was seen last.
    pub time: Timestamp,
    /// How many failures were seen.
    pub failures: u32,
    /// What it did: a place in [`ReportBatch::categories`].
    pub category: u16,
    /// What the row says.
    pub kind: ReportKind,
}

/// Reports that one organisation sends at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportBatch {
    /// Who sends them.
    pub reporter: Arc<str>,
    /// How it is known again.
    pub identity: Identity,
    /// The rows that could be read, in order.
    pub reports: Vec<Report>,
    /// The categories that they name.
    pub categories: Vec<Arc<str>>,
    /// How many rows there were, those that could not be read among them.
    pub rows: u32,
}

/// What became of the rows of a batch, or of all there ever were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Counted.
    pub accepted: u64,
    /// Known already.
    pub duplicate: u64,
    /// Not taken.
    pub refused: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.refused += other.refused;
    }
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum RowRefused {
    /// A vote for it would weigh nothing.
    #[error("it was seen longer ago than ten half-lives of a vote")]
    TooOld,
    /// It is yet to come.
    #[error("its time is more than five minutes in the future: is the clock of the reporter right?")]
    Future,
    /// Nobody's address on the internet.
    #[error("it overlaps a reserved range, which is never listed")]
    Reserved,
    /// The allowlist or an ignoreip covers it.
    #[error("it is allowlisted here")]
    Allowlisted,
    /// One word of one reporter must not speak of so much.
    #[error("it is too wide: the widest that can be reported are /16 for IPv4 and /32 for IPv6")]
    TooWide,
    /// There is no room.
    #[error("too many addresses are reported already; send it again later")]
    Full,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Accepted,
    /// It is known already, or repeated.
    Duplicate,
    /// It was not taken.
    Refused(RowRefused),
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The numbers; rows that could not be read are among those refused.
    pub tally: Tally,
    /// What became of each row that was read and not accepted, in order.
    pub others: Vec<(u32, Outcome)>,
    /// Whether the whole batch was taken before, and what it was answered then.
    pub repeated: bool,
    /// Rows before this one were taken before.
    pub from: u32,
    /// The last row of the spool that was ever taken, if the rows have numbers.
    pub reached: Option<u64>,
}
