//! A value of fail2ban's configuration that remembers for each of its lines where that was written, through all that is
//! put into it.

use super::super::error::Place;

/// One line or several, joined by line feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    text: String,
    /// One for each line; never empty.
    places: Vec<Place>,
}

impl Text {
    /// A text that was written at one place.
    pub(super) fn new(text: impl Into<String>, place: &Place) -> Self {
        let text = text.into();
        let places = vec![place.clone(); text.split('\n').count()];
        Self { text, places }
    }

    /// Lines that were written one by one; there is at least the first.
    pub(super) fn of_lines(first: (String, Place), more: Vec<(String, Place)>) -> Self {
        let (mut text, mut places) = (first.0, vec![first.1]);
        for (line, place) in more {
            text.push('\n');
            text.push_str(&line);
            places.push(place);
        }
        Self { text, places }
    }

    /// The text without its places.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it begins.
    pub(super) fn place(&self) -> &Place {
        self.places.first().expect("every text has a line")
    }

    /// Its lines, each with its place.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.text.split('\n').zip(&self.places)
    }

    /// Where the byte at `offset` stands.
    pub(super) fn place_at(&self, offset: usize) -> &Place {
        self.place_of_line(self.text[..offset].matches('\n').count())
    }

    /// Where the line of that number stands, counted from 0.
    fn place_of_line(&self, line: usize) -> &Place {
        self.places.get(line).unwrap_or_else(|| self.place())
    }

    /// The same with every `pattern` replaced by `with`.
    pub(super) fn replace(&self, pattern: &str, with: &Self) -> Self {
        let mut builder = Builder::default();
        let mut reading = Reading::new(self, true);
        for (start, found) in self.text.match_indices(pattern) {
            let before = start - reading.at;
            builder.push(&mut reading, before);
            builder.push(&mut Reading::new(with, false), with.text.len());
            reading.skip(found.len());
        }
        let rest = reading.rest().len();
        builder.push(&mut reading, rest);
        builder.finish(self.place())
    }
}

/// A text that is read from its start to its end.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    text: &'a Text,
    at: usize,
    line: usize,
    outermost: bool,
}

impl<'a> Reading<'a> {
    /// Begins. `outermost`: nothing of another text is around it.
    pub(super) fn new(text: &'a Text, outermost: bool) -> Self {
        Self { text, at: 0, line: 0, outermost }
    }

    /// What is left of it.
    pub(super) fn rest(&self) -> &'a str {
        &self.text.text[self.at..]
    }

    /// Where it goes on.
    pub(super) fn place(&self) -> &'a Place {
        self.text.place_of_line(self.line)
    }

    /// Passes over `length` bytes.
    pub(super) fn skip(&mut self, length: usize) {
        self.line += self.rest()[..length].matches('\n').count();
        self.at += length;
    }
}

/// Puts a text together from parts of others.
#[derive(Debug)]
pub(super) struct Builder {
    text: String,
    /// For each line the place, and whether it is that of the outermost text; nothing while the line is empty.
    places: Vec<Option<(Place, bool)>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { text: String::new(), places: vec![None] }
    }
}

impl Builder {
    /// Adds the next `length` bytes of `from`. A line belongs where its outermost part was written: the pattern that
    /// names a prefix is what people look for, not the prefix.
    pub(super) fn push(&mut self, from: &mut Reading<'_>, length: usize) {
        for (number, piece) in from.rest()[..length].split('\n').enumerate() {
            if number > 0 {
                self.text.push('\n');
                self.places.push(None);
                from.line += 1;
            }
            let line = self.places.last_mut().expect("it begins with one");
            let is_better = line.as_ref().is_none_or(|(_, known)| from.outermost && !known);
            if is_better && !piece.is_empty() {
                *line = Some((from.place().clone(), from.outermost));
            }
            self.text.push_str(piece);
        }
        from.at += length;
    }

    /// The text; empty lines are at `place`.
    pub(super) fn finish(self, place: &Place) -> Text {
        let places = self.places.into_iter();
        let places = places.map(|known| known.map_or_else(|| place.clone(), |(place, _)| place)).collect();
        Text { text: self.text, places }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn at(line: u32) -> Place {
        Place { line, ..Place::file(Path::new("f")) }
    }

    #[test]
    fn every_line_keeps_its_place() {
        let inner = Text::of_lines(("one".into(), at(10)), vec![("two".into(), at(11))]);
        let outer = Text::of_lines(
            ("<t>".into(), at(1)),
            vec![("a <t> b".into(), at(2)), (String::new(), at(3)), ("<t>c".into(), at(4))],
        );
        let whole = outer.replace("<t>", &inner);
        assert_eq!(whole.as_str(), "one\ntwo\na one\ntwo b\n\none\ntwoc");
        let lines: Vec<_> = whole.lines().map(|(_, place)| place.line).collect();
        assert_eq!(lines, [10, 11, 2, 2, 1, 10, 4]);
    }
}
