//! `ip4set`: IPv4 addresses, networks and ranges, of which several may answer for an address.
//!
//! Each entry is cut along the borders of /8, /16 and /24 into pieces as large as they can be: whole /8s, /16s and /24s, and
//! single addresses. For an address the entries of its smallest pieces answer, all of them; an exclusion among them is that it
//! is not listed. So a /24 and an address in it do not answer together, but a /25 and the address do.

use std::collections::BTreeMap;

use super::addresses::{Addresses, Sets};
use super::builder::{Builder, Done, Problem, Reading};
use super::ranges::{Id, Range, overlay};
use super::{DataSet, ip4};

/// The sizes of pieces in bits of the host part, the largest first.
const SIZES: [u32; 4] = [24, 16, 8, 0];

/// The set of nothing, where an exclusion is.
const EXCLUDED: Id = Id::MAX;

/// The pieces read so far, by their sizes. `None` excludes.
#[derive(Default)]
pub(super) struct Ip4Set {
    pieces: [Vec<Range<u32, Option<Id>>>; SIZES.len()],
    count: usize,
}

impl Builder for Ip4Set {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, key, rest) = ip4::entry(entry, reading)?;
        let value = reading.value(excludes, rest)?;
        self.cut(0, key.first, key.last, value);
        self.count += 1;
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let Self { pieces, count } = *self;
        let mut sets = Sets::default();
        let levels = pieces.into_iter().map(|pieces| together(pieces, &mut sets));
        let all = levels.reduce(|coarse, fine| overlay(&coarse, &fine)).unwrap_or_default();
        let listed = all.into_iter().filter(|range| range.value != EXCLUDED).collect();
        Box::new(Addresses::new(listed, sets, count, done))
    }
}

impl Ip4Set {
    /// Takes the whole pieces of this size out of a range, and cuts what is left on both sides into smaller ones.
    fn cut(&mut self, size: usize, first: u32, last: u32, value: Option<Id>) {
        let hosts = (1u64 << SIZES[size]) - 1;
        let begin = (u64::from(first) + hosts) & !hosts;
        let end = (u64::from(last) + 1) & !hosts;
        if begin >= end {
            return self.cut(size + 1, first, last, value);
        }
        let (begin, end) = (begin as u32, (end - 1) as u32);
        self.pieces[size].push(Range { first: begin, last: end, value });
        if first < begin {
            self.cut(size + 1, first, begin - 1, value);
        }
        if end < last {
            self.cut(size + 1, end + 1, last, value);
        }
    }
}

/// Pieces of one size without overlaps: each says the number of the set of all that lie there.
fn together(pieces: Vec<Range<u32, Option<Id>>>, sets: &mut Sets) -> Vec<Range<u32, Id>> {
    let mut pieces: Vec<_> = pieces.into_iter().enumerate().collect();
    pieces.sort_by_key(|(_, piece)| piece.first);
    let mut done = Vec::with_capacity(pieces.len());
    // By their places in the file, so that they answer in that order.
    let mut open: BTreeMap<usize, Range<u32, Option<Id>>> = BTreeMap::new();
    let mut waiting = pieces.into_iter().peekable();
    let mut at = 0u32;
    loop {
        if open.is_empty() {
            let Some((_, next)) = waiting.peek() else { return done };
            at = next.first;
        }
        while let Some((place, piece)) = waiting.next_if(|(_, piece)| piece.first == at) {
            open.insert(place, piece);
        }
        let begins = waiting.peek().map(|(_, piece)| piece.first - 1);
        let ends = open.values().map(|piece| piece.last).min();
        let last = begins.into_iter().chain(ends).min().unwrap_or(u32::MAX);
        done.push(Range { first: at, last, value: set_of(open.values(), sets) });
        open.retain(|_, piece| piece.last > last);
        match last.checked_add(1) {
            Some(next) => at = next,
            None => return done,
        }
    }
}

fn set_of<'a>(pieces: impl Iterator<Item = &'a Range<u32, Option<Id>>>, sets: &mut Sets) -> Id {
    let values: Option<Vec<Id>> = pieces.map(|piece| piece.value).collect();
    values.map_or(EXCLUDED, |values| sets.id(values))
}
