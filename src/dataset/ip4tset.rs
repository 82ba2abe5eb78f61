//! `ip4tset`: single IPv4 addresses, all with the value that the files name first.

use super::addresses::Addresses;
use super::builder::{Builder, Done, Problem, Reading};
use super::ranges::Range;
use super::{DataSet, ip4};

/// The addresses read so far.
#[derive(Default)]
pub(super) struct Ip4TSet(Vec<u32>);

impl Builder for Ip4TSet {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, key, _) = ip4::entry(entry, reading)?;
        if excludes || key.first != key.last {
            return Err("ip4tset takes single addresses only".into());
        }
        self.0.push(key.first);
        Ok(())
    }

    fn finish(mut self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        self.0.sort_unstable();
        self.0.dedup();
        let count = self.0.len();
        let ranges =
            self.0.into_iter().map(|address| Range { first: address, last: address, value: done.default });
        Box::new(Addresses::of_values(ranges.collect(), count, done))
    }
}
