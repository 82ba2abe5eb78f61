//! How often somebody has tried to sign in: a few times freely, then with a wait that doubles.
//!
//! Attempts are counted for each account from each source, and for each source. There is no count for an account from
//! everywhere, since that would let a stranger lock its owner out; but for those who know the password, and guess codes of six
//! digits: whoever owns the account comes in by a recovery code or a passkey meanwhile. An attempt counts when it begins, so
//! that many at a time are no way around.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ip::Prefix;

/// So many attempts at one account are free.
const FREE_AT_ACCOUNT: u32 = 5;

/// So many from one source, at whatever accounts.
const FREE_FROM_SOURCE: u32 = 20;

/// So many codes of one account, from wherever.
const FREE_CODES: u32 = 10;

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Whoever did not try for so long begins anew.
const FORGET: Duration = Duration::from_secs(3600);

/// So many counts are kept; whoever has more sources than that is not stopped by counting.
const MOST: usize = 20_000;

/// Longer names are nobody's.
const NAME: usize = 64;

/// What attempts are counted for.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// An account from a source.
    Account(Prefix, Box<str>),
    /// A source, at whatever accounts.
    Source(Prefix),
    /// The codes of an account.
    Codes(Box<str>),
}

#[derive(Clone, Copy)]
struct Count {
    attempts: u32,
    last: Timestamp,
    next: Timestamp,
}

/// The counts.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<Key, Count>>);

impl Attempts {
    /// Counts an attempt at `account` from `source`; how long to wait if it is too early for that.
    pub fn begin(&self, source: IpAddr, account: &str, now: Timestamp) -> Result<(), Duration> {
        let [of_account, of_source] = keys(source, account);
        self.begin_all(&[(of_account, FREE_AT_ACCOUNT), (of_source, FREE_FROM_SOURCE)], now)
    }

    /// Counts an attempt from `source` that does not say at which account.
    pub fn begin_from(&self, source: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let [_, of_source] = keys(source, "");
        self.begin_all(&[(of_source, FREE_FROM_SOURCE)], now)
    }

    /// Counts an attempt at the second factor of `account` by somebody who knows the password.
    pub fn begin_code(&self, account: &str, now: Timestamp) -> Result<(), Duration> {
        self.begin_all(&[(Key::Codes(shortened(account).into()), FREE_CODES)], now)
    }

    fn begin_all(&self, keys: &[(Key, u32)], now: Timestamp) -> Result<(), Duration> {
        let mut counts = self.counts();
        let of_keys = keys.iter().filter_map(|(key, _)| counts.get(key));
        let wait = of_keys.map(|count| count.next.since(now)).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        make_room(&mut counts, now);
        for (key, free) in keys {
            let count = counts.entry(key.clone()).or_insert(Count { attempts: 0, last: now, next: now });
            let before = if now.since(count.last) < FORGET { count.attempts } else { 0 };
            let attempts = before.saturating_add(1);
            *count = Count { attempts, last: now, next: now + wait_after(attempts, *free) };
        }
        Ok(())
    }

    /// The attempt was a right one: of the account from there, and of its codes, nothing is held against anybody.
    pub fn succeeded(&self, source: IpAddr, account: &str) {
        let mut counts = self.counts();
        let [of_account, of_source] = keys(source, account);
        counts.remove(&of_account);
        counts.remove(&Key::Codes(shortened(account).into()));
        if let Some(count) = counts.get_mut(&of_source) {
            count.attempts = count.attempts.saturating_sub(1);
        }
    }

    /// Lets everybody try at `account` again, and from the sources they tried from.
    pub fn forget(&self, account: &str) {
        let mut counts = self.counts();
        let account = shortened(account);
        let tried = |key: &Key| match key {
            Key::Account(source, name) if **name == *account => Some(*source),
            _ => None,
        };
        let sources: Vec<_> = counts.keys().filter_map(tried).collect();
        for source in sources {
            counts.remove(&Key::Source(source));
            counts.remove(&Key::Account(source, account.into()));
        }
        counts.remove(&Key::Codes(account.into()));
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Key, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An IPv6 host has a whole /64.
fn keys(source: IpAddr, account: &str) -> [Key; 2] {
    let source = Prefix::host(source).widen(32, 64);
    [Key::Account(source, shortened(account).into()), Key::Source(source)]
}

fn shortened(account: &str) -> &str {
    &account[..account.floor_char_boundary(NAME)]
}

fn wait_after(attempts: u32, free: u32) -> Duration {
    match attempts.checked_sub(free) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1 << beyond.min(10)).min(LONGEST),
    }
}

fn make_room(counts: &mut HashMap<Key, Count>, now: Timestamp) {
    if counts.len() < MOST {
        return;
    }
    counts.retain(|_, count| now.since(count.last) < FORGET);
    if counts.len() >= MOST {
        // Half of them, those that have waited longest for another attempt.
        let mut times: Vec<_> = counts.values().map(|count| count.last).collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        counts.retain(|_, count| count.last > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
    const SECOND: Duration = Duration::from_secs(1);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_thousand_attempts_come_to_few() {
        let attempts = Attempts::default();
        let begun = |second: u32| attempts.begin(ip("192.0.2.1"), "alice", NOW + SECOND * second).is_ok();
        let in_an_hour = (0..10_000).filter(|number| begun(number * 3600 / 10_000)).count();
        assert!((10..=20).contains(&in_an_hour), "{in_an_hour}");
    }

    #[test]
    fn nobody_is_locked_out_by_others() {
        let attempts = Attempts::default();
        while attempts.begin(ip("192.0.2.1"), "alice", NOW).is_ok() {}
        assert!(attempts.begin(ip("192.0.2.1"), "bob", NOW).is_ok(), "another account");
        assert!(attempts.begin(ip("192.0.2.2"), "alice", NOW).is_ok(), "another source");
        assert_eq!(attempts.begin(ip("192.0.2.1"), "alice", NOW), Err(SECOND));
        assert!(attempts.begin(ip("192.0.2.1"), "alice", NOW + SECOND).is_ok());
        assert_eq!(attempts.begin(ip("192.0.2.1"), "alice", NOW + SECOND), Err(SECOND * 2));
        attempts.forget("alice");
        assert!(attempts.begin(ip("192.0.2.1"), "alice", NOW + SECOND).is_ok());
    }

    #[test]
    fn whoever_tries_many_accounts_is_one_source() {
        let attempts = Attempts::default();
        let begun = |host: u32| {
            let source = ip(&format!("2001:db8::{host:x}"));
            attempts.begin(source, &format!("user{host}"), NOW).is_ok()
        };
        assert_eq!((0..100).filter(|host| begun(*host)).count(), FREE_FROM_SOURCE as usize);
        assert!(attempts.begin(ip("2001:db8:0:1::1"), "user", NOW).is_ok());
    }

    #[test]
    fn codes_are_guessed_slowly_from_everywhere() {
        let attempts = Attempts::default();
        let begun = |second: u32| attempts.begin_code("alice", NOW + SECOND * second).is_ok();
        let in_an_hour = (0..10_000).filter(|number| begun(number * 3600 / 10_000)).count();
        assert!((15..=25).contains(&in_an_hour), "{in_an_hour}");
        let soon = NOW + SECOND * 3601;
        assert!(attempts.begin_code("alice", soon).is_err());
        assert!(attempts.begin(ip("192.0.2.1"), "alice", soon).is_ok(), "passwords are not codes");
        attempts.succeeded(ip("192.0.2.1"), "alice");
        assert!(attempts.begin_code("alice", soon).is_ok());
    }

    #[test]
    fn whoever_signs_in_begins_anew() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            attempts.begin(ip("192.0.2.1"), "alice", NOW).unwrap();
            attempts.succeeded(ip("192.0.2.1"), "alice");
        }
    }

    #[test]
    fn the_table_does_not_grow_for_ever() {
        let attempts = Attempts::default();
        for number in 0..2 * u32::try_from(MOST).unwrap() {
            let source = IpAddr::from(std::net::Ipv4Addr::from_bits(number));
            attempts.begin(source, &"x".repeat(1000), NOW + Duration::from_millis(number.into())).unwrap();
        }
        assert!(attempts.counts().len() <= MOST + 2);
        let is_short = |key: &Key| matches!(key, Key::Account(_, name) if name.len() <= NAME);
        assert!(attempts.counts().keys().all(|key| is_short(key) || matches!(key, Key::Source(_))));
    }
}
