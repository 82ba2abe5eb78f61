//! What the servers see of queries and replies, for people: counters for each zone, who asks most and for what, and how often a
//! ban was the answer. In comes every [`Exchange`], out come figures for whoever asks.
//!
//! The way of an answer leads through here, so that nothing is allocated, nobody waits, and memory is bounded whatever
//! strangers ask.

mod counted;
mod shards;

use std::sync::Arc;

use super::counters::{Dropped, Drops, Reply};
use super::{Peer, Transport};
use crate::zone::{Outcome, Silence, Subject};

pub(super) use counted::Counted;
pub use counted::ZoneCounts;
pub(super) use shards::Shards;

/// A query and its reply.
struct Exchange<'a> {
    query: &'a [u8],
    reply: &'a [u8],
    /// Where the records of the reply begin.
    records: usize,
    subject: Subject,
}

/// What is seen of all zones together.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Replies to questions that belong to no zone.
    outside: Shards<Counted>,
    drops: Shards<Drops>,
}

impl Seen {
    /// Takes note of what became of `query`; `zones` are the counters of each zone by its index.
    pub(super) fn note(
        &self,
        zones: &[Arc<Shards<Counted>>],
        outcome: Outcome,
        query: &[u8],
        peer: &Peer,
        reply: &[u8],
    ) {
        let (rcode, zone, listed, qtype, subject, records) = match outcome {
            Outcome::Silent(Silence::Short) => return self.dropped(Dropped::Short),
            Outcome::Silent(Silence::Response) => return self.dropped(Dropped::Response),
            Outcome::Silent(Silence::Client) => return self.dropped(Dropped::Client),
            Outcome::Replied { rcode, zone, listed, qtype, subject, records, .. } => {
                (rcode, zone, listed, qtype.unwrap_or(0), subject, records)
            }
        };
        let counted = zone.map_or(&self.outside, |zone| &zones[zone]).own();
        let transport: Transport = peer.transport;
        let exchange = Exchange { query, reply, records, subject };
        counted.count(&exchange, Reply { transport, qtype, rcode: rcode as u16, listed });
    }

    /// Counts a query without a reply.
    pub(super) fn dropped(&self, reason: Dropped) {
        self.drops.own().count(reason);
    }

    /// Queries without a reply, by reason.
    pub(super) fn drops(&self) -> Vec<(&'static str, u64)> {
        Drops::sum(self.drops.iter())
    }

    /// What was counted of questions that belong to no zone.
    pub(super) fn outside(&self) -> ZoneCounts {
        self.outside.counts(None)
    }
}
