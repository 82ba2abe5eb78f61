//! fail2ban's own configuration, as it stands: a folder such as `/etc/fail2ban` goes in, the settings of its enabled
//! jails and of its filters come out, with what is accepted and ignored, or every error with its place.
//!
//! The files are read as fail2ban 1.0.2 reads them: `parser` knows the syntax of one file, `files` which files belong
//! together, `interpolation` and `tags` how values name others, `filter` and `jail` in which order all of that happens.

mod expression;
mod files;
mod filter;
mod interpolation;
mod jail;
mod notices;
mod parameters;
mod parser;
mod settings;
mod sources;
mod tags;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use super::error::{At, Error, Errors, Place};
use crate::jail::Settings;
use files::Files;
use filter::{Definition, Reader};
use jail::Absent;
use parser::Options;
use sources::Reading;
use text::Text;

pub use expression::seconds;
pub use filter::Loaded;

/// Where the system keeps its journals.
const JOURNALS: &[&str] = &["/var/log/journal", "/run/log/journal"];

/// A folder with fail2ban's configuration.
#[derive(Debug)]
pub struct Directory {
    base: PathBuf,
    files: Files,
    /// Whether there is a journal to read instead of logs that do not exist.
    pub(super) journal: bool,
}

/// The jails of a folder.
#[derive(Debug, Default)]
pub struct Jails {
    /// Those that are enabled and right.
    pub enabled: Vec<Settings>,
    /// The names of all of them, and where they begin.
    pub names: Vec<At<String>>,
    /// What is accepted and has no effect, or is passed over as fail2ban does.
    pub notices: Vec<Error>,
}

impl Directory {
    /// The folder `base`.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        let journal = JOURNALS.iter().any(|path| Path::new(path).is_dir());
        Self { base: base.into(), files: Files::default(), journal }
    }

    /// Every file that was read so far.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.paths()
    }

    /// Where its filters lie.
    pub(super) fn filters(&self) -> PathBuf {
        self.base.join("filter.d")
    }

    /// Whether it has a filter called `name`, which may have options in brackets.
    pub fn has_filter(&self, written: &str) -> bool {
        let name = written.split('[').next().unwrap_or(written);
        let path = self.filters().join(name);
        ["conf", "local"].iter().any(|extension| path.with_added_extension(extension).is_file())
    }

    /// The filter `written`, such as `sshd[mode=aggressive]`. `more` is as if it stood in the brackets, too; `journal`: the
    /// lines come from the journal.
    pub fn filter(&self, written: &str, more: &[(String, String)], journal: bool) -> Result<Loaded, Errors> {
        let whole = Place::file(&self.filters());
        let wrong = |message: String| Error { place: whole.clone(), message };
        let (name, given) = parameters::split(written).map_err(wrong)?;
        let given: Vec<_> = given.into_iter().chain(more.iter().cloned()).collect();
        let reader = Reader::named(&self.files, &self.base, name, options(&given, &whole))?;
        let reader = reader.ok_or_else(|| wrong(format!("there is no filter `{name}`: add {name}.conf")))?;
        load(name, reader, &Options::new(), journal)
    }

    /// All jails, or everything that is wrong with those that are enabled.
    pub fn jails(&self) -> Result<Jails, Errors> {
        let mut jails = jail::Jails::read(&self.files, &self.base)?.ok_or_else(|| {
            let message =
                "there is neither jail.conf nor jail.local: is this the folder of fail2ban's configuration?";
            Error { place: Place::file(&self.base), message: message.to_owned() }
        })?;
        let (mut found, mut errors) = (Jails::default(), Vec::new());
        let mut enabled = Vec::new();
        for (name, place) in jails.names() {
            match self.jail(&mut jails, &name, &mut found.notices) {
                Ok(settings) => {
                    found.enabled.push(settings);
                    enabled.push(name.clone());
                }
                Err(Absent::Disabled) => {}
                Err(Absent::Skipped(mut reason)) => {
                    reason.message =
                        format!("jail `{name}` is left out, as fail2ban does: {}", reason.message);
                    found.notices.push(reason);
                }
                Err(Absent::Wrong(wrong)) => errors.extend(wrong.0),
            }
            found.names.push(At { value: name, place });
        }
        if !errors.is_empty() {
            errors.sort();
            errors.dedup();
            return Err(Errors(errors));
        }
        found.notices.extend(self.ignored(&jails, &enabled)?);
        found.notices.extend(self.files.notices());
        found.notices.sort();
        found.notices.dedup();
        Ok(found)
    }

    fn jail(
        &self,
        jails: &mut jail::Jails<'_>,
        name: &str,
        notices: &mut Vec<Error>,
    ) -> Result<Settings, Absent> {
        let mut jail = jails.jail(name, None, notices)?;
        if settings::counts_bans(&jail) {
            let message =
                format!("jail `{name}` counts the bans of the other jails here, and reads no log for that");
            notices.push(Error { place: jail.place.clone(), message });
            return Ok(settings::of_jail(&jail, Vec::new(), notices)?);
        }
        let sources = match sources::of_jail(&jail, self.journal, notices)? {
            Reading::Sources(sources) => sources,
            Reading::Skip(reason) => return Err(Absent::Skipped(reason)),
            Reading::JournalInstead(reason) => {
                notices.push(reason);
                jail = jails.jail(name, Some("systemd"), notices)?;
                match sources::of_jail(&jail, self.journal, notices)? {
                    Reading::Sources(sources) => sources,
                    Reading::Skip(reason) | Reading::JournalInstead(reason) => {
                        return Err(Absent::Skipped(reason));
                    }
                }
            }
        };
        finish(&jail, sources, notices)
    }

    /// What has no effect of the files that were read, and of those about fail2ban's own process.
    fn ignored(&self, jails: &jail::Jails<'_>, enabled: &[String]) -> Result<Vec<Error>, Errors> {
        for name in enabled {
            // What only an action names is used by it; whether the action is right is none of our business.
            drop(jails.merged.get(name, "action", &Options::new()));
        }
        let sections = &jails.merged.sections;
        let own = enabled.iter().filter_map(|name| jails.merged.own_options(name));
        let used = jails.merged.used.borrow();
        let options = std::iter::once(&sections.defaults).chain(own);
        let mut notices = notices::of_jails(options, |place| used.contains(place));
        if let Some(process) = self.files.read(&self.base.join("fail2ban"))? {
            notices.extend(notices::of_process(&process.sections));
        }
        Ok(notices)
    }
}

/// The filter of one file, with what stands in the `.local` file beside it. `given` wins over its options as those do
/// that a jail gives in brackets; `journal`: the lines come from the journal.
pub fn filter_file(path: &Path, given: &[(String, String)], journal: bool) -> Result<Loaded, Errors> {
    let whole = Place::file(path);
    let reader = Reader::of_file(&Files::default(), path, options(given, &whole))?;
    let reader = reader.ok_or_else(|| Error {
        place: whole.clone(),
        message: "there is no such file: name a filter such as /etc/fail2ban/filter.d/sshd.conf".to_owned(),
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    load(&name, reader, &Options::new(), journal)
}

/// The file of a filter of fail2ban's that `written` is the path of, and the options in brackets behind it.
pub fn path_and_options(written: &str) -> Result<Option<PathAndOptions<'_>>, Errors> {
    let Some(path) = super::filter::fail2ban_file(written) else {
        return Ok(None);
    };
    Ok(Some((path, given(written)?)))
}

/// A path, and names with their values.
pub type PathAndOptions<'w> = (&'w Path, Vec<(String, String)>);

/// The options in brackets behind the path of a filter.
pub(super) fn given(written: &str) -> Result<Vec<(String, String)>, Errors> {
    let wrong = |message: String| Error { place: Place::file(Path::new(written)), message };
    let (_, given) = parameters::split(written).map_err(wrong)?;
    Ok(given.into_iter().collect())
}

fn options(pairs: &[(String, String)], place: &Place) -> Options {
    pairs.iter().map(|(name, value)| (name.clone(), Text::new(value, place))).collect()
}

fn load(name: &str, mut reader: Reader, jail: &Options, journal: bool) -> Result<Loaded, Errors> {
    reader.set_logtype(journal);
    reader.read_options(jail, false)?;
    let mut definition = Definition::default();
    definition.add(&reader.combined()?);
    definition.add(jail);
    definition.load(name, reader.place(), &mut Vec::new())
}

/// The settings of a jail whose filter compiles.
fn finish(
    jail: &jail::Jail,
    mut sources: Vec<crate::source::Settings>,
    notices: &mut Vec<Error>,
) -> Result<Settings, Absent> {
    if jail.filter.settings.failregex.is_empty() {
        let message =
            format!("jail `{}` finds nothing: neither it nor its filter has a failregex", jail.name);
        notices.push(Error { place: jail.place.clone(), message });
        sources.clear();
    }
    let settings = settings::of_jail(jail, sources, notices)?;
    if !settings.filter.failregex.is_empty() {
        let compiled = jail.filter.compiled(&settings.filter)?;
        notices.extend(jail.filter.differences(&compiled));
    }
    Ok(settings)
}
