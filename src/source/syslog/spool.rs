//! What was received is kept in files until what followed from it is committed. In come lines, which are in a file when
//! that returns; out of the files they are read like any log.
//!
//! ```text
//! SPOOL/udp%3A%2F%2F127.0.0.1%3A5514/received.log            written to
//!                                    received.log.00000001   full; removed once it is read and that is committed
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A file that has grown to this is full.
pub(super) const FILE_BYTES: u64 = 8 << 20;

/// All files of one listener together: what is received beyond it is dropped.
pub(super) const SPOOL_BYTES: u64 = 256 << 20;

const CURRENT: &str = "received.log";

/// The next one, before it takes its name.
const NEXT: &str = "received.new";

/// Stays readable in the name of a folder.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// The folder of one listener.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The size of all full files.
    full: Arc<AtomicU64>,
}

/// A full file.
pub(super) struct Full {
    path: PathBuf,
    pub(super) inode: u64,
    pub(super) size: u64,
}

impl Folder {
    /// The folder in `spool` for what is received at `address`; made if it is missing.
    pub(super) fn open(spool: &Path, address: &str) -> io::Result<Self> {
        let path = spool.join(utf8_percent_encode(address, PLAIN).to_string());
        DirBuilder::new().recursive(true).mode(0o750).create(&path)?;
        let folder = Self { path, full: Arc::default() };
        folder.full_files()?;
        Ok(folder)
    }

    /// The file that is written to.
    pub(super) fn current(&self) -> PathBuf {
        self.path.join(CURRENT)
    }

    /// The full files in order; takes down how large they are.
    pub(super) fn full_files(&self) -> io::Result<Vec<Full>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if number(&entry.path()).is_some() {
                let metadata = entry.metadata()?;
                files.push(Full { path: entry.path(), inode: metadata.ino(), size: metadata.len() });
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        self.full.store(files.iter().map(|file| file.size).sum(), Relaxed);
        Ok(files)
    }

    /// Lets go of a file.
    pub(super) fn remove(&self, file: &Full) -> io::Result<()> {
        fs::remove_file(&file.path)
    }

    /// Makes sure that a crash of the machine does not take back what was read.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(self.current())?.sync_data()
    }
}

/// The number of a full file. It has eight digits, so that the names are in order and none is taken for a count of
/// rotations.
fn number(path: &Path) -> Option<u32> {
    let digits = path.file_name()?.to_str()?.strip_prefix(CURRENT)?.strip_prefix('.')?;
    (digits.len() == 8).then(|| digits.parse().ok()).flatten()
}

/// The writing end.
pub(super) struct Spool {
    folder: Folder,
    file: File,
    length: u64,
    /// The number of the last full file.
    last: u32,
    limit: u64,
    file_limit: u64,
}

impl Spool {
    /// Goes on with the file that is there. Of a line that was cut off by a sudden end, nothing is left.
    pub(super) fn open(folder: Folder) -> io::Result<Self> {
        let file = append_to(&folder.current())?;
        let length = whole_lines(&file)?;
        file.set_len(length)?;
        let last = folder.full_files()?.last().and_then(|file| number(&file.path)).unwrap_or(0);
        Ok(Self { folder, file, length, last, limit: SPOOL_BYTES, file_limit: FILE_BYTES })
    }

    /// Writes whole lines. When it fails, the error says why, and how many of the lines were not written.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), (io::Error, usize)> {
        if self.folder.full.load(Relaxed) + self.length + lines.len() as u64 > self.limit {
            return Err((io::ErrorKind::QuotaExceeded.into(), count(lines)));
        }
        if let Err(error) = self.file.write_all(lines) {
            return Err((error, count(&lines[self.mend(lines)..])));
        }
        self.length += lines.len() as u64;
        if self.length >= self.file_limit
            && let Err(error) = self.rotate()
        {
            return Err((error, 0));
        }
        Ok(())
    }

    /// Takes back the line that was written in part, and no line that may have been read. Returns up to where `lines` are
    /// written.
    fn mend(&mut self, lines: &[u8]) -> usize {
        let there = self.file.metadata().map_or(self.length, |metadata| metadata.len());
        let written = usize::try_from(there.saturating_sub(self.length)).unwrap_or(0).min(lines.len());
        let whole = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |newline| newline + 1);
        self.length += whole as u64;
        // If this fails, the rest of the line becomes part of the one that is written next.
        let _ = self.file.set_len(self.length);
        whole
    }

    /// Begins a new file. Until that is there, the old one stays in its place.
    fn rotate(&mut self) -> io::Result<()> {
        let next = self.folder.path.join(NEXT);
        let file = append_to(&next)?;
        file.set_len(0)?;
        self.file.sync_data()?;
        let full = self.folder.path.join(format!("{CURRENT}.{:08}", self.last + 1));
        put_aside(&self.folder.current(), &full, &next)?;
        self.folder.full.fetch_add(self.length, Relaxed);
        self.last += 1;
        (self.file, self.length) = (file, 0);
        Ok(())
    }
}

/// Puts `current` aside as `full`, and `next` in its place. If that fails, `current` is where it was.
fn put_aside(current: &Path, full: &Path, next: &Path) -> io::Result<()> {
    fs::rename(current, full)?;
    fs::rename(next, current).inspect_err(|_| {
        // If this fails as well, lines still go to the file that is open, and what is in it is read under its new name.
        let _ = fs::rename(full, current);
    })
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

fn count(lines: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', lines).count()
}

/// How far the file has whole lines.
fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = [0; 64 * 1024];
    while end > 0 {
        let begin = end.saturating_sub(piece.len() as u64);
        let piece = &mut piece[..(end - begin) as usize];
        file.read_exact_at(piece, begin)?;
        if let Some(newline) = memchr::memrchr(b'\n', piece) {
            return Ok(begin + newline as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Spool {
        let folder = Folder::open(path, "udp://127.0.0.1:5514").unwrap();
        Spool { file_limit: 10, limit: 30, ..Spool::open(folder).unwrap() }
    }

    fn names(spool: &Spool) -> Vec<String> {
        let entries = fs::read_dir(&spool.folder.path).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn full_files_are_put_aside_and_the_size_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        assert!(folder.path().join("udp%3A%2F%2F127.0.0.1%3A5514").is_dir());
        spool.append(b"one\n").unwrap();
        spool.append(b"second\n").unwrap();
        spool.append(b"third\n").unwrap();
        assert_eq!(names(&spool), ["received.log", "received.log.00000001"]);
        drop(spool);
        let mut spool = open(folder.path());
        spool.append(b"fourth\n").unwrap();
        assert_eq!(names(&spool), ["received.log", "received.log.00000001", "received.log.00000002"]);
        let (error, lost) = spool.append(b"much\nmore\n").unwrap_err();
        assert_eq!((error.kind(), lost), (io::ErrorKind::QuotaExceeded, 2));
        let full = spool.folder.full_files().unwrap();
        assert_eq!(full.iter().map(|file| file.size).collect::<Vec<_>>(), [11, 13]);
        spool.folder.remove(&full[0]).unwrap();
        spool.folder.full_files().unwrap();
        spool.append(b"much\nmore\n").unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays() {
        let folder = tempfile::tempdir().unwrap();
        let spool = open(folder.path());
        let current = spool.folder.current();
        fs::write(&current, "one\n").unwrap();
        let (full, next) = (current.with_extension("full"), current.with_extension("missing"));
        put_aside(&current, &full, &next).unwrap_err();
        assert_eq!(
            (names(&spool), fs::read_to_string(&current).unwrap()),
            (vec![CURRENT.into()], "one\n".into())
        );
    }

    #[test]
    fn a_full_file_that_cannot_be_put_aside_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        let aside = spool.folder.path.join("received.log.00000001");
        fs::create_dir(&aside).unwrap();
        assert_eq!(spool.append(b"first line\n").unwrap_err().1, 0, "the line is written");
        fs::remove_dir(&aside).unwrap();
        spool.append(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&aside).unwrap(), "first line\nsecond\n");
        spool.append(b"third\n").unwrap();
        assert_eq!(fs::read_to_string(spool.folder.current()).unwrap(), "third\n");
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_taken_back() {
        for (there, left) in [("one\ntw", "one\n"), ("tw", ""), ("one\n", "one\n")] {
            let folder = tempfile::tempdir().unwrap();
            let current = open(folder.path()).folder.current();
            fs::write(&current, there).unwrap();
            open(folder.path()).append(b"x\n").unwrap();
            assert_eq!(fs::read_to_string(&current).unwrap(), format!("{left}x\n"));
        }
    }

    #[test]
    fn what_a_full_disk_took_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        spool.append(b"a\n").unwrap();
        // As if the disk had become full within the second line.
        fs::write(spool.folder.current(), "a\nb\nc").unwrap();
        assert_eq!(spool.mend(b"b\ncd\n"), 2);
        spool.append(b"e\n").unwrap();
        assert_eq!(fs::read_to_string(spool.folder.current()).unwrap(), "a\nb\ne\n");
    }
}
