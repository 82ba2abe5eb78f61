//! Ranges that are never listed unless the configuration names them, and the test points of RFC 5782.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use super::Prefix;

/// Always listed, as itself and as `::ffff:127.0.0.2` (RFC 5782, section 5).
pub const TEST_POINT_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The IANA special-purpose ranges that are nobody's address on the internet (RFC 6890). The documentation ranges
/// are not among them, so that examples can use them.
const RANGES: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared, carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "IETF protocol assignments"),
    ("192.88.99.0/24", "6to4 relay anycast"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/127", "unspecified and loopback"),
    ("64:ff9b::/96", "IPv4 translation"),
    ("64:ff9b:1::/48", "local IPv4 translation"),
    ("100::/64", "discard"),
    ("fc00::/7", "unique local"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
];

/// The reserved range that shares an address with `prefix`, and what it is for. A network that only touches such a
/// range is reserved too: `0.0.0.0/0` can never be listed by mistake.
pub fn reserved(prefix: Prefix) -> Option<(Prefix, &'static str)> {
    let ranges = match (prefix.is_host(), prefix.address()) {
        // Nearly every question is about a host, and most of them are nowhere near.
        (true, IpAddr::V4(address)) => &HOSTS.0[usize::from(address.octets()[0])],
        (true, IpAddr::V6(address)) => &HOSTS.1[usize::from(address.octets()[0])],
        (false, _) => &*PREFIXES,
    };
    ranges.iter().find(|(range, _)| range.overlaps(prefix)).copied()
}

type Ranges = Vec<(Prefix, &'static str)>;

/// The ranges of IPv4 and of IPv6 that hold addresses with each first byte.
static HOSTS: LazyLock<(Vec<Ranges>, Vec<Ranges>)> = LazyLock::new(|| {
    let near = |network: Prefix| {
        PREFIXES.iter().filter(|(range, _)| range.overlaps(network)).copied().collect::<Ranges>()
    };
    let network = |address: IpAddr| Prefix::new(address, 8).expect("both families have more bits than 8");
    let v4 = |byte| near(network(Ipv4Addr::new(byte, 0, 0, 0).into()));
    let v6 = |byte| near(network(Ipv6Addr::new(u16::from(byte) << 8, 0, 0, 0, 0, 0, 0, 0).into()));
    ((0..=255u8).map(v4).collect(), (0..=255u8).map(v6).collect())
});

/// The table as prefixes; every failure asks for them.
static PREFIXES: LazyLock<Ranges> = LazyLock::new(|| {
    let parse = |range: &str| range.parse().expect("the table holds prefixes");
    RANGES.iter().map(|(range, purpose)| (parse(range), *purpose)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_can_be_listed() {
        for (written, expected) in [
            ("127.0.0.1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("10.20.30.40", Some("private")),
            ("fe80::1", Some("link-local")),
            ("::1", Some("unspecified and loopback")),
            ("0.0.0.0/0", Some("this network")),
            ("192.0.2.1", None),
            ("198.51.100.0/24", None),
            ("2001:db8::/32", None),
        ] {
            let prefix = written.parse().unwrap();
            assert_eq!(reserved(prefix).map(|(_, purpose)| purpose), expected, "{written}");
        }
    }
}
