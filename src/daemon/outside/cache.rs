//! Answers that are remembered for a while, up to so many of them.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::clock::Timestamp;

/// Answers by what was asked.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    most: usize,
    time: Duration,
    answers: HashMap<K, (V, Timestamp)>,
    /// The keys in the order in which they came, to let the oldest go first.
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// Remembers `most` answers, each for `time`.
    pub(super) fn new(most: usize, time: Duration) -> Self {
        Self { most, time, answers: HashMap::new(), order: VecDeque::new() }
    }

    /// The answer if it is still good.
    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let (answer, since) = self.answers.get(key)?;
        // A clock that was set back makes no answer good for longer.
        let is_good = *since <= now && now < *since + self.time;
        is_good.then(|| answer.clone())
    }

    /// Remembers an answer.
    pub(super) fn set(&mut self, key: K, answer: V, now: Timestamp) {
        if self.answers.insert(key.clone(), (answer, now)).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_their_time_and_up_to_their_number() {
        let at = Timestamp::from_secs;
        let mut cache = Cache::new(2, Duration::from_secs(10));
        cache.set("a", 1, at(0));
        cache.set("b", 2, at(5));
        assert_eq!((cache.get(&"a", at(9)), cache.get(&"a", at(10))), (Some(1), None));
        assert_eq!(cache.get(&"b", at(4)), None, "the clock was set back");
        cache.set("a", 3, at(11));
        cache.set("c", 4, at(12));
        let all = ["a", "b", "c"].map(|key| cache.get(&key, at(12)));
        assert_eq!(all, [None, Some(2), Some(4)]);
    }
}
