//! Which filter is tested: one by name, one by path, or one made of the regular expressions typed.

use std::path::Path;

use anyhow::{Context, bail};

use super::Args;
use crate::cli::Global;
use crate::config::Filters;
use crate::filter::Settings;

/// A filter and how it was named.
pub(super) struct Subject {
    pub settings: Settings,
    /// What `shown` is.
    pub kind: &'static str,
    /// The name, path or pattern.
    pub shown: String,
}

/// Finds the filter that the command line means.
pub(super) fn find(args: &Args, global: &Global) -> anyhow::Result<Subject> {
    if let Some(file) = &args.filter_file {
        return by_path(file);
    }
    let written = args.filter.as_deref().context("name a filter, or write a failregex")?;
    let filters = global.glance()?.filters;
    let mut subject = if filters.has(written) {
        let settings = filters.find(written)?;
        Subject { settings, kind: "filter", shown: written.to_owned() }
    } else if Path::new(written).extension().is_some_and(|extension| extension == "toml") {
        by_path(Path::new(written))?
    } else {
        by_pattern(written, &filters)?
    };
    if let Some(ignoreregex) = &args.ignoreregex {
        subject.settings.ignoreregex = vec![ignoreregex.clone()];
    }
    Ok(subject)
}

fn by_path(file: &Path) -> anyhow::Result<Subject> {
    let shown = file.display().to_string();
    if file.extension().is_none_or(|extension| extension != "toml") {
        bail!("`{shown}` is no filter file of banzone: their names end in .toml");
    }
    // Only what contains a slash is looked for as a path.
    let path = Path::new(".").join(file);
    let settings = Filters::default().find(&path.to_string_lossy())?;
    Ok(Subject { settings, kind: "filter file", shown })
}

/// A word without any tag is rather a misspelt name than a pattern; the error for names says what there is.
fn by_pattern(written: &str, filters: &Filters) -> anyhow::Result<Subject> {
    if written.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        filters.find(written)?;
    }
    let settings = Settings {
        name: "of the command line".to_owned(),
        failregex: vec![written.to_owned()],
        ..Settings::default()
    };
    Ok(Subject { settings, kind: "failregex", shown: written.to_owned() })
}
