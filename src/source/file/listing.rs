//! One look at the file system: the files a pattern matches, and beside them the files rotated from these. In comes
//! a path or glob, out comes what is there under which name at one instant.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::names::{age, is_compressed, rotated_from};
use crate::source::Error;

/// The most files one source knows, rotated ones included: bounds memory and the rows in the store.
pub(super) const MAX_FILES: usize = 4096;

/// How often a look is repeated when files are rotated meanwhile.
const LOOKS: usize = 3;

/// What names a file while it exists, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Modification time: seconds and nanoseconds.
pub(super) type Modified = (i64, i64);

/// A regular file that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) size: u64,
    pub(super) modified: Modified,
    /// The pattern matches its name; if not, it is there as a rotated file.
    pub(super) matched: bool,
    /// The log it was rotated from, by its name.
    pub(super) base: Option<PathBuf>,
    /// It is known, but nothing was ever seen in it.
    pub(super) was_empty: bool,
}

/// All files found, in the order to read them.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<Found>,
    /// Why other matches are not among them.
    pub(super) problems: BTreeMap<PathBuf, String>,
    /// Logs that are there, but without permission to look at them.
    pub(super) denied: Vec<PathBuf>,
    /// Below these folders there may be files that were not seen.
    pub(super) unsure: BTreeSet<PathBuf>,
    /// Where new files can appear.
    pub(super) folders: BTreeSet<PathBuf>,
}

/// A path or a glob.
pub(super) enum Pattern {
    Path(PathBuf),
    Glob(String),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let path = std::path::absolute(text).map_err(|error| Error::Read {
            path: text.to_owned(),
            error,
            remedy: "give an absolute path",
        })?;
        if !text.contains(['*', '?', '[']) {
            return Ok(Self::Path(path));
        }
        match glob::Pattern::new(text) {
            Ok(_) => Ok(Self::Glob(path.to_string_lossy().into_owned())),
            Err(error) => Err(Error::Pattern { pattern: text.to_owned(), reason: error.msg }),
        }
    }

    /// Looks around. `known` are the files already followed, whose rotated files count as well. `None`: files were being
    /// renamed all the time, so that no look was one of a single instant.
    ///
    /// Files can be renamed from names not yet looked at to names looked at already, and so be missed. Only two
    /// looks that see the same show all there is; one is enough if nothing has changed at all.
    pub(super) fn list(&self, known: &HashMap<PathBuf, Identity>) -> Option<Listing> {
        let mut last = self.look(known);
        if last.shows(known) {
            return Some(last);
        }
        for _ in 0..LOOKS {
            let next = self.look(known);
            if next.shows(&last.names()) {
                return Some(next);
            }
            last = next;
        }
        None
    }

    fn look(&self, known: &HashMap<PathBuf, Identity>) -> Listing {
        let mut listing = Listing::default();
        let matches = self.matches(&mut listing);
        let is_log = |path: &Path| matches.contains(path) || known.contains_key(path) || self.is(path);
        for path in &matches {
            listing.add(path, true, rotated_from(path, is_log));
        }
        for folder in listing.folders.clone() {
            listing.add_rotated(&folder, &matches, is_log);
        }
        listing.in_order()
    }

    fn is(&self, path: &Path) -> bool {
        matches!(self, Self::Path(own) if own == path)
    }

    /// The paths that match, without compressed files; the folders they are in go into the listing.
    fn matches(&self, listing: &mut Listing) -> BTreeSet<PathBuf> {
        let found: BTreeSet<PathBuf> = match self {
            Self::Path(path) => BTreeSet::from([path.clone()]),
            Self::Glob(pattern) => {
                listing.folders.insert(fixed_folder(pattern));
                expand(pattern, listing)
            }
        };
        let folders = found.iter().filter_map(|path| path.parent());
        listing.folders.extend(folders.map(Path::to_owned));
        found
    }
}

impl Listing {
    fn names(&self) -> HashMap<PathBuf, Identity> {
        self.files.iter().map(|file| (file.path.clone(), file.identity)).collect()
    }

    /// Whether these files are there under these names, and no others.
    fn shows(&self, names: &HashMap<PathBuf, Identity>) -> bool {
        let is_known = |file: &Found| names.get(&file.path) == Some(&file.identity);
        self.files.len() == names.len() && self.files.iter().all(is_known)
    }

    fn add(&mut self, path: &Path, matched: bool, base: Option<PathBuf>) {
        if self.files.len() >= MAX_FILES {
            let folder = path.parent().unwrap_or(path);
            let problem = format!("more than {MAX_FILES} log files; narrow the pattern");
            self.problems.insert(folder.to_owned(), problem);
            self.unsure.insert("/".into());
            return;
        }
        match look_at(path) {
            Ok(metadata) => self.files.push(Found {
                path: path.to_owned(),
                identity: Identity::of(&metadata),
                size: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                matched,
                base,
                was_empty: false,
            }),
            Err(error) => self.miss(path, matched, &error),
        }
    }

    /// Notes why a file is not among those found. What lies beside a log is no problem of its own.
    fn miss(&mut self, path: &Path, matched: bool, error: &io::Error) {
        if matched && error.kind() == io::ErrorKind::PermissionDenied {
            self.denied.push(path.to_owned());
        }
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) {
            self.unsure.extend(path.parent().map(Path::to_owned));
        }
        if matched {
            self.problems.insert(path.to_owned(), explain(error));
        }
    }

    fn add_rotated(&mut self, folder: &Path, matches: &BTreeSet<PathBuf>, is_log: impl Fn(&Path) -> bool) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.miss(&folder.join("*"), false, &error),
        };
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            if is_compressed(&path) || matches.contains(&path) {
                continue;
            }
            let base = rotated_from(&path, &is_log);
            if base.is_some() {
                self.add(&path, false, base);
            }
        }
    }

    /// Rotated files before logs, older before younger, and each file once however many names it has.
    fn in_order(mut self) -> Self {
        let mut seen = HashSet::new();
        self.files.sort_by_key(|file| (file.base.is_some(), !file.matched, file.path.clone()));
        self.files.retain(|file| seen.insert(file.identity));
        self.files.sort_by(|one, other| order(one).cmp(&order(other)));
        self
    }
}

fn order(file: &Found) -> impl Ord + '_ {
    (file.base.is_none(), file.modified, age(&file.path))
}

/// Opens a file for reading, but does not wait for a writer if a FIFO has taken its place.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    OpenOptions::new().read(true).custom_flags(nonblocking).open(path)
}

/// What the system's answer means for whoever runs this.
pub(super) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file yet; waiting for it".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let banzone's user read it (on Debian: add it to the group `adm`)".to_owned()
        }
        io::ErrorKind::InvalidInput => error.to_string(),
        _ => format!("cannot be read ({error}); will try again"),
    }
}

fn look_at(path: &Path) -> io::Result<Metadata> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(refuse("not a regular file; name a log file, or narrow the pattern"));
    }
    if is_compressed(path) {
        return Err(refuse("compressed; read it once with `banzone replay`"));
    }
    Ok(metadata)
}

fn refuse(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn expand(pattern: &str, listing: &mut Listing) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for path in glob::glob(pattern).into_iter().flatten().take(MAX_FILES + 1) {
        match path {
            Ok(path) if is_compressed(&path) => {}
            Ok(path) => drop(found.insert(path)),
            Err(error) => {
                listing.problems.insert(error.path().to_owned(), explain(error.error()));
                listing.unsure.insert(error.path().to_owned());
            }
        }
    }
    if found.is_empty() {
        let problem = "no file matches yet; waiting for one".to_owned();
        listing.problems.insert(pattern.into(), problem);
    }
    found
}

/// The longest start of a glob that is a folder without wildcards.
fn fixed_folder(pattern: &str) -> PathBuf {
    let wild = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let slash = pattern[..wild].rfind('/').unwrap_or(0);
    PathBuf::from(&pattern[..=slash])
}
