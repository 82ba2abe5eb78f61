//! What would be answered for an address, told to people instead of resolvers.

use std::net::{IpAddr, Ipv4Addr};

use super::template::Values;
use super::{Zone, Zones};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::list::Listing;

/// One listing of an address in one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The zone's origin, without its last dot.
    pub zone: String,
    /// What is listed.
    pub prefix: Prefix,
    /// The A record.
    pub code: Ipv4Addr,
    /// The TXT record.
    pub text: String,
}

impl Zones {
    /// Every listing that covers `address` at `now`, zone by zone.
    pub fn listed(&self, address: IpAddr, now: Timestamp) -> Vec<Listed> {
        let mut found = Vec::new();
        for (index, zone) in self.zones().iter().enumerate() {
            let list = self.lists().latest(index);
            let listings = list.find(address, now);
            found.extend(listings.iter().map(|listing| zone.listed(address, listing)));
        }
        found
    }
}

impl Zone {
    fn listed(&self, address: IpAddr, listing: &Listing<'_>) -> Listed {
        let mut text = Vec::new();
        self.write_text(address, listing, &mut text);
        let (zone, code) = (self.shown().to_owned(), self.publish(listing).code);
        let prefix = listing.prefix;
        Listed { zone, prefix, code, text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// Appends the text of a listing as `address` is told it.
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
