//! `[report]`: the files that say where addresses belong.

use std::path::PathBuf;

use super::document::Section;
use super::error::At;
use super::load::resolve_absolute;
use crate::report::Settings;

/// The section as it is written.
pub(super) struct ReportFiles {
    countries: Vec<At<String>>,
    networks: Vec<At<String>>,
}

impl ReportFiles {
    /// Reads it.
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            countries: section.get("countries").unwrap_or_default(),
            networks: section.get("networks").unwrap_or_default(),
        }
    }

    /// What reports are told of it.
    pub(super) fn settings(&self) -> Settings {
        let paths = |written: &[At<String>]| -> Vec<PathBuf> {
            written.iter().map(|path| resolve_absolute(&path.place.file, &path.value)).collect()
        };
        Settings { countries: paths(&self.countries), networks: paths(&self.networks) }
    }
}
