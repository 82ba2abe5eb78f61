//! Text with a range of addresses and its country in each line, as Tor has it: `3221225984,3221226239,DE` for IPv4,
//! whose addresses are numbers, and `2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,NL` for IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ranges in order; the addresses of IPv4 are the IPv4-mapped ones of IPv6.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range>);

#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u128,
    last: u128,
    country: [u8; 2],
}

impl Ranges {
    /// Reads a file; `None` if no line of it is a range.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let mut ranges: Vec<Range> = text.lines().filter_map(range).collect();
        ranges.sort_unstable_by_key(|range| range.first);
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    pub(super) fn country(&self, address: IpAddr) -> Option<String> {
        let number = number(address);
        let behind = self.0.partition_point(|range| range.first <= number);
        let range = self.0.get(behind.checked_sub(1)?).filter(|range| number <= range.last)?;
        Some(String::from_utf8_lossy(&range.country).into_owned())
    }
}

/// A line; `None` for comments, for what is no range, and for countries that are not known (`??`).
fn range(line: &str) -> Option<Range> {
    let mut fields = line.split(',');
    let (first, last) = (bound(fields.next()?)?, bound(fields.next()?)?);
    let country: [u8; 2] = fields.next()?.trim().as_bytes().try_into().ok()?;
    let is_known = country.iter().all(u8::is_ascii_uppercase) && first <= last;
    is_known.then_some(Range { first, last, country })
}

fn bound(written: &str) -> Option<u128> {
    let ipv4 = written.parse::<u32>().map(Ipv4Addr::from_bits).map(IpAddr::from);
    ipv4.or_else(|_| written.parse::<Ipv6Addr>().map(IpAddr::from)).ok().map(number)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_range_are_skipped() {
        let text = "# a comment\n\n3221225984,3221226239,DE\n1,2\n5,4,US\n7,9,??\nx,y,FR\n7,8,toolong\n";
        let ranges = Ranges::read(text.as_bytes()).unwrap();
        assert_eq!(ranges.0.len(), 1);
        assert_eq!(ranges.country([192, 0, 2, 0].into()).as_deref(), Some("DE"));
        for outside in [[192, 0, 1, 255], [192, 0, 3, 0]] {
            assert_eq!(ranges.country(outside.into()), None);
        }
        assert_eq!(Ranges::read(b"# nothing"), None);
        assert_eq!(Ranges::read(b"\xff\xfe"), None);
    }
}
