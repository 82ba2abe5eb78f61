//! Numbers in ranges that do not overlap, to find the range of one.

use super::sorted::{GROUP, Number, Sorted, prefetch_all};

/// From where to where, and what is so there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range<N, V> {
    pub(super) first: N,
    pub(super) last: N,
    pub(super) value: V,
}

/// What an address is: the number of something that is said of it.
pub(super) type Id = u32;

/// Ranges in order, without overlaps.
#[derive(Debug)]
pub(super) struct Ranges<N> {
    /// Where each begins.
    firsts: Sorted<N>,
    /// Where each ends, and what is so in it.
    ends: Vec<(N, Id)>,
}

impl<N: Number> Ranges<N> {
    /// These ranges, in order and without overlaps. Those that touch and say the same become one.
    pub(super) fn new(ranges: impl IntoIterator<Item = Range<N, Id>>) -> Self {
        let (mut firsts, mut ends): (Vec<N>, Vec<(N, Id)>) = (Vec::new(), Vec::new());
        for Range { first, last, value } in ranges {
            match ends.last_mut() {
                Some((before, id)) if *id == value && before.next() == Some(first) => *before = last,
                _ => {
                    firsts.push(first);
                    ends.push((last, value));
                }
            }
        }
        ends.shrink_to_fit();
        Self { firsts: Sorted::new(&firsts), ends }
    }

    /// What is so at `number`.
    #[inline]
    pub(super) fn get(&self, number: N) -> Option<Id> {
        let (last, id) = self.ends[self.firsts.last_up_to(number)?];
        (number <= last).then_some(id)
    }

    /// Has what [`get`](Self::get) looks at last fetched from memory. Among very many ranges, waiting for that is most of the time
    /// it takes; what is looked at before is little, and near.
    pub(super) fn prefetch(&self, number: N) {
        if let Some(first) = self.firsts.prefetch(number) {
            prefetch_all(&self.ends[first..self.ends.len().min(first + GROUP)]);
        }
    }

    /// Whether anything is so from `first` to `last`.
    pub(super) fn any_within(&self, first: N, last: N) -> bool {
        self.firsts.last_up_to(last).is_some_and(|place| self.ends[place].0 >= first)
    }
}

/// Ranges that lie inside of each other or apart, as prefixes do: at each number the innermost counts, and of equal ones the
/// first. `None` leaves a hole.
pub(super) fn innermost<N: Number>(mut nested: Vec<Range<N, Option<Id>>>) -> Vec<Range<N, Id>> {
    // The sort is stable, so that of equal ones the first stays the first.
    nested.sort_by(|one, other| one.first.cmp(&other.first).then(other.last.cmp(&one.last)));
    nested.dedup_by(|later, first| (later.first, later.last) == (first.first, first.last));
    let mut sweep = Sweep { done: Vec::with_capacity(nested.len()), open: Vec::new(), at: None };
    for range in nested {
        sweep.close_before(Some(range.first));
        sweep.go_to(range.first);
        sweep.open.push(range);
    }
    sweep.close_before(None);
    sweep.done
}

/// Nested ranges on the way through all numbers.
struct Sweep<N> {
    done: Vec<Range<N, Id>>,
    /// Those that the present number lies in, from the outermost on.
    open: Vec<Range<N, Option<Id>>>,
    /// The first number that is not told yet; `None` behind the last of all.
    at: Option<N>,
}

impl<N: Number> Sweep<N> {
    /// Comes to the ends of the ranges that end before `number`, or of all.
    fn close_before(&mut self, number: Option<N>) {
        while let Some(innermost) = self.open.last().copied()
            && number.is_none_or(|number| innermost.last < number)
        {
            self.tell(innermost.last);
            self.at = innermost.last.next();
            self.open.pop();
        }
    }

    fn go_to(&mut self, number: N) {
        if let Some(before) = number.before() {
            self.tell(before);
        }
        self.at = Some(number);
    }

    /// Tells what is so up to and with `last`.
    fn tell(&mut self, last: N) {
        if let (Some(first), Some(innermost)) = (self.at, self.open.last())
            && let Some(value) = innermost.value
            && first <= last
        {
            self.done.push(Range { first, last, value });
        }
    }
}

/// Puts `fine` over `coarse`, both in order and without overlaps: where the fine ones say something, it counts.
pub(super) fn overlay<N: Number, V: Copy>(coarse: &[Range<N, V>], fine: &[Range<N, V>]) -> Vec<Range<N, V>> {
    let mut all = Vec::with_capacity(coarse.len() + fine.len());
    let mut fine = fine.iter().copied().peekable();
    // The last number for which a fine one was told.
    let mut told = None;
    for below in coarse {
        while let Some(above) = fine.next_if(|above| above.first <= below.last) {
            let end = above.first.before();
            all.extend(end.and_then(|end| between(below, told, end)));
            told = Some(above.last);
            all.push(above);
        }
        all.extend(between(below, told, below.last));
    }
    all.extend(fine);
    all
}

/// What is left of a range up to `last`, behind what was told.
fn between<N: Number, V: Copy>(range: &Range<N, V>, told: Option<N>, last: N) -> Option<Range<N, V>> {
    let first = match told {
        Some(told) if told >= range.first => told.next()?,
        _ => range.first,
    };
    (first <= last).then_some(Range { first, last, ..*range })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefixes() -> impl Strategy<Value = Vec<Range<u32, Option<Id>>>> {
        let prefix = (0u32..64, 0u32..7, proptest::option::of(0u32..3)).prop_map(|(number, bits, value)| {
            let first = number >> bits << bits;
            Range { first, last: first + (1 << bits) - 1, value }
        });
        proptest::collection::vec(prefix, 0..20)
    }

    fn apart() -> impl Strategy<Value = Vec<Range<u32, Id>>> {
        proptest::collection::vec((0u32..4, 0u32..4, 0u32..3), 0..10).prop_map(|steps| {
            let mut at = 0;
            let range = |(gap, length, value): (u32, u32, u32)| {
                let first = at + gap;
                at = first + length + 1;
                Range { first, last: first + length, value }
            };
            steps.into_iter().map(range).collect()
        })
    }

    fn within(ranges: &[Range<u32, Id>], number: u32) -> Option<Id> {
        ranges.iter().find(|range| range.first <= number && number <= range.last).map(|range| range.value)
    }

    proptest! {
        #[test]
        fn the_innermost_prefix_counts(nested in prefixes()) {
            let ranges = Ranges::new(innermost(nested.clone()));
            for number in 0..130 {
                let around = nested.iter().filter(|range| range.first <= number && number <= range.last);
                let expected = around.min_by_key(|range| range.last - range.first).and_then(|range| range.value);
                prop_assert_eq!(ranges.get(number), expected, "{} in {:?}", number, nested);
                let any = (number..number + 8).any(|number| ranges.get(number).is_some());
                prop_assert_eq!(ranges.any_within(number, number + 7), any);
            }
        }

        #[test]
        fn the_fine_ones_count_before_the_coarse_ones(coarse in apart(), fine in apart()) {
            let all = overlay(&coarse, &fine);
            prop_assert!(all.windows(2).all(|pair| pair[0].last < pair[1].first), "{:?}", all);
            for number in 0..90 {
                let expected = within(&fine, number).or_else(|| within(&coarse, number));
                prop_assert_eq!(within(&all, number), expected, "{} in {:?}", number, all);
            }
        }
    }

    /// The number of ranges for which groups are just full, or one more is needed.
    #[test]
    fn every_one_of_many_ranges_is_found() {
        for count in [0, 1, 15, 16, 17, 255, 256, 257, 300, 4095, 4096, 4097, 5000] {
            let range = |at| Range { first: 3 * at, last: 3 * at + 1, value: at };
            let ranges = Ranges::new((0..count).map(range));
            for number in 0..3 * count + 3 {
                let expected = (number % 3 < 2 && number / 3 < count).then_some(number / 3);
                ranges.prefetch(number);
                assert_eq!(ranges.get(number), expected, "{number} of {count}");
            }
        }
    }

    #[test]
    fn the_last_number_of_all_has_none_behind_it() {
        let whole = Range { first: 0u32, last: u32::MAX, value: Some(1) };
        let end = Range { first: u32::MAX, last: u32::MAX, value: Some(2) };
        let ranges = Ranges::new(innermost(vec![whole, end]));
        assert_eq!([0, u32::MAX - 1, u32::MAX].map(|number| ranges.get(number)), [Some(1), Some(1), Some(2)]);
        let all = overlay(
            &[Range { first: 0, last: u32::MAX, value: 1 }],
            &[Range { first: 5, last: u32::MAX, value: 2 }],
        );
        assert_eq!(all.len(), 2);
    }
}
