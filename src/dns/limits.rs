//! How many replies a network gets by UDP, where anybody can write any sender: whoever is written there gets no flood, and
//! who really asks comes by TCP or with a cookie.
//!
//! In come the client, the kind of reply and the time; out goes whether it is sent. What is known of networks stands in a
//! table of atomics of a fixed size: there is no lock, and nothing is allocated.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;

use crate::clock::Timestamp;
use crate::ip::PrefixSet;
use crate::zone::{Rate, Rcode, TIME_BITS, TIME_MASK, debt};

/// Addresses that share so many bits are one client: what one IPv4 or IPv6 customer can forge with ease.
const NETWORK: (u32, u32) = (24, 56);

/// The table has so many lines, which take 1 MiB: room for 131,072 networks that ask in the same second. When there are
/// more, who asked the least is forgotten, and gets more replies than it should.
const LINES: usize = 1 << 14;

/// The networks of a line, which is one of the processor's cache.
const PLACES: usize = 8;

/// How often a place is tried again that others change at the same time. Then the reply is sent: being slow is worse.
const ATTEMPTS: usize = 4;

/// Limits for each network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Answers: that a name is listed, that it is not.
    pub responses: Option<Rate>,
    /// All other replies.
    pub errors: Option<Rate>,
    /// Every so many-th reply over the limit is sent, cut short; 0: none is.
    pub slip: u32,
    /// Who has no limit.
    pub exempt: PrefixSet,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is sent.
    Sent,
    /// It is sent, but without what was asked for.
    Slipped,
    /// It is not sent.
    Dropped,
}

/// The limits and what is known of networks.
pub(super) struct RateLimits {
    limit: RateLimit,
    lines: Box<[Line]>,
    /// Nobody outside knows which networks share a line.
    hash: RandomState,
    over: AtomicU32,
}

#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU64; PLACES]);

impl RateLimits {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            lines: (0..LINES).map(|_| Line::default()).collect(),
            hash: RandomState::default(),
            over: AtomicU32::new(0),
        }
    }

    pub(super) fn limit(&self) -> &RateLimit {
        &self.limit
    }

    /// What becomes of a reply with `rcode` to `client`.
    pub(super) fn fate(&self, client: IpAddr, rcode: Rcode, now: Timestamp) -> Fate {
        let is_error = !is_answer(rcode);
        let rate = if is_error { self.limit.errors } else { self.limit.responses };
        let Some(rate) = rate else { return Fate::Sent };
        if self.limit.exempt.contains(client) || self.take(rate, network(client), is_error, now) {
            return Fate::Sent;
        }
        let slips = self.limit.slip > 0 && self.over.fetch_add(1, Relaxed).is_multiple_of(self.limit.slip);
        if slips { Fate::Slipped } else { Fate::Dropped }
    }

    /// Takes a reply out of what a network may get; `false`: there is none left.
    fn take(&self, rate: Rate, network: u64, is_error: bool, now: Timestamp) -> bool {
        let hash = self.hash.hash_one(network << 1 | u64::from(is_error));
        let (line, tag) = (&self.lines[hash as usize % LINES], hash >> TIME_BITS);
        for _ in 0..ATTEMPTS {
            let (place, found) = line.find(tag, now);
            let due = if found >> TIME_BITS == tag { found & TIME_MASK } else { 0 };
            let Some(due) = rate.take(due, now) else { return false };
            let after = tag << TIME_BITS | due;
            if place.compare_exchange_weak(found, after, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
        true
    }
}

impl Line {
    /// The place of a network and what stands there; if it has none, that of who asked the least. Apart, so that whoever takes does not
    /// work out all places beforehand.
    #[inline(never)]
    fn find(&self, tag: u64, now: Timestamp) -> (&AtomicU64, u64) {
        let own = self.places().find(|(_, found)| found >> TIME_BITS == tag);
        own.unwrap_or_else(|| self.idlest(now))
    }

    #[cold]
    fn idlest(&self, now: Timestamp) -> (&AtomicU64, u64) {
        let idlest = self.places().min_by_key(|(_, found)| debt(found & TIME_MASK, now));
        idlest.expect("a line has places")
    }

    fn places(&self) -> impl Iterator<Item = (&AtomicU64, u64)> {
        self.0.iter().map(|place| (place, place.load(Relaxed)))
    }
}

/// Whether a reply says what was asked for, if only that there is nothing.
pub(super) fn is_answer(rcode: Rcode) -> bool {
    matches!(rcode, Rcode::NoError | Rcode::NxDomain)
}

/// The network of a client as a number of 57 bits. Those of IPv6 have the highest one.
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(client) => u64::from(client.to_bits() >> (32 - NETWORK.0)),
        IpAddr::V6(client) => 1 << NETWORK.1 | (client.to_bits() >> (128 - NETWORK.1)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

    fn limits(responses: Option<u32>, errors: Option<u32>, slip: u32) -> RateLimits {
        let exempt = ["198.51.100.0/24"].iter().map(|prefix| prefix.parse().unwrap()).collect();
        let (responses, errors) = (responses.map(Rate::new), errors.map(Rate::new));
        RateLimits::new(RateLimit { responses, errors, slip, exempt })
    }

    /// How many of `asked` replies are sent, sent short, and dropped.
    fn fates(limits: &RateLimits, client: &str, rcode: Rcode, now: Timestamp, asked: usize) -> [usize; 3] {
        let client = client.parse().unwrap();
        let mut fates = [0; 3];
        for _ in 0..asked {
            fates[limits.fate(client, rcode, now) as usize] += 1;
        }
        fates
    }

    #[test]
    fn a_network_gets_so_many_replies_a_second() {
        let limits = limits(Some(10), Some(2), 2);
        let answer = Rcode::NxDomain;
        assert_eq!(fates(&limits, "192.0.2.1", answer, NOW, 30), [10, 10, 10]);
        assert_eq!(fates(&limits, "192.0.2.254", answer, NOW, 2), [0, 1, 1], "the same network");
        assert_eq!(fates(&limits, "::ffff:192.0.2.9", answer, NOW, 2), [0, 1, 1], "the same network");
        assert_eq!(fates(&limits, "192.0.3.1", answer, NOW, 10), [10, 0, 0]);
        assert_eq!(fates(&limits, "192.0.2.1", Rcode::Refused, NOW, 4), [2, 1, 1], "errors for themselves");
        let later = NOW + Duration::from_millis(500);
        assert_eq!(fates(&limits, "192.0.2.1", answer, later, 7), [5, 1, 1]);
        assert_eq!(fates(&limits, "198.51.100.9", answer, NOW, 100), [100, 0, 0], "exempt");
    }

    #[test]
    fn a_customer_of_ipv6_has_a_56() {
        let limits = limits(Some(1), None, 0);
        assert_eq!(fates(&limits, "2001:db8:0:1::1", Rcode::NoError, NOW, 2), [1, 0, 1]);
        assert_eq!(fates(&limits, "2001:db8:0:ff::1", Rcode::NoError, NOW, 1), [0, 0, 1]);
        assert_eq!(fates(&limits, "2001:db8:0:100::1", Rcode::NoError, NOW, 1), [1, 0, 0]);
        assert_eq!(fates(&limits, "2001:db8::1", Rcode::FormErr, NOW, 9), [9, 0, 0], "no limit");
    }

    #[test]
    fn slip_says_how_many_are_sent_short() {
        for (slip, expected) in [(0, [1, 0, 12]), (1, [1, 12, 0]), (3, [1, 4, 8])] {
            let limits = limits(Some(1), None, slip);
            assert_eq!(fates(&limits, "192.0.2.1", Rcode::NoError, NOW, 13), expected, "{slip}");
        }
    }

    #[test]
    fn a_flood_from_everywhere_leaves_no_one_without_replies() {
        let limits = limits(Some(1), None, 0);
        let sent = |network: &u32| {
            let client = IpAddr::V4(Ipv4Addr::from_bits(network << 8));
            limits.fate(client, Rcode::NoError, NOW) == Fate::Sent
        };
        let sent = (0..1_000_000).filter(sent).count();
        // Hardly any two are taken for one.
        assert!(sent > 999_980, "{sent}");
    }

    #[test]
    fn threads_share_one_limit() {
        let limits = limits(Some(1000), None, 0);
        let sent: usize = std::thread::scope(|scope| {
            let ask = || fates(&limits, "192.0.2.1", Rcode::NoError, NOW, 5000)[0];
            let threads = [scope.spawn(ask), scope.spawn(ask)];
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // Ticks are whole numbers, and a reply may be sent where threads meet too often.
        assert!((1000..1100).contains(&sent), "{sent}");
    }
}
