//! The lines that show failures. Each address has some, and they come and go quickly, so they stand in one piece of memory.

use serde::{Deserialize, Serialize, Serializer};

/// A line kept as evidence is cut to this many bytes.
const MAX_EVIDENCE: usize = 1000;

/// The character that is the length of a line has up to so many bytes.
const MAX_LENGTH: usize = 2;

/// Where there is no room for a line, it is made for so many of its length.
const ROOM: usize = 4;

/// The start of `text`, as it is kept as evidence.
pub(super) fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_EVIDENCE)]
}

/// The last lines of something, oldest first; each is cut to the length of evidence.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<String>")]
pub struct Evidence {
    /// One after the other, each behind the character whose number is its length.
    text: String,
    /// How many there are.
    count: usize,
    /// Where the first of them begins. What stands before it is taken away when it is longer than they are.
    start: usize,
}

impl Evidence {
    /// The lines, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = &self.text[self.start..];
        std::iter::from_fn(move || {
            let (line, behind) = split_first(rest)?;
            rest = behind;
            Some(line)
        })
    }

    /// How much memory they need.
    pub fn bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Adds one behind all others.
    pub fn push(&mut self, line: &str) {
        let line = shorten(line);
        let length = u32::try_from(line.len()).ok().and_then(char::from_u32);
        self.make_room(line.len() + MAX_LENGTH);
        self.text.push(length.expect("numbers up to that of the longest line are characters"));
        self.text.push_str(line);
        self.count += 1;
    }

    /// Makes room for `bytes` more, exactly for the first line: most addresses fail once, and the others go on.
    fn make_room(&mut self, bytes: usize) {
        if self.text.is_empty() {
            self.text.reserve_exact(bytes);
        } else if self.text.capacity() - self.text.len() < bytes {
            self.text.reserve(ROOM * bytes);
        }
    }

    /// Leaves out all but the last `count`.
    pub fn keep_last(&mut self, count: usize) {
        while self.count > count
            && let Some((_, rest)) = split_first(&self.text[self.start..])
        {
            self.start = self.text.len() - rest.len();
            self.count -= 1;
        }
        if self.count == 0 {
            *self = Self::default();
        } else if self.start > self.text.len() - self.start {
            self.text.drain(..self.start);
            self.start = 0;
        }
    }
}

/// The first of some lines, and the others.
fn split_first(lines: &str) -> Option<(&str, &str)> {
    let mut rest = lines.chars();
    let length = rest.next()?;
    rest.as_str().split_at_checked(length as usize)
}

impl PartialEq for Evidence {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Evidence {}

impl<T: AsRef<str>> FromIterator<T> for Evidence {
    fn from_iter<I: IntoIterator<Item = T>>(lines: I) -> Self {
        let mut all = Self::default();
        lines.into_iter().for_each(|line| all.push(line.as_ref()));
        all
    }
}

impl From<Vec<String>> for Evidence {
    fn from(lines: Vec<String>) -> Self {
        lines.into_iter().collect()
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let longest = "é".repeat(MAX_EVIDENCE);
        let cut = format!(" {}", &longest[..MAX_EVIDENCE]);
        let mut lines = Evidence::default();
        for (line, count, expected) in [
            ("one", 2, "one"),
            ("two", 2, "one two"),
            ("three", 2, "two three"),
            ("", 2, "three "),
            (&longest, 2, &cut),
            ("five", 1, "five"),
            ("six", 0, ""),
            ("seven", 3, "seven"),
        ] {
            lines.push(line);
            lines.keep_last(count);
            let kept: Vec<&str> = lines.iter().collect();
            assert_eq!(kept.join(" "), expected);
            assert!(
                lines.start <= lines.text.len() - lines.start,
                "what is left out takes as much memory at the most"
            );
            assert_eq!(lines, kept.iter().collect());
        }
    }

    #[test]
    fn lines_read_back_as_they_were_written() {
        let mut lines: Evidence = ["one", "", "with\nnewline and \"quotes\"", "four"].iter().collect();
        lines.keep_last(3);
        let written = serde_json::to_string(&lines).unwrap();
        assert_eq!(written, r#"["","with\nnewline and \"quotes\"","four"]"#);
        assert_eq!(serde_json::from_str::<Evidence>(&written).unwrap(), lines);
    }
}
