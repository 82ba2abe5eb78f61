//! Finds filters by name: in the folders of the configuration first, then among those in the program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::{At, Errors, Place, Report, did_you_mean};
use super::fail2ban::{self, Directory};
use super::load::resolve;
use super::{file, keys, shipped};
use crate::clock::Timestamp;
use crate::filter::{self, Filter, Settings, Timing};

/// The extension of filter files.
const EXTENSION: &str = "toml";

/// Where filters are found.
#[derive(Debug, Default)]
pub struct Filters {
    folders: Vec<PathBuf>,
    /// Asked for what is in none of them.
    fail2ban: Option<Directory>,
    /// Each is read and compiled once; `None`: it is wrong, which was taken down.
    read: RefCell<BTreeMap<PathBuf, Option<Settings>>>,
}

impl Filters {
    /// Those in `folders`, the first one winning, and those in the program.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, ..Self::default() }
    }

    /// The same, and after them those of fail2ban's configuration.
    pub fn with_fail2ban(self, fail2ban: Option<Directory>) -> Self {
        Self { fail2ban, ..self }
    }

    /// fail2ban's configuration, if there is one.
    pub(super) fn fail2ban(&self) -> Option<&Directory> {
        self.fail2ban.as_ref()
    }

    /// The filter called `name`, or that of a file if `name` is a path.
    pub fn find(&self, name: &str) -> Result<Settings, Errors> {
        let report = Report::default();
        let place = Place::file(Path::new(name));
        let found = self.get(name, Path::new(""), &place, &report);
        report.finish(found)
    }

    /// The filter of fail2ban's configuration called `name`, with the options `given` besides those in its brackets;
    /// `journal`: the lines come from the journal. `None`: there is none, or one of banzone's has the name and
    /// no options are given, which only fail2ban's have.
    pub fn find_fail2bans(
        &self,
        name: &str,
        given: &[(String, String)],
        journal: bool,
    ) -> Option<Result<Settings, Errors>> {
        let is_own = self.in_folders(name).is_some() || shipped::text(name).is_some();
        let is_meant = !given.is_empty() || !is_own;
        let fail2ban = self.fail2ban.as_ref().filter(|fail2ban| is_meant && fail2ban.has_filter(name))?;
        let loaded = fail2ban.filter(name, given, journal);
        Some(loaded.and_then(|loaded| loaded.compiled(&loaded.settings).map(|_| loaded.settings)))
    }

    /// Whether there is a filter called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.in_folders(name).is_some()
            || shipped::text(name).is_some()
            || fail2ban_file(name).is_some_and(Path::is_file)
            || self.fail2ban.as_ref().is_some_and(|fail2ban| fail2ban.has_filter(name))
    }

    /// The names of all filters in order.
    pub fn names(&self) -> Vec<String> {
        let entries = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let own = paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
        let own = own.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        let mut names: Vec<_> = own.chain(shipped::names().map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The filter of `jail`: the one it names, or the one that has its name.
    pub(super) fn of_jail(&self, jail: &file::Jail, report: &Report) -> Option<Settings> {
        let At { value, place } = jail.filter.as_ref().unwrap_or(&jail.name);
        self.get(value, &place.file, place, report)
    }

    /// The filter files that were read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let read = self.read.borrow();
        let own = read.keys().filter(|path| path.is_file()).cloned();
        own.chain(self.fail2ban.iter().flat_map(Directory::files)).collect()
    }

    fn get(&self, name: &str, beside: &Path, place: &Place, report: &Report) -> Option<Settings> {
        if let Some(file) = fail2ban_file(name) {
            let file = resolve(beside, file);
            let given = fail2ban::given(name);
            let loaded = given.and_then(|given| fail2ban::filter_file(&file, &given, false));
            return checked(loaded, place, report);
        }
        if is_path(name) {
            return self.load(&resolve(beside, name), None, place, report);
        }
        match (self.in_folders(name), shipped::text(name)) {
            (Some(path), _) => self.load(&path, None, place, report),
            (None, Some(text)) => self.load(&shipped::path(name), Some(text), place, report),
            (None, None) if self.fail2ban.as_ref().is_some_and(|fail2ban| fail2ban.has_filter(name)) => {
                let fail2ban = self.fail2ban.as_ref()?;
                checked(fail2ban.filter(name, &[], false), place, report)
            }
            (None, None) => {
                report.add(place, self.unknown(name));
                None
            }
        }
    }

    fn in_folders(&self, name: &str) -> Option<PathBuf> {
        let paths = self.folders.iter().map(|folder| folder.join(name).with_added_extension(EXTENSION));
        paths.into_iter().find(|path| path.is_file())
    }

    fn load(&self, path: &Path, text: Option<&str>, place: &Place, report: &Report) -> Option<Settings> {
        if let Some(read) = self.read.borrow().get(path) {
            return read.clone();
        }
        let document = match text {
            Some(text) => Some(Document::new(path, text.to_owned())),
            None => Document::open(path, Some(place), report),
        };
        let settings = document.and_then(|document| read(path, &document, report));
        self.read.borrow_mut().insert(path.to_owned(), settings.clone());
        settings
    }

    fn unknown(&self, name: &str) -> String {
        let fail2ban = self.fail2ban.as_ref().map(Directory::filters);
        let searched: String =
            self.folders.iter().chain(&fail2ban).map(|folder| describe(folder) + ", ").collect();
        let names = self.names();
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        format!("filter `{name}` is unknown (searched: {searched}the filters in the program){hint}")
    }
}

/// The file of fail2ban's that `name` is the path of; options in brackets may follow.
pub(super) fn fail2ban_file(name: &str) -> Option<&Path> {
    let path = name.split('[').next().unwrap_or(name);
    path.ends_with(".conf").then(|| Path::new(path))
}

/// The settings of a filter of fail2ban's. Errors without a line are at `place`, where it is named.
fn checked(loaded: Result<fail2ban::Loaded, Errors>, place: &Place, report: &Report) -> Option<Settings> {
    let errors = match loaded {
        Ok(loaded) => match loaded.compiled(&loaded.settings) {
            Ok(_) => return Some(loaded.settings),
            Err(errors) => errors,
        },
        Err(errors) => errors,
    };
    for error in errors.0 {
        report.add(if error.place.line > 0 { &error.place } else { place }, error.message);
    }
    None
}

/// Whether `name` is meant as a path.
fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".toml")
}

fn describe(folder: &Path) -> String {
    let missing = if folder.is_dir() { "" } else { " which does not exist" };
    format!("{}{missing}", folder.display())
}

/// Reads one filter file and makes sure that it compiles.
fn read(path: &Path, document: &Document, report: &Report) -> Option<Settings> {
    let written = document.read(keys::FILTER, report, file::Filter::read);
    let settings = Settings {
        name: path.file_stem()?.to_string_lossy().into_owned(),
        daemon: written.daemon.as_ref().map(|at| at.value.clone()),
        failregex: values(&written.failregex),
        ignoreregex: values(&written.ignoreregex),
        datepattern: values(&written.datepattern),
        timezone: written.timezone.as_ref().map(|at| at.value.clone()),
        ..Settings::default()
    };
    if settings.failregex.is_empty() {
        return None;
    }
    for error in compiled(&settings).err().into_iter().flatten() {
        let whole = Place::file(path);
        let place = place_of(&written, error.place).unwrap_or(&whole);
        report.add(place, format!("{}: {}; {}", error.place, error.reason, error.remedy));
    }
    Some(settings)
}

/// A filter that can be used, or why it cannot.
pub(super) fn compiled(settings: &Settings) -> Result<Filter, Vec<filter::Error>> {
    // Which years are near does not matter to whether a pattern is one.
    match (Filter::compile(settings), Timing::new(settings, Timestamp::default())) {
        (Ok(filter), Ok(_)) => Ok(filter),
        (filter, timing) => Err([filter.err(), timing.err()].into_iter().flatten().collect()),
    }
}

/// Where the part of a filter stands that an error speaks of.
fn place_of(written: &file::Filter, part: filter::Place) -> Option<&Place> {
    let at = match part {
        filter::Place::Daemon => written.daemon.as_ref(),
        filter::Place::Prefregex => None,
        filter::Place::Timezone => written.timezone.as_ref(),
        filter::Place::Failregex(index) => written.failregex.get(index),
        filter::Place::Ignoreregex(index) => written.ignoreregex.get(index),
        filter::Place::Datepattern(index) => written.datepattern.get(index),
    };
    at.map(|at| &at.place)
}

fn values(list: &[At<String>]) -> Vec<String> {
    list.iter().map(|at| at.value.clone()).collect()
}
