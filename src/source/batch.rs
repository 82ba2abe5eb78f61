//! Lines on their way: text read in large pieces comes in, lines without their ends go out, together with the
//! positions behind them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Position;
use crate::clock::Timestamp;

/// The most text of one batch: bounds memory and the length of the transaction its effects are committed in.
pub const BATCH_BYTES: usize = 1024 * 1024;

/// The most lines of one batch, for the same reasons.
pub const BATCH_LINES: usize = 8192;

/// What is kept of a line. No mail server writes longer ones; whoever does costs no more than this.
pub const LINE_BYTES: usize = 64 * 1024;

/// How much is read at once: more than any line, and no more than the nearer caches of a processor hold.
pub(super) const READ_BYTES: usize = 128 * 1024;

/// Complete lines of one source with the position behind them.
///
/// A batch may be without lines: then only its positions are to be committed.
#[derive(Debug)]
pub struct Batch {
    /// [`super::Settings::path`] of the source.
    pub source: Arc<str>,
    /// What has changed since the batch before: commit all of it together with the effects of the lines. No file
    /// occurs twice.
    pub positions: Vec<Position>,
    /// The file of these lines had been read to its end before they were written to it. Lines read while catching up are
    /// not live.
    pub live: bool,
    /// When they were read.
    pub read: Instant,
    /// For whoever commits the batch.
    pub receipt: Receipt,
    text: Vec<u8>,
    lines: Vec<Range<u32>>,
    /// The times of all lines, or none.
    times: Vec<Timestamp>,
    cut: u64,
}

/// Says back to the source that a batch is durable. A source that keeps a copy of what it received lets go of it then.
#[derive(Clone, Debug, Default)]
pub struct Receipt(Arc<AtomicBool>);

impl Receipt {
    /// The positions and effects of the batch are committed.
    pub fn confirm(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Batch {
    /// The lines, without the newline and without a carriage return before it.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.lines.iter().map(|line| &self.text[line.start as usize..line.end as usize])
    }

    /// What the lines stand in, one behind the other.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where in the text each line stands.
    pub fn spans(&self) -> &[Range<u32>] {
        &self.lines
    }

    /// When each line was written, of a source that knows it: such a line has no date in it to be searched for. Otherwise
    /// nothing.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines were longer than [`LINE_BYTES`] and cut to it.
    pub fn cut_lines(&self) -> u64 {
        self.cut
    }

    pub(super) fn new(source: Arc<str>, live: bool) -> Self {
        Self {
            source,
            positions: Vec::new(),
            live,
            read: Instant::now(),
            receipt: Receipt::default(),
            text: Vec::new(),
            lines: Vec::new(),
            times: Vec::new(),
            cut: 0,
        }
    }

    /// The same without anything in it, in its memory.
    pub(super) fn emptied(self) -> Self {
        let Self { source, live, mut text, mut lines, mut times, .. } = self;
        text.clear();
        lines.clear();
        times.clear();
        Self { text, lines, times, ..Self::new(source, live) }
    }

    /// Whether another piece of [`READ_BYTES`] would be too much.
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_LINES || self.text.len() > BATCH_BYTES - READ_BYTES
    }

    /// The text, to be appended to before [`Batch::take_lines`].
    pub(super) fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Takes the complete lines of the text from `from` on, as many as there is room for. Returns how many bytes they
    /// have; what is behind them is for the caller to take away.
    pub(super) fn take_lines(&mut self, from: usize) -> usize {
        let mut start = from;
        let room = BATCH_LINES.saturating_sub(self.lines.len());
        let Self { text, lines, cut, .. } = self;
        lines.extend(memchr::memchr_iter(b'\n', &text[from..]).take(room).map(|newline| {
            let end = from + newline;
            let line = trimmed(text, start..end, cut);
            start = end + 1;
            line
        }));
        start - from
    }

    /// Makes all of the text from `from` on one line, although no newline ends it.
    pub(super) fn take_rest(&mut self, from: usize) {
        let end = self.text.len();
        self.lines.push(trimmed(&self.text, from..end, &mut self.cut));
    }

    /// The same for a line whose rest was skipped.
    pub(super) fn take_cut(&mut self, from: usize) {
        self.text.truncate(from + LINE_BYTES);
        self.cut += 1;
        self.take_rest(from);
    }

    /// Adds a line with its time, of which `write` writes the text and says whether it is whole. The lines of a batch have
    /// times either all or none.
    pub(super) fn push_timed(&mut self, time: Timestamp, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let from = self.text.len();
        let whole = write(&mut self.text);
        let end = self.text.len().min(from + LINE_BYTES);
        self.cut += u64::from(!whole || end < self.text.len());
        self.text.truncate(end);
        self.lines.push(place(from)..place(end));
        self.times.push(time);
    }
}

/// A line without a carriage return, and as long as lines can be.
fn trimmed(text: &[u8], line: Range<usize>, cut: &mut u64) -> Range<u32> {
    let mut end = line.end;
    if text[line.clone()].ends_with(b"\r") {
        end -= 1;
    }
    if end - line.start > LINE_BYTES {
        end = line.start + LINE_BYTES;
        *cut += 1;
    }
    place(line.start)..place(end)
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a batch's text is far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[&[u8]], used: usize) {
        let mut batch = Batch::new("test".into(), false);
        batch.text_mut().extend_from_slice(b"before\n");
        assert_eq!(batch.take_lines(0), 7);
        batch.text_mut().extend_from_slice(text);
        assert_eq!(batch.take_lines(7), used, "{text:?}");
        let lines: Vec<&[u8]> = batch.lines().skip(1).collect();
        assert_eq!(lines, expected, "{text:?}");
    }

    #[test]
    fn lines_end_at_newlines() {
        check(b"", &[], 0);
        check(b"partial", &[], 0);
        check(b"one\ntwo\npart", &[b"one", b"two"], 8);
        check(b"crlf\r\n\r\n\n", &[b"crlf", b"", b""], 9);
        check(b"nul\0\xff\xfe\n", &[b"nul\0\xff\xfe"], 7);
        check(b"lone\rreturn\n", &[b"lone\rreturn"], 12);
    }

    #[test]
    fn long_lines_are_cut_and_counted() {
        let mut batch = Batch::new("test".into(), false);
        let mut text = vec![b'x'; LINE_BYTES];
        text.extend_from_slice(b"\r\n");
        text.extend(vec![b'y'; LINE_BYTES + 1]);
        text.push(b'\n');
        batch.text_mut().extend_from_slice(&text);
        assert_eq!(batch.take_lines(0), text.len());
        assert!(batch.lines().all(|line| line.len() == LINE_BYTES));
        assert_eq!((batch.len(), batch.cut_lines()), (2, 1));
    }

    #[test]
    fn a_batch_stops_at_its_most_lines() {
        let mut batch = Batch::new("test".into(), false);
        batch.text_mut().extend(vec![b'\n'; BATCH_LINES + 5]);
        assert_eq!(batch.take_lines(0), BATCH_LINES);
        assert!(batch.is_full());
    }
}
