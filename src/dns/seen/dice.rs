//! Chance, for taking one query of some: clients often ask the same few questions in turn, of which a fixed step would always
//! take the same one.

use std::cell::Cell;

/// Yes, once in so many times.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneIn(u64);

impl OneIn {
    /// Once in `number` times; 0 counts as 1, which is always.
    pub(super) const fn new(number: u64) -> Self {
        Self(u64::MAX / if number == 0 { 1 } else { number })
    }

    /// Whether this is the time. Each thread has its own dice.
    pub(super) fn is_now(self) -> bool {
        /// Knuth's generator MMIX, whose highest bits are the most random.
        const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
        const INCREMENT: u64 = 1_442_695_040_888_963_407;
        thread_local! {
            static DICE: Cell<u64> = const { Cell::new(0) };
        }
        let rolled = DICE.get().wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        DICE.set(rolled);
        rolled <= self.0
    }
}
