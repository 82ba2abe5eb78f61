//! A line for each query, in rbldnsd's form, for as long as somebody wants that. The way of an answer leaves a record of fixed
//! size in a bounded queue; a thread of its own writes the lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tracing::warn;

use super::Exchange;
use super::dice::OneIn;
use super::line::{LONGEST_QUESTION, Line};
use crate::sys::append;

/// So many lines wait at most, in 3 MB, as long as the disk is busy. More are left out and counted.
const QUEUE: usize = 8192;

/// Lines that were not flushed one by one are so at the latest when nobody has asked for this long.
const IDLE: Duration = Duration::from_secs(1);

/// How long a log that ends is waited for: standard output that nobody reads may never take its last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where queries are written, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLogSettings {
    /// The file, to which lines are appended; `None` is standard output.
    pub path: Option<PathBuf>,
    /// One query of so many is written; 0 counts as 1.
    pub sample: u64,
    /// Whether every line is written at once.
    pub is_flushed: bool,
}

/// The log, which is off at first.
#[derive(Debug, Default)]
pub(super) struct QueryLog {
    open: ArcSwapOption<Open>,
    running: Mutex<Option<Running>>,
    lost: Arc<AtomicU64>,
}

/// A log with a thread that writes it.
#[derive(Debug)]
struct Running {
    settings: QueryLogSettings,
    /// Closed once the last line is written.
    ended: Receiver<()>,
}

/// The end of the queue for who answers.
#[derive(Debug)]
struct Open {
    chosen: OneIn,
    lines: SyncSender<Line>,
}

impl QueryLog {
    /// Writes as `settings` say from now on, after what was to be written before, unless nobody takes that; `None`: nothing any
    /// more. A file is opened anew each time. If that fails, all stays as it was.
    pub(super) fn set(&self, settings: Option<&QueryLogSettings>) -> io::Result<()> {
        let mut current = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(running), Some(settings)) = (&*current, settings)
            && running.goes_on_as(settings)
        {
            return Ok(());
        }
        let started = settings.map(|settings| self.start(settings)).transpose()?;
        let (open, running) = started.unzip();
        self.open.store(open.map(Arc::new));
        // It ends once the last line is written, as its queue is closed now.
        if let Some(before) = std::mem::replace(&mut *current, running) {
            before.wait();
        }
        Ok(())
    }

    fn start(&self, settings: &QueryLogSettings) -> io::Result<(Open, Running)> {
        let out = settings.path.as_deref().map_or_else(append::standard_output, open_file)?;
        let (lines, queue) = sync_channel(QUEUE);
        let writer = Writer {
            out: BufWriter::new(out),
            is_flushed: settings.is_flushed,
            lost: Arc::clone(&self.lost),
        };
        let (end, ended) = sync_channel(0);
        thread::Builder::new().name("query-log".to_owned()).spawn(move || {
            writer.run(&queue);
            drop(end);
        })?;
        let running = Running { settings: settings.clone(), ended };
        Ok((Open { chosen: OneIn::new(settings.sample), lines }, running))
    }

    /// Leaves a record of the query of `client`, if there is a log, and room. Apart, as there
    /// seldom is one.
    #[inline(never)]
    pub(super) fn note(&self, client: IpAddr, rcode: u16, exchange: &Exchange<'_>) {
        let open = self.open.load();
        let Some(open) = open.as_deref().filter(|open| open.chosen.is_now()) else {
            return;
        };
        if let Some(line) = line(client, rcode, exchange)
            && open.lines.try_send(line).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were not written, for want of room in the queue or on the disk.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Running {
    /// Whether nothing changes: standard output cannot be opened anew, and each start would leave a thread behind as long as
    /// nobody reads.
    fn goes_on_as(&self, settings: &QueryLogSettings) -> bool {
        self.settings.path.is_none() && self.settings == *settings
    }

    /// Waits for the last line, within reason.
    fn wait(&self) {
        if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let standard_output = Path::new("standard output");
            let path = self.settings.path.as_deref().unwrap_or(standard_output).display();
            warn!(
                "nobody takes the last lines of the query log from {path}; they are lost unless somebody still does"
            );
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    append::open(path).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot open the query log {}: {error}", path.display()))
    })
}

/// The record of a question that could be read.
fn line(client: IpAddr, rcode: u16, exchange: &Exchange<'_>) -> Option<Line> {
    let asked = exchange.question()?;
    let mut question = [0; LONGEST_QUESTION];
    question.get_mut(..asked.len())?.copy_from_slice(asked);
    Some(Line {
        time: exchange.now,
        client,
        question,
        length: asked.len(),
        rcode,
        answers: exchange.answer_count(),
        size: exchange.reply.len(),
    })
}

/// The thread that writes.
struct Writer {
    out: BufWriter<File>,
    is_flushed: bool,
    lost: Arc<AtomicU64>,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    fn run(mut self, queue: &Receiver<Line>) {
        let mut text = String::new();
        let mut fails = false;
        loop {
            let written = match queue.recv_timeout(IDLE) {
                Ok(line) => self.write(&line, &mut text),
                Err(RecvTimeoutError::Timeout) => self.out.flush(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = &written {
                self.lost.fetch_add(1, Ordering::Relaxed);
                if !fails {
                    warn!("the query log cannot be written: {error}; lines are lost until it can be");
                }
            }
            fails = written.is_err();
        }
        let _ = self.out.flush();
    }

    fn write(&mut self, line: &Line, text: &mut String) -> io::Result<()> {
        text.clear();
        line.render(text);
        self.out.write_all(text.as_bytes())?;
        if self.is_flushed { self.out.flush() } else { Ok(()) }
    }
}
