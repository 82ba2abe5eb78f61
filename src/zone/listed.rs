//! What would be answered for an address, told to people instead of resolvers.

use std::net::{IpAddr, Ipv4Addr};

use super::template::Values;
use super::{Zone, Zones};
use crate::clock::Timestamp;
use crate::dataset::{Asked, Data, LabelBuf, Records};
use crate::ip::{Prefix, read_reversed};
use crate::list::Listing;

/// One listing of an address in one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The zone's origin, without its last dot.
    pub zone: String,
    /// What is listed.
    pub prefix: Prefix,
    /// Who listed it.
    pub jail: String,
    /// When the ban began.
    pub since: Timestamp,
    /// When it ends by itself; `None` is never.
    pub until: Option<Timestamp>,
    /// The A record.
    pub code: Ipv4Addr,
    /// The TXT record.
    pub text: String,
}

/// What a data set of a zone has for an address or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InSet {
    /// The zone's origin, without its last dot.
    pub zone: String,
    /// The data set.
    pub set: String,
    /// The A record.
    pub code: Ipv4Addr,
    /// The TXT record.
    pub text: String,
}

impl Zones {
    /// What the data sets of all zones have at `now` for the name that has these labels before an origin.
    pub fn in_sets(&self, labels: &[&[u8]], now: Timestamp) -> Vec<InSet> {
        let name: LabelBuf = labels.iter().copied().collect();
        let reversed = read_reversed(name.labels().iter());
        let mut found = Vec::new();
        for (zone, published) in self.zones().iter().zip(self.lists().latest().iter()) {
            let asked = Asked::new(name.labels(), reversed).at(now);
            for one in published.sets.iter().filter(|one| one.is_fresh(now)) {
                let mut records = Records::new();
                one.find(&published.list, &asked, &mut records);
                found.extend(in_set(zone.shown(), &one.title, &records));
            }
        }
        found
    }

    /// Every listing that covers `address` at `now`, zone by zone.
    pub fn listed(&self, address: IpAddr, now: Timestamp) -> Vec<Listed> {
        let mut found = Vec::new();
        for (zone, published) in self.zones().iter().zip(self.lists().latest().iter()) {
            let listings = published.list.find(address, now);
            found.extend(listings.iter().map(|listing| zone.listed(address, listing)));
        }
        found
    }
}

/// Each code with the text that stands behind it.
fn in_set(zone: &str, set: &str, records: &Records<'_>) -> Vec<InSet> {
    let mut found: Vec<InSet> = Vec::new();
    for record in records {
        match (&record.data, found.last_mut()) {
            (Data::Address(code), _) => {
                let (zone, set) = (zone.to_owned(), set.to_owned());
                found.push(InSet { zone, set, code: *code, text: String::new() });
            }
            (Data::Text(text, subject), Some(last)) => {
                let mut written = Vec::new();
                subject.write(text, &mut written);
                last.text = String::from_utf8_lossy(&written).into_owned();
            }
            _ => {}
        }
    }
    found
}

impl Zone {
    fn listed(&self, address: IpAddr, listing: &Listing<'_>) -> Listed {
        let mut text = Vec::new();
        self.write_text(address, listing, &mut text);
        Listed {
            zone: self.shown().to_owned(),
            prefix: listing.prefix,
            jail: listing.jail.to_owned(),
            since: listing.since,
            until: listing.until,
            code: self.publish(listing).code,
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    /// Appends the text of a listing as `address` is told it. Apart, as most questions are for codes.
    #[inline(never)]
    pub(super) fn write_text(&self, address: IpAddr, listing: &Listing<'_>, out: &mut Vec<u8>) {
        let publish = self.publish(listing);
        let values = Values {
            ip: address.to_canonical(),
            prefix: listing.prefix,
            jail: listing.jail,
            since: listing.since,
            until: listing.until,
            code: publish.code,
            zone: self.shown(),
        };
        publish.text.render(&values, out);
    }
}
