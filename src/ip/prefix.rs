//! One address or one network, with its host bits cleared.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Where IPv4 is in IPv6 (RFC 4291, section 2.5.5.2).
const MAPPED: u128 = 0xffff << 32;

/// A network, or a single address as a network of full length. Host bits are zero and IPv4-mapped IPv6 is IPv4, so
/// that equal prefixes compare equal. Orders by family, then address, then length: a network stands before what it
/// holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(IpNet);

/// What was written is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address or network: write 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32")]
pub struct ParsePrefixError(String);

impl Prefix {
    /// The single address `address`.
    pub fn host(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpNet::V4(Ipv4Net::from(address))),
            IpAddr::V6(address) => Self(IpNet::V6(Ipv6Net::from(address))),
        }
    }

    /// The network of all IPv4 addresses.
    pub fn all_ipv4() -> Self {
        Self(IpNet::V4(Ipv4Net::default()))
    }

    /// The network of `length` bits around `address`, or `None` if the family has fewer bits than that.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let net = IpNet::new(address, length).ok()?.trunc();
        match net {
            IpNet::V6(v6) if length >= 96 => match v6.network().to_ipv4_mapped() {
                Some(v4) => Self::new(IpAddr::V4(v4), length - 96),
                None => Some(Self(net)),
            },
            _ => Some(Self(net)),
        }
    }

    /// The same of an IPv4 address.
    fn of_ipv4(address: Ipv4Addr, length: u8) -> Option<Self> {
        Ipv4Net::new(address, length).ok().map(|net| Self(net.trunc().into()))
    }

    /// The same where the host bits of `network` are zero already.
    pub fn of_ipv4_network(network: Ipv4Addr, length: u8) -> Option<Self> {
        let net = Ipv4Net::new(network, length).ok()?;
        debug_assert_eq!(net, net.trunc());
        Some(Self(net.into()))
    }

    /// The lowest address.
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// The number of fixed bits: up to 32 for IPv4, up to 128 for IPv6.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length, not a size")]
    pub fn len(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether this is one address.
    pub fn is_host(self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }

    /// Whether this is IPv4.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// Whether `address` lies inside.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether all of `other` lies inside; every prefix covers itself.
    pub fn covers(self, other: Self) -> bool {
        let is_wider = self.len() <= other.len();
        match (self.0, other.0) {
            (IpNet::V4(net), IpNet::V4(other)) => {
                let differing = net.addr().to_bits() ^ other.addr().to_bits();
                is_wider && differing & net.netmask().to_bits() == 0
            }
            (IpNet::V6(net), IpNet::V6(other)) => {
                let differing = net.addr().to_bits() ^ other.addr().to_bits();
                is_wider && differing & net.netmask().to_bits() == 0
            }
            _ => false,
        }
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The enclosing prefix of `ipv4` or `ipv6` bits by family; itself where it is already as wide.
    pub fn widen(self, ipv4: u8, ipv6: u8) -> Self {
        let length = if self.is_ipv4() { ipv4 } else { ipv6 };
        if length >= self.len() { self } else { Self::new(self.address(), length).unwrap_or(self) }
    }

    /// The lowest address as a number and the length in 128 bits: IPv4 is IPv4-mapped IPv6.
    pub fn to_number(self) -> (u128, u8) {
        match self.0 {
            IpNet::V4(net) => (MAPPED | u128::from(net.addr().to_bits()), net.prefix_len() + 96),
            IpNet::V6(net) => (net.addr().to_bits(), net.prefix_len()),
        }
    }

    /// The first and the last address as numbers; those of IPv4 are the IPv4-mapped ones of IPv6.
    pub fn bounds(self) -> (u128, u128) {
        let (first, length) = self.to_number();
        (first, first | u128::MAX.checked_shr(length.into()).unwrap_or(0))
    }

    /// The 16-byte form stored in SQLite: [`Self::to_number`].
    pub fn to_bytes(self) -> ([u8; 16], u8) {
        let (number, length) = self.to_number();
        (number.to_be_bytes(), length)
    }

    /// Reads what [`Prefix::to_bytes`] wrote; `None` if the length is over 128.
    pub fn from_bytes(address: [u8; 16], length: u8) -> Option<Self> {
        // At a start this is done for millions, most of them IPv4.
        match (Ipv6Addr::from(address).to_ipv4_mapped(), length.checked_sub(96)) {
            (Some(address), Some(length)) => Self::of_ipv4(address, length),
            _ => Self::new(IpAddr::V6(Ipv6Addr::from(address)), length),
        }
    }

    /// The network as `ipnet` has it.
    pub fn net(self) -> IpNet {
        self.0
    }
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        Self::new(net.addr(), net.prefix_len()).unwrap_or_else(|| Self(net.trunc()))
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self::host(address)
    }
}

impl From<Ipv4Addr> for Prefix {
    fn from(address: Ipv4Addr) -> Self {
        Self::host(address.into())
    }
}

impl From<Ipv6Addr> for Prefix {
    fn from(address: Ipv6Addr) -> Self {
        Self::host(address.into())
    }
}

/// Reads an address or a CIDR; host bits may be set and are cleared.
impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::host(address));
        }
        text.parse::<IpNet>().map(Self::from).map_err(|_| ParsePrefixError(text.to_owned()))
    }
}

impl TryFrom<String> for Prefix {
    type Error = ParsePrefixError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

/// An address as itself, a network as CIDR.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { fmt::Display::fmt(&self.address(), f) } else { fmt::Display::fmt(&self.0, f) }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, shown: &str) {
        let prefix: Prefix = written.parse().unwrap();
        assert_eq!(prefix.to_string(), shown, "{written}");
        let (bytes, length) = prefix.to_bytes();
        assert_eq!(Prefix::from_bytes(bytes, length), Some(prefix), "{written}");
    }

    #[test]
    fn prefixes_have_one_form() {
        check("192.0.2.1", "192.0.2.1");
        check("192.0.2.1/32", "192.0.2.1");
        check("192.0.2.77/24", "192.0.2.0/24");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("::ffff:192.0.2.1/120", "192.0.2.0/24");
        check("2001:DB8::1", "2001:db8::1");
        check("2001:db8::1/64", "2001:db8::/64");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("::/0", "::/0");
        for wrong in ["", "192.0.2", "192.0.2.1/33", "2001:db8::/129", "host.example", "192.0.2.01"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn widening_never_narrows() {
        let host: Prefix = "192.0.2.77".parse().unwrap();
        assert_eq!(host.widen(24, 64).to_string(), "192.0.2.0/24");
        let wide: Prefix = "192.0.0.0/16".parse().unwrap();
        assert_eq!(wide.widen(24, 64), wide);
        let six: Prefix = "2001:db8:1:2:3::4".parse().unwrap();
        assert_eq!(six.widen(24, 64).to_string(), "2001:db8:1:2::/64");
    }
}
