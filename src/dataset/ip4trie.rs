//! `ip4trie`: IPv4 networks inside of each other, and IPv6 networks among them. The longest that holds an address counts, and of
//! equal ones the first. Entries may have a condition.

use std::net::IpAddr;

use super::addresses::Addresses;
use super::answer::{Asked, Records};
use super::builder::{Builder, Done, Problem, Reading};
use super::ip6trie::Ip6Trie;
use super::ranges::{Id, Range, innermost};
use super::{DataSet, ip4};

/// The networks read so far.
#[derive(Default)]
pub(super) struct Ip4Trie {
    ipv4: Vec<Range<u32, Option<Id>>>,
    ipv6: Ip6Trie,
}

impl Builder for Ip4Trie {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, key, rest) = match ip4::entry(entry, reading) {
            Err(_) if is_ipv6(entry) => return self.ipv6.entry(entry, reading),
            entry => entry?,
        };
        if key.is_range {
            return Err("ip4trie takes networks only: write the range as an ip4set".into());
        }
        let value = reading.value_on_condition(excludes, rest)?;
        self.ipv4.push(Range { first: key.first, last: key.last, value });
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let Self { ipv4, ipv6 } = *self;
        let networks = |done| {
            let count = ipv4.len();
            Addresses::of_values(innermost(ipv4), count, done)
        };
        if ipv6.is_empty() {
            return Box::new(networks(done));
        }
        Box::new(Both { ipv4: networks(done.clone()), ipv6: Box::new(ipv6).finish(done) })
    }
}

/// Whether an entry that is no IPv4 network is meant as one of IPv6.
fn is_ipv6(entry: &[u8]) -> bool {
    let key = entry.split(|byte| byte.is_ascii_whitespace() || *byte == b'.').next().unwrap_or_default();
    key.iter().filter(|byte| **byte == b':').count() > 1
}

/// Networks of both families.
#[derive(Debug)]
struct Both {
    ipv4: Addresses<u32>,
    ipv6: Box<dyn DataSet>,
}

impl DataSet for Both {
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        self.ipv4.find(asked, records) | self.ipv6.find(asked, records)
    }

    fn could_have(&self, asked: &Asked<'_>) -> bool {
        self.ipv4.could_have(asked) || self.ipv6.could_have(asked)
    }

    fn prefetch(&self, address: IpAddr) {
        self.ipv4.prefetch(address);
        self.ipv6.prefetch(address);
    }

    fn has_below(&self, asked: &Asked<'_>) -> bool {
        self.ipv4.has_below(asked) || self.ipv6.has_below(asked)
    }

    fn is_of_addresses(&self) -> bool {
        self.ipv6.is_of_addresses()
    }

    fn len(&self) -> usize {
        self.ipv4.len() + self.ipv6.len()
    }
}
