//! Files as servers write them: growing, rotated, truncated, missing for a while. In come a path or glob and the kept
//! positions; out come batches of lines, each file once, whatever name it has by then.
//!
//! A file is known by device, inode and its first bytes, never by its path. What one batch hands on as positions
//! is the whole change of what is known since the batch before, so that a restart from the committed positions is
//! nothing but a long pause: all that happens while the process is dead is found like what happens between two looks.

mod listing;
mod look;
mod names;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::listing::{Pattern, explain};
use self::record::{Progress, Record};
use super::{Batch, Counters, Error, LogSource, Opened, Position, Settings, Start};
use crate::sys::watch::Watch;

/// How long a rotated file must be quiet until a last line without newline is handed on and the file is closed.
/// Programs that keep the old file open until told to reopen it do so within seconds.
const GRACE: Duration = Duration::from_secs(60);

/// How long a log must be quiet until it is closed: after that, a new line may be noticed only at the next look.
const LOG_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time between two looks at the file system, for events that were missed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The most files open at once: half of what a process may usually open.
const MAX_OPEN: usize = 512;

/// The most pieces read of one file before it is another file's turn.
const PIECES_PER_TURN: usize = 16;

/// Opens the files of a path or glob.
pub(super) fn open(settings: &Settings, kept: Vec<Position>) -> Opened {
    let mut source = FileSource::new(settings, kept, Watch::new())?;
    // What is there when the source is opened is old; what is written from now on is not.
    source.look(Instant::now());
    Ok(Box::new(source))
}

/// Whether this is a path or a glob.
pub(super) fn check(path: &str) -> Result<(), Error> {
    Pattern::parse(path).map(|_| ())
}

/// Lines that waited longer than this until they could be read were not written now.
const STALL: Duration = Duration::from_secs(30);

/// The files of one pattern.
pub(super) struct FileSource {
    source: Arc<str>,
    start: Start,
    pattern: Pattern,
    /// In the order to read them: rotated files before logs, older before younger.
    records: Vec<Record>,
    /// Positions to be dropped.
    gone: Vec<Position>,
    watch: Watch,
    /// The folders watched.
    folders: BTreeSet<PathBuf>,
    counters: Arc<Counters>,
    /// Files that were there at the first start but could not be opened yet.
    unopened: Vec<PathBuf>,
    /// The files were looked at once, now or before a restart.
    started: bool,
    /// The marker of the first start is still to be handed on.
    unmarked: bool,
    next_look: Instant,
    /// When it was last read.
    left: Instant,
    /// A truncated file was met: what it holds now is found by another look.
    look_again: bool,
    grace: Duration,
    /// Whose turn it is among the logs.
    turn: usize,
}

impl LogSource for FileSource {
    fn read(&mut self, wait: Duration) -> Result<Option<Batch>, Error> {
        if self.left.elapsed() > STALL {
            self.doubt();
        }
        let batch = self.next_batch(wait);
        self.left = Instant::now();
        Ok(batch)
    }

    fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }
}

impl FileSource {
    fn new(settings: &Settings, kept: Vec<Position>, watch: Watch) -> Result<Self, Error> {
        let pattern = Pattern::parse(&settings.path)?;
        Ok(Self::of(settings.path.clone(), pattern, settings.start, kept, watch))
    }

    /// Follows one file for another kind of source. That has made the file itself, so that nothing in it is old.
    pub(super) fn made_by_us(source: Arc<str>, path: PathBuf, kept: Vec<Position>) -> Self {
        let mut files = Self::of(source, Pattern::Path(path), Start::Head, kept, Watch::new());
        files.started = true;
        files.look(Instant::now());
        files
    }

    fn of(source: Arc<str>, pattern: Pattern, start: Start, kept: Vec<Position>, watch: Watch) -> Self {
        let started = !kept.is_empty();
        let is_file = |position: &Position| !position.is_marker() && !position.finished;
        Self {
            source,
            start,
            pattern,
            records: kept.into_iter().filter(is_file).map(Record::kept).collect(),
            gone: Vec::new(),
            watch,
            folders: BTreeSet::new(),
            counters: Arc::default(),
            unopened: Vec::new(),
            started,
            unmarked: !started,
            next_look: Instant::now(),
            left: Instant::now(),
            look_again: false,
            grace: GRACE,
            turn: 0,
        }
    }

    fn next_batch(&mut self, wait: Duration) -> Option<Batch> {
        let begin = Instant::now();
        let mut pause = Duration::ZERO;
        loop {
            self.notice(pause);
            let now = Instant::now();
            if now >= self.next_look {
                self.look(now);
            }
            if let Some(batch) = self.collect(now) {
                return Some(batch);
            }
            let left = wait.saturating_sub(begin.elapsed());
            let again = std::mem::take(&mut self.look_again);
            if left.is_zero() && !again {
                return None;
            }
            pause = if again || self.is_ready() { Duration::ZERO } else { self.until_look(left) };
        }
    }

    /// Nobody read for so long that what was written meanwhile is not of now.
    fn doubt(&mut self) {
        for tail in self.records.iter_mut().filter_map(|record| record.tail.as_mut()) {
            tail.live = false;
        }
    }

    /// Waits for changes, and marks the files they concern.
    fn notice(&mut self, pause: Duration) {
        let changes = self.watch.wait(pause);
        for tail in self.records.iter_mut().filter_map(|record| record.tail.as_mut()) {
            let written = tail.watch.as_ref().is_some_and(|watch| changes.files.contains(watch));
            tail.ready |= written || changes.everything;
        }
        if changes.directories || changes.everything {
            self.next_look = Instant::now();
        }
    }

    fn is_ready(&self) -> bool {
        self.records.iter().any(Record::is_ready)
    }

    fn until_look(&self, left: Duration) -> Duration {
        left.min(self.next_look.saturating_duration_since(Instant::now()))
    }

    /// Reads what is there into a batch, and puts with it whatever changed.
    fn collect(&mut self, now: Instant) -> Option<Batch> {
        let mut batch = Batch::new(self.source.clone(), false);
        let bytes = self.fill(&mut batch, now);
        self.counters.count(&batch, bytes);
        batch.positions = self.changed_positions();
        (!batch.is_empty() || !batch.positions.is_empty()).then_some(batch)
    }

    /// Rotated files are read to their end first, then the logs take turns. Returns how many bytes were read.
    fn fill(&mut self, batch: &mut Batch, now: Instant) -> u64 {
        let rotated = self.records.partition_point(|record| !record.is_log);
        let logs = self.records.len() - rotated;
        let mut bytes = 0;
        for index in 0..rotated {
            bytes += self.fill_from(index, batch, now);
            self.retire(index, batch, now, self.grace);
        }
        if logs == 0 || self.records[..rotated].iter().any(Record::is_ready) {
            return bytes;
        }
        self.turn = (self.turn + 1) % logs;
        for step in 0..logs {
            let index = rotated + (self.turn + step) % logs;
            bytes += self.fill_from(index, batch, now);
            self.retire(index, batch, now, LOG_GRACE);
        }
        bytes
    }

    fn fill_from(&mut self, index: usize, batch: &mut Batch, now: Instant) -> u64 {
        let begin = self.records[index].offset;
        for _ in 0..PIECES_PER_TURN {
            let record = &mut self.records[index];
            if !record.is_ready() || batch.is_full() || !record.fits(batch) {
                break;
            }
            match record.fill(batch, now) {
                Ok(Progress::More) => {}
                Ok(Progress::End) => record.settle(false),
                Ok(Progress::Truncated) => {
                    record.settle(true);
                    self.look_again = true;
                    self.next_look = now;
                }
                Err(error) => {
                    record.modified = None;
                    self.counters.add_problem(&record.path, explain(&error));
                    self.close(index);
                }
            }
        }
        self.records[index].offset - begin
    }

    /// Closes a file that was quiet for long enough.
    fn retire(&mut self, index: usize, batch: &mut Batch, now: Instant, grace: Duration) {
        let record = &mut self.records[index];
        let is_log = record.is_log;
        let fits = record.fits(batch);
        let Some(tail) = &mut record.tail else { return };
        let quiet = now.saturating_duration_since(tail.quiet_since) >= grace;
        if tail.ready || tail.truncated || !quiet || !fits || batch.is_full() {
            return;
        }
        match if is_log { Ok(true) } else { record.take_rest(batch) } {
            Ok(true) | Err(_) => self.close(index),
            Ok(false) => {
                if let Some(tail) = &mut record.tail {
                    tail.ready = true;
                }
            }
        }
    }

    fn close(&mut self, index: usize) {
        let watch = self.records[index].tail.take().and_then(|tail| tail.watch);
        if let Some(watch) = watch {
            self.watch.forget(watch);
        }
    }

    /// All that is to be committed with the next batch.
    fn changed_positions(&mut self) -> Vec<Position> {
        let records = &self.records;
        let known = |gone: &Position| {
            records
                .iter()
                .any(|record| record.identity.device == gone.device && record.identity.inode == gone.inode)
        };
        self.gone.retain(|gone| !known(gone));
        let mut positions: Vec<Position> = self.gone.drain(..).collect();
        if self.started && std::mem::take(&mut self.unmarked) {
            // Files that appear from now on are read from their first line.
            positions.push(Position::marker(&self.source, PathBuf::new()));
        }
        for record in self.records.iter_mut().filter(|record| record.changed) {
            record.changed = false;
            positions.push(record.position(&self.source, false));
        }
        positions
    }
}
