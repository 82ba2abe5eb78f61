//! Jails count failures into bans, and take orders. Pure: every function takes `now`.
//!
//! [`Jails`] holds them all. [`Jails::failure`] takes what a filter found, [`Jails::order`] what somebody asks for,
//! and [`Jails::expire`] lets time pass; each adds what it did to [`Effects`], which the store commits at once.

mod allowlist;
mod bans;
mod change;
mod counting;
mod effects;
mod jails;
mod order;
mod readers;
mod settings;

pub use allowlist::{Allowlist, never_listed};
pub use bans::{Active, Offender};
pub use change::{Allow, Ban, Change, EndCause, Origin};
pub use counting::Counter;
pub use effects::{Effects, Failure, Status};
pub use jails::Jails;
pub use order::{BanOrder, MANUAL, Order, Refusal};
pub use readers::{Found, Reader, Readers};
pub use settings::{BanTime, Escalate, IgnoreCache, IgnoreCommand, Increment, Settings};
