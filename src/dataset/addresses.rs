//! Addresses with what is said of each: what all the types for addresses become.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::DataSet;
use super::answer::{Asked, Data, Record, Records, Subject};
use super::builder::Done;
use super::ranges::{Id, Range, Ranges};
use super::sorted::Number;
use super::value::Value;
use crate::ip::Prefix;

/// Addresses as numbers, with the values of each.
#[derive(Debug)]
pub(super) struct Addresses<N> {
    /// To the number of a set.
    ranges: Ranges<N>,
    /// Numbers of values, in the order of the file.
    sets: Box<[Box<[Id]>]>,
    values: Box<[Value]>,
    ttl: Option<u32>,
    /// How many entries there were.
    count: usize,
}

impl<N: Number> Addresses<N> {
    /// Of `count` entries these are left, without overlaps; each says the number of one of `sets`.
    pub(super) fn new(ranges: Vec<Range<N, Id>>, sets: Sets, count: usize, done: Done) -> Self {
        let Done { values, ttl, .. } = done;
        Self { ranges: Ranges::new(ranges), sets: sets.all.into(), values, ttl, count }
    }

    /// The same where each range says the number of a value.
    pub(super) fn of_values(ranges: Vec<Range<N, Id>>, count: usize, done: Done) -> Self {
        let mut sets = Sets::default();
        // The set of one value gets the number of the value, as both count from 0.
        (0..).take(done.values.len()).for_each(|value| {
            sets.id(vec![value]);
        });
        Self::new(ranges, sets, count, done)
    }

    fn add<'a>(&'a self, place: N, address: IpAddr, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        let Some(set) = self.ranges.get(place) else {
            return false;
        };
        let values = self.sets[set as usize].iter().map(|value| &self.values[*value as usize]);
        let add = |value: &'a Value| value.add_to(asked, self.ttl, Subject::Address(address), records);
        values.map(add).fold(false, |any, added| any | added)
    }
}

impl Value {
    /// Adds the records of this value if its condition holds; whether it does.
    pub(super) fn add_to<'a>(
        &'a self,
        asked: &Asked<'a>,
        ttl: Option<u32>,
        subject: Subject<'a>,
        records: &mut Records<'a>,
    ) -> bool {
        let holds = self.condition.holds(asked);
        if holds {
            self.add(ttl, subject, records);
        }
        holds
    }

    /// Adds the records of this value.
    pub(super) fn add<'a>(&'a self, ttl: Option<u32>, subject: Subject<'a>, records: &mut Records<'a>) {
        records.push(Record { ttl, data: Data::Address(self.code) });
        if let Some(text) = &self.text {
            records.push(Record { ttl, data: Data::Text(text, subject) });
        }
    }
}

impl DataSet for Addresses<u32> {
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        asked.ipv4().is_some_and(|address| self.add(address.to_bits(), address.into(), asked, records))
    }

    fn could_have(&self, asked: &Asked<'_>) -> bool {
        asked.ipv4().is_some() && !asked.is_never_listed()
    }

    fn prefetch(&self, address: IpAddr) {
        if let IpAddr::V4(address) = address {
            self.ranges.prefetch(address.to_bits());
        }
    }

    fn has_below(&self, asked: &Asked<'_>) -> bool {
        asked.ipv4_networks().any(|(first, last)| self.ranges.any_within(first, last))
    }

    fn is_of_addresses(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        self.count
    }
}

impl DataSet for Addresses<u128> {
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        match asked.address() {
            Some(address @ IpAddr::V6(ipv6)) => self.add(ipv6.to_bits(), address, asked, records),
            _ => false,
        }
    }

    fn could_have(&self, asked: &Asked<'_>) -> bool {
        matches!(asked.address(), Some(IpAddr::V6(_))) && !asked.is_never_listed()
    }

    fn prefetch(&self, address: IpAddr) {
        if let IpAddr::V6(address) = address {
            self.ranges.prefetch(address.to_bits());
        }
    }

    fn has_below(&self, asked: &Asked<'_>) -> bool {
        let network = asked.networks().1.map(Prefix::bounds);
        network.is_some_and(|(first, last)| self.ranges.any_within(first, last))
    }

    fn is_of_addresses(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        self.count
    }
}

/// Sets of values, each kept once.
#[derive(Debug, Default)]
pub(super) struct Sets {
    ids: HashMap<Box<[Id]>, Id>,
    all: Vec<Box<[Id]>>,
}

impl Sets {
    /// The number of the set of these values, in this order.
    pub(super) fn id(&mut self, mut values: Vec<Id>) -> Id {
        if values.len() > 1 {
            let mut seen = HashSet::new();
            values.retain(|value| seen.insert(*value));
        }
        let next = Id::try_from(self.all.len()).expect("a file has less than 4 G lines");
        *self.ids.entry(values.into()).or_insert_with_key(|values| {
            self.all.push(values.clone());
            next
        })
    }
}
