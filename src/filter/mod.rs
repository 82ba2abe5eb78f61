//! Filters: the text of a line becomes a failure.
//!
//! In comes a line and the present time. [`Dates`] finds the line's date, [`cut`] takes it out, and [`Filter`]
//! looks for a failure in what is left; a [`Matcher`] first tells which of many filters are worth asking.
//! [`line_time`] decides which time the line counts for. Nothing here reads the clock, and nothing is
//! opened but the system's time zone database: the machine's own zone, and those that filters name.

mod address;
mod compiled;
mod date;
mod error;
mod fail2ban;
mod literal;
mod matcher;
mod native;
mod python;
mod settings;
mod source;
mod tag;

pub use compiled::{Failure, Filter, Line, Verdict, Who};
pub use date::{DATE_FORMATS, Date, DateFound, DateReading, Dates, Detector, cut, line_time};
pub use error::{Error, Place};
pub use fail2ban::State;
pub use matcher::{Candidates, Matcher};
pub use settings::{Dialect, Settings, UseDns};
