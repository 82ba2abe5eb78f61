//! Reports between servers: what comes in at a hub is read here, row by row.
//!
//! [`Body`] takes the compression off, [`Rows`] reads the rows of each [`Format`]. What the rows mean for the list is for the
//! jails to say.

mod body;
mod csv;
mod json;
mod rows;

pub use body::{Body, BodyError, Encoding, MAX_DECOMPRESSED};
pub use rows::{Format, Malformed, Rows, RowsError};

#[cfg(test)]
mod tests;
