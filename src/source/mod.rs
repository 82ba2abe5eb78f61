//! Where log lines come from. A source hands on batches of complete lines together with the position behind them, so
//! that whoever commits the effects of the lines commits the position with them.

mod batch;
mod counters;
mod file;
mod journal;
mod once;
mod stream;
mod syslog;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use batch::{BATCH_BYTES, BATCH_LINES, Batch, LINE_BYTES, Receipt};
pub use counters::Counters;
pub use journal::{Entry, Export, Malformed};
pub use once::{Once, read_once};
pub use syslog::{Frames, MESSAGE_BYTES, write_line};

/// Where log lines come from. One thread drives it: it reads, has the batch's effects and positions committed in one
/// transaction, and reads again. What was not committed is read again after a restart.
pub trait LogSource: Send {
    /// Hands on the next batch and waits up to `wait` for one; `Ok(None)`: nothing new. Missing and unreadable files
    /// are no errors, they are waited for and shown in [`Counters::problems`].
    fn read(&mut self, wait: Duration) -> Result<Option<Batch>, Error>;

    /// What it has done so far.
    fn counters(&self) -> Arc<Counters>;

    /// Nothing will ever come again: standard input is closed. Files never end.
    fn ended(&self) -> bool {
        false
    }
}

/// One way to get lines.
pub struct Kind {
    /// As the manual calls it.
    pub name: &'static str,
    /// Whether a [`Settings::path`] means this kind.
    pub matches: fn(&str) -> bool,
    /// Whether such a path names files: then it is relative to something, and what it matches is read once.
    pub is_files: bool,
    /// Whether such a path can be opened as far as it itself says.
    pub check: fn(&str) -> Result<(), Error>,
    /// Opens it where the kept positions say. The path is the folder for what was received and is not counted yet.
    pub open: fn(&Settings, &Path, Vec<Position>) -> Opened,
}

/// An opened source, or why there is none.
pub type Opened = Result<Box<dyn LogSource>, Error>;

/// The kinds of sources; the first that matches a path opens it.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "standard input",
        matches: |path| path == "-",
        is_files: false,
        check: |_| Ok(()),
        open: |settings, _, kept| stream::open(settings, kept),
    },
    Kind {
        name: "the systemd journal",
        matches: journal::is_journal,
        is_files: false,
        check: journal::check,
        open: |settings, _, kept| journal::open(settings, kept),
    },
    Kind {
        name: "syslog",
        matches: syslog::is_syslog,
        is_files: false,
        check: syslog::check,
        open: syslog::open,
    },
    Kind {
        name: "files",
        matches: |_| true,
        is_files: true,
        check: file::check,
        open: |settings, _, kept| file::open(settings, kept),
    },
];

/// What a path means.
pub fn kind(path: &str) -> &'static Kind {
    let kind = KINDS.iter().find(|kind| (kind.matches)(path));
    kind.expect("the last kind takes every path")
}

/// Of a path that means a journal, the groups of matches one of which an entry must have; `None` for other sources.
pub fn journal_matches(path: &str) -> Option<Vec<String>> {
    journal::is_journal(path).then(|| journal::matches(path))
}

/// Whether a path means a kind of source that receives, and so needs a place for what it received.
pub fn needs_spool(path: &str) -> bool {
    syslog::is_syslog(path)
}

/// Opens a source. `kept` are its committed positions; without any this is its first start, and `settings.start` rules.
/// `spool` is the folder for what was received and is not counted yet.
pub fn open(settings: &Settings, spool: &Path, kept: Vec<Position>) -> Opened {
    (kind(&settings.path).open)(settings, spool, kept)
}

/// Why a source cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The glob is malformed.
    #[error("{pattern}: not a valid pattern ({reason}); write `[[]` for a bracket that is part of the name")]
    Pattern {
        /// As configured.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is not how this kind of source is written.
    #[error("{path}: {reason}")]
    Path {
        /// As configured.
        path: String,
        /// What is wrong with it, and how to write it.
        reason: String,
    },
    /// There is no place for what is received.
    #[error(
        "{}: cannot be written ({error}); it holds what syslog brings: give it to banzone's user, or set `spool` in [store]",
        path.display()
    )]
    Spool {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// The system refused.
    #[error("{path}: cannot be read ({error}); {remedy}")]
    Read {
        /// The file.
        path: String,
        /// The system's answer.
        error: io::Error,
        /// What to do.
        remedy: &'static str,
    },
}

/// Where to begin in files that are there at the very first start of a source. Files that appear later are read
/// from their first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At its first line.
    Head,
    /// Behind its last line.
    #[default]
    Tail,
}

/// What to read: one entry of a jail's `logpath`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A path, a glob, or what else one of [`KINDS`] takes. It also names the source in positions, counters and jails.
    pub path: Arc<str>,
    /// Where to begin in a file without a kept position.
    pub start: Start,
}

/// What is known of the first bytes of a file, to tell it from another file with the same inode number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many bytes from the start were hashed.
    pub length: u16,
    /// Their hash.
    pub hash: u64,
}

/// How far a file has been read. Kept in the store by source, device and inode, and given back when the source is
/// opened again.
///
/// Device and inode 0 mark that the source was opened once, even if there was no file yet; of a journal, the path is the
/// cursor of the last entry handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// [`Settings::path`] of the source.
    pub source: Arc<str>,
    /// Where the file was last seen.
    pub path: PathBuf,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// The first byte not yet handed on; the start of a line, or of the rest of a line whose beginning stood alone
    /// for so long that it was handed on.
    pub offset: u64,
    /// The start of the file, as far as it was written when it was last looked at.
    pub fingerprint: Fingerprint,
    /// The file is gone or replaced: its row can be dropped.
    pub finished: bool,
}

impl Position {
    /// Says that a source was opened once, and how far it was read if it is no file.
    fn marker(source: &Arc<str>, place: PathBuf) -> Self {
        Self {
            source: source.clone(),
            path: place,
            device: 0,
            inode: 0,
            offset: 0,
            fingerprint: Fingerprint::default(),
            finished: false,
        }
    }

    /// Whether it is such a marker.
    fn is_marker(&self) -> bool {
        (self.device, self.inode) == (0, 0)
    }
}

/// How many bytes of a file's start tell it from others: two lines of a log, with their time in them.
const FINGERPRINT_BYTES: usize = 256;

impl Fingerprint {
    /// The fingerprint of a file that starts with `head`, of which the first 256 bytes count. FNV-1a: it must stay the
    /// same over versions, as it is stored.
    fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(FINGERPRINT_BYTES)];
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self { length: head.len() as u16, hash: head.iter().fold(0xcbf2_9ce4_8422_2325, step) }
    }

    /// Whether a file that starts with `head` can be the one this was taken of: it starts the same.
    fn matches(self, head: &[u8]) -> bool {
        head.get(..usize::from(self.length))
            .is_some_and(|start| Self::of(start).hash == self.hash || start.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_stay_the_same_over_versions() {
        let fingerprint = Fingerprint::of(b"a");
        assert_eq!((fingerprint.length, fingerprint.hash), (1, 0xaf63_dc4c_8601_ec8c));
        let long = Fingerprint::of(&[b'x'; 1000]);
        assert_eq!(long.length, 256);
        assert!(long.matches(&[b'x'; 256]) && !long.matches(&[b'x'; 255]));
        assert!(Fingerprint::default().matches(b"anything"));
    }

    #[test]
    fn every_path_has_a_kind() {
        assert_eq!(kind("-").name, "standard input");
        assert_eq!(kind("/var/log/mail.log").name, "files");
        assert_eq!(kind("syslog:udp://127.0.0.1:5514").name, "syslog");
        assert_eq!(kind("journal:_COMM=sshd").name, "the systemd journal");
    }
}
