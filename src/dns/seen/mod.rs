//! What the servers see of queries and replies, for people: counters for each zone, who asks most and for what, and how often a
//! ban was the answer. In comes every [`Exchange`], out come figures for whoever asks.
//!
//! The way of an answer leads through here, so that nothing is allocated, nobody waits, and memory is bounded whatever
//! strangers ask.

mod asked;
mod counted;
mod dice;
mod exchange;
mod line;
mod query_log;
mod ranking;
mod shards;
mod top;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Request;
use super::counters::{Dropped, Drops, Refusals, Reply};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::zone::{Replied, Silence, Subject};

pub use asked::Answers;
use asked::Asked;
use counted::is_for_codes;
use exchange::Exchange;
use query_log::QueryLog;
use top::Top;

pub(super) use counted::Counted;
pub use counted::ZoneCounts;
pub use query_log::QueryLogSettings;
pub(super) use shards::{Shard, Shards};
pub use top::{Ranked, TopAddresses};

/// What is looked at beside counting. At first nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeing {
    /// Whether it is counted who asks, and for which listed addresses.
    pub count_addresses: bool,
    /// Where queries are logged; `None`: nowhere.
    pub query_log: Option<QueryLogSettings>,
}

/// What is seen of all zones together.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Replies to questions that belong to no zone.
    outside: Shards<Counted>,
    drops: Shards<Drops>,
    /// Queries that were refused because of who asks.
    refusals: Shards<Refusals>,
    /// Replies beyond a limit that were sent, answers cut short.
    slipped: Shards<AtomicU64>,
    asked: Asked,
    top: Top,
    log: QueryLog,
    /// Asked first, as the log costs more to look at.
    is_logging: AtomicBool,
}

impl Seen {
    /// Takes note of the reply to a request, in this `shard`; `zones` are the counters of each zone by its index. It stands where ordinary
    /// replies are made: of those, much of what is asked here is known.
    #[inline(always)]
    pub(super) fn note(
        &self,
        zones: &[Arc<Shards<Counted>>],
        shard: Shard,
        now: Timestamp,
        replied: &Replied,
        Request { query, peer, reply }: &Request<'_>,
    ) {
        let Replied { rcode, zone, listed, qtype, ref subject, records, refusal, .. } = *replied;
        if let Some(why) = refusal {
            self.refusals.own().count(why);
        }
        let qtype = qtype.unwrap_or(0);
        let counted = zone.map_or(&self.outside, |zone| &zones[zone]).get(shard);
        // Made where it is needed, which the log seldom is.
        let exchange = || Exchange { now, query, reply, records, subject };
        counted.count(&exchange(), Reply { transport: peer.transport, qtype, rcode: rcode as u16, listed });
        if self.is_logging.load(Ordering::Relaxed) {
            self.log.note(peer.address, rcode as u16, &exchange());
        }
        // A mail server asks for the text once it has the code, which is about the same connection.
        if let Subject::Address { listing: Some(listing), .. } = subject
            && is_for_codes(qtype)
        {
            self.asked.count(*listing);
        }
        if self.top.is_now() {
            let address = match subject {
                Subject::Address { address, .. } if listed => Some(*address),
                _ => None,
            };
            self.top.count(peer.address, address);
        }
    }

    /// Takes note that there is no reply.
    pub(super) fn silent(&self, why: Silence) {
        self.dropped(match why {
            Silence::Short => Dropped::Short,
            Silence::Response => Dropped::Response,
            Silence::Refused(why) => why.into(),
        });
    }

    /// Counts a query without a reply.
    pub(super) fn dropped(&self, reason: Dropped) {
        self.drops.own().count(reason);
    }

    /// Queries without a reply, by reason.
    pub(super) fn drops(&self) -> Vec<(&'static str, u64)> {
        Drops::sum(self.drops.iter())
    }

    /// Queries that were refused because of who asks, by reason.
    pub(super) fn refusals(&self) -> Vec<(&'static str, u64)> {
        Refusals::sum(self.refusals.iter())
    }

    /// Counts a reply beyond a limit that is sent.
    pub(super) fn slip(&self) {
        self.slipped.own().fetch_add(1, Ordering::Relaxed);
    }

    /// How many of them there were.
    pub(super) fn slipped(&self) -> u64 {
        self.slipped.iter().map(|slipped| slipped.load(Ordering::Relaxed)).sum()
    }

    /// What was counted of questions that belong to no zone.
    pub(super) fn outside(&self) -> ZoneCounts {
        self.outside.counts(None)
    }

    /// How often the listing of `prefix` was the answer to a question for codes.
    pub(super) fn asked(&self, prefix: Prefix) -> u64 {
        self.asked.get(prefix)
    }

    /// How often listings were the answer since this was asked the last time.
    pub(super) fn take_answers(&self) -> Answers {
        self.asked.take()
    }

    /// How many answers could not be counted by their listing.
    pub(super) fn asked_without_room(&self) -> u64 {
        self.asked.without_room()
    }

    /// The first `limit` of those who ask most, and of the listed addresses that are most asked for.
    pub(super) fn top(&self, limit: usize) -> TopAddresses {
        self.top.first(limit)
    }

    /// Looks at what `seeing` says from now on; the log is opened anew, see [`QueryLog::set`]. If that fails, all stays as it was.
    pub(super) fn set(&self, seeing: &Seeing) -> io::Result<()> {
        self.log.set(seeing.query_log.as_ref())?;
        self.top.switch(seeing.count_addresses);
        self.is_logging.store(seeing.query_log.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// How many queries were to be logged, and were not.
    pub(super) fn log_lost(&self) -> u64 {
        self.log.lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_opened_makes_nobody_forget_who_asked() {
        let seen = Seen::default();
        seen.set(&Seeing { count_addresses: true, query_log: None }).unwrap();
        let client = [192, 0, 2, 1].into();
        seen.top.count(client, None);
        let nowhere = QueryLogSettings { path: Some("/nowhere/q.log".into()), sample: 1, is_flushed: false };
        seen.set(&Seeing { count_addresses: false, query_log: Some(nowhere) }).unwrap_err();
        assert_eq!(seen.top(1).clients[0].address, client);
        seen.set(&Seeing::default()).unwrap();
        assert!(seen.top(1).clients.is_empty());
    }
}
