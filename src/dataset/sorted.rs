//! Numbers in order, to find the last one that is not above another: an index says about where it is, and the last look is at
//! numbers that stand together in memory. Addresses are such numbers.

use crate::sys::prefetch::prefetch;

/// An address as a number.
pub(super) trait Number: Copy + Ord + Send + Sync + std::fmt::Debug {
    /// The one behind it.
    fn next(self) -> Option<Self>;
    /// The one before it.
    fn before(self) -> Option<Self>;
    /// How many times two to the power of `shift` it is above `first`; `None` if it is below.
    fn part(self, first: Self, shift: u32) -> Option<usize>;
    /// How many bits it takes to write how far it is above `first`, which is not above it.
    fn bits_above(self, first: Self) -> u32;
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }

            fn part(self, first: Self, shift: u32) -> Option<usize> {
                let above = self.checked_sub(first)?.checked_shr(shift).unwrap_or(0);
                Some(usize::try_from(above).unwrap_or(usize::MAX))
            }

            fn bits_above(self, first: Self) -> u32 {
                Self::BITS - (self - first).leading_zeros()
            }
        }
    )*};
}
number!(u32, u128);

/// Numbers in ascending order.
#[derive(Debug)]
pub(super) struct Sorted<N> {
    /// All of them.
    groups: Vec<Group<N>>,
    /// The first number of each group.
    heads: Vec<N>,
    /// The range of all heads in equal parts: how many heads are below each, and in the end how many there are.
    below: Vec<u32>,
    /// Two to the power of this are in one part.
    shift: u32,
    /// How many numbers there are.
    count: usize,
}

/// Octets of a line of the cache.
const LINE: usize = 64;

/// So many numbers are looked at together at last.
pub(super) const GROUP: usize = 16;

/// So many heads are in one part on the average: with fewer the index is too large for the cache, with more it says too little.
const HEADS_IN_PART: usize = 4;

/// Numbers in order; where there are too few the last stands again. IPv4 addresses fill a line of the cache.
#[derive(Debug)]
#[repr(align(64))]
struct Group<N>([N; GROUP]);

impl<N: Number> Group<N> {
    fn all(numbers: &[N]) -> Vec<Self> {
        let group = |some: &[N]| Self(std::array::from_fn(|place| some[place.min(some.len() - 1)]));
        numbers.chunks(GROUP).map(group).collect()
    }

    /// How many are not above `number`. Counting them all takes no decision that a processor could guess wrong, and is done
    /// for several at once.
    fn up_to(&self, number: N) -> usize {
        self.0.iter().map(|one| u32::from(*one <= number)).sum::<u32>() as usize
    }
}

impl<N: Number> Sorted<N> {
    /// These numbers, which are in order.
    pub(super) fn new(numbers: &[N]) -> Self {
        let groups = Group::all(numbers);
        let heads: Vec<N> = groups.iter().map(|group| group.0[0]).collect();
        let parts = (heads.len() / HEADS_IN_PART).next_power_of_two();
        let bits = heads.last().map_or(0, |last| last.bits_above(heads[0]));
        let shift = bits.saturating_sub(parts.ilog2());
        let mut below = vec![0];
        for (place, head) in heads.iter().enumerate() {
            let part = head.part(heads[0], shift).unwrap_or_default();
            below.resize(below.len().max(part + 1), place as u32);
        }
        below.push(heads.len() as u32);
        Self { groups, heads, below, shift, count: numbers.len() }
    }

    /// The place of the last number that is not above `number`.
    #[inline]
    pub(super) fn last_up_to(&self, number: N) -> Option<usize> {
        let group = self.group(number)?;
        let place = group * GROUP + self.groups[group].up_to(number) - 1;
        Some(place.min(self.count - 1))
    }

    /// Has those fetched from memory at which [`last_up_to`](Self::last_up_to) looks last; the first place among them.
    pub(super) fn prefetch(&self, number: N) -> Option<usize> {
        let group = self.group(number)?;
        prefetch_all(&self.groups[group].0);
        Some(group * GROUP)
    }

    /// The last group whose head is not above `number`. It is little, and a call as much again.
    #[inline(always)]
    fn group(&self, number: N) -> Option<usize> {
        let part = number.part(*self.heads.first()?, self.shift)?.min(self.below.len() - 2);
        let (from, to) = (self.below[part] as usize, self.below[part + 1] as usize);
        (from + self.heads[from..to].partition_point(|head| *head <= number)).checked_sub(1)
    }
}

/// Has all of `some` fetched from memory.
pub(super) fn prefetch_all<T>(some: &[T]) {
    some.iter().step_by(LINE / size_of::<T>()).for_each(prefetch);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Numbers in clusters, as networks have them: few bits apart, and far from each other.
    fn clustered<N: Number>(place: impl Fn(u8, u16) -> N + Clone) -> impl Strategy<Value = BTreeSet<N>> {
        let number =
            (any::<u8>(), any::<u16>()).prop_map(move |(cluster, number)| place(cluster % 4, number));
        proptest::collection::btree_set(number, 0..400)
    }

    fn check<N: Number>(numbers: &BTreeSet<N>) {
        let all: Vec<N> = numbers.iter().copied().collect();
        let sorted = Sorted::new(&all);
        let neighbours = all.iter().flat_map(|number| [number.before(), Some(*number), number.next()]);
        for number in neighbours.flatten() {
            let expected = all.partition_point(|one| *one <= number).checked_sub(1);
            assert_eq!(sorted.last_up_to(number), expected, "{number:?} in {all:?}");
            assert!(
                sorted
                    .prefetch(number)
                    .is_none_or(|first| (first..first + GROUP).contains(&expected.unwrap()))
            );
        }
    }

    proptest! {
        #[test]
        fn the_last_one_that_is_not_above_is_found(
            ipv4 in clustered(|cluster, number| u32::from(cluster) << 30 | u32::from(number) << (3 * cluster)),
            ipv6 in clustered(|cluster, number| u128::from(cluster) << 126 | u128::from(number) << (30 * cluster)),
        ) {
            check(&ipv4);
            check(&ipv6);
        }
    }

    #[test]
    fn the_ends_of_all_numbers_are_found() {
        check(&BTreeSet::from([0, u32::MAX]));
        check(&BTreeSet::from([0, u128::MAX]));
        check(&(0..40).chain([u128::MAX - 1, u128::MAX]).collect());
        check(&BTreeSet::<u32>::new());
    }
}
