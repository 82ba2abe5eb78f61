//! Lines from a stream that is read once from head to end: standard input, and what `replay` reads. In comes any
//! reader, out come batches without positions.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::batch::READ_BYTES;
use super::{Batch, Counters, Error, LINE_BYTES, LogSource, Opened, Position, Settings};
use crate::sys::watch::readable;

/// Turns what a reader gives into batches.
pub(super) struct Stream<R> {
    reader: R,
    source: Arc<str>,
    /// What was read but not handed on: the beginning of a line, or more if a batch had too many lines.
    pending: Vec<u8>,
    /// Complete lines are pending.
    more: bool,
    /// The pending line is too long already: its rest is dropped.
    skipping: bool,
    /// The reader has come to its end.
    closed: bool,
    /// A batch that is done with.
    spare: Option<Batch>,
    counters: Arc<Counters>,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R, source: Arc<str>) -> Self {
        Self {
            reader,
            source,
            pending: Vec::new(),
            more: false,
            skipping: false,
            closed: false,
            spare: None,
            counters: Arc::default(),
        }
    }

    /// The lines of one piece, read unless some are left of the piece before. The batch may be without lines.
    fn next_piece(&mut self, live: bool) -> io::Result<Batch> {
        let spare = self.spare.take().filter(|spare| spare.live == live).map(Batch::emptied);
        let mut batch = spare.unwrap_or_else(|| Batch::new(self.source.clone(), live));
        let mut got = 0;
        batch.text_mut().append(&mut self.pending);
        if !self.more {
            let begin = batch.text().len();
            got = read_piece(&mut self.reader, batch.text_mut())?;
            self.closed = got == 0;
            self.skip(batch.text_mut(), begin);
        }
        let used = batch.take_lines(0);
        self.keep(&mut batch, used);
        self.counters.count(&batch, got as u64);
        Ok(batch)
    }

    /// Drops the rest of a line that is too long from what was read behind `begin`.
    fn skip(&mut self, text: &mut Vec<u8>, begin: usize) {
        if self.skipping {
            let newline = memchr::memchr(b'\n', &text[begin..]);
            let end = newline.map_or(text.len(), |newline| begin + newline);
            text.drain(begin..end);
            self.skipping = newline.is_none();
        }
    }

    /// Keeps what is behind the complete lines, or makes it the last line if nothing comes any more.
    fn keep(&mut self, batch: &mut Batch, used: usize) {
        self.more = batch.is_full() && memchr::memchr(b'\n', &batch.text()[used..]).is_some();
        if self.closed && !self.more {
            if batch.text().len() > used {
                batch.take_rest(used);
            }
            return;
        }
        self.pending = batch.text_mut().split_off(used);
        if !self.more && self.pending.len() > LINE_BYTES {
            self.skipping = true;
            // One byte more than is kept shows that the line was cut.
            self.pending.truncate(LINE_BYTES + 1);
        }
    }

    /// Takes back a batch that is done with, for its memory.
    pub(super) fn take_back(&mut self, batch: Batch) {
        self.spare = Some(batch);
    }

    fn is_exhausted(&self) -> bool {
        self.closed && !self.more
    }

    /// Nothing more is read.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.more = false;
    }

    /// The next lines; the last one needs no newline. `None`: the end.
    pub(super) fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        while !self.is_exhausted() {
            let batch = self.next_piece(false)?;
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

/// Reads once, up to one piece; 0 is the end.
fn read_piece(reader: &mut impl Read, text: &mut Vec<u8>) -> io::Result<usize> {
    let begin = text.len();
    text.resize(begin + READ_BYTES, 0);
    let got = loop {
        match reader.read(&mut text[begin..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            got => break got,
        }
    };
    text.truncate(begin + got.as_ref().map_or(0, |got| *got));
    got
}

/// Standard input. Its lines are always live, and have no positions: what was read before a restart is not seen again.
struct StandardInput(Stream<File>);

/// Opens standard input.
pub(super) fn open(settings: &Settings, _: Vec<Position>) -> Opened {
    let file = standard_input().map_err(refused)?;
    Ok(Box::new(StandardInput(Stream::new(file, settings.path.clone()))))
}

/// Standard input without the small buffer of [`std::io::Stdin`].
pub(super) fn standard_input() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

fn refused(error: io::Error) -> Error {
    Error::Read {
        path: "standard input".to_owned(),
        error,
        remedy: "give it something to read, or name a file",
    }
}

impl LogSource for StandardInput {
    fn read(&mut self, wait: Duration) -> Result<Option<Batch>, Error> {
        let stream = &mut self.0;
        if stream.is_exhausted() {
            return Ok(None);
        }
        if !stream.more && !readable(stream.reader.as_fd(), wait).map_err(refused)? {
            return Ok(None);
        }
        let batch = stream.next_piece(true).map_err(refused)?;
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn counters(&self) -> Arc<Counters> {
        self.0.counters.clone()
    }

    fn ended(&self) -> bool {
        self.0.is_exhausted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Gives one piece after the other.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn check(pieces: &[&[u8]], expected: &[&[u8]]) -> u64 {
        let pieces = Pieces(pieces.iter().map(|piece| piece.to_vec()).collect());
        let mut stream = Stream::new(pieces, "-".into());
        let mut lines = Vec::new();
        while let Some(batch) = stream.next_batch().unwrap() {
            lines.extend(batch.lines().map(<[u8]>::to_vec));
        }
        assert!(lines.iter().eq(expected.iter()), "{} lines", lines.len());
        stream.counters.cut_lines.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        check(&[], &[]);
        check(&[b"one\ntw", b"o", b"\r\n\nlast"], &[b"one", b"two", b"", b"last"]);
        check(&[b"end\n"], &[b"end"]);
        check(&[&[b'\n'; 20_000]], &[b"".as_slice(); 20_000]);
    }

    #[test]
    fn endless_lines_cost_no_memory() {
        let piece = [b'x'; 100_000];
        let cut = &piece[..LINE_BYTES];
        let mut pieces: Vec<&[u8]> = vec![b"a\n"];
        pieces.extend([piece.as_slice(); 50]);
        assert_eq!(check(&pieces, &[b"a", cut]), 1);
        pieces.extend([b"xx\nb\n".as_slice(), b"c"]);
        assert_eq!(check(&pieces, &[b"a", cut, b"b", b"c"]), 1);
    }

    #[test]
    fn a_pipe_is_waited_for_until_it_is_closed() {
        let (reader, mut writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        let mut source = StandardInput(Stream::new(file, "-".into()));
        assert!(source.read(Duration::ZERO).unwrap().is_none());
        writer.write_all(b"one\ntw").unwrap();
        let batch = source.read(Duration::ZERO).unwrap().unwrap();
        assert!(batch.live && batch.positions.is_empty());
        assert_eq!(batch.lines().collect::<Vec<_>>(), [b"one"]);
        assert!(source.read(Duration::ZERO).unwrap().is_none() && !source.ended());
        drop(writer);
        let batch = source.read(Duration::ZERO).unwrap().unwrap();
        assert_eq!(batch.lines().collect::<Vec<_>>(), [b"tw"]);
        assert!(source.ended() && source.read(Duration::ZERO).unwrap().is_none());
    }
}
