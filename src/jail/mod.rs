//! Jails count failures into bans, and take orders. Pure: every function takes `now`.
//!
//! [`Jails`] holds them all. [`Jails::found`] takes what a filter found, [`Jails::order`] what somebody asks for,
//! [`Jails::report`] what other servers have seen, and [`Jails::expire`] lets time pass; each adds what it did to [`Effects`], which the store commits at once. What must
//! be known from outside first becomes an [`Ask`], and its failure comes back with the [`Answer`].

mod allowlist;
mod ask;
mod bans;
mod change;
mod counting;
mod effects;
mod evidence;
mod formula;
mod jails;
mod order;
mod readers;
mod reports;
mod schedule;
mod settings;
mod table;
mod tried;

pub use allowlist::{Allowlist, never_listed};
pub use ask::{Answer, Ask, Found, Question};
pub use bans::{Active, Offender};
pub use change::{Allow, Ban, Change, EndCause, Origin};
pub use counting::Counter;
pub use effects::{Effects, Failure, Status};
pub use evidence::Evidence;
pub use formula::{Error as FormulaError, Formula};
pub use jails::{Jails, check_width};
pub use order::{Adjustment, BanOrder, KnownBan, MANUAL, MAX_TRUST, Order, Refusal, ReporterOrder};
pub use readers::{Exhausted, Lines, Reader, Readers, Remembered};
pub use reports::{
    Answered, Consensus, GuardSettings, HeldListing, HoldReason, Identity, KnownBy, MAX_ROWS, Outcome,
    ParseSpoolError, Receipt, Report, ReportBatch, ReportChange, ReportKind, ReportSettings, Reporter,
    RowRefused, Sighting, SpoolId, TakenReports, Tally,
};
pub use settings::{BanTime, Escalate, IgnoreCache, IgnoreCommand, Increment, MOST_ANSWERS, Settings};
pub use table::{BanTable, Held, JailId, JailOfTable};
