//! The address in a line: the regular expressions of its tags, and what a match of them is worth.

use std::net::IpAddr;
use std::ops::Range;

/// `<HOST>` and `<ADDR>`: an address of either family, with or without brackets.
pub(super) fn any(group: &str) -> String {
    tag(group, &format!("{}|{V4}", v6_text()))
}

/// `<IP4>`: an IPv4 address, which may be written as an IPv6 one.
pub(super) fn v4(group: &str) -> String {
    tag(group, &format!("(?:::[fF]{{4}}:)?{V4}"))
}

/// `<IP6>`: an IPv6 address.
pub(super) fn v6(group: &str) -> String {
    tag(group, &v6_text())
}

/// The shape of an IPv4 address; whether its octets are in range shows when it is parsed.
const V4: &str = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}";

/// The shape of an IPv6 address (RFC 4291, section 2.2): eight groups, or `::` in place of some. A time of day is
/// neither.
fn v6_text() -> String {
    const H: &str = "[0-9a-fA-F]{1,4}";
    format!("(?:{H}:){{7}}{H}|(?:{H}:){{6}}{V4}|(?:(?:{H}:){{1,7}}|:):(?:(?:{H}:){{0,6}}(?:{V4}|{H}))?")
}

/// The address goes into `group`; a zone id (`%eth0`) is passed over. Word boundaries keep a match from beginning
/// or ending inside a number; they are ASCII ones, as Unicode ones leave the fast path of the matcher.
fn tag(group: &str, address: &str) -> String {
    format!(
        r"(?-xUi:\[?(?P<{group}>(?-u:\b{{start-half}})(?:{address})(?-u:\b{{end-half}}))(?:%[0-9A-Za-z_.-]{{1,15}})?\]?)"
    )
}

/// No address is written longer than this; a longer run of its characters is none.
const LONGEST: usize = 64;

/// The address in `span` of `text`, unless it is none or is only a part of a longer one.
///
/// The octets of IPv4 may not have leading zeros, since their readers do not agree on what those mean. An IPv4
/// address written as IPv6 is the IPv4 address.
pub(super) fn read(text: &str, span: Range<usize>) -> Option<IpAddr> {
    let address = parse(&text[span.clone()])?;
    let run = run(text.as_bytes(), &span)?;
    (run == span || !is_part(text, &span, run)).then_some(address)
}

fn parse(text: &str) -> Option<IpAddr> {
    Some(plain(text)?.to_canonical())
}

/// The address that `text` is. Most are IPv4, for which the general reader takes many times as long.
pub(super) fn plain(text: &str) -> Option<IpAddr> {
    octets(text.as_bytes()).map(IpAddr::from).or_else(|| text.parse().ok())
}

/// Four numbers of up to three digits; `None` for everything in which anything is unusual.
fn octets(text: &[u8]) -> Option<[u8; 4]> {
    let (mut octets, mut numbers) = ([0; 4], text.split(|&byte| byte == b'.'));
    for octet in &mut octets {
        *octet = match numbers.next()? {
            digits @ ([_] | [b'1'..=b'9', _] | [b'1' | b'2', _, _]) => decimal(digits)?,
            _ => return None,
        };
    }
    numbers.next().is_none().then_some(octets)
}

fn decimal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0u8, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The unbroken run of characters of addresses around `span`; none if it is too long for one.
fn run(bytes: &[u8], span: &Range<usize>) -> Option<Range<usize>> {
    let inside = |byte: &&u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let before = bytes[..span.start].iter().rev().take(LONGEST).take_while(inside).count();
    let after = bytes[span.end..].iter().take(LONGEST).take_while(inside).count();
    (before < LONGEST && after < LONGEST).then_some(span.start - before..span.end + after)
}

/// Whether the match in `span` was cut out of a longer number or address within `run`.
///
/// The match may have neighbours that belong to the sentence (`ip:2001:db8::1: bad`), so the run counts as a
/// longer address only if it reads as one, with or without a colon or full stop at either end.
fn is_part(text: &str, span: &Range<usize>, run: Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let dotted =
        |dot: Option<&u8>, digit: Option<&u8>| dot == Some(&b'.') && digit.is_some_and(u8::is_ascii_digit);
    let before = |distance: usize| span.start.checked_sub(distance).map(|at| &bytes[at]);
    if dotted(before(1), before(2)) || dotted(bytes.get(span.end), bytes.get(span.end + 1)) {
        return true;
    }
    let starts = [run.start, run.start + 1];
    let ends = [run.end, run.end - 1];
    starts.iter().any(|&start| ends.iter().any(|&end| is_longer(text, span, start..end)))
}

fn is_longer(text: &str, span: &Range<usize>, run: Range<usize>) -> bool {
    let word = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    run.start <= span.start
        && run.end >= span.end
        && run != *span
        && !word(run.start.checked_sub(1).map(|at| &bytes[at]))
        && !word(bytes.get(run.end))
        && parse(&text[run]).is_some()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::plain;

    proptest! {
        #[test]
        fn addresses_are_read_as_the_standard_library_reads_them(
            text in prop_oneof![
                any::<IpAddr>().prop_map(|address| address.to_string()),
                "([0-9]{1,3}\\.){2,4}[0-9]{0,3}",
                "[0-9a-f.:+/ -]{0,16}",
            ],
        ) {
            prop_assert_eq!(plain(&text), text.parse().ok(), "{}", text);
        }
    }
}
