//! Which filter is tested: one by name, one by path, or one made of the regular expressions typed.

use std::path::Path;

use anyhow::{Context, bail};

use super::Args;
use crate::cli::Global;
use crate::config::{Filters, fail2ban};
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
        return by_path(file, Vec::new(), args);
    }
    let written = args.filter.as_deref().context("name a filter, or write a failregex")?;
    let filters = global.glance()?.filters;
    let mut subject = if let Some((file, given)) = fail2ban::path_and_options(written)? {
        by_path(file, given, args)?
    } else if filters.has(written) {
        refuse_options(args)?;
        let settings = filters.find(written)?;
        Subject { settings, kind: "filter", shown: written.to_owned() }
    } else if Path::new(written).extension().is_some_and(|extension| extension == "toml") {
        by_path(Path::new(written), Vec::new(), args)?
    } else {
        refuse_options(args)?;
        by_pattern(written, &filters)?
    };
    if let Some(ignoreregex) = &args.ignoreregex {
        subject.settings.ignoreregex = vec![ignoreregex.clone()];
    }
    Ok(subject)
}

/// The filter in a file: one of banzone's in TOML, or one of fail2ban's with the options `given` and those typed.
fn by_path(file: &Path, mut given: Vec<(String, String)>, args: &Args) -> anyhow::Result<Subject> {
    let shown = file.display().to_string();
    let settings = if file.extension().is_some_and(|extension| extension == "toml") {
        refuse_options(args)?;
        // Only what contains a slash is looked for as a path.
        Filters::default().find(&Path::new(".").join(file).to_string_lossy())?
    } else {
        given.extend(args.options.iter().cloned());
        fail2ban::filter_file(file, &given, args.journal)?.settings
    };
    Ok(Subject { settings, kind: "filter file", shown })
}

fn refuse_options(args: &Args) -> anyhow::Result<()> {
    match args.options.first() {
        None => Ok(()),
        Some((name, _)) => bail!(
            "unknown option `{name}`: only fail2ban's filters have some; name the file of one, or write {name} in brackets behind its name"
        ),
    }
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
