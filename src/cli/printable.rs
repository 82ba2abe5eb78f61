//! What strangers wrote, made fit for a terminal: log lines, user names, notes and reasons go in, text that can only be
//! read comes out.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with its control characters escaped, such as `\x1b`, which a terminal would obey, and those that cannot be seen or
/// turn the order of others around, such as `\u{202e}`, by which it would read as something else.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            _ if !is_hidden(c) => write!(shown, "{c}"),
            '\0'..='\u{ff}' => write!(shown, "\\x{:02x}", u32::from(c)),
            _ => write!(shown, "\\u{{{:x}}}", u32::from(c)),
        };
    }
    shown.into()
}

/// Control characters; of the others those of UAX #9 that order text anew, line ends, and what has no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
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
            ("1.2.0.291\u{202e}gnol\u{2069}", "1.2.0.291\\u{202e}gnol\\u{2069}"),
            ("a\u{200b}b\u{ad}c\u{2028}", "a\\u{200b}b\\xadc\\u{2028}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
