//! The source of a regular expression, which remembers where in the pattern that somebody wrote each of its bytes came
//! from, so that an error points at what the author wrote.

use std::ops::Range;

/// A regular expression on its way from what was written.
#[derive(Default)]
pub(super) struct Source {
    /// It, as far as it has been put together.
    pub(super) regex: String,
    pieces: Vec<Piece>,
}

/// A stretch of the regular expression and the stretch of the pattern it stands for.
struct Piece {
    start: usize,
    written: Range<usize>,
    verbatim: bool,
}

impl Source {
    /// A regular expression that is as written.
    pub(super) fn verbatim(regex: &str) -> Self {
        let mut source = Self::default();
        source.copy(regex, 0..regex.len());
        source
    }

    /// The bytes of the written pattern behind these bytes of the regular expression.
    pub(super) fn written(&self, regex: Range<usize>) -> Range<usize> {
        let start = self.piece(regex.start).map_or(0, |piece| match piece.verbatim {
            true => (piece.written.start + regex.start - piece.start).min(piece.written.end),
            false => piece.written.start,
        });
        let last = regex.end.saturating_sub(1).max(regex.start);
        let end = self.piece(last).map_or(0, |piece| match piece.verbatim {
            true => (piece.written.start + regex.end - piece.start).min(piece.written.end),
            false => piece.written.end,
        });
        start..end.max(start)
    }

    fn piece(&self, at: usize) -> Option<&Piece> {
        self.pieces[..self.pieces.partition_point(|piece| piece.start <= at)].last()
    }

    /// Appends what stands in `span` of the pattern.
    pub(super) fn copy(&mut self, pattern: &str, span: Range<usize>) {
        let text = &pattern[span.clone()];
        self.append(text, span, true);
    }

    /// Appends what stands in the place of `span` of the pattern.
    pub(super) fn push(&mut self, regex: &str, span: Range<usize>) {
        self.append(regex, span, false);
    }

    fn append(&mut self, regex: &str, written: Range<usize>, verbatim: bool) {
        if !regex.is_empty() {
            let start = self.regex.len();
            self.pieces.push(Piece { start, written, verbatim });
            self.regex.push_str(regex);
        }
    }
}
