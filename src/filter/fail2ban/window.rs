//! The last lines of a log, for patterns that stretch over several.

use serde::{Deserialize, Serialize};

use super::cut;
use crate::filter::Line;

/// Up to so many bytes of a line are kept, so that nobody's lines fill the memory.
const LONGEST: usize = 16 * 1024;

/// So many bytes of lines are kept at a time: all of them are looked at again with every line.
const MOST_BYTES: usize = 256 * 1024;

/// No filter needs more lines at once.
pub(super) const MOST_LINES: usize = 1000;

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

impl Window {
    /// Nothing but this text, which ends in a line feed.
    pub(super) fn of(text: &str) -> Self {
        let text = cut(text.strip_suffix('\n').unwrap_or(text), LONGEST);
        Self { lines: vec![Kept { whole: text.clone(), text }], changed: true }
    }

    /// Takes in a line, and lets go of the oldest if there are more than `most` or they are too long together.
    pub(super) fn push(&mut self, line: Line<'_>, most: usize) {
        self.changed = true;
        self.lines.push(Kept { text: cut(line.text, LONGEST), whole: cut(line.whole, LONGEST) });
        let old = self.lines.len() - self.newest(most);
        self.lines.drain(..old);
    }

    /// How many lines there is room for, up to `most`.
    fn newest(&self, most: usize) -> usize {
        let mut room = MOST_BYTES;
        let fits = |line: &&Kept| {
            let left = room.checked_sub(line.text.len() + line.whole.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        self.lines.iter().rev().take(most).take_while(fits).count()
    }

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
    mut lines: Vec<Kept>,
    text: &str,
    span: std::ops::Range<usize>,
    skipped: &str,
) -> (Vec<Kept>, Vec<Kept>) {
    if lines.len() <= 1 {
        return (lines, Vec::new());
    }
    let start = text[..next_boundary(text, span.start)].rfind('\n').map_or(0, |at| at + 1);
    let last = span.end.saturating_sub(1);
    let end = text.get(last..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| last + at + 1);
    let newlines = |until: usize| text[..until].matches('\n').count().min(lines.len());
    let (first, behind) = (newlines(start), newlines(end));
    let mut rest = lines.split_off(behind.max(first));
    let (mut matched, mut others) = (lines.split_off(first), lines);
    let mut from = 0;
    for skipped in skipped.lines() {
        if let Some(found) = matched[from..].iter().position(|line| line.text == skipped) {
            from += found;
            others.push(matched.remove(from));
        }
    }
    others.append(&mut rest);
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
    fn the_oldest_lines_go_where_there_is_no_room() {
        // Each line counts twice: without its date and as a whole.
        let cases =
            [(10, 3, 3), (10, 300, 200), (LONGEST, 300, 8), (2 * LONGEST, 300, 8), (MOST_BYTES / 8, 3, 3)];
        for (length, most, expected) in cases {
            let mut window = Window::default();
            for number in 0..200 {
                let text = format!("{number:length$}");
                window.push(Line { text: &text, whole: &text }, most);
            }
            assert_eq!(window.lines.len(), expected, "{length} bytes, {most} lines");
            let newest = format!("{:length$}", 199);
            assert_eq!(window.lines.last().map(|line| &*line.text), Some(&*cut(&newest, LONGEST)));
            assert!(joined(&window.lines).len() <= MOST_BYTES);
        }
    }
}
