//! Reads all files of a configuration and puts their parts together.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use super::certificate;
use super::document::Document;
use super::error::{At, Errors, Place, Report};
use super::fail2ban::Directory;
use super::filter::Filters;
use super::{
    Config, DEFAULT_SOCKET, Daemon, Log, Places, admission, dns, fail2ban, file, jail, keys, public, reports,
    zone,
};
use crate::dns::Seeing;
use crate::jail::MANUAL;

/// Reads the configuration whose main file is `path`. Relative paths in a file start at the folder of that file.
pub fn load(path: &Path) -> Result<Config, Errors> {
    let report = Report::default();
    let config = Loader::new(&report).config(path);
    report.finish(config)
}

/// What the commands beside the daemon need to know.
#[derive(Debug)]
pub struct Glance {
    /// Where filters are found.
    pub filters: Filters,
    /// The socket of the daemon.
    pub socket: PathBuf,
}

impl Default for Glance {
    fn default() -> Self {
        Self { filters: Filters::default(), socket: DEFAULT_SOCKET.into() }
    }
}

/// Reads no more than the main file `path`, and of it what is in [`Glance`]; the rest need not be right.
pub fn glance(path: &Path) -> Result<Glance, Errors> {
    let (report, ignored) = (Report::default(), Report::default());
    let glance = Document::open(path, None, &report).map(|document| {
        let main = document.read(keys::MAIN, &ignored, file::Main::read);
        Glance { filters: filters(&main), socket: main.http.settings(path).control }
    });
    report.finish(glance)
}

/// A path of the configuration, seen from the file it stands in.
pub(super) fn resolve(file: &Path, written: impl AsRef<Path>) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new("")).join(written)
}

/// The same, valid from every working directory.
pub(super) fn resolve_absolute(file: &Path, written: impl AsRef<Path>) -> PathBuf {
    let path = resolve(file, written);
    absolute(&path).unwrap_or(path)
}

fn folders(written: &[At<String>]) -> Vec<PathBuf> {
    written.iter().map(|folder| resolve(&folder.place.file, &folder.value)).collect()
}

fn filters(main: &file::Main) -> Filters {
    let fail2ban = main.fail2ban.as_ref().map(|dir| resolve_absolute(&dir.place.file, &dir.value));
    Filters::new(folders(&main.filters)).with_fail2ban(fail2ban.map(Directory::new))
}

struct Loader<'a> {
    report: &'a Report,
    files: RefCell<Vec<PathBuf>>,
}

impl<'a> Loader<'a> {
    fn new(report: &'a Report) -> Self {
        Self { report, files: RefCell::default() }
    }

    fn config(&self, path: &Path) -> Option<Config> {
        let document = self.document(path, None)?;
        let mut main = document.read(keys::MAIN, self.report, file::Main::read);
        let zones = self.zones(&mut main);
        let jails = self.jails(path, &mut main);
        let filters = filters(&main);
        let fail2ban = self.fail2ban(&filters, &jails);
        if self.report.is_incomplete() {
            return None;
        }
        let names = jails.iter().map(|jail| &jail.name).chain(&fail2ban.names);
        let names = names.map(|name| name.value.as_str()).collect();
        zone::check_jails(&zones, &names, self.report);
        public::check_jails(&main.public, &names, self.report);
        reports::check_one(&jails, self.report);
        let http = main.http.settings(path);
        main.http.check(&http, self.report);
        let store = main.store.settings(path);
        let resolver = jail::Resolver { defaults: &main.defaults, filters: &filters, report: self.report };
        let own = jails.iter().filter_map(|jail| resolver.settings(jail));
        let mut jails: Vec<_> = own.chain(fail2ban.enabled).collect();
        jails.sort_by(|a, b| a.name.cmp(&b.name));
        let hub = main.hub.as_ref().and_then(|hub| hub.settings(&jails, self.report));
        let acme = main.acme.as_ref().map(|acme| acme.settings(&store.path, &zones, self.report));
        let files_of = |written: &certificate::Written| written.files(acme.as_ref(), self.report);
        let certificate = main.dns.tls.as_ref().and_then(|tls| files_of(&tls.certificate));
        let http_certificate = files_of(&main.http.certificate);
        let mut files = self.files.take();
        files.extend(filters.files());
        let seeing = dns::seeing(path, &main.dns);
        self.check_query_log(&seeing, &store.path, &main.dns);
        let places = places(path, &main, &zones);
        Some(Config {
            spool: main.store.spool(path),
            store,
            certificate,
            dns: dns::settings(path, &main.dns, web(&main), self.report),
            seeing,
            server: main.dns.guard.server(),
            rate_limit: main.dns.guard.rate_limit.clone(),
            http,
            http_certificate,
            acme,
            sign_in: main.sign_in.settings(),
            public: Arc::new(public::settings(&main.public, &zones, self.report)),
            hub,
            report: main.report.settings(),
            daemon: Daemon { user: main.user.map(|user| user.value) },
            log: Log {
                level: main.log.level.unwrap_or_default(),
                format: main.log.format.unwrap_or_default(),
            },
            jails,
            zones: zone::settings_of_all(&zones, self.report),
            allow: jail::prefixes(main.defaults.ignoreip.iter()).collect(),
            files,
            notices: fail2ban.notices,
            places,
        })
    }

    /// Lines of text would be the end of the database.
    fn check_query_log(&self, seeing: &Seeing, database: &Path, written: &dns::Dns) {
        let path = seeing.query_log.as_ref().and_then(|log| log.path.as_deref());
        if let Some(log) = written.query_log.as_ref().filter(|_| path == Some(database)) {
            let message =
                format!("dns.query_log.path: `{}` is the database: name another file", database.display());
            self.report.add(&log.path.place, message);
        }
    }

    fn document(&self, path: &Path, named: Option<&Place>) -> Option<Document> {
        let document = Document::open(path, named, self.report)?;
        self.files.borrow_mut().push(path.to_owned());
        Some(document)
    }

    /// The jails of the main file and of every included one, by name; each name once.
    fn jails(&self, path: &Path, main: &mut file::Main) -> Vec<file::Jail> {
        let mut all = std::mem::take(&mut main.jails);
        for (path, place) in self.expand(&main.include) {
            if let Some(document) = self.document(&path, Some(&place)) {
                all.extend(document.read(keys::INCLUDED, self.report, file::Jail::read_all));
            }
        }
        let mut by_name = BTreeMap::new();
        for jail in all {
            let first: &file::Jail = match by_name.get(&jail.name.value) {
                None => {
                    by_name.insert(jail.name.value.clone(), jail);
                    continue;
                }
                Some(first) => first,
            };
            let message = format!(
                "jail `{}` is already defined in {}: rename one of them",
                jail.name.value, first.place
            );
            self.report.add(&jail.place, message);
        }
        // Bans by hand always have a jail.
        by_name.entry(MANUAL.to_owned()).or_insert_with(|| file::Jail::manual(path));
        by_name.into_values().collect()
    }

    /// The jails of fail2ban's configuration, none of which may have the name of one of `own`.
    fn fail2ban(&self, filters: &Filters, own: &[file::Jail]) -> fail2ban::Jails {
        let jails = filters.fail2ban().map_or_else(|| Ok(fail2ban::Jails::default()), Directory::jails);
        let jails = jails.unwrap_or_else(|errors| {
            for error in errors.0 {
                self.report.add_unreadable(&error.place, error.message);
            }
            fail2ban::Jails::default()
        });
        let is_enabled = |name: &&At<String>| jails.enabled.iter().any(|jail| *jail.name == *name.value);
        for name in jails.names.iter().filter(is_enabled) {
            jail::check_name(name, self.report);
            if let Some(own) = own.iter().find(|own| own.name.value == name.value) {
                let message = format!(
                    "jail `{}` is already defined in {}: rename one of them, or set enabled = false here",
                    name.value, own.place
                );
                self.report.add(&name.place, message);
            }
        }
        jails
    }

    /// The zones of the main file and of every zone file.
    fn zones(&self, main: &mut file::Main) -> Vec<file::Zone> {
        let mut all = std::mem::take(&mut main.zones);
        for (path, place) in self.expand(&main.zone_files) {
            if let Some(document) = self.document(&path, Some(&place)) {
                all.push(document.read(keys::ZONE, self.report, file::Zone::read));
            }
        }
        let askers = all.iter_mut().map(|zone| &mut zone.askers);
        self.files.borrow_mut().extend(admission::read_key_files(askers, self.report));
        all
    }

    /// The files that paths and globs name, those of each glob in order.
    fn expand(&self, patterns: &[At<String>]) -> Vec<(PathBuf, Place)> {
        patterns.iter().flat_map(|pattern| self.expand_one(pattern)).collect()
    }

    fn expand_one(&self, pattern: &At<String>) -> Vec<(PathBuf, Place)> {
        let place = &pattern.place;
        let path = resolve(&place.file, &pattern.value);
        if !pattern.value.contains(['*', '?', '[']) {
            return vec![(path, place.clone())];
        }
        match glob::glob(&path.to_string_lossy()) {
            Ok(paths) => paths.filter_map(Result::ok).map(|path| (path, place.clone())).collect(),
            Err(error) => {
                let message = format!("`{}` is no pattern of file names: {}", pattern.value, error.msg);
                self.report.add(place, message);
                Vec::new()
            }
        }
    }
}

fn places(path: &Path, written: &file::Main, zones: &[file::Zone]) -> Places {
    let unwritten = || Place::file(path);
    let query_log = written.dns.query_log.as_ref();
    Places {
        query_log: query_log.map_or_else(unwritten, |log| log.path.place.clone()),
        user: written.user.as_ref().map_or_else(unwritten, |user| user.place.clone()),
        data_sets: zones.iter().flat_map(|zone| &zone.data_sets).map(|set| set.place.clone()).collect(),
    }
}

/// What HTTP listens on, by the names of the keys.
fn web(main: &file::Main) -> [dns::Named<'_>; 2] {
    [("http.listen", main.http.listen.as_slice()), ("public.listen", main.public.listen.as_slice())]
}
