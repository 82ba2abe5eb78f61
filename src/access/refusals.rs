//! How many requests of each principal were refused lately. Whoever has any token can be refused as often as they like; the
//! audit log has some of it, and how many there were.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

/// So many of one principal are written down in each [`SPAN`].
const MOST: u32 = 30;

const SPAN: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Count {
    since: Timestamp,
    written: u32,
    left_out: u64,
}

/// The counts, by name: as many as there are users and tokens.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<String, Count>>);

impl Refusals {
    /// Whether a request of `who` that was refused is to be written down.
    pub fn admit(&self, who: &str, now: Timestamp) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Count { since: now, written: 0, left_out: 0 };
        let count = counts.entry(who.to_owned()).or_insert(new);
        let is_admitted = count.written < MOST;
        if is_admitted {
            count.written += 1;
        } else {
            count.left_out += 1;
        }
        is_admitted
    }

    /// Begins anew for whoever has counted long enough; of whom requests were left out, and how many.
    pub fn left_out(&self, now: Timestamp) -> Vec<(String, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = counts.extract_if(|_, count| now.since(count.since) >= SPAN);
        over.filter(|(_, count)| count.left_out > 0).map(|(who, count)| (who, count.left_out)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_written_down_and_all_are_counted() {
        let refusals = Refusals::default();
        let at = |seconds: i64| Timestamp::from_secs(1_795_305_600 + seconds);
        assert_eq!((0..100).filter(|_| refusals.admit("token ci", at(0))).count(), MOST as usize);
        assert!(refusals.admit("token other", at(1)), "somebody else");
        assert_eq!(refusals.left_out(at(59)), []);
        assert_eq!(refusals.left_out(at(60)), [("token ci".to_owned(), 70)]);
        assert!(refusals.admit("token ci", at(60)));
        assert_eq!(refusals.left_out(at(200)), [], "nothing was left out");
    }
}
