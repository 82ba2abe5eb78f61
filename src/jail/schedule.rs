//! When each of many prefixes is due, or whatever else, to find the next one. Most are put off again and again before their
//! time comes, so that is noted here only when it has come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::clock::Timestamp;

/// So many entries may be of keys that are gone, beside as many as there are keys.
const MOST_GONE: usize = 1000;

/// Keys by a time before which none of them is due. Whoever owns them knows the real time of each.
#[derive(Debug)]
pub struct Schedule<K>(BinaryHeap<Reverse<(Timestamp, K)>>);

impl<K: Ord> Default for Schedule<K> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<K: Copy + Ord> Schedule<K> {
    /// Adds a key, or says that it is due earlier than before.
    pub fn add(&mut self, due: Timestamp, key: K) {
        self.0.push(Reverse((due, key)));
    }

    /// Before this nothing is due, and perhaps not even then.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.0.peek().map(|Reverse((due, _))| *due)
    }

    /// The first key that is due at `now`, and since when. `real` is the time of a key; `None` if it is gone.
    #[inline]
    pub fn first_due(
        &mut self,
        now: Timestamp,
        real: impl Fn(K) -> Option<Timestamp>,
    ) -> Option<(Timestamp, K)> {
        if self.earliest()? > now { None } else { self.search(now, real) }
    }

    fn search(&mut self, now: Timestamp, real: impl Fn(K) -> Option<Timestamp>) -> Option<(Timestamp, K)> {
        while let Some(mut entry) = self.0.peek_mut() {
            let Reverse((due, key)) = *entry;
            if due > now {
                return None;
            }
            match real(key) {
                Some(real) if real == due => return Some((due, key)),
                Some(real) => *entry = Reverse((real, key)),
                None => drop(PeekMut::pop(entry)),
            }
        }
        None
    }

    /// Leaves out the keys that are gone, if those are the most. `known` are the others, of which there are `count`.
    pub fn leave_out_gone(&mut self, count: usize, known: impl Iterator<Item = (Timestamp, K)>) {
        if self.0.len() > 2 * count + MOST_GONE {
            self.0 = known.map(Reverse).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ip::Prefix;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn host(last: u8) -> Prefix {
        Prefix::host([192, 0, 2, last].into())
    }

    #[test]
    fn what_was_put_off_comes_when_it_is_due() {
        let mut real = BTreeMap::from([(host(1), at(10)), (host(2), at(20)), (host(3), at(30))]);
        let mut schedule = Schedule::default();
        real.iter().for_each(|(prefix, due)| schedule.add(*due, *prefix));
        real.insert(host(1), at(25));
        real.remove(&host(2));
        let mut first_due = |now| schedule.first_due(at(now), |prefix| real.get(&prefix).copied());
        assert_eq!(first_due(24), None);
        assert_eq!(first_due(25), Some((at(25), host(1))));
        assert_eq!(first_due(40), Some((at(25), host(1))), "it is due until it is gone");
        real.remove(&host(1));
        assert_eq!(schedule.first_due(at(40), |prefix| real.get(&prefix).copied()), Some((at(30), host(3))));
    }

    #[test]
    fn those_that_are_gone_do_not_pile_up() {
        let mut schedule = Schedule::default();
        for second in 0..10_000 {
            schedule.add(at(second), host(1));
            schedule.leave_out_gone(1, [(at(second), host(1))].into_iter());
        }
        assert!(schedule.0.len() <= 2 + MOST_GONE);
        assert_eq!(schedule.first_due(at(20_000), |_| Some(at(9_999))), Some((at(9_999), host(1))));
    }
}
