//! Filters: the text of a line becomes a failure.
//!
//! In comes a line and the present time. [`Timing`] finds the line's date, takes it out and says which time the line
//! counts for; [`Filter`] looks for a failure in what is left, with a [`State`] where lines depend on each other. A
//! [`Matcher`] first tells which of many filters are worth asking. Filters are banzone's own or fail2ban's
//! ([`Dialect`]). Nothing here reads the clock, and nothing is opened but the system's time zone database: the
//! machine's own zone, and those that filters name.

mod address;
mod compiled;
mod date;
mod error;
mod fail2ban;
mod hits;
mod literal;
mod matcher;
mod native;
mod python;
mod settings;
mod source;
mod tag;
mod timing;
mod trial;

pub use compiled::{Failure, Filter, Line, Verdict, Who};
pub use date::{DATE_FORMATS, Date, DateFound, DateReading, Dates, Detector, cut, line_time};
pub use error::{Error, Place};
pub use fail2ban::State;
pub use hits::{Hit, Hits};
pub use matcher::{Ahead, Candidates, Matcher};
pub use settings::{Dialect, Settings, UseDns};
pub use timing::{Pace, Timed, Timing};
pub use trial::{Trial, Tried};
