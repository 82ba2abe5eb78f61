//! Reversed names, both ways: `4.3.2.1` for 1.2.3.4 and 32 nibbles for IPv6 (RFC 5782, sections 2.1 and 2.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Prefix, read_octet};

/// What the labels before a zone's origin stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reversed {
    /// All four octets or all 32 nibbles.
    Address(IpAddr),
    /// The leading part of an address. A name of at most three single digits leads both families (`2.bl.example` stands
    /// above 2.0.0.0/8 and 2000::/4), so either or both may be there.
    Partial {
        /// The IPv4 network the labels fix.
        ipv4: Option<Prefix>,
        /// The IPv6 network the labels fix.
        ipv6: Option<Prefix>,
    },
}

/// Reads the labels that stand before the origin, in the order of the name: `["4", "3", "2", "1"]`. `None` when they
/// are no address: octets over 255 or with leading zeros (which would give an address many names), labels that are
/// neither octets nor nibbles, or too many of them. No labels at all is the whole space.
pub fn read_reversed<'a>(labels: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Reversed> {
    let ipv4 = read_octets(labels.clone());
    if let Some((address, 4)) = ipv4 {
        return Some(Reversed::Address(Ipv4Addr::from_bits(address).into()));
    }
    let ipv6 = read_nibbles(labels);
    if let Some((address, 32)) = ipv6 {
        // Not canonical on purpose: `::ffff:127.0.0.2` is asked for by its IPv6 name and is a point of its own.
        return Some(Reversed::Address(Ipv6Addr::from_bits(address).into()));
    }
    let ipv4 = ipv4.and_then(|(address, count)| Prefix::new(Ipv4Addr::from_bits(address).into(), count * 8));
    let ipv6 = ipv6.and_then(|(address, count)| Prefix::new(Ipv6Addr::from_bits(address).into(), count * 4));
    (ipv4.is_some() || ipv6.is_some()).then_some(Reversed::Partial { ipv4, ipv6 })
}

/// The leading octets of an address, and how many there are. Each label stands above those before it.
fn read_octets<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<(u32, u8)> {
    let mut address = 0;
    let mut count = 0;
    for label in labels {
        if count == 4 {
            return None;
        }
        count += 1;
        address = address >> 8 | u32::from(read_octet_of(label)?) << 24;
    }
    Some((address, count))
}

fn read_octet_of(label: &[u8]) -> Option<u8> {
    let mut with_length = [label.len() as u8, 0, 0, 0];
    with_length[1..].get_mut(..label.len())?.copy_from_slice(label);
    read_octet(u32::from_le_bytes(with_length))
}

/// The same of nibbles.
fn read_nibbles<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<(u128, u8)> {
    let mut address = 0;
    let mut count = 0;
    for label in labels {
        let [digit] = label else { return None };
        let nibble = char::from(*digit).to_digit(16)?;
        if count == 32 {
            return None;
        }
        count += 1;
        address = address >> 4 | u128::from(nibble) << 124;
    }
    Some((address, count))
}

/// The IPv6 network that the name of an IPv4 address also leads, if its octets are single digits: `1.0.0.2` is 2.0.0.1
/// and stands above 2001::/16.
pub fn leading_nibbles(address: Ipv4Addr) -> Option<Prefix> {
    let octets = address.octets();
    if octets.iter().any(|octet| *octet > 9) {
        return None;
    }
    let nibbles = octets.iter().fold(0, |nibbles, octet| nibbles << 4 | u128::from(*octet));
    Prefix::new(Ipv6Addr::from(nibbles << 112).into(), 16)
}

/// Writes the labels of `address` before an origin, dots between them, none at the end: `4.3.2.1`.
pub fn write_reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            labels.join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<Reversed> {
        let labels: Vec<&[u8]> =
            name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes).collect();
        read_reversed(labels.iter().copied())
    }

    fn partial(ipv4: Option<&str>, ipv6: Option<&str>) -> Option<Reversed> {
        let parse = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Some(Reversed::Partial { ipv4: parse(ipv4), ipv6: parse(ipv6) })
    }

    #[test]
    fn what_is_written_reads_back() {
        for address in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::ffff:127.0.0.2"] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(read(&write_reversed(address)), Some(Reversed::Address(address)));
        }
    }

    #[test]
    fn partial_names_lead_one_family_or_both() {
        assert_eq!(read("2"), partial(Some("2.0.0.0/8"), Some("2000::/4")));
        assert_eq!(read("100.51.198"), partial(Some("198.51.100.0/24"), None));
        assert_eq!(read("3.2.1"), partial(Some("1.2.3.0/24"), Some("1230::/12")));
        assert_eq!(read("8.B.D.0.1.0.0.2"), partial(None, Some("2001:db8::/32")));
        assert_eq!(read(""), partial(Some("0.0.0.0/0"), Some("::/0")));
    }

    #[test]
    fn four_single_digits_lead_both_families() {
        let leads = |address: [u8; 4]| leading_nibbles(address.into()).map(|prefix| prefix.to_string());
        assert_eq!(leads([2, 0, 0, 1]).as_deref(), Some("2001::/16"));
        assert_eq!(leads([1, 2, 3, 4]).as_deref(), Some("1234::/16"));
        assert_eq!(leads([0, 0, 0, 0]).as_deref(), Some("::/16"));
        assert_eq!(leads([10, 2, 3, 4]), None);
    }

    #[test]
    fn an_address_has_one_name() {
        for wrong in ["04.3.2.1", "4.3.2.256", "4.3.2.0001", "x.3.2.1", "5.44.33.22.11", "4.3.2.a1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let thirty_three = write_reversed("2001:db8::1".parse().unwrap()) + ".2";
        assert_eq!(read(&thirty_three), None);
    }
}
