//! Zones: a DNS query becomes an answer. Pure: bytes in, bytes out, `now` is an argument.
//!
//! The configuration gives each zone's [`Settings`]; [`Zone::new`] checks them, [`Zones`] holds all zones beside their
//! lists, and [`answer()`] answers one query from them.

mod answer;
mod error;
mod listed;
mod name;
mod query;
mod reply;
mod served;
mod settings;
mod sublist;
mod template;
mod zones;

pub use answer::{Outcome, Peer, Rcode, Silence, Subject, Transport, answer};
pub use error::{Error, Problem};
pub use listed::{InSet, Listed};
pub use name::{Name, ParseNameError};
pub use served::{MOST_NAME_SERVERS, Zone};
pub use settings::{Publish, Settings, StaticList};
pub use sublist::{ParseSublistError, Sublist};
pub use template::{ParseTemplateError, Template, Values};
pub use zones::Zones;

#[cfg(test)]
mod testing;
