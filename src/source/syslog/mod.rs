//! What other hosts and programs send by syslog. In come messages over UDP, TCP or a Unix socket; out come batches of
//! lines.
//!
//! A message is written to a file of the spool as soon as it is received, and read from there like any log: from then on
//! it is counted once, whatever happens. What the protocols themselves lose stays lost: datagrams that the system has no
//! room for, and what a connection had brought but nobody had received when the process was killed.

mod address;
mod frame;
mod listener;
mod message;
mod spool;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::address::Address;
use self::listener::Listener;
use self::spool::{Folder, Spool};
use super::file::FileSource;
use super::{Batch, Counters, Error, LogSource, Opened, Position, Receipt, Settings};

pub(super) use address::is_syslog;
pub use frame::Frames;
pub use message::{MESSAGE_BYTES, write_line};

/// How often it looks whether full files can be let go of.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the path says where to listen.
pub(super) fn check(path: &str) -> Result<(), Error> {
    parse(path).map(|_| ())
}

fn parse(path: &str) -> Result<Address, Error> {
    Address::parse(path).map_err(|reason| Error::Path { path: path.to_owned(), reason })
}

/// Listens, and reads what was received from the kept positions on.
pub(super) fn open(settings: &Settings, spool: &Path, kept: Vec<Position>) -> Opened {
    Ok(Box::new(Syslog::open(settings, spool, kept)?))
}

/// A listener, and the reader of what it received.
struct Syslog {
    files: FileSource,
    folder: Folder,
    /// How far each file was read, by inode.
    read: HashMap<u64, Mark>,
    next_tidy: Instant,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

/// How far a file was read.
struct Mark {
    offset: u64,
    receipt: Receipt,
}

impl Syslog {
    fn open(settings: &Settings, spool: &Path, kept: Vec<Position>) -> Result<Self, Error> {
        let address = parse(&settings.path)?;
        let refused = |error| Error::Spool { path: spool.to_owned(), error };
        let name = settings.path.trim_start_matches("syslog:");
        let folder = Folder::open(spool, name).map_err(refused)?;
        let written = Spool::open(folder.clone()).map_err(refused)?;
        let read =
            kept.iter().filter(|kept| !kept.is_marker()).map(|kept| (kept.inode, Mark::committed(kept)));
        let read = read.collect();
        let files = FileSource::made_by_us(settings.path.clone(), folder.current(), kept);
        let stop = Arc::new(AtomicBool::new(false));
        let mut listener = Listener {
            source: PathBuf::from(&*settings.path),
            address,
            socket: None,
            spool: written,
            counters: files.counters(),
            stop: stop.clone(),
            lines: Vec::new(),
            hindered: false,
        };
        listener.bind();
        let thread = thread::Builder::new().name("syslog".to_owned()).spawn(move || listener.run());
        let listener = Some(thread.map_err(unthreaded)?);
        Ok(Self { files, folder, read, next_tidy: Instant::now(), stop, listener })
    }

    /// Takes down how far the files are read once the batch is committed.
    fn note(&mut self, batch: &Batch) {
        for position in batch.positions.iter().filter(|position| !position.is_marker()) {
            if position.finished {
                self.read.remove(&position.inode);
            } else {
                let mark = Mark { offset: position.offset, receipt: batch.receipt.clone() };
                self.read.insert(position.inode, mark);
            }
        }
    }

    /// Lets go of the full files of which everything is committed.
    fn tidy(&mut self) -> io::Result<()> {
        for file in self.folder.full_files()? {
            let done = |mark: &Mark| mark.offset == file.size && mark.receipt.is_confirmed();
            if self.read.get(&file.inode).is_some_and(done) {
                self.folder.remove(&file)?;
                self.read.remove(&file.inode);
            }
        }
        Ok(())
    }
}

impl Mark {
    fn committed(kept: &Position) -> Self {
        let receipt = Receipt::default();
        receipt.confirm();
        Self { offset: kept.offset, receipt }
    }
}

impl LogSource for Syslog {
    fn read(&mut self, wait: Duration) -> Result<Option<Batch>, Error> {
        let mut done = Ok(());
        let batch = self.files.read(wait)?;
        if let Some(batch) = &batch {
            self.note(batch);
            if !batch.is_empty() {
                done = self.folder.sync();
            }
        }
        if Instant::now() >= self.next_tidy {
            self.next_tidy = Instant::now() + TIDY_INTERVAL;
            done = done.and_then(|()| self.tidy());
        }
        let problem = done.err().map(|error| format!("the spool is out of order ({error})"));
        self.files.counters().set_hindrance(&self.folder.current(), problem);
        Ok(batch)
    }

    fn counters(&self) -> Arc<Counters> {
        self.files.counters()
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn unthreaded(error: io::Error) -> Error {
    Error::Read {
        path: "syslog".to_owned(),
        error,
        remedy: "there can be no other thread; the limit on threads may be too low",
    }
}
