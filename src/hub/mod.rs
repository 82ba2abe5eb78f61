//! Reports between servers: what comes in at a hub is read here, row by row, and what a reporter has to say is sent from here.
//!
//! At the hub, [`Body`] takes the compression off, and [`Rows`] reads the rows of each [`Format`]; what they mean for the list
//! is for the jails to say. At the reporter, [`outgoing()`] chooses what is spooled, and a [`Client`] sends it.

mod body;
mod client;
mod csv;
mod json;
mod outgoing;
mod rows;
mod settings;

pub use body::{Body, BodyError, Encoding, MAX_DECOMPRESSED};
pub use client::{Backoff, Client, Confirmed, MAX_BATCH, SendError};
pub use outgoing::outgoing;
pub use rows::{Format, Malformed, Rows, RowsError};
pub use settings::{Settings, Token};

#[cfg(test)]
mod tests;
