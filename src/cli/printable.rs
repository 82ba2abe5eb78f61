//! What strangers wrote, made fit for a terminal: log lines, user names, notes and reasons go in, text that can only be
//! read comes out.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with its control characters escaped, such as `\x1b`: a terminal would obey them.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\x{:02x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_are_escaped() {
        for (text, shown) in [
            ("", ""),
            ("Zürich \\x41 日本", "Zürich \\x41 日本"),
            ("\u{1b}[2Jbad\u{7}", "\\x1b[2Jbad\\x07"),
            ("a\tb\r\nc\0", "a\\x09b\\x0d\\x0ac\\x00"),
            // C1: in one character what ESC [ is in two.
            ("\u{7f}\u{9b}31m", "\\x7f\\x9b31m"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
