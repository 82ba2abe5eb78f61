//! `ip4trie`: IPv4 networks inside of each other. The longest that holds an address counts, and of equal ones the first.

use super::addresses::Addresses;
use super::builder::{Builder, Done, Problem, Reading};
use super::ranges::{Id, Range, innermost};
use super::{DataSet, ip4};

/// The networks read so far.
#[derive(Default)]
pub(super) struct Ip4Trie(Vec<Range<u32, Option<Id>>>);

impl Builder for Ip4Trie {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, key, rest) = ip4::entry(entry, reading)?;
        if key.is_range {
            return Err("ip4trie takes networks only: write the range as an ip4set".into());
        }
        let value = reading.value(excludes, rest)?;
        self.0.push(Range { first: key.first, last: key.last, value });
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let count = self.0.len();
        Box::new(Addresses::of_values(innermost(self.0), count, done))
    }
}
