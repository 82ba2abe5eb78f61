//! How many requests each of those who ask may make: `[http] rate_limit` in a minute, told in every answer
//! (draft-ietf-httpapi-ratelimit-headers).

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use foldhash::HashMap;

use crate::clock::Timestamp;
use crate::ip::Prefix;

/// How long the requests of one are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// So many whom nobody knows are counted at a time, a few megabytes; who comes when there is no room shares one count with all
/// others who do.
const MOST_UNKNOWN: usize = 20_000;

/// More tokens and users than there can be at a time: from here on those that are gone are left out.
const MOST_KNOWN: usize = 20_000;

/// Of an IPv6 network of this length everybody is counted together: its owner has all of its addresses.
const NETWORK_V6: u8 = 64;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// A token or a user, by name.
    Known(String),
    /// Whoever has shown nothing, or nothing right, by where they are.
    Unknown(Prefix),
}

impl Caller {
    /// Somebody at `source` whom nobody knows.
    pub(super) fn unknown(source: IpAddr) -> Self {
        Self::Unknown(Prefix::host(source).widen(32, NETWORK_V6))
    }
}

/// The requests of a window.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    begin: Timestamp,
    requests: u32,
}

/// What is left to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// In each window.
    limit: u32,
    /// In this one.
    requests: u32,
    /// Until the next one, in seconds.
    pub(super) seconds: u64,
    /// Whether this request is one too many.
    pub(super) is_over: bool,
}

/// The counts of all callers.
#[derive(Debug, Default)]
struct Counts {
    known: HashMap<String, Count>,
    unknown: HashMap<Prefix, Count>,
    /// Of all those for whom there is no room.
    others: Count,
    /// When those that are over were left out last.
    tidied: Timestamp,
}

impl Counts {
    /// That of `caller`.
    fn of(&mut self, caller: Caller, now: Timestamp) -> &mut Count {
        match caller {
            Caller::Known(name) => {
                if self.known.len() >= MOST_KNOWN {
                    self.tidy(now);
                }
                self.known.entry(name).or_default()
            }
            Caller::Unknown(network) => self.of_network(network, now),
        }
    }

    fn of_network(&mut self, network: Prefix, now: Timestamp) -> &mut Count {
        if self.unknown.len() >= MOST_UNKNOWN && !self.unknown.contains_key(&network) {
            self.tidy(now);
            if self.unknown.len() >= MOST_UNKNOWN {
                return &mut self.others;
            }
        }
        self.unknown.entry(network).or_default()
    }

    /// Leaves out whoever has a window behind them; once a second, as strangers choose how often it is needed.
    fn tidy(&mut self, now: Timestamp) {
        if now.since(self.tidied) >= Duration::from_secs(1) || now < self.tidied {
            self.unknown.retain(|_, count| now.since(count.begin) < WINDOW);
            self.known.retain(|_, count| now.since(count.begin) < WINDOW);
            self.tidied = now;
        }
    }
}

/// How many requests each has left.
#[derive(Debug)]
pub(super) struct Quota {
    limit: u32,
    counts: Mutex<Counts>,
}

impl Quota {
    /// So many requests in a minute for each.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, counts: Mutex::default() }
    }

    /// Counts a request.
    pub(super) fn take(&self, caller: Caller, now: Timestamp) -> Left {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.of(caller, now);
        // A clock that was set back begins anew as well.
        if now.since(count.begin) >= WINDOW || now < count.begin {
            *count = Count { begin: now, requests: 0 };
        }
        count.requests = count.requests.saturating_add(1);
        let left = WINDOW.saturating_sub(now.since(count.begin));
        Left {
            limit: self.limit,
            requests: self.limit.saturating_sub(count.requests),
            seconds: left.as_secs() + 1,
            is_over: count.requests > self.limit,
        }
    }
}

impl Left {
    /// Says so in `response`.
    pub(super) fn tell(self, response: &mut Response) {
        let Self { limit, requests, seconds, .. } = self;
        let policy = format!("\"requests\";q={limit};w={}", WINDOW.as_secs());
        let left = format!("\"requests\";r={requests};t={seconds}");
        for (name, value) in [(POLICY, policy), (LIMIT, left)] {
            response.headers_mut().insert(name, HeaderValue::try_from(value).expect("it is ASCII"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    #[test]
    fn a_window_has_so_many_requests() {
        let quota = Quota::new(2);
        let take = |caller: &str, second| {
            let left = quota.take(Caller::Known(caller.to_owned()), at(second));
            (left.requests, left.is_over)
        };
        assert_eq!([take("a", 0), take("a", 1), take("a", 59)], [(1, false), (0, false), (0, true)]);
        assert_eq!(take("b", 59), (1, false));
        assert_eq!([take("a", 60), take("a", 0)], [(1, false), (1, false)]);
    }

    #[test]
    fn the_table_has_an_end() {
        let quota = Quota::new(10);
        let unknown = |number: u32| Caller::unknown(IpAddr::V4(number.into()));
        for number in 0..u32::try_from(MOST_UNKNOWN).unwrap() {
            assert!(!quota.take(unknown(number), at(0)).is_over);
        }
        for number in 0..10 {
            assert!(!quota.take(unknown(1 << 24 | number), at(30)).is_over, "{number}");
        }
        assert!(quota.take(unknown(1 << 25), at(30)).is_over);
        assert!(
            !quota.take(Caller::Known("a token".to_owned()), at(30)).is_over,
            "it has a place of its own"
        );
        assert!(!quota.take(unknown(0), at(30)).is_over);
        assert!(!quota.take(unknown(1 << 25), at(60)).is_over);
        assert!(quota.counts.lock().unwrap().unknown.len() <= MOST_UNKNOWN);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let unknown = |text: &str| Caller::unknown(text.parse().unwrap());
        assert_eq!(unknown("2001:db8::1"), unknown("2001:db8::ffff:1"));
        assert_ne!(unknown("192.0.2.1"), unknown("192.0.2.2"));
    }
}
