//! The last lines of a log, for patterns that stretch over several.

use serde::{Deserialize, Serialize};

use crate::filter::Line;

/// Up to so many bytes of a line are kept, so that nobody's lines fill the memory.
const LONGEST: usize = 16 * 1024;

/// No filter needs more lines at once.
pub(super) const MOST_LINES: usize = 1000;

/// So many bytes of lines are looked at together, whatever their number.
const MOST_BYTES: usize = 256 * 1024;

/// The lines that are looked at together, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) lines: Vec<Kept>,
    changed: bool,
}

/// A line in the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    text: String,
    whole: String,
}

impl Kept {
    /// The line as it stands in the log.
    pub(super) fn into_whole(self) -> String {
        self.whole
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

impl Window {
    /// Nothing but this text.
    pub(super) fn of(text: &str) -> Self {
        Self { lines: vec![Kept { text: cut(text), whole: cut(text) }], changed: true }
    }

    /// Takes in a line, and lets go of the oldest if there are more than `most` or they are too long together.
    pub(super) fn push(&mut self, line: Line<'_>, most: usize) {
        self.changed = true;
        self.lines.push(Kept { text: cut(line.text), whole: cut(line.whole) });
        let old = self.lines.len().saturating_sub(most);
        self.lines.drain(..old);
        let mut bytes = 0;
        let kept = self.lines.iter().rev().take_while(|line| {
            bytes += line.text.len();
            bytes <= MOST_BYTES
        });
        let old = self.lines.len() - kept.count();
        self.lines.drain(..old);
    }
}

impl Window {
    /// The lines as text, if they are others than when this was last asked.
    pub(super) fn take_change(&mut self) -> Option<String> {
        std::mem::take(&mut self.changed).then(|| serde_json::to_string(&self.lines).unwrap_or_default())
    }

    /// Takes over lines as text.
    pub(super) fn restore(&mut self, lines: &str) {
        self.lines = serde_json::from_str(lines).unwrap_or_default();
    }
}

/// The text of lines, with a line feed behind each.
pub(super) fn joined(lines: &[Kept]) -> String {
    lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
}

/// Splits `lines` into those that the match in `span` of `text` is about, and the others. Lines that the pattern skipped
/// are among the others.
pub(super) fn split(
    lines: &[Kept],
    text: &str,
    span: std::ops::Range<usize>,
    skipped: &str,
) -> (Vec<Kept>, Vec<Kept>) {
    if lines.len() <= 1 {
        return (lines.to_vec(), Vec::new());
    }
    let start = text[..next_boundary(text, span.start)].rfind('\n').map_or(0, |at| at + 1);
    let last = span.end.saturating_sub(1);
    let end = text.get(last..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| last + at + 1);
    let newlines = |until: usize| text[..until].matches('\n').count().min(lines.len());
    let (first, behind) = (newlines(start), newlines(end));
    let (mut matched, mut others) = (lines[first..behind.max(first)].to_vec(), lines[..first].to_vec());
    let mut from = 0;
    for skipped in skipped.lines() {
        if let Some(found) = matched[from..].iter().position(|line| line.text == skipped) {
            from += found;
            others.push(matched.remove(from));
        }
    }
    others.extend_from_slice(&lines[behind.max(first)..]);
    (matched, others)
}

/// Behind the character at `at`.
fn next_boundary(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(at, |character| at + character.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_too_long_together_push_out_the_oldest() {
        let mut window = Window::default();
        for (length, expected) in [(10, 1), (LONGEST, 2), (2 * LONGEST, 3), (LONGEST, 4)] {
            window.push(Line { text: &"x".repeat(length), whole: "x" }, MOST_LINES);
            assert_eq!(window.lines.len(), expected);
        }
        for _ in 0..MOST_LINES {
            window.push(Line { text: &"y".repeat(2 * LONGEST), whole: "y" }, MOST_LINES);
        }
        assert_eq!(window.lines.len(), MOST_BYTES / LONGEST);
        window.push(Line { text: "z", whole: "z" }, 2);
        assert_eq!(joined(&window.lines).len(), LONGEST + "\nz\n".len());
    }
}
