//! What the DNS answers from: the published prefixes of each zone, in memory.
//!
//! In come durable changes and the bans in force after them; [`Publisher`] turns them into a new version of the [`List`] of each
//! zone and hands it to [`Lists`], where readers pick up the latest version without a lock. Pure: `now` is an argument.

mod lists;
mod part;
mod published_set;
mod publisher;
mod rule;
mod snapshot;

pub use lists::{Lists, Published};
pub use published_set::PublishedSet;
pub use publisher::Publisher;
pub use rule::{EVERY_OTHER_JAIL, Rule, rule_of};
pub use snapshot::{List, Listing, Listings, View};
