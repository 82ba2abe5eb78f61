//! A data set as a zone publishes it: until when, and which addresses it must not list.

use std::net::IpAddr;
use std::sync::Arc;

use super::List;
use crate::clock::Timestamp;
use crate::dataset::{Asked, DataSet, Records};
use crate::ip::{Prefix, PrefixSet, reserved};

/// A data set as a zone publishes it.
#[derive(Clone, Debug)]
pub struct PublishedSet {
    /// What can be asked.
    pub set: Arc<dyn DataSet>,
    /// What people know it by.
    pub title: Arc<str>,
    /// The number of the sublist that publishes it alone.
    pub sublist: Option<u16>,
    /// From then on it is too old to be answered from.
    pub expires: Option<Timestamp>,
    /// Whether these are test points (RFC 5782, section 5), which are listed whatever the allowlist says.
    pub is_test: bool,
    /// The reserved ranges that it may list; `None` is all of them.
    pub allow_reserved: Option<PrefixSet>,
}

impl PublishedSet {
    /// Whether it is published under a name: that of the zone, or of a sublist.
    pub fn is_in(&self, sublist: Option<u16>) -> bool {
        sublist.is_none() || self.sublist == sublist
    }

    /// Whether it can be answered from at `now`.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Adds what it has for a name to `records`, and says whether it has the name. What the allowlist of the zone's `list` has,
    /// and what is reserved, is not there.
    pub fn find<'a>(&'a self, list: &List, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        let before = records.len();
        if !self.set.find(asked, records) {
            return false;
        }
        let is_spared = |address| list.allows(address) || !self.may_list(address);
        let inside = asked.ipv4().map(IpAddr::V4).filter(|inside| asked.address() != Some(*inside));
        if !self.is_test && asked.address().into_iter().chain(inside).any(is_spared) {
            records.truncate(before);
            return false;
        }
        true
    }

    /// Whether it may list `address`, as far as reserved ranges go.
    fn may_list(&self, address: IpAddr) -> bool {
        let host = Prefix::host(address);
        self.allow_reserved.as_ref().is_none_or(|allowed| allowed.covers(host) || reserved(host).is_none())
    }
}
