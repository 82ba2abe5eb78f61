//! `[store]`: the database and how long it remembers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Section;
use super::load::resolve_absolute;
use crate::store::Settings;

const DEFAULT_DATABASE: &str = "/var/lib/banzone/banzone.db";

/// Long enough to answer a complaint, short enough for a promise about personal data.
const EVIDENCE_RETENTION: Duration = Duration::from_secs(90 * 86_400);

/// Long enough to see who comes back every year.
const HISTORY_RETENTION: Duration = Duration::from_secs(3 * 31_557_600);

/// The section as it is written.
pub(super) struct Store {
    path: Option<PathBuf>,
    spool: Option<PathBuf>,
    evidence_retention: Option<Duration>,
    history_retention: Option<Duration>,
}

impl Store {
    /// Reads it.
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            path: section.get("path"),
            spool: section.get("spool"),
            evidence_retention: section.get("evidence_retention"),
            history_retention: section.get("history_retention"),
        }
    }

    /// What the store is told of it; `file` is where it stands.
    pub(super) fn settings(&self, file: &Path) -> Settings {
        let path = self.path.as_deref().unwrap_or_else(|| Path::new(DEFAULT_DATABASE));
        Settings {
            path: resolve_absolute(file, path),
            evidence_retention: self.evidence_retention.unwrap_or(EVIDENCE_RETENTION),
            history_retention: self.history_retention.unwrap_or(HISTORY_RETENTION),
        }
    }

    /// The folder for what syslog brings: beside the database, as it is a part of the state.
    pub(super) fn spool(&self, file: &Path) -> PathBuf {
        let beside = || self.settings(file).path.with_file_name("spool");
        self.spool.as_deref().map_or_else(beside, |spool| resolve_absolute(file, spool))
    }
}
