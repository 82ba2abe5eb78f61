//! IPv4 addresses, networks and ranges as files have them.

use super::builder::{Problem, Reading};
use super::syntax::{ends_key, excludes};

/// The key of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) first: u32,
    pub(super) last: u32,
    /// It was written as a range, `192.0.2.1-192.0.2.9`, not as a network.
    pub(super) is_range: bool,
}

/// An entry: whether it excludes, its key, and what stands behind it.
pub(super) type Entry<'a> = (bool, Key, &'a [u8]);

/// Reads the key of an entry.
pub(super) fn entry<'a>(entry: &'a [u8], reading: &Reading) -> Result<Entry<'a>, Problem> {
    let (excludes, written) = excludes(entry);
    let (key, rest) = key(written, reading.options.clear_host_bits)?;
    let addresses = u64::from(key.last) - u64::from(key.first) + 1;
    match reading.max_range {
        Some(most) if addresses > most => {
            Err(format!("it has {addresses} addresses, and $MAXRANGE4 allows {most}").into())
        }
        _ => Ok((excludes, key, rest)),
    }
}

/// Reads `192.0.2.1`, `192.0.2` for all that begin so, `192.0.2.0/24`, `192.0/16`, `192.0.2.1-192.0.2.9` or `192.0.2.1-9`, and
/// gives back what stands behind.
pub(super) fn key(text: &[u8], clear_host_bits: bool) -> Result<(Key, &[u8]), Problem> {
    const NONE: &str = "it begins with no IPv4 address: write 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-9";
    let (octets, rest) = octets(text).ok_or(NONE)?;
    let (key, rest) = match rest {
        [b'/', rest @ ..] => network(octets, rest, clear_host_bits)?,
        [b'-', rest @ ..] => range(octets, rest)?,
        _ if octets.count == 1 => {
            return Err("a single number is no address: write 192.0.0.0/8 or 192/8".into());
        }
        _ => (Key { first: octets.first(), last: octets.last(), is_range: false }, rest),
    };
    if ends_key(rest) { Ok((key, rest)) } else { Err(NONE.into()) }
}

/// The octets that an address begins with.
#[derive(Clone, Copy)]
struct Octets {
    octets: [u8; 4],
    count: usize,
}

impl Octets {
    /// The first address that begins so.
    fn first(self) -> u32 {
        u32::from_be_bytes(self.octets)
    }

    /// The last one.
    fn last(self) -> u32 {
        self.first() | u32::MAX.checked_shr(8 * self.count as u32).unwrap_or(0)
    }
}

fn octets(text: &[u8]) -> Option<(Octets, &[u8])> {
    let mut octets = Octets { octets: [0; 4], count: 0 };
    let mut rest = text;
    loop {
        let (octet, behind) = number(rest)?;
        *octets.octets.get_mut(octets.count)? = u8::try_from(octet).ok()?;
        octets.count += 1;
        match behind {
            [b'.', next @ ..] if octets.count < 4 => rest = next,
            _ => return Some((octets, behind)),
        }
    }
}

/// Up to three digits.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(end);
    if end > 3 { None } else { Some((super::syntax::number(digits)?, rest)) }
}

fn network(octets: Octets, rest: &[u8], clear_host_bits: bool) -> Result<(Key, &[u8]), Problem> {
    let (length, rest) =
        number(rest).filter(|(length, _)| *length <= 32).ok_or("the length of a network is 0 to 32")?;
    let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
    if octets.first() & hosts != 0 && !clear_host_bits {
        return Err("its network has host bits: clear them, or allow them with -e or clear_host_bits".into());
    }
    let first = octets.first() & !hosts;
    Ok((Key { first, last: first | hosts, is_range: false }, rest))
}

/// The right side has as many octets as the left one, or one, which stands for the last of the left one.
fn range(left: Octets, rest: &[u8]) -> Result<(Key, &[u8]), Problem> {
    let (mut right, rest) = octets(rest).ok_or("there is no address behind the hyphen")?;
    if right.count == 1 && left.count > 1 {
        let last = right.octets[0];
        right = left;
        right.octets[left.count - 1] = last;
    }
    if right.count != left.count {
        return Err("both sides of a range have as many numbers, or the right one has one".into());
    }
    let key = Key { first: left.first(), last: right.last(), is_range: true };
    if key.first <= key.last { Ok((key, rest)) } else { Err("the range ends before it begins".into()) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn check(text: &str, expected: Option<(&str, &str, &str)>) {
        let read = key(text.as_bytes(), false).ok();
        let shown = read.map(|(key, rest)| {
            let rest = String::from_utf8_lossy(rest).into_owned();
            (Ipv4Addr::from_bits(key.first).to_string(), Ipv4Addr::from_bits(key.last).to_string(), rest)
        });
        let expected =
            expected.map(|(first, last, rest)| (first.to_owned(), last.to_owned(), rest.to_owned()));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn keys_are_written_in_many_ways() {
        check("192.0.2.1 x", Some(("192.0.2.1", "192.0.2.1", " x")));
        check("192.0.2.1:127.0.0.9:x", Some(("192.0.2.1", "192.0.2.1", ":127.0.0.9:x")));
        check("192.0.2", Some(("192.0.2.0", "192.0.2.255", "")));
        check("192.0", Some(("192.0.0.0", "192.0.255.255", "")));
        check("192/8#x", Some(("192.0.0.0", "192.255.255.255", "#x")));
        check("0/0", Some(("0.0.0.0", "255.255.255.255", "")));
        check("192.0.2.128/25", Some(("192.0.2.128", "192.0.2.255", "")));
        check("127.16-127.31", Some(("127.16.0.0", "127.31.255.255", "")));
        check("127.16-31", Some(("127.16.0.0", "127.31.255.255", "")));
        check("192.0.2.4-7", Some(("192.0.2.4", "192.0.2.7", "")));
        check("192.0.2-4", Some(("192.0.2.0", "192.0.4.255", "")));
        check("192.0.2.250-192.0.3.5", Some(("192.0.2.250", "192.0.3.5", "")));
        for wrong in [
            "192",
            "192.0.2.256",
            "192.0.2.1.5",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.9-4",
            "192.0-192.0.2.1",
            "192.0.2.x",
            "192.0.2.",
            "",
            "x",
            "1922.0.2.1",
            "192.0.2.1x",
        ] {
            check(wrong, None);
        }
        assert_eq!(key(b"192.0.2.1/24", true).unwrap().0.first, u32::from_be_bytes([192, 0, 2, 0]));
    }
}
