//! The files of data sets: read, and read again when they have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use tracing::{info, warn};

use super::{Set, Settings};
use crate::clock::Timestamp;
use crate::dataset::{self, ACL, Acl, DataSet, Header, Loaded, Options, Source, Warning};

/// A data set of so many entries that loses more than half of them at once is taken for a damaged one.
const LARGE: usize = 100;

/// Whether a data set may suddenly become much smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shrinking {
    /// Somebody says that the files are as they should be.
    Allowed,
    Refused,
}

/// What was read for each data set of the settings, in their order.
pub(super) struct Data(Vec<Known>);

/// A data set as it was read.
pub(super) struct Known {
    stamps: Vec<Option<Stamp>>,
    pub(super) content: Content,
    pub(super) header: Header,
}

/// What a data set is.
pub(super) enum Content {
    Set(Arc<dyn DataSet>),
    Clients(Arc<Acl>),
}

/// By this it is seen that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    written: SystemTime,
    length: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { written: file.modified().ok()?, length: file.len() })
    }
}

impl Data {
    /// Reads all files.
    pub(super) fn load(settings: &Settings, now: Timestamp) -> Result<Self> {
        let sets = settings.sets.iter().map(|set| Known::load(set, &settings.options, now));
        Ok(Self(sets.collect::<Result<_>>()?))
    }

    /// What was read, beside the data set it was read for.
    pub(super) fn sets<'a>(&'a self, settings: &'a Settings) -> impl Iterator<Item = (&'a Set, &'a Known)> {
        settings.sets.iter().zip(&self.0)
    }

    /// Reads again what has changed; whether anything is different now. What cannot be read stays as it is.
    pub(super) fn look(&mut self, settings: &Settings, shrinking: Shrinking, now: Timestamp) -> bool {
        let mut changed = false;
        for (set, known) in settings.sets.iter().zip(&mut self.0) {
            if stamps(set) == known.stamps {
                continue;
            }
            match known.reload(set, &settings.options, shrinking, now) {
                Ok(()) => changed = true,
                Err(error) => warn!("what was read before is served on: {error:#}"),
            }
        }
        changed
    }
}

fn stamps(set: &Set) -> Vec<Option<Stamp>> {
    set.files.iter().map(|path| Stamp::of(path)).collect()
}

impl Known {
    fn load(set: &Set, options: &Options, now: Timestamp) -> Result<Self> {
        let stamps = stamps(set);
        let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let contents: Vec<Vec<u8>> = set.files.iter().map(read).collect::<Result<_>>()?;
        let names: Vec<String> = set.files.iter().map(|path| path.display().to_string()).collect();
        let sources = names.iter().zip(&contents).map(|(name, bytes)| Source { name, bytes });
        let sources: Vec<Source<'_>> = sources.collect();
        if set.kind == ACL {
            let Loaded { set: acl, header, warnings, wrong } = dataset::load_acl(&sources, options)?;
            tell(&warnings, wrong);
            return Ok(Self { stamps, content: Content::Clients(Arc::new(acl)), header });
        }
        let Loaded { set, header, warnings, wrong } = dataset::load(&set.kind, &sources, options, now)?;
        tell(&warnings, wrong);
        info!("{}: {} entries", names.join(", "), set.len());
        Ok(Self { stamps, content: Content::Set(set.into()), header })
    }

    fn reload(&mut self, set: &Set, options: &Options, shrinking: Shrinking, now: Timestamp) -> Result<()> {
        let read = Self::load(set, options, now)?;
        // A file that changed while it was read may be half written. It is read at the next look.
        if stamps(set) != read.stamps {
            bail!("{} changed while it was read", set.files[0].display());
        }
        let (before, after) = (self.content.len(), read.content.len());
        if shrinking == Shrinking::Refused && before >= LARGE && after < before / 2 {
            bail!(
                "{} has {after} entries where there were {before}; SIGHUP has it served all the same",
                set.files[0].display()
            );
        }
        *self = read;
        Ok(())
    }

    /// When the newest of its files was written.
    pub(super) fn written(&self) -> Option<SystemTime> {
        self.stamps.iter().flatten().map(|stamp| stamp.written).max()
    }
}

impl Content {
    fn len(&self) -> usize {
        match self {
            Self::Set(set) => set.len(),
            Self::Clients(_) => 0,
        }
    }
}

fn tell(warnings: &[Warning], wrong: usize) {
    for warning in warnings {
        warn!("{warning}");
    }
    if wrong > warnings.len() {
        warn!("{} more lines are wrong", wrong - warnings.len());
    }
}
