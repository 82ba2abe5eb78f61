//! What every line of a file may be: a special one, an entry, a default value, or nothing.
//!
//! Files are bytes, not UTF-8: texts in them may be in any encoding.

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `$NAME rest`.
    Special { name: &'a [u8], rest: &'a [u8] },
    /// The value of entries without one: a colon and what stands behind it. Two colons begin an IPv6 address.
    Default(&'a [u8]),
    /// Anything else.
    Entry(&'a [u8]),
}

impl Line<'_> {
    /// Whether it lists or excludes something: it is neither special nor what entries get behind which nothing stands.
    pub(super) fn has_key(&self) -> bool {
        matches!(self, Self::Entry([first, ..]) if *first != b'=')
    }
}

/// The lines of `text` that say something, with their numbers.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, Line<'_>)> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.filter_map(|(index, line)| Some((index + 1, read(line.trim_ascii())?)))
}

fn read(line: &[u8]) -> Option<Line<'_>> {
    // Special lines may hide in comments, and be defaults to the eye.
    if let [b'$', special @ ..] | [b'#' | b';' | b':', b'$', special @ ..] = line
        && let Some(special) = read_special(special)
    {
        return Some(special);
    }
    match line {
        [] | [b'#' | b';', ..] => None,
        [b':', b':', ..] => Some(Line::Entry(line)),
        [b':', ..] => Some(Line::Default(line)),
        entry => Some(Line::Entry(entry)),
    }
}

fn read_special(line: &[u8]) -> Option<Line<'_>> {
    let end = match line {
        [b'0'..=b'9' | b'=', ..] => 1,
        [b'A'..=b'Z', ..] => line.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count(),
        _ => return None,
    };
    let (name, rest) = line.split_at(end);
    rest.first().is_none_or(u8::is_ascii_whitespace).then(|| Line::Special { name, rest: rest.trim_ascii() })
}

/// Splits off the first word.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

/// Every word.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A decimal number and nothing else.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A time span in seconds: a number, and `s`, `m`, `h`, `d` or `w` for what it counts.
pub fn seconds(text: &[u8]) -> Option<u32> {
    let unit = match text.last()? {
        b's' | b'S' => 1,
        b'm' | b'M' => 60,
        b'h' | b'H' => 60 * 60,
        b'd' | b'D' => 24 * 60 * 60,
        b'w' | b'W' => 7 * 24 * 60 * 60,
        _ => return number(text),
    };
    number(&text[..text.len() - 1])?.checked_mul(unit)
}

/// Whether an entry excludes what stands behind its exclamation mark, and that.
pub(super) fn excludes(entry: &[u8]) -> (bool, &[u8]) {
    entry.strip_prefix(b"!").map_or((false, entry), |rest| (true, rest.trim_ascii_start()))
}

/// Whether an entry's key may end before this.
pub(super) fn ends_key(rest: &[u8]) -> bool {
    rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || b":#;".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_lines_are_told_from_others() {
        let special = |name: &'static str, rest: &'static str| {
            Some(Line::Special { name: name.as_bytes(), rest: rest.as_bytes() })
        };
        for (line, expected) in [
            ("", None),
            ("# comment", None),
            ("; comment", None),
            ("#$ comment", None),
            ("$TTL 1h", special("TTL", "1h")),
            ("#$SOA 0 a. b.", special("SOA", "0 a. b.")),
            (";$NS", special("NS", "")),
            (":$TTL 5", special("TTL", "5")),
            ("$1 text  of it", special("1", "text  of it")),
            ("$= base $=", special("=", "base $=")),
            (":2:$ is listed", Some(Line::Default(b":2:$ is listed"))),
            ("::/0 text", Some(Line::Entry(b"::/0 text"))),
            ("192.0.2.1 x", Some(Line::Entry(b"192.0.2.1 x"))),
            ("$ttl 5", Some(Line::Entry(b"$ttl 5"))),
        ] {
            assert_eq!(read(line.as_bytes()), expected, "{line}");
        }
        let text = b"one\r\n\n  two \xe9\r\n# three\nfour";
        let all: Vec<_> = lines(text).collect();
        let entry = |text: &'static [u8]| Line::Entry(text);
        assert_eq!(all, [(1, entry(b"one")), (3, entry(b"two \xe9")), (5, entry(b"four"))]);
    }

    #[test]
    fn spans_have_units() {
        for (text, expected) in [
            ("35m", Some(2100)),
            ("1H", Some(3600)),
            ("2d", Some(172_800)),
            ("1w", Some(604_800)),
            ("10s", Some(10)),
            ("7", Some(7)),
            ("m", None),
            ("", None),
            ("-1", None),
            ("1h30m", None),
            ("9999999w", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }
}
