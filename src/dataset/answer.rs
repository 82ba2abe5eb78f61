//! What data sets are asked, and what they answer.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use smallvec::SmallVec;

use super::labels::{Labels, NAME_SPACE};
use super::value::Text;
use crate::clock::Timestamp;
use crate::ip::{Prefix, Reversed, leading_nibbles, read_reversed};

/// A name below the origin of a zone.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The labels in small letters, from left to right.
    labels: Labels<'a>,
    /// What they mean as a reversed address.
    reversed: Option<Reversed>,
    now: Timestamp,
    has_key: bool,
}

impl<'a> Asked<'a> {
    /// These labels before the origin, in small letters and from left to right; none is the zone itself. `reversed` is what
    /// [`read_reversed`] says of them.
    pub fn new(labels: Labels<'a>, reversed: Option<Reversed>) -> Self {
        Self { labels, reversed, now: Timestamp::default(), has_key: false }
    }

    /// The name of `address`, for data sets [of addresses](super::DataSet::is_of_addresses): it has no labels.
    pub fn of_address(address: IpAddr) -> Self {
        Self::new(Labels::new(&[0; NAME_SPACE], &[]), Some(Reversed::Address(address)))
    }

    /// The same at this time.
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// The same by somebody who has shown a key, or not.
    pub fn with_key(self, has_key: bool) -> Self {
        Self { has_key, ..self }
    }

    /// When it is asked.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether who asks has shown a key.
    pub(super) fn has_key(&self) -> bool {
        self.has_key
    }

    /// Other labels, asked by the same at the same time.
    fn of(&self, labels: Labels<'a>) -> Self {
        Self { labels, reversed: read_reversed(labels.iter()), ..*self }
    }

    /// The labels from left to right.
    pub(super) fn labels(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + use<'a> {
        self.labels.iter()
    }

    /// Whether this is the zone itself.
    pub(super) fn is_apex(&self) -> bool {
        self.labels.is_empty()
    }

    /// Whether it is the zone `inner` in this one, or below that. `inner` are labels from left to right.
    pub(super) fn is_below(&self, inner: &[Box<[u8]>]) -> bool {
        let count = self.labels.len().checked_sub(inner.len());
        let is_inner = |count| self.labels.behind(count).iter().eq(inner.iter().map(|label| &**label));
        count.is_some_and(is_inner)
    }

    /// The same name below the zone `inner`, if [it is there](Self::is_below).
    pub(super) fn below(&self, inner: &[Box<[u8]>]) -> Option<Self> {
        let labels = || self.labels.first(self.labels.len() - inner.len());
        self.is_below(inner).then(|| self.of(labels()))
    }

    /// The address that the name stands for.
    pub fn address(&self) -> Option<IpAddr> {
        match self.reversed? {
            Reversed::Address(address) => Some(address),
            Reversed::Partial { .. } => None,
        }
    }

    /// The IPv4 address that the name stands for, by itself or inside an IPv6 address: `::ffff:192.0.2.1` is 192.0.2.1, and
    /// so is everything in 2002:c000:201::/48, which is reached through it (RFC 3056).
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        match self.address()? {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(address) => match address.segments() {
                [0x2002, high, low, ..] => Some(join(high, low)),
                [0, 0, 0, 0, 0, 0xffff, high, low] => Some(join(high, low)),
                _ => None,
            },
        }
    }

    /// Whether it stands for 127.0.0.1, which no list may have (RFC 5782, section 5).
    pub fn is_never_listed(&self) -> bool {
        self.ipv4() == Some(Ipv4Addr::LOCALHOST)
    }

    /// The networks that the name leads: all names below it stand for addresses in one of them.
    pub(super) fn networks(&self) -> (Option<Prefix>, Option<Prefix>) {
        match self.reversed {
            Some(Reversed::Partial { ipv4, ipv6 }) => (ipv4, ipv6),
            Some(Reversed::Address(IpAddr::V4(address))) => (None, leading_nibbles(address)),
            _ => (None, None),
        }
    }

    /// The IPv4 networks that the name leads, by itself or inside IPv6 addresses, from first to last.
    pub(super) fn ipv4_networks(&self) -> impl Iterator<Item = (u32, u32)> {
        let (ipv4, ipv6) = self.networks();
        let bounds = [ipv4, ipv6].into_iter().flatten().map(Prefix::bounds);
        bounds.flat_map(|(first, last)| {
            INSIDE.iter().filter_map(move |(begin, end, shift)| {
                let (first, last) = (first.max(*begin), last.min(*end));
                (first <= last).then(|| ((first >> shift) as u32, (last >> shift) as u32))
            })
        })
    }
}

/// Where there are IPv4 addresses inside IPv6 ones: from the first to the last, and how many bits stand behind the IPv4
/// address. All of IPv4 is in the first.
const INSIDE: [(u128, u128, u32); 2] =
    [(0xffff << 32, (0x1_0000 << 32) - 1, 0), (0x2002 << 112, (0x2003 << 112) - 1, 80)];

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

/// The records of an answer. Few have more than there is room for at once.
pub type Records<'a> = SmallVec<[Record<'a>; 8]>;

/// One record of an answer.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// In seconds; `None` is that of the zone.
    pub ttl: Option<u32>,
    /// What it says.
    pub data: Data<'a>,
}

/// The data of a record.
#[derive(Clone, Debug)]
pub enum Data<'a> {
    /// A.
    Address(Ipv4Addr),
    /// TXT: a text, and what it is about.
    Text(&'a Text, Subject<'a>),
    /// MX.
    Exchange {
        /// The lower, the sooner it is used.
        preference: u16,
        /// The name as it stands in a message (RFC 1035, section 3.1).
        name: &'a [u8],
    },
}

/// What is put into a text as what is listed.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The address that was asked for.
    Address(IpAddr),
    /// The entry that matches.
    Name(&'a [u8]),
}

impl Subject<'_> {
    /// Appends `text` about this to `out`.
    pub fn write(self, text: &Text, out: &mut Vec<u8>) {
        match self {
            Self::Name(name) => text.render(name, out),
            Self::Address(address) => {
                let mut shown = Shown::default();
                write!(shown, "{address}").expect("writing to memory cannot fail");
                text.render(&shown.0, out);
            }
        }
    }
}

/// An address as text. None is longer than what there is room for.
#[derive(Default)]
struct Shown(SmallVec<[u8; 46]>);

impl Write for Shown {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::LabelBuf;

    fn with_asked<T>(name: &str, look: impl FnOnce(&Asked<'_>) -> T) -> T {
        let labels = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
        let name: LabelBuf = labels.collect();
        look(&Asked::new(name.labels(), read_reversed(name.labels().iter())))
    }

    #[test]
    fn an_ipv4_address_has_names_in_ipv6() {
        let six = |text: &str| crate::ip::write_reversed(IpAddr::V6(text.parse().unwrap()));
        for (name, expected) in [
            ("1.2.0.192".to_owned(), Some("192.0.2.1")),
            (six("::ffff:192.0.2.1"), Some("192.0.2.1")),
            (six("2002:c000:201::25"), Some("192.0.2.1")),
            (six("2001:db8::1"), None),
            ("2.0.192".to_owned(), None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(with_asked(&name, |asked| asked.ipv4()), expected, "{name}");
        }
    }

    #[test]
    fn a_name_leads_networks() {
        let networks = |name: &str| -> Vec<(String, String)> {
            let shown = |(first, last)| {
                (Ipv4Addr::from_bits(first).to_string(), Ipv4Addr::from_bits(last).to_string())
            };
            with_asked(name, |asked| asked.ipv4_networks().map(shown).collect())
        };
        let one = |first: &str, last: &str| vec![(first.to_owned(), last.to_owned())];
        assert_eq!(networks("2.0.192"), one("192.0.2.0", "192.0.2.255"));
        assert_eq!(
            networks("0.c.2.0.0.2"),
            one("192.0.0.0", "192.255.255.255")
                .iter()
                .map(|_| ("192.0.0.0".to_owned(), "192.255.255.255".to_owned()))
                .collect::<Vec<_>>()
        );
        assert_eq!(networks("8.b.d.0.1.0.0.2"), vec![]);
        assert_eq!(networks("2").len(), 2, "2.0.0.0/8, and 2000::/4 in which 2002::/16 is");
    }
}
