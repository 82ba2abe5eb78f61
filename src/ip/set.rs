//! A set of prefixes that is built once and asked often: allowlists.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Prefix;

/// The union of some prefixes, kept as disjoint ranges in order; a look-up is a binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixSet {
    ipv4: Vec<Ipv4Net>,
    ipv6: Vec<Ipv6Net>,
}

impl PrefixSet {
    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    /// Whether `address` is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        !self.is_empty() && self.holds(address)
    }

    /// The same of a set that is not empty. Apart, so that an empty one costs nothing.
    #[inline(never)]
    fn holds(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.near(address).is_some_and(|near| near.contains(&address)),
            IpAddr::V6(address) => self.covers(Prefix::host(address.into())),
        }
    }

    /// The last IPv4 network that does not begin behind `address`: no other can hold it.
    fn near(&self, address: Ipv4Addr) -> Option<Ipv4Net> {
        let after = self.ipv4.partition_point(|held| held.addr() <= address);
        after.checked_sub(1).map(|place| self.ipv4[place])
    }

    /// Whether every address of `prefix` is in the set.
    pub fn covers(&self, prefix: Prefix) -> bool {
        match prefix.net() {
            IpNet::V4(net) => self.near(net.addr()).is_some_and(|near| near.contains(&net)),
            IpNet::V6(net) => {
                let after = self.ipv6.partition_point(|held| held.addr() <= net.addr());
                after > 0 && self.ipv6[after - 1].contains(&net)
            }
        }
    }

    /// Whether any address of `prefix` is in the set.
    pub fn overlaps(&self, prefix: Prefix) -> bool {
        self.covers(prefix)
            || match prefix.net() {
                IpNet::V4(net) => {
                    let from = self.ipv4.partition_point(|held| held.network() < net.network());
                    self.ipv4.get(from).is_some_and(|held| net.contains(held))
                }
                IpNet::V6(net) => {
                    let from = self.ipv6.partition_point(|held| held.network() < net.network());
                    self.ipv6.get(from).is_some_and(|held| net.contains(held))
                }
            }
    }

    /// The disjoint prefixes of the set in order.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> {
        let ipv4 = self.ipv4.iter().map(|net| Prefix::from(IpNet::V4(*net)));
        ipv4.chain(self.ipv6.iter().map(|net| Prefix::from(IpNet::V6(*net))))
    }
}

impl FromIterator<Prefix> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix.net() {
                IpNet::V4(net) => ipv4.push(net),
                IpNet::V6(net) => ipv6.push(net),
            }
        }
        // Aggregation leaves disjoint networks in order, which is what the binary searches need.
        Self { ipv4: Ipv4Net::aggregate(&ipv4), ipv6: Ipv6Net::aggregate(&ipv6) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(written: &[&str]) -> PrefixSet {
        written.iter().map(|prefix| prefix.parse::<Prefix>().unwrap()).collect()
    }

    #[test]
    fn two_halves_cover_the_whole() {
        let set = set(&["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/48", "198.51.100.7"]);
        for (asked, covers, overlaps) in [
            ("192.0.2.0/24", true, true),
            ("192.0.2.255", true, true),
            ("192.0.3.0", false, false),
            ("192.0.0.0/16", false, true),
            ("198.51.100.7", true, true),
            ("198.51.100.0/24", false, true),
            ("198.51.100.8", false, false),
            ("2001:db8:0:1::/64", true, true),
            ("2001:db8::/32", false, true),
            ("::ffff:192.0.2.9", true, true),
        ] {
            let prefix = asked.parse().unwrap();
            assert_eq!(set.covers(prefix), covers, "covers {asked}");
            assert_eq!(set.overlaps(prefix), overlaps, "overlaps {asked}");
        }
        for (asked, contains) in [
            ("192.0.1.255", false),
            ("192.0.2.0", true),
            ("192.0.2.127", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("198.51.100.7", true),
            ("198.51.100.6", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("::ffff:192.0.2.9", true),
            ("2001:db8::", true),
            ("2001:db8:0:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1::", false),
        ] {
            assert_eq!(set.contains(asked.parse().unwrap()), contains, "contains {asked}");
        }
        let all = self::set(&["0.0.0.0/0"]);
        assert!(["0.0.0.0", "255.255.255.255"].iter().all(|asked| all.contains(asked.parse().unwrap())));
        assert!(!all.contains("::1".parse().unwrap()));
        assert!(!PrefixSet::default().overlaps("0.0.0.0/0".parse().unwrap()));
    }
}
