//! Counters of which every thread has its own: no two threads that answer write to one line of the cache, as long as there
//! are no more than [`SHARDS`] of them; whoever reads adds them up.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many threads count beside each other; where there are more, some share, which costs time and no count.
const SHARDS: usize = 16;

/// One value for each thread.
#[derive(Debug)]
pub(in crate::dns) struct Shards<T>(Box<[Padded<T>]>);

/// Which value is that of a thread.
#[derive(Clone, Copy, Debug)]
pub(in crate::dns) struct Shard(usize);

/// Processors fetch two lines of 64 octets at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Padded::default()).collect())
    }
}

impl<T> Shards<T> {
    /// The value of this thread.
    pub(in crate::dns) fn own(&self) -> &T {
        self.get(Shard::of_this_thread())
    }

    /// One of the values.
    #[inline]
    pub(in crate::dns) fn get(&self, shard: Shard) -> &T {
        &self.0[shard.0].0
    }

    /// The values of all threads.
    pub(in crate::dns) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().map(|shard| &shard.0)
    }
}

thread_local! {
    /// The number of this thread; 0 before it has one.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

impl Shard {
    /// That of this thread. Finding it takes longer than to count.
    pub(in crate::dns) fn of_this_thread() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        if NUMBER.get() == 0 {
            NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        Self(NUMBER.get() % SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn no_count_of_any_thread_is_lost() {
        let shards = Shards::<AtomicU64>::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        shards.own().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let counts: Vec<u64> = shards.iter().map(|shard| shard.load(Ordering::Relaxed)).collect();
        assert_eq!(counts.iter().sum::<u64>(), 2000 * SHARDS as u64);
        assert!(counts.iter().filter(|count| **count > 0).count() > 1, "{counts:?}");
    }
}
