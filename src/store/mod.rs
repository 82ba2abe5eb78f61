//! SQLite: what must survive. One writer; every change of a ban or of the allowlist gets a number.
//!
//! [`Store`] is the writer. It commits, in one transaction, how far the logs were read and everything that followed
//! from the lines: counters, rollups, bans. After a kill at any instant every line has been counted once. [`Reader`]
//! looks things up beside it, for people. DNS never comes here.

mod access;
mod bans;
mod changes;
mod counters;
mod error;
mod fail2ban;
mod figures;
mod fold;
mod in_force;
mod kept;
mod networks;
mod page;
mod pool;
mod reader;
mod removals;
mod reports;
mod requests;
mod retention;
mod rollup;
mod row;
mod schema;
mod settings;
mod spool;
mod transaction;
mod writer;
mod writing;

pub use crate::jail::{Allow, Ban, BanTable, Change, EndCause, Held, JailId, JailOfTable, Origin};
pub use access::{AuditRow, PasskeyRow, SessionRow, TokenRow, UserRow};
pub use bans::{BanKey, BanMaker, BanQuery, BanQueryError, BanSort, BanState};
pub use changes::{ChangeKind, ChangeRow, Position as ChangePosition};
pub use counters::{CounterKey, CounterQuery, CounterRow};
pub use error::Error;
pub use fail2ban::{Fail2ban, Fail2banRow};
pub use figures::{FailuresOf, HourOfJail, Span};
pub use kept::Kept;
pub use networks::KeptInside;
pub use page::{Page, ParseKeyError};
pub use pool::ReaderPool;
pub use reader::{PastBan, Reader};
pub use removals::Removed;
pub use reports::KeptReports;
pub use requests::{Decision, NewRequest, RequestKey, RequestRow};
pub use rollup::{NETWORK, WAITS};
pub use settings::Settings;
pub use spool::{Outgoing, SpoolState, Spooled, Waiting};
pub use transaction::Transaction;
pub use writer::{Store, Work};

/// A change that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number: 1 for the first change ever, without gaps. The serial of every list follows it.
    pub number: u64,
    /// The change.
    pub change: Change,
}

#[cfg(test)]
mod tests;
