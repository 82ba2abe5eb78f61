//! How often each listing was the answer: a table of fixed size, in which no thread waits for another.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

use crate::ip::Prefix;

/// So many listings can be counted, in 2 MB. A server has fewer that anybody asks for between two restarts.
const CAPACITY: usize = 1 << 17;

/// So many places are tried for a listing before there is no room.
const REACH: usize = 16;

/// Counts by listing.
#[derive(Debug)]
pub(super) struct Asked {
    /// Of each process its own, so that nobody can choose addresses that crowd one place.
    hasher: RandomState,
    places: Box<[Place]>,
    without_room: AtomicU64,
}

/// The place of one listing.
#[derive(Debug, Default)]
struct Place {
    /// Stands for the prefix: that two of them have the same among 64 bits does not happen. 0 is a free place.
    mark: AtomicU64,
    count: AtomicU64,
}

impl Default for Asked {
    fn default() -> Self {
        let places = (0..CAPACITY).map(|_| Place::default()).collect();
        Self { hasher: RandomState::default(), places, without_room: AtomicU64::new(0) }
    }
}

impl Asked {
    /// Counts one answer of the listing of `prefix`.
    pub(super) fn count(&self, prefix: Prefix) {
        let mark = self.mark(prefix);
        let place = self.reach(mark).find(|place| place.is_taken_for(mark));
        place.map_or(&self.without_room, |place| &place.count).fetch_add(1, Ordering::Relaxed);
    }

    /// How often the listing of `prefix` was the answer.
    pub(super) fn get(&self, prefix: Prefix) -> u64 {
        let mark = self.mark(prefix);
        let place = self.reach(mark).find(|place| place.mark.load(Ordering::Relaxed) == mark);
        place.map_or(0, |place| place.count.load(Ordering::Relaxed))
    }

    /// How many answers could not be counted by their listing, as the table was full.
    pub(super) fn without_room(&self) -> u64 {
        self.without_room.load(Ordering::Relaxed)
    }

    fn mark(&self, prefix: Prefix) -> u64 {
        let (address, length) = prefix.to_bytes();
        self.hasher.hash_one((u128::from_be_bytes(address), length)).max(1)
    }

    /// The places where a listing may be.
    fn reach(&self, mark: u64) -> impl Iterator<Item = &Place> {
        let first = (mark >> 32) as usize;
        (first..first + REACH).map(|at| &self.places[at % CAPACITY])
    }
}

impl Place {
    /// Whether this is the place of `mark`; it becomes that if it is free.
    fn is_taken_for(&self, mark: u64) -> bool {
        match self.mark.load(Ordering::Relaxed) {
            0 => match self.mark.compare_exchange(0, mark, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => true,
                Err(taken) => taken == mark,
            },
            taken => taken == mark,
        }
    }
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
    }
}
