//! How often each listing was the answer: a table of fixed size, in which no thread waits for another.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use foldhash::quality::RandomState;

use crate::ip::Prefix;

/// So many listings can be counted, in 6 MB. A server has fewer that anybody asks for between two restarts.
const CAPACITY: usize = 1 << 17;

/// So many places are tried for a listing before there is no room.
const REACH: usize = 16;

/// Counts by listing.
#[derive(Debug)]
pub(super) struct Asked {
    /// Of each process its own, so that nobody can choose addresses that crowd one place.
    hasher: RandomState,
    places: Box<[Place]>,
    /// Of each place whom it counts; apart, as a count does not touch it.
    owners: Box<[Owner]>,
    without_room: AtomicU64,
    /// How much of that was taken.
    without_room_taken: AtomicU64,
}

/// The place of one listing.
#[derive(Debug, Default)]
struct Place {
    /// Stands for the prefix: that two of them have the same among 64 bits does not happen. 0 is a free place.
    mark: AtomicU64,
    count: AtomicU64,
}

/// The listing that a place counts, as a number and a length.
#[derive(Debug, Default)]
struct Owner {
    high: AtomicU64,
    low: AtomicU64,
    length: AtomicU8,
    /// How much of the count was taken.
    taken: AtomicU64,
}

/// How often listings were the answer since this was taken the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Each listing that was, in no order.
    pub listings: Vec<(Prefix, u64)>,
    /// All together, with those that could not be counted by their listing.
    pub total: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            places: (0..CAPACITY).map(|_| Place::default()).collect(),
            owners: (0..CAPACITY).map(|_| Owner::default()).collect(),
            without_room: AtomicU64::new(0),
            without_room_taken: AtomicU64::new(0),
        }
    }
}

impl Asked {
    /// Counts one answer of the listing of `prefix`.
    #[inline]
    pub(super) fn count(&self, prefix: Prefix) {
        let mark = self.mark(prefix);
        let own = |at: &usize| self.places[*at].is_taken_for(mark, || self.owners[*at].set(prefix));
        let place = Self::reach(mark).find(own);
        place.map_or(&self.without_room, |at| &self.places[at].count).fetch_add(1, Ordering::Relaxed);
    }

    /// How often the listing of `prefix` was the answer.
    pub(super) fn get(&self, prefix: Prefix) -> u64 {
        let mark = self.mark(prefix);
        let mut places = Self::reach(mark).map(|at| &self.places[at]);
        let place = places.find(|place| place.mark.load(Ordering::Relaxed) == mark);
        place.map_or(0, |place| place.count.load(Ordering::Relaxed))
    }

    /// What was counted since the last call.
    pub(super) fn take(&self) -> Answers {
        let without_room = take_new(&self.without_room, &self.without_room_taken);
        let mut answers = Answers { listings: Vec::new(), total: without_room };
        for (place, owner) in self.places.iter().zip(&self.owners) {
            // Whoever got the place just now may not have said yet who it is; it is taken the next time.
            let named = owner.get().filter(|prefix| self.mark(*prefix) == place.mark.load(Ordering::Relaxed));
            let Some(prefix) = named else { continue };
            let count = take_new(&place.count, &owner.taken);
            // Whoever asks for a test point (RFC 5782, section 5) asks after us and not after a connection.
            if count > 0 && !prefix.address().is_loopback() {
                answers.listings.push((prefix, count));
                answers.total += count;
            }
        }
        answers
    }

    /// How many answers could not be counted by their listing, as the table was full.
    pub(super) fn without_room(&self) -> u64 {
        self.without_room.load(Ordering::Relaxed)
    }

    fn mark(&self, prefix: Prefix) -> u64 {
        self.hasher.hash_one(prefix.to_number()).max(1)
    }

    /// The places where a listing may be.
    fn reach(mark: u64) -> impl Iterator<Item = usize> {
        let first = (mark >> 32) as usize;
        (first..first + REACH).map(|at| at % CAPACITY)
    }
}

impl Place {
    /// Whether this is the place of `mark`; it becomes that if it is free, and `got` is told.
    fn is_taken_for(&self, mark: u64, got: impl FnOnce()) -> bool {
        match self.mark.load(Ordering::Relaxed) {
            0 => match self.mark.compare_exchange(0, mark, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    got();
                    true
                }
                Err(taken) => taken == mark,
            },
            taken => taken == mark,
        }
    }
}

impl Owner {
    fn set(&self, prefix: Prefix) {
        let (number, length) = prefix.to_number();
        self.high.store((number >> 64) as u64, Ordering::Relaxed);
        self.low.store(number as u64, Ordering::Relaxed);
        self.length.store(length, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Prefix> {
        let half = |half: &AtomicU64| u128::from(half.load(Ordering::Relaxed));
        let number = half(&self.high) << 64 | half(&self.low);
        Prefix::from_bytes(number.to_be_bytes(), self.length.load(Ordering::Relaxed))
    }
}

/// How far `count` is ahead of `taken`, which comes up to it. There is one who takes.
fn take_new(count: &AtomicU64, taken: &AtomicU64) -> u64 {
    let count = count.load(Ordering::Relaxed);
    count - taken.swap(count, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn prefix(number: u32, length: u8) -> Prefix {
        Prefix::new(Ipv4Addr::from(number << (32 - length)).into(), length).unwrap()
    }

    #[test]
    fn each_listing_has_its_count() {
        let asked = Asked::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|number| asked.count(prefix(number, 24))));
            }
        });
        asked.count(prefix(1, 32));
        assert!((0..1000).all(|number| asked.get(prefix(number, 24)) == 4));
        assert_eq!((asked.get(prefix(1, 32)), asked.get(prefix(1, 16)), asked.without_room()), (1, 0, 0));
    }

    #[test]
    fn what_has_no_room_is_counted_together() {
        let asked = Asked::default();
        let many = 2 * CAPACITY as u32;
        (0..many).for_each(|number| asked.count(prefix(number, 32)));
        let counted: u64 = (0..many).map(|number| asked.get(prefix(number, 32))).sum();
        assert_eq!(counted + asked.without_room(), u64::from(many));
        assert!(counted <= CAPACITY as u64 && counted > CAPACITY as u64 * 9 / 10, "{counted}");
        let taken = asked.take();
        assert_eq!(taken.total, u64::from(many));
        assert_eq!(taken.listings.iter().map(|(_, count)| count).sum::<u64>(), counted);
    }

    #[test]
    fn what_is_taken_is_what_came_since_the_last_time() {
        let asked = Asked::default();
        let listed =
            ["192.0.2.1", "2001:db8::/64", "192.0.2.0/24"].map(|text| text.parse::<Prefix>().unwrap());
        let count = |times: [u64; 3]| {
            for (prefix, times) in listed.iter().zip(times) {
                (0..times).for_each(|_| asked.count(*prefix));
            }
        };
        count([1, 2, 0]);
        let mut first = asked.take();
        first.listings.sort();
        assert_eq!(first, Answers { listings: vec![(listed[0], 1), (listed[1], 2)], total: 3 });
        count([0, 1, 5]);
        let mut second = asked.take();
        second.listings.sort();
        assert_eq!(second, Answers { listings: vec![(listed[2], 5), (listed[1], 1)], total: 6 });
        assert_eq!((asked.take(), asked.get(listed[1])), (Answers::default(), 3));
    }
}
