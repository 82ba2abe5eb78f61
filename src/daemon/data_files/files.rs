//! The files of data sets: read, and read again when they have changed. What was read last stays until something better comes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{error, info, warn};

use super::Set;
use crate::clock::Timestamp;
use crate::dataset::{self, ACL, ACLKEY, Acl, DataSet, Findings, Header, KeyAcl, Loaded, Source, Tally};
use crate::zone::Name;

/// A file of so many entries that loses more than half of them at once is taken for a damaged one.
const LARGE: usize = 100;

/// Whether a file may suddenly become much smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Shrinking {
    /// Somebody says that the files are as they should be.
    Allowed,
    Refused,
}

/// All data sets of a server, in the order of its configuration.
#[derive(Clone, Default)]
pub(in crate::daemon) struct Data(Vec<Known>);

/// A data set with what is known of it.
#[derive(Clone)]
pub(in crate::daemon) struct Known {
    pub(in crate::daemon) set: Arc<Set>,
    /// What was read last and well; `None`: nothing ever was.
    last: Option<Arc<Contents>>,
    /// Why it is not of the files as they are.
    failure: Option<Failure>,
    /// How often reading failed.
    pub(in crate::daemon) failures: u64,
    is_told_old: bool,
}

/// A data set as it was read.
pub struct Contents {
    stamps: Vec<Option<Stamp>>,
    at: Timestamp,
    pub(super) parsed: Parsed,
    pub(super) header: Header,
    /// What was found in its files.
    pub findings: Findings,
}

/// What a data set is.
pub(super) enum Parsed {
    Set(Arc<dyn DataSet>),
    Clients(Arc<Acl>),
    Keys(Arc<KeyAcl>),
}

/// A failure to read a data set.
#[derive(Clone)]
struct Failure {
    message: String,
    tried: Vec<Option<Stamp>>,
    /// When it may go better although the files are the same.
    retry: Option<Timestamp>,
}

/// Why a data set is not taken as its files are.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; correct the path, or let the user that banzone runs as read it", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It may be half written.
    #[error("{0} changed while it was read")]
    Changed(String),
    /// It is damaged, or something else.
    #[error("{} has {} wrong lines and {} right ones; correct it", path.display(), after.wrong, after.entries)]
    Garbled {
        /// The file.
        path: PathBuf,
        /// What is in it.
        after: Tally,
    },
    /// It may be damaged.
    #[error("{} has {after} entries where there were {before}; a reload (SIGHUP) has it served all the same", path.display())]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// How many entries it had.
        before: usize,
        /// How many it has.
        after: usize,
    },
    /// What is in the files.
    #[error(transparent)]
    Content(#[from] dataset::Error),
}

impl Unread {
    /// When it may go better although the files are the same.
    fn retry(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Unreadable { .. } | Self::Changed(_) => Some(now),
            Self::Content(dataset::Error::Future { created, .. }) => Some(*created),
            Self::Content(_) | Self::Garbled { .. } | Self::Shrunk { .. } => None,
        }
    }
}

/// By this it is seen that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    written: SystemTime,
    length: u64,
    inode: u64,
    /// It cannot be set back, as the time of writing can.
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        let changed = (file.ctime(), file.ctime_nsec());
        Some(Self { written: file.modified().ok()?, length: file.len(), inode: file.ino(), changed })
    }
}

fn stamps(settings: &dataset::Settings) -> Vec<Option<Stamp>> {
    settings.files.iter().map(|path| Stamp::of(path)).collect()
}

impl Data {
    /// Reads these data sets, but of those that `before` knows only what has changed. What could not be read is said in the
    /// log, and [`Data::missing`] tells of what there is nothing at all.
    pub(in crate::daemon) fn load(
        sets: impl IntoIterator<Item = Set>,
        before: &Self,
        now: Timestamp,
    ) -> Self {
        let known =
            |set| before.0.iter().find(|known| *known.set == set).cloned().unwrap_or_else(|| Known::new(set));
        let mut data = Self(sets.into_iter().map(known).collect());
        data.look(Shrinking::Allowed, now);
        data
    }

    /// Reads again what has changed; whether anything is different now. What cannot be read stays as it is.
    pub(in crate::daemon) fn look(&mut self, shrinking: Shrinking, now: Timestamp) -> bool {
        self.0.iter_mut().fold(false, |changed, known| known.look(shrinking, now) | changed)
    }

    /// Every data set with what is known of it.
    pub(in crate::daemon) fn all(&self) -> &[Known] {
        &self.0
    }

    /// Those of a zone; `None` is those for all zones.
    pub(super) fn of(&self, origin: Option<&Name>) -> Vec<&Known> {
        self.0.iter().filter(|known| known.set.origin.as_ref() == origin).collect()
    }

    /// What is wrong with each data set, by its place in the order, that was never read and that `before` does not have: whoever
    /// adds one means it to be served.
    pub(in crate::daemon) fn missing(&self, before: &Self) -> Vec<(usize, String)> {
        let is_new = |known: &Known| before.0.iter().all(|other| other.set != known.set);
        let missing = self.0.iter().enumerate().filter(|(_, known)| known.last.is_none() && is_new(known));
        missing.filter_map(|(place, known)| Some((place, known.failure.as_ref()?.message.clone()))).collect()
    }
}

impl Known {
    fn new(set: Set) -> Self {
        Self { set: Arc::new(set), last: None, failure: None, failures: 0, is_told_old: false }
    }

    /// Reads it if that is due; whether it is different now.
    fn look(&mut self, shrinking: Shrinking, now: Timestamp) -> bool {
        self.tell_age(now);
        let stamps = stamps(&self.set.list.settings);
        if !self.is_due(&stamps, shrinking, now) {
            return false;
        }
        match read(&self.set.list.settings, now).and_then(|contents| self.check(contents, shrinking)) {
            Ok(contents) => self.take(contents),
            Err(unread) => self.fail(&unread, stamps, shrinking, now),
        }
        self.failure.is_none()
    }

    fn is_due(&self, stamps: &[Option<Stamp>], shrinking: Shrinking, now: Timestamp) -> bool {
        match (&self.failure, &self.last) {
            (Some(failure), _) => {
                shrinking == Shrinking::Allowed
                    || failure.tried != stamps
                    || failure.retry.is_some_and(|retry| retry <= now)
            }
            (None, Some(last)) => last.stamps != stamps,
            (None, None) => true,
        }
    }

    /// Whether what was read can take the place of what was there.
    fn check(&self, contents: Contents, shrinking: Shrinking) -> Result<Contents, Unread> {
        let settings = &self.set.list.settings;
        let files = settings.files.iter().zip(&contents.findings.files);
        let Some(last) = &self.last else { return Ok(contents) };
        // It is read at the next look.
        if stamps(settings) != contents.stamps {
            return Err(Unread::Changed(settings.title()));
        }
        for ((path, after), before) in files.zip(&last.findings.files) {
            check_file(path, *before, *after, shrinking)?;
        }
        Ok(contents)
    }

    fn take(&mut self, contents: Contents) {
        contents.findings.warnings.iter().for_each(|warning| warn!("{warning}"));
        match contents.findings.untold() {
            0 => {}
            untold => warn!("{untold} more lines are wrong"),
        }
        info!("{}: {} entries", self.set.list.settings.title(), contents.entries());
        self.last = Some(Arc::new(contents));
        self.failure = None;
        self.is_told_old = false;
    }

    fn fail(&mut self, unread: &Unread, tried: Vec<Option<Stamp>>, shrinking: Shrinking, now: Timestamp) {
        let message = unread.to_string();
        self.failures += 1;
        let is_news = self.failure.as_ref().is_none_or(|failure| failure.message != message);
        // Whoever has it read now looks into the log now.
        if is_news || shrinking == Shrinking::Allowed {
            match self.last {
                Some(_) => warn!("what was read before is served on: {message}"),
                None => error!("a data set is not served: {message}"),
            }
        }
        self.failure = Some(Failure { message, tried, retry: unread.retry(now) });
    }

    /// Says once that it has become too old.
    fn tell_age(&mut self, now: Timestamp) {
        if let Some(old) = self.too_old(now).filter(|_| !self.is_told_old) {
            error!("{old}");
            self.is_told_old = true;
        }
    }

    fn too_old(&self, now: Timestamp) -> Option<String> {
        let expires = self.last()?.expires().filter(|expires| *expires <= now)?;
        let title = self.set.list.settings.title();
        Some(format!("{title} is not served: its $TIMESTAMP says that it is too old since {expires}"))
    }

    /// What is wrong with it, for people.
    pub(in crate::daemon) fn problem(&self, now: Timestamp) -> Option<String> {
        let failed = self.failure.as_ref().map(|failure| match self.last {
            Some(_) => format!("{}; what was read before is served", failure.message),
            None => format!("{}; the data set is not served", failure.message),
        });
        failed.or_else(|| self.too_old(now))
    }

    /// What was read last.
    pub(super) fn last(&self) -> Option<&Contents> {
        self.last.as_deref()
    }

    /// How many entries it has.
    pub(in crate::daemon) fn entries(&self) -> usize {
        self.last.as_ref().map_or(0, |last| last.entries())
    }

    /// When it was read.
    pub(in crate::daemon) fn loaded(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|last| last.at)
    }
}

/// Whether what is in a file now can take the place of what was in it `before`.
fn check_file(path: &Path, before: Tally, after: Tally, shrinking: Shrinking) -> Result<(), Unread> {
    check_garbled(path, before, after)?;
    // A small file may lose most of its entries on one day, but hardly all.
    let least = if before.entries >= LARGE { before.entries / 2 } else { before.entries.min(1) };
    if shrinking == Shrinking::Refused && after.entries < least {
        let (before, after) = (before.entries, after.entries);
        return Err(Unread::Shrunk { path: path.to_owned(), before, after });
    }
    Ok(())
}

/// Whether more lines are right than wrong, if that was so `before`.
fn check_garbled(path: &Path, before: Tally, after: Tally) -> Result<(), Unread> {
    let is_garbled = |tally: Tally| tally.wrong > tally.entries;
    if is_garbled(after) && !is_garbled(before) {
        return Err(Unread::Garbled { path: path.to_owned(), after });
    }
    Ok(())
}

/// Reads a data set. A list of clients or keys is refused if most lines of a file are wrong, since it would let in those whom it
/// should keep out, or nobody.
pub fn read(settings: &dataset::Settings, now: Timestamp) -> Result<Contents, Unread> {
    let stamps = stamps(settings);
    let bytes_of =
        |path: &PathBuf| fs::read(path).map_err(|source| Unread::Unreadable { path: path.clone(), source });
    let bytes: Vec<Vec<u8>> = settings.files.iter().map(bytes_of).collect::<Result<_, _>>()?;
    let names: Vec<String> = settings.files.iter().map(|path| path.display().to_string()).collect();
    let sources = names.iter().zip(&bytes).map(|(name, bytes)| Source { name, bytes });
    let sources: Vec<Source<'_>> = sources.collect();
    let options = &settings.options;
    let Loaded { set: parsed, header, findings } = match &*settings.kind {
        ACL => dataset::load_acl(&sources, options)?.map(|acl| Parsed::Clients(Arc::new(acl))),
        ACLKEY => dataset::load_aclkey(&sources, options)?.map(|keys| Parsed::Keys(Arc::new(keys))),
        kind => dataset::load(kind, &sources, options, now)?.map(|set| Parsed::Set(set.into())),
    };
    if settings.is_for_askers() {
        let mut files = settings.files.iter().zip(&findings.files);
        files.try_for_each(|(path, tally)| check_garbled(path, Tally::default(), *tally))?;
    }
    Ok(Contents { stamps, at: now, parsed, header, findings })
}

impl Contents {
    /// How many entries there are.
    pub fn entries(&self) -> usize {
        match &self.parsed {
            Parsed::Set(set) => set.len(),
            Parsed::Clients(acl) => acl.len(),
            Parsed::Keys(keys) => keys.len(),
        }
    }

    /// From then on it is too old to be served.
    pub fn expires(&self) -> Option<Timestamp> {
        self.header.expires
    }

    /// When the newest of its files was written, since 1970.
    pub(super) fn written(&self) -> Duration {
        let newest = self.stamps.iter().flatten().map(|stamp| stamp.written).max();
        newest.and_then(|written| written.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
    }
}
