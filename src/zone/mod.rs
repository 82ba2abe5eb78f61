//! Zones: a DNS query becomes an answer. Pure: bytes in, bytes out, `now` is an argument.
//!
//! The configuration gives each zone's [`Settings`]; [`Zone::new`] checks them, [`Zones`] holds all zones beside their
//! lists, and [`answer()`] answers one query from them; several that come together are each read as [`Pending`] before.

mod admission;
mod answer;
mod challenges;
mod chaos;
mod cookie;
mod error;
mod keys;
mod listed;
mod lookup;
mod name;
mod options;
mod ordinary;
mod outcome;
mod pending;
mod query;
mod rate;
mod reply;
mod served;
mod server;
mod settings;
mod sublist;
mod template;
mod zones;

pub use admission::{AccessLists, Refusal};
pub use answer::{answer, answer_ordinary, answer_other};
pub use challenges::Challenges;
pub use cookie::{RANDOM_SECRETS, Secret, Secrets};
pub use error::{Error, Problem};
pub use keys::{HIGHEST_QUOTA, KeyCount, KeyLabel, KeyRules, KeySettings, ParseKeyError};
pub use listed::{InSet, Listed};
pub use name::{Name, ParseNameError};
pub use outcome::{Outcome, Peer, Rcode, Replied, Silence, Subject, Transport};
pub use pending::Pending;
pub use rate::{HIGHEST_RATE, Rate, TIME_BITS, TIME_MASK, debt};
pub use reply::truncate;
pub use served::{MOST_NAME_SERVERS, Zone};
pub use server::{Nsid, ParseNsidError, Server};
pub use settings::{Admission, Publish, Settings, StaticList};
pub use sublist::{ParseSublistError, Sublist};
pub use template::{ParseTemplateError, Template, Values};
pub use zones::{Moment, Zones};

#[cfg(test)]
mod testing;
