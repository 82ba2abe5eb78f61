//! What is counted of one zone by one thread, and the sum of it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exchange::{Exchange, RECORD};
use super::shards::Shards;
use crate::dns::counters::{Replies, Reply, ReplyCount};
use crate::zone::Subject;

/// Type A (RFC 1035, section 3.2.2).
const TYPE_A: u16 = 1;

/// Type ANY, which for an address is answered with what A is.
const TYPE_ANY: u16 = 255;

/// The counters of one zone that one thread writes to.
#[derive(Debug, Default)]
pub(in crate::dns) struct Counted {
    replies: Replies,
    codes: Codes,
    names: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// What was counted of one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneCounts {
    /// The zone; `None` are the questions that belong to none.
    pub origin: Option<String>,
    /// Every kind of reply that occurred.
    pub replies: Vec<ReplyCount>,
    /// The codes that were answered, in order, and how often; those that are not 127.0.0.N are together under `None`, which
    /// is the last.
    pub codes: Vec<(Option<Ipv4Addr>, u64)>,
    /// Questions for names that are neither addresses nor listed. In a zone of addresses they come from clients that ask
    /// it for domain names.
    pub names: u64,
    /// The octets of the queries.
    pub received: u64,
    /// The octets of the replies.
    pub sent: u64,
}

impl Counted {
    /// Counts a query that got a reply.
    #[inline]
    pub(super) fn count(&self, exchange: &Exchange<'_>, reply: Reply) {
        self.replies.count(reply);
        if reply.listed && is_for_codes(reply.qtype) {
            self.codes.count(exchange.codes());
        }
        if *exchange.subject == Subject::Name {
            self.names.fetch_add(1, Ordering::Relaxed);
        }
        self.received.fetch_add(exchange.query.len() as u64, Ordering::Relaxed);
        self.sent.fetch_add(exchange.reply.len() as u64, Ordering::Relaxed);
    }
}

/// Whether the answers to this type are codes.
pub(super) fn is_for_codes(qtype: u16) -> bool {
    matches!(qtype, TYPE_A | TYPE_ANY)
}

impl Shards<Counted> {
    /// What all threads counted of the zone `origin`.
    pub(in crate::dns) fn counts(&self, origin: Option<String>) -> ZoneCounts {
        let sum = |read: fn(&Counted) -> &AtomicU64| {
            self.iter().map(|counted| read(counted).load(Ordering::Relaxed)).sum()
        };
        ZoneCounts {
            origin,
            replies: Replies::sum(self.iter().map(|counted| &counted.replies)),
            codes: Codes::sum(self.iter().map(|counted| &counted.codes)),
            names: sum(|counted| &counted.names),
            received: sum(|counted| &counted.received),
            sent: sum(|counted| &counted.sent),
        }
    }
}

/// Codes with a cell of their own: 127.0.0.0 to 127.0.0.255.
const OWN_CELLS: usize = 256;

/// How often each code was answered; the last cell is for all that are not 127.0.0.N.
#[derive(Debug)]
struct Codes([AtomicU64; OWN_CELLS + 1]);

impl Default for Codes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Codes {
    fn count<'a>(&self, records: impl Iterator<Item = &'a [u8; RECORD]>) {
        for record in records {
            let cell = match record {
                [.., 127, 0, 0, last] => usize::from(*last),
                _ => OWN_CELLS,
            };
            self.0[cell].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sum<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Vec<(Option<Ipv4Addr>, u64)> {
        let code = |cell: usize| u8::try_from(cell).ok().map(|last| Ipv4Addr::new(127, 0, 0, last));
        let cells = (0..=OWN_CELLS).map(|cell| {
            let counts = all.clone().map(|codes| codes.0[cell].load(Ordering::Relaxed));
            (code(cell), counts.sum())
        });
        cells.filter(|(_, count)| *count > 0).collect()
    }
}
