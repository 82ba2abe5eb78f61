//! `ip6trie`: IPv6 networks inside of each other. The longest that holds an address counts, and of equal ones the first.
//! Entries may have a condition.

use super::DataSet;
use super::addresses::Addresses;
use super::builder::{Builder, Done, Problem, Reading};
use super::ranges::{Id, Range, innermost};
use super::syntax::{self, ends_key, excludes};

/// The networks read so far.
#[derive(Default)]
pub(super) struct Ip6Trie(Vec<Range<u128, Option<Id>>>);

impl Ip6Trie {
    /// Whether there is none yet.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Builder for Ip6Trie {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (excludes, written) = excludes(entry);
        let (Network { first, last, .. }, rest) = network(written, reading.options.clear_host_bits)?;
        let value = reading.value_on_condition(excludes, rest)?;
        self.0.push(Range { first, last, value });
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let count = self.0.len();
        Box::new(Addresses::of_values(innermost(self.0), count, done))
    }
}

/// An IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) length: u32,
}

/// Reads `2001:db8::/32`, `2001:db8::1`, or `2001:db8:1` for all that begin so, and gives back what stands behind.
pub(super) fn network(text: &[u8], clear_host_bits: bool) -> Result<(Network, &[u8]), Problem> {
    const NONE: &str = "it begins with no IPv6 address: write 2001:db8::1, 2001:db8::/32 or 2001:db8:1";
    let (words, rest) = Words::read(text).ok_or(NONE)?;
    let (length, rest) = match rest {
        [b'/', rest @ ..] => length(rest)?,
        _ if words.gap.is_some() => (128, rest),
        _ if words.count == 1 => return Err("a single word is no address: write 2001::/16".into()),
        _ => (16 * words.count as u32, rest),
    };
    if !ends_key(rest) {
        return Err(NONE.into());
    }
    let (address, hosts) = (words.address(), u128::MAX.checked_shr(length).unwrap_or(0));
    if address & hosts != 0 && !clear_host_bits {
        return Err("its network has host bits: clear them, or allow them with -e or clear_host_bits".into());
    }
    let first = address & !hosts;
    Ok((Network { first, last: first | hosts, length }, rest))
}

fn length(text: &[u8]) -> Result<(u32, &[u8]), Problem> {
    let (digits, rest) = text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count());
    match syntax::number(digits) {
        Some(length) if length <= 128 => Ok((length, rest)),
        _ => Err("the length of a network is 0 to 128".into()),
    }
}

/// The words of an address, as far as they are written.
struct Words {
    words: [u16; 8],
    count: usize,
    /// How many stand before `::`.
    gap: Option<usize>,
}

impl Words {
    fn read(text: &[u8]) -> Option<(Self, &[u8])> {
        let mut all = Self { words: [0; 8], count: 0, gap: None };
        let mut rest = text;
        if let Some(behind) = text.strip_prefix(b"::") {
            (all.gap, rest) = (Some(0), behind);
        }
        while let Some((word, behind)) = word(rest) {
            *all.words.get_mut(all.count)? = word;
            all.count += 1;
            rest = match behind {
                [b':', b':', next @ ..] if all.gap.is_none() && all.count < 8 => {
                    all.gap = Some(all.count);
                    next
                }
                [b':', next @ ..] if all.count < 8 && word_begins(next) => next,
                _ => {
                    rest = behind;
                    break;
                }
            };
        }
        (all.count > 0 || all.gap.is_some()).then_some((all, rest))
    }

    fn address(mut self) -> u128 {
        if let Some(gap) = self.gap {
            self.words[gap..].rotate_right(8 - self.count);
        }
        self.words.iter().fold(0, |address, word| address << 16 | u128::from(*word))
    }
}

fn word_begins(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_hexdigit)
}

/// Up to four digits in hexadecimal.
fn word(text: &[u8]) -> Option<(u16, &[u8])> {
    let end = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = text.split_at(end);
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() <= 4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn check(text: &str, expected: Option<(&str, u32, &str)>) {
        let read = network(text.as_bytes(), false).ok();
        let shown = read.map(|(network, rest)| {
            (
                Ipv6Addr::from_bits(network.first).to_string(),
                network.length,
                String::from_utf8_lossy(rest).into_owned(),
            )
        });
        assert_eq!(
            shown,
            expected.map(|(first, length, rest)| (first.to_owned(), length, rest.to_owned())),
            "{text}"
        );
    }

    #[test]
    fn networks_are_written_in_many_ways() {
        check("2001:db8::/32 x", Some(("2001:db8::", 32, " x")));
        check("2001:db8::1", Some(("2001:db8::1", 128, "")));
        check("2001:DB8:1 x", Some(("2001:db8:1::", 48, " x")));
        check("2001:db8:1/48", Some(("2001:db8:1::", 48, "")));
        check("2001:db8::/32:2:x", Some(("2001:db8::", 32, ":2:x")));
        check("1:2:3:4:5:6:7:8:2:x", Some(("1:2:3:4:5:6:7:8", 128, ":2:x")));
        check("::/0", Some(("::", 0, "")));
        check("0::1", Some(("::1", 128, "")));
        check("::1", Some(("::1", 128, "")));
        check("dead::/16", Some(("dead::", 16, "")));
        check("8/5", None);
        check("8000/1", Some(("8000::", 1, "")));
        for wrong in ["2001", "2001:db8::/129", "2001:db8::1/32", "", "x", "20011::", "192.0.2.1"] {
            check(wrong, None);
        }
    }
}
