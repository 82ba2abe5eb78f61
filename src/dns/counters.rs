//! What the servers count, for the metrics page. Plain atomics: no lock and no allocation per query, and a
//! bounded number of cells, whatever strangers ask.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Transport;
use crate::zone::Refusal;

const TRANSPORTS: [(Transport, &str); 5] = [
    (Transport::Udp, "udp"),
    (Transport::Tcp, "tcp"),
    (Transport::Tls, "tls"),
    (Transport::Https, "https"),
    (Transport::Quic, "quic"),
];

/// Query types with a cell of their own; all others share the last.
const QTYPES: [(u16, &str); 8] =
    [(1, "A"), (28, "AAAA"), (16, "TXT"), (255, "ANY"), (6, "SOA"), (2, "NS"), (15, "MX"), (0, "other")];

/// Response codes with a cell of their own; all others share the last.
const RCODES: [(u16, &str); 8] = [
    (0, "NOERROR"),
    (3, "NXDOMAIN"),
    (5, "REFUSED"),
    (1, "FORMERR"),
    (4, "NOTIMP"),
    (2, "SERVFAIL"),
    (16, "BADVERS"),
    (u16::MAX, "other"),
];

const CELLS: usize = TRANSPORTS.len() * QTYPES.len() * RCODES.len() * 2;

/// One kind of reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How the query came.
    pub transport: Transport,
    /// What was asked.
    pub qtype: u16,
    /// What was replied.
    pub rcode: u16,
    /// Whether the name asked for is listed.
    pub listed: bool,
}

/// The replies of one zone.
#[derive(Debug)]
pub struct Replies([AtomicU64; CELLS]);

/// A kind of reply by its labels, and how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyCount {
    /// `udp`, `tcp`, `tls`, `https` or `quic`.
    pub transport: &'static str,
    /// `A`, `TXT`, …, or `other`.
    pub qtype: &'static str,
    /// `NOERROR`, `NXDOMAIN`, …, or `other`.
    pub rcode: &'static str,
    /// Whether the name asked for is listed.
    pub listed: bool,
    /// How many replies.
    pub count: u64,
}

impl Default for Replies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Replies {
    /// Counts one reply.
    #[inline]
    pub fn count(&self, reply: Reply) {
        self.0[cell(reply)].fetch_add(1, Ordering::Relaxed);
    }

    /// Every kind that occurred, of all of these together.
    pub fn sum<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Vec<ReplyCount> {
        let sum = |cell: usize| all.clone().map(|one| one.0[cell].load(Ordering::Relaxed)).sum();
        let counts = (0..CELLS).map(|cell| (cell, sum(cell)));
        let occurred = counts.filter(|(_, count)| *count > 0);
        occurred.map(|(cell, count)| labelled(cell, count)).collect()
    }
}

/// Mixed radix: transport, type, code, listed.
fn cell(reply: Reply) -> usize {
    static OF_QTYPE: Places = Places::new(&QTYPES);
    static OF_RCODE: Places = Places::new(&RCODES);
    let typed = reply.transport as usize * QTYPES.len() + OF_QTYPE.known_or_last(reply.qtype);
    let coded = typed * RCODES.len() + OF_RCODE.known_or_last(reply.rcode);
    coded * 2 + usize::from(reply.listed)
}

/// The inverse of [`cell`].
fn labelled(cell: usize, count: u64) -> ReplyCount {
    let coded = cell / 2;
    let typed = coded / RCODES.len();
    ReplyCount {
        transport: TRANSPORTS[typed / QTYPES.len()].1,
        qtype: QTYPES[typed % QTYPES.len()].1,
        rcode: RCODES[coded % RCODES.len()].1,
        listed: cell % 2 == 1,
        count,
    }
}

/// Where numbers stand among those that are known, of which the last stands for all others. Known ones have 8 bits.
struct Places {
    of: [u8; 256],
    last: u8,
}

impl Places {
    const fn new(known: &[(u16, &str)]) -> Self {
        let last = known.len() as u8 - 1;
        let (mut of, mut place) = ([last; 256], 0);
        while place < last {
            of[known[place as usize].0 as usize] = place;
            place += 1;
        }
        Self { of, last }
    }

    fn known_or_last(&self, number: u16) -> usize {
        usize::from(*self.of.get(usize::from(number)).unwrap_or(&self.last))
    }
}

/// Why a query got no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It was too short for a header.
    Short,
    /// It was a response itself.
    Response,
    /// There is silence for this client.
    Client,
    /// The zone has silence for names without a good key.
    Key,
    /// The zone has silence for keys that are used too often.
    Quota,
    /// Its network gets too many replies.
    RateLimited,
    /// It was longer than any sensible query.
    Oversized,
    /// It claims to come from port 0, where nobody can receive.
    PortZero,
    /// Answering it panicked: a defect.
    Panic,
    /// The system did not take the reply, or the connection was gone.
    Unsent,
    /// The system could not receive.
    Unreceived,
    /// It was a connection more than there may be, in all or of the client.
    Connection,
    /// It was a connection whose client did not agree on encryption.
    Handshake,
}

impl From<Refusal> for Dropped {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Client => Self::Client,
            Refusal::Key => Self::Key,
            Refusal::Quota => Self::Quota,
        }
    }
}

/// Every reason with its label, in the order of the enum.
const REASONS: [(Dropped, &str); 13] = [
    (Dropped::Short, "short"),
    (Dropped::Response, "response"),
    (Dropped::Client, "client"),
    (Dropped::Key, "key"),
    (Dropped::Quota, "quota"),
    (Dropped::RateLimited, "rate_limited"),
    (Dropped::Oversized, "oversized"),
    (Dropped::PortZero, "port_zero"),
    (Dropped::Panic, "panic"),
    (Dropped::Unsent, "unsent"),
    (Dropped::Unreceived, "unreceived"),
    (Dropped::Connection, "connection"),
    (Dropped::Handshake, "handshake"),
];

/// Why a query is refused because of who asks, each with its label, in the order of the enum.
const REFUSALS: [(Refusal, &str); 3] =
    [(Refusal::Client, "client"), (Refusal::Key, "key"), (Refusal::Quota, "quota")];

/// Queries that were refused because of who asks.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; REFUSALS.len()]);

impl Refusals {
    /// Counts one query.
    pub fn count(&self, why: Refusal) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason by its label, and how many there were in all of these together, zero included.
    pub fn sum<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Vec<(&'static str, u64)> {
        by_label(&REFUSALS, all.map(|one| &one.0))
    }
}

/// Queries without a reply.
#[derive(Debug, Default)]
pub struct Drops([AtomicU64; REASONS.len()]);

impl Drops {
    /// Counts one query.
    pub fn count(&self, reason: Dropped) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason by its label, and how many there were in all of these together, zero included.
    pub fn sum<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Vec<(&'static str, u64)> {
        by_label(&REASONS, all.map(|one| &one.0))
    }
}

/// What was counted in all of these together, with the labels of the cells.
fn by_label<'a, R, const N: usize>(
    labels: &[(R, &'static str); N],
    all: impl Iterator<Item = &'a [AtomicU64; N]> + Clone,
) -> Vec<(&'static str, u64)> {
    let sum = |cell: usize| all.clone().map(|one| one[cell].load(Ordering::Relaxed)).sum();
    labels.iter().enumerate().map(|(cell, (_, label))| (*label, sum(cell))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply_has_its_own_cell() {
        let replies = Replies::default();
        let mut kinds = Vec::new();
        for (transport, label) in TRANSPORTS {
            for (qtype, qtype_label) in QTYPES {
                for (rcode, rcode_label) in RCODES {
                    for listed in [false, true] {
                        replies.count(Reply { transport, qtype, rcode, listed });
                        kinds.push((label, qtype_label, rcode_label, listed));
                    }
                }
            }
        }
        let counted = Replies::sum([&replies].into_iter());
        assert_eq!(counted.len(), CELLS);
        for (counted, (transport, qtype, rcode, listed)) in counted.iter().zip(kinds) {
            let expected = ReplyCount { transport, qtype, rcode, listed, count: 1 };
            assert_eq!(*counted, expected);
        }
    }

    #[test]
    fn transports_stand_in_the_order_of_the_enum() {
        for (index, (transport, _)) in TRANSPORTS.into_iter().enumerate() {
            assert_eq!(transport as usize, index);
        }
    }

    #[test]
    fn unknown_numbers_share_a_cell() {
        let replies = Replies::default();
        for (qtype, rcode) in [(257, 9), (65, 23)] {
            let transport = Transport::Udp;
            replies.count(Reply { transport, qtype, rcode, listed: false });
        }
        let counted = Replies::sum([&replies].into_iter());
        assert_eq!(counted.len(), 1);
        assert_eq!((counted[0].qtype, counted[0].rcode, counted[0].count), ("other", "other", 2));
    }

    #[test]
    fn reasons_stand_in_the_order_of_the_enum() {
        let drops = Drops::default();
        for (index, (reason, _)) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            drops.count(reason);
        }
        assert!(Drops::sum([&drops].into_iter()).iter().all(|(_, count)| *count == 1));
        let refusals = Refusals::default();
        for (index, (why, _)) in REFUSALS.into_iter().enumerate() {
            assert_eq!(why as usize, index);
            refusals.count(why);
        }
        assert!(Refusals::sum([&refusals].into_iter()).iter().all(|(_, count)| *count == 1));
    }
}
