//! How a pattern is bound to the words of a line, and which part of it is cut out.
//!
//! In comes a regular expression in Python's syntax; out goes one that begins and ends where a word does, or at
//! the start of the line, and whose first group is the date. `**` at either end leaves that end unbound.

/// What a date begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Anywhere.
    Free,
    /// Not inside of a word.
    Word,
    /// The line, or up to two characters behind its start that are no part of a word.
    Line,
}

/// A bound regular expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounded {
    pub(super) regex: String,
    /// It got the start of a line as its bound.
    pub(super) at_line: bool,
    /// It fits at the start of a line only.
    pub(super) begins_line: bool,
    /// It fits at the end of a line only.
    pub(super) ends_line: bool,
}

/// Before a word, or between characters that are none.
pub(super) const WORD_BEGINS: &str = r"(?=^|\b|\W)";
/// Behind a word, or between characters that are none.
pub(super) const WORD_ENDS: &str = r"(?=\b|\W|$)";
/// The start of a line and what may stand before its date.
pub(super) const LINE_BEGINS: &str = r"^(?:\W{0,2})?";

/// Binds `written` at its beginning as `begin` says and, if `word_end`, to the end of a word.
pub(super) fn bind(written: &str, begin: Begin, word_end: bool) -> Bounded {
    let (flags, mut regex) = without_flags(written.trim());
    let begin = if opens_unbound(&regex) { Begin::Free } else { begin };
    let word_end = word_end && !closes_unbound(&regex);
    if !has_group(&regex) {
        regex = grouped(&regex);
    }
    let prefix = match begin {
        Begin::Free => "",
        Begin::Word => WORD_BEGINS,
        Begin::Line => LINE_BEGINS,
    };
    let suffix = if word_end { WORD_ENDS } else { "" };
    regex = format!("{prefix}{regex}{suffix}");
    let at_line = begin == Begin::Line;
    let (begins_line, ends_line) = (at_line || opens_line(&regex), closes_line(&regex));
    let regex = format!("{flags}{}", without_marks(&regex));
    Bounded { regex, at_line, begins_line, ends_line }
}

/// The first group of flags such as `(?i)`, which Python wants at the very front, and the rest.
fn without_flags(regex: &str) -> (&str, String) {
    for (start, _) in regex.match_indices("(?") {
        let letters = regex[start + 2..].bytes().take_while(u8::is_ascii_lowercase).count();
        let end = start + 2 + letters;
        if letters > 0 && regex[end..].starts_with(')') {
            return (&regex[start..=end], format!("{}{}", &regex[..start], &regex[end + 1..]));
        }
    }
    ("", regex.to_owned())
}

/// What follows a group of flags, if `regex` begins with one.
fn behind_flags(regex: &str) -> Option<&str> {
    let letters = regex.strip_prefix("(?")?;
    let rest = letters.trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_');
    if rest.len() == letters.len() { None } else { rest.strip_prefix(')') }
}

/// How many bytes the groups of flags at the beginning take.
pub(super) fn flags_length(regex: &str) -> usize {
    let mut rest = regex;
    while let Some(behind) = behind_flags(rest) {
        rest = behind;
    }
    regex.len() - rest.len()
}

/// Whether `^` or `**` stands at the beginning, with or without groups opening before it.
fn opens_unbound(regex: &str) -> bool {
    let inside = regex.trim_start_matches('(');
    let parens = regex.len() - inside.len();
    if inside.starts_with('^') || inside.starts_with("**") || (parens > 0 && inside.starts_with("?:^")) {
        return true;
    }
    let rest = if parens > 0 { behind_flags(&regex[parens - 1..]) } else { None };
    rest.is_some_and(|rest| {
        let group = rest.strip_prefix('(').map(|rest| rest.strip_prefix("?:").unwrap_or(rest));
        rest.starts_with('^')
            || rest.trim_start_matches('(').starts_with("**")
            || group.is_some_and(|group| group.starts_with('^'))
    })
}

/// Whether `$`, `\b`, `\s` or `**` stands at the end, as such and not as a character.
fn closes_unbound(regex: &str) -> bool {
    let marks = regex.trim_end_matches(')');
    let before = [
        regex.strip_suffix("$)").or_else(|| regex.strip_suffix('$')),
        regex.strip_suffix(r"\b"),
        regex.strip_suffix(r"\s"),
        marks.strip_suffix("**"),
    ];
    before.into_iter().flatten().any(|before| !before.ends_with('\\'))
}

/// Whether there is a group with a number only.
fn has_group(regex: &str) -> bool {
    regex.match_indices('(').any(|(at, _)| {
        let before = &regex[..at];
        !before.ends_with("(?") && !before.ends_with('\\') && !regex[at + 1..].starts_with('?')
    })
}

/// All but the anchors in a group.
fn grouped(regex: &str) -> String {
    let body = behind_flags(regex).unwrap_or(regex);
    let body = body.strip_prefix('^').unwrap_or(body);
    let body = behind_flags(body).unwrap_or(body);
    let head = &regex[..regex.len() - body.len()];
    match body.strip_suffix('$') {
        Some(body) => format!("{head}({body})$"),
        None => format!("{head}({body})"),
    }
}

fn opens_line(regex: &str) -> bool {
    let regex = behind_flags(regex).unwrap_or(regex);
    let group = regex.strip_prefix('(').map(|group| group.strip_prefix("?:").unwrap_or(group));
    let alone = group.and_then(|group| group.strip_prefix('^')).is_some_and(|rest| !rest.starts_with('|'));
    regex.starts_with('^') || alone
}

fn closes_line(regex: &str) -> bool {
    let before = regex.strip_suffix("$)").or_else(|| regex.strip_suffix('$'));
    before.is_some_and(|before| !before.ends_with(['\\', '|']))
}

/// Takes `**` away from both ends.
fn without_marks(regex: &str) -> String {
    let mut regex = regex.to_owned();
    if let Some(at) = leading_mark(&regex) {
        regex.replace_range(at..at + 2, "");
    }
    let marks = regex.trim_end_matches(')').len();
    if let Some(before) = regex[..marks].strip_suffix("**")
        && !before.ends_with('\\')
    {
        let at = before.len();
        regex.replace_range(at..at + 2, "");
    }
    regex
}

fn leading_mark(regex: &str) -> Option<usize> {
    let inside = regex.trim_start_matches('(');
    let parens = regex.len() - inside.len();
    let starts = [Some(inside), if parens > 0 { behind_flags(&regex[parens - 1..]) } else { None }];
    let inside = starts.into_iter().flatten().map(|rest| rest.trim_start_matches('('));
    inside.filter(|rest| rest.starts_with("**")).map(|rest| regex.len() - rest.len()).next()
}
