//! `ip6tset`: IPv6 networks of 64 bits, all with the value that the files name first, without some addresses in them.

use super::DataSet;
use super::addresses::Addresses;
use super::builder::{Builder, Done, Problem, Reading};
use super::ip6trie::{Network, network};
use super::ranges::{Range, innermost};
use super::syntax::excludes;

/// The networks read so far, and whether each is excluded.
#[derive(Default)]
pub(super) struct Ip6TSet(Vec<(bool, Network)>);

impl Builder for Ip6TSet {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, written) = excludes(entry);
        let (network, _) = network(written, reading.options.clear_host_bits)?;
        match (excludes, network.length) {
            (false, 64) | (true, 128) => self.0.push((excludes, network)),
            (false, _) => return Err("ip6tset takes networks of 64 bits only: write 2001:db8:1:2".into()),
            (true, _) => return Err("ip6tset excludes whole addresses only".into()),
        }
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let count = self.0.len();
        let value = |excludes: bool| (!excludes).then_some(done.default);
        let ranges = self.0.into_iter().map(|(excludes, Network { first, last, .. })| Range {
            first,
            last,
            value: value(excludes),
        });
        Box::new(Addresses::of_values(innermost(ranges.collect()), count, done))
    }
}
