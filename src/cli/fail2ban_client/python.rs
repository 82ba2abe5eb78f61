//! What fail2ban-client prints as Python shows it, and the spans of time that it has Python compute.

use std::fmt;

use crate::config::fail2ban;

/// A string as Python's `repr` shows it.
pub(super) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == quote => {
                shown.push('\\');
                shown.push(c);
            }
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}

/// Strings as a Python list.
pub(super) fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| repr(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// A truth value as Python has it.
pub(super) fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A number of seconds, which Python may have computed as a float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seconds {
    value: f64,
    is_float: bool,
}

impl Seconds {
    /// Cut to an integer.
    pub(super) fn whole(self) -> i64 {
        self.value as i64
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_float { write!(f, "{:?}", self.value) } else { write!(f, "{}", self.value) }
    }
}

/// Reads a span of time as fail2ban has Python compute it.
pub(super) fn seconds(written: &str) -> Result<Seconds, String> {
    Ok(Seconds { value: fail2ban::seconds(written)?, is_float: is_float(written) })
}

/// Fractions and quotients are floats, and so are years of 365.25 days and months, which are their twelfth.
fn is_float(written: &str) -> bool {
    let written = written.to_lowercase();
    let unit = |word: &str| word.starts_with('y') || word.starts_with("mo");
    let mut words = written.split(|c: char| !c.is_ascii_alphabetic());
    written.contains('.') || written.replace("//", "").contains('/') || words.any(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_shown_as_python_does() {
        for (text, shown) in [
            ("sshd", "'sshd'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("a\\b\n\u{1b}é", "'a\\\\b\\n\\x1bé'"),
        ] {
            assert_eq!(repr(text), shown);
        }
        assert_eq!(list(["a", "b"]), "['a', 'b']");
        assert_eq!(list::<&str>([]), "[]");
    }

    #[test]
    fn spans_of_time_are_computed_as_python_does() {
        for (written, shown) in [
            ("600", "600"),
            ("1d12h", "129600"),
            ("1d 12h", "129600"),
            ("1 day + 12h", "129600"),
            ("1.5h", "5400.0"),
            ("1year-6mo", "15778800.0"),
            ("-1", "-1"),
            ("2h-30m", "5400"),
            ("2*1h", "7200"),
            ("1h/2", "1800.0"),
        ] {
            assert_eq!(seconds(written).unwrap().to_string(), shown, "{written}");
        }
        for wrong in ["", "x", "-", "1h+"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
