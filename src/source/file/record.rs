//! One file: how far it was read, and reading on from there. In comes the file, out come its lines and its position.
//! A record is awake while the file is open and asleep while only its position is kept.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::listing::{Found, Identity, Modified};
use crate::source::batch::{LINE_BYTES, READ_BYTES};
use crate::source::{Batch, FINGERPRINT_BYTES, Fingerprint, Position};
use crate::sys::watch::FileWatch;

/// What is known of a file.
pub(super) struct Record {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) fingerprint: Fingerprint,
    /// As of the last look; none before the first one after a restart.
    pub(super) modified: Option<Modified>,
    /// As of the last look.
    pub(super) size: u64,
    /// It stands under the name of a log; if not, it was rotated away.
    pub(super) is_log: bool,
    /// Its position changed since it was last handed on.
    pub(super) changed: bool,
    /// An old log that somebody unpacks: none of it is ever read.
    pub(super) ignored: bool,
    /// Its identity now means another file.
    pub(super) replaced: bool,
    /// Since when its directory has no such file.
    pub(super) missing: Option<Instant>,
    pub(super) tail: Option<Tail>,
}

/// The reading end of an open file.
pub(super) struct Tail {
    file: File,
    pub(super) watch: Option<FileWatch>,
    /// There is no newline from the record's offset up to here; beyond the offset only in a line of excessive length.
    scanned: u64,
    /// Up to where it was read when it was last looked at.
    pub(super) end: u64,
    /// There may be something to read.
    pub(super) ready: bool,
    /// It no longer is what it was up to the offset.
    pub(super) truncated: bool,
    /// When something was last read.
    pub(super) quiet_since: Instant,
    /// It was read to its end, and what comes is written now.
    pub(super) live: bool,
}

/// How reading went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All complete lines were taken.
    End,
    /// There may be more.
    More,
    /// The file was truncated, or written anew.
    Truncated,
}

impl Record {
    /// A file not read before, and not yet looked into.
    pub(super) fn new(found: &Found, offset: u64) -> Self {
        Self {
            identity: found.identity,
            path: found.path.clone(),
            offset,
            fingerprint: Fingerprint::default(),
            modified: None,
            size: found.size,
            is_log: found.base.is_none(),
            changed: true,
            ignored: false,
            replaced: false,
            missing: None,
            tail: None,
        }
    }

    /// A file read before the restart.
    pub(super) fn kept(position: Position) -> Self {
        Self {
            identity: Identity { device: position.device, inode: position.inode },
            path: position.path,
            offset: position.offset,
            fingerprint: position.fingerprint,
            modified: None,
            size: position.offset,
            is_log: true,
            changed: false,
            ignored: false,
            replaced: false,
            missing: None,
            tail: None,
        }
    }

    pub(super) fn position(&self, source: &Arc<str>, finished: bool) -> Position {
        Position {
            source: source.clone(),
            path: self.path.clone(),
            device: self.identity.device,
            inode: self.identity.inode,
            offset: self.offset,
            fingerprint: self.fingerprint,
            finished,
        }
    }

    pub(super) fn wake(&mut self, file: File, watch: Option<FileWatch>, now: Instant) {
        self.tail = Some(Tail {
            file,
            watch,
            scanned: self.offset,
            end: self.offset,
            ready: true,
            truncated: false,
            quiet_since: now,
            live: false,
        });
    }

    pub(super) fn is_open(&self) -> bool {
        self.tail.is_some()
    }

    /// Nothing was ever seen in it.
    pub(super) fn was_empty(&self) -> bool {
        !self.is_open() && self.offset == 0 && self.fingerprint.length == 0
    }

    pub(super) fn is_ready(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.ready)
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.truncated)
    }

    /// The first bytes of the open file.
    pub(super) fn head(&self) -> Option<Vec<u8>> {
        read_head(&self.tail.as_ref()?.file).ok()
    }

    /// There is nothing more to read for now.
    pub(super) fn settle(&mut self, truncated: bool) {
        if let Some(tail) = &mut self.tail {
            tail.ready = false;
            tail.truncated = truncated;
            tail.live = !truncated;
        }
    }

    /// Whether its lines may stand in this batch: they are all live or none is.
    pub(super) fn fits(&self, batch: &mut Batch) -> bool {
        let live = self.tail.as_ref().is_some_and(|tail| tail.live);
        if batch.is_empty() {
            batch.live = live;
        }
        batch.live == live
    }

    /// Appends the next lines to a batch that is not full.
    pub(super) fn fill(&mut self, batch: &mut Batch, now: Instant) -> io::Result<Progress> {
        let Some(tail) = &mut self.tail else {
            return Ok(Progress::End);
        };
        let size = tail.file.metadata()?.len();
        if size < tail.scanned {
            tail.scanned = self.offset;
        }
        let Some(left) = size.checked_sub(tail.scanned) else {
            return Ok(Progress::Truncated);
        };
        let from = batch.text().len();
        let begin = tail.scanned;
        let end = begin + append(batch.text_mut(), &tail.file, begin, left)?;
        // Asked after reading: what was read belongs to the file that started as known only if it still does.
        if !self.starts_as_known()? {
            batch.text_mut().truncate(from);
            return Ok(Progress::Truncated);
        }
        self.heard(end, now);
        let in_long = begin > self.offset;
        let taken = self.take(batch, from, end)?;
        let more = end < size || batch.is_full() || in_long;
        Ok(if taken && more { Progress::More } else { Progress::End })
    }

    /// Hands on a last line that no newline ends, of a file nobody writes to any more. False if there is more.
    pub(super) fn take_rest(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let Some(tail) = &self.tail else { return Ok(true) };
        let size = tail.file.metadata()?.len();
        if size == self.offset {
            return Ok(true);
        }
        let from = batch.text().len();
        append(batch.text_mut(), &tail.file, self.offset, size.saturating_sub(self.offset))?;
        if size != tail.end || !self.starts_as_known()? {
            batch.text_mut().truncate(from);
            return Ok(false);
        }
        batch.take_rest(from);
        self.advance(size);
        Ok(true)
    }

    /// Takes the lines read up to `end`. False: there is no complete one.
    fn take(&mut self, batch: &mut Batch, from: usize, end: u64) -> io::Result<bool> {
        let Some(tail) = &mut self.tail else {
            return Ok(false);
        };
        if tail.scanned > self.offset {
            return self.take_long(batch, from, end);
        }
        let unread = batch.text().len() - from;
        let used = batch.take_lines(from);
        batch.text_mut().truncate(from + used);
        if used == 0 && unread > LINE_BYTES {
            tail.scanned = end;
            return Ok(true);
        }
        self.advance(self.offset + used as u64);
        Ok(used > 0)
    }

    /// Looks for the end of a line that is too long to be held in memory, and takes its beginning when it is found.
    fn take_long(&mut self, batch: &mut Batch, from: usize, end: u64) -> io::Result<bool> {
        let Some(tail) = &mut self.tail else {
            return Ok(false);
        };
        let newline = memchr::memchr(b'\n', &batch.text()[from..]);
        batch.text_mut().truncate(from);
        let Some(newline) = newline else {
            let found_more = end > tail.scanned;
            tail.scanned = end;
            return Ok(found_more);
        };
        let behind = tail.scanned + newline as u64 + 1;
        append(batch.text_mut(), &tail.file, self.offset, LINE_BYTES as u64)?;
        batch.take_cut(from);
        self.advance(behind);
        Ok(true)
    }

    pub(super) fn advance(&mut self, offset: u64) {
        self.changed |= offset != self.offset;
        self.offset = offset;
        if let Some(tail) = &mut self.tail {
            tail.scanned = offset;
        }
    }

    fn heard(&mut self, end: u64, now: Instant) {
        if let Some(tail) = &mut self.tail
            && end != tail.end
        {
            tail.end = end;
            tail.quiet_since = now;
        }
    }

    /// Whether the open file still has what was read of it.
    pub(super) fn is_whole(&mut self) -> io::Result<bool> {
        let size = match &self.tail {
            Some(tail) => tail.file.metadata()?.len(),
            None => return Ok(true),
        };
        Ok(size >= self.offset && self.starts_as_known()?)
    }

    /// Whether the open file still starts as it did.
    fn starts_as_known(&mut self) -> io::Result<bool> {
        let Some(tail) = &self.tail else { return Ok(true) };
        let mut head = [0; FINGERPRINT_BYTES];
        let length = read_at(&tail.file, &mut head, 0)?;
        Ok(self.is_known_by(&head[..length]))
    }

    /// Whether a file that starts like this is the one known; learns more of the start while that is short.
    pub(super) fn is_known_by(&mut self, head: &[u8]) -> bool {
        let same = self.fingerprint.matches(head);
        if same && head.len() > usize::from(self.fingerprint.length) {
            self.fingerprint = Fingerprint::of(head);
        }
        same
    }
}

/// The first bytes of a file, as many as a fingerprint takes.
pub(super) fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; FINGERPRINT_BYTES];
    let length = read_at(file, &mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// Where the last line of a file of this size starts if no newline ends it yet; otherwise the file's end.
pub(super) fn last_line_start(file: &File, size: u64) -> io::Result<u64> {
    let start = size.saturating_sub(LINE_BYTES as u64);
    let mut text = Vec::new();
    append(&mut text, file, start, size - start)?;
    Ok(match memchr::memrchr(b'\n', &text) {
        Some(newline) => start + newline as u64 + 1,
        None if start == 0 => 0,
        None => size,
    })
}

/// Appends up to `left` bytes, but no more than one piece, and returns how many came.
fn append(text: &mut Vec<u8>, file: &File, offset: u64, left: u64) -> io::Result<u64> {
    let from = text.len();
    let piece = left.min(READ_BYTES as u64) as usize;
    text.resize(from + piece, 0);
    let got = read_at(file, &mut text[from..], offset);
    text.truncate(from + got.as_ref().map_or(0, |got| *got));
    got.map(|got| got as u64)
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
