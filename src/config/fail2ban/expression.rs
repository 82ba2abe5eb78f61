//! Numbers as fail2ban takes them, which hands them to Python: arithmetic such as `2.0 / 3`, and spans of time such as
//! `1d12h`, `1year-6mo` or `-1`.

use super::super::duration;
use super::parser::is_space;
use crate::jail::Formula;

/// The abbreviations that only fail2ban knows, and what they stand for.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("ss", "s"),
    ("se", "s"),
    ("mm", "m"),
    ("mi", "m"),
    ("hh", "h"),
    ("ho", "h"),
    ("hou", "h"),
    ("dd", "d"),
    ("da", "d"),
    ("ww", "w"),
    ("we", "w"),
    ("wee", "w"),
    ("yy", "y"),
    ("ye", "y"),
    ("yea", "y"),
];

/// A whole number as Python's `int` reads it.
pub(super) fn integer(written: &str) -> Option<i64> {
    let digits = written.trim_matches(is_space);
    let is_odd = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    if is_odd { None } else { digits.replace('_', "").parse().ok() }
}

/// The seconds of a span of time. Units follow numbers; what stands side by side is added.
pub fn seconds(written: &str) -> Result<f64, String> {
    let mut expression = String::new();
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            expression.push_str(&unit(&rest[..end], &expression)?);
            rest = &rest[end..];
            // `1h30` is `1h 30`.
            if rest.starts_with(|c: char| c.is_ascii_digit()) {
                expression.push('+');
            }
        } else if is_space(c) {
            let next = rest.trim_start_matches(is_space);
            let joins = expression.ends_with(|c: char| c.is_ascii_digit());
            expression.push(if joins && next.starts_with(|c: char| c.is_ascii_digit()) { '+' } else { ' ' });
            rest = next;
        } else {
            expression.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    arithmetic(&expression)
}

fn unit(name: &str, before: &str) -> Result<String, String> {
    let lower = name.to_lowercase();
    let meant = ABBREVIATIONS.iter().find(|(short, _)| *short == lower).map_or(&*lower, |(_, unit)| *unit);
    let follows = before.ends_with(|c: char| c.is_ascii_digit() || c == ' ');
    match duration::unit_seconds(meant) {
        Ok(seconds) if follows => Ok(format!("*{seconds}")),
        Ok(_) => Err(format!("`{name}` follows no number")),
        Err(_) => Err(format!("`{name}` is no unit of time: use s, m, h, d, w, mo or y")),
    }
}

/// The value of an expression of Python's that names nothing: `2.0 / 3`.
pub(super) fn arithmetic(written: &str) -> Result<f64, String> {
    Formula::constant(written).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_python_makes_of_them() {
        for (written, expected) in [
            ("600", 600.0),
            ("-1", -1.0),
            ("10m", 600.0),
            ("10M", 600.0),
            ("1d12h30m", 131_400.0),
            ("1h30", 3630.0),
            ("1 h 30 min 5", 5405.0),
            ("1year-6mo", 15_778_800.0),
            ("1year - 6 months", 15_778_800.0),
            ("1.5h", 5400.0),
            ("2*3d", 518_400.0),
            ("(1 + 1) * 60", 120.0),
            ("60*60*24", 86_400.0),
            ("1da 1wee 1ww 1yea", 86_400.0 + 2.0 * 604_800.0 + 31_557_600.0),
        ] {
            assert_eq!(seconds(written), Ok(expected), "{written}");
        }
        for wrong in ["", "h", "1x", "1h2x", "1 2h 3 )", "m5", "__import__('os')", "1/0", "1e5"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn factors_are_arithmetic() {
        for (written, expected) in [
            ("1", 1.0),
            ("2.0 / 2.885385", 2.0 / 2.885385),
            ("-2**2", -4.0),
            ("2**-1", 0.5),
            ("2**3**2", 512.0),
            ("7 // 2 + 7 % 4", 6.0),
            ("1e-1*10", 1.0),
            (".5", 0.5),
        ] {
            assert_eq!(arithmetic(written), Ok(expected), "{written}");
        }
        for wrong in ["", "x", "1 1", "ban.Time", "(1", "1..2", &"(".repeat(10_000), &"-".repeat(10_000)] {
            assert!(arithmetic(wrong).is_err(), "{wrong:.10}");
        }
    }

    #[test]
    fn numbers_are_whole() {
        for (written, expected) in
            [("5", Some(5)), (" +5 ", Some(5)), ("-1", Some(-1)), ("1_000", Some(1000))]
        {
            assert_eq!(integer(written), expected, "{written}");
        }
        for wrong in ["", "5.0", "_5", "5__0", "5m"] {
            assert_eq!(integer(wrong), None, "{wrong}");
        }
    }
}
