//! From a name to the files that belong to it, and from them to one set of options: `X.conf`, `X.d/*.conf`, `X.local`,
//! `X.d/*.local`, each with what it includes. What is read later wins, and what it replaces stays known.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use indexmap::IndexMap;

use super::super::document::read_bounded;
use super::super::error::{Error, Errors, Place};
use super::parser::{self, Options, Section, Sections};
use super::text::Text;

/// The section that names other files.
pub(super) const INCLUDES: &str = "INCLUDES";

/// Before the name of a section: the section of the values that a later file replaced.
pub(super) const KNOWN: &str = "KNOWN/";

/// A configuration of more files includes some of them again and again.
const MOST_FILES: usize = 1000;

/// Files that were read, each parsed once.
#[derive(Debug, Default)]
pub(super) struct Files {
    parsed: RefCell<IndexMap<PathBuf, Option<Rc<Sections>>>>,
    /// What is odd about files, but not wrong.
    notices: RefCell<BTreeSet<Error>>,
}

/// The options of several files, the last one winning.
#[derive(Debug)]
pub(super) struct Merged {
    pub sections: Sections,
    /// The first of its files as a whole.
    pub place: Place,
    /// Where the options stand that something asked for.
    pub used: RefCell<BTreeSet<Place>>,
}

impl Files {
    /// The paths of all that was read, in that order.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let parsed = self.parsed.borrow();
        parsed.iter().filter(|(_, sections)| sections.is_some()).map(|(path, _)| path.clone()).collect()
    }

    /// What is odd about them.
    pub(super) fn notices(&self) -> Vec<Error> {
        self.notices.borrow().iter().cloned().collect()
    }

    /// Everything that belongs to `base`, a path without its extension; `None` if there is nothing.
    pub(super) fn read(&self, base: &Path) -> Result<Option<Merged>, Errors> {
        let with = |extension: &str| base.with_added_extension(extension);
        let mut files = vec![with("conf")];
        files.extend(in_folder(&with("d"), "conf"));
        files.push(with("local"));
        files.extend(in_folder(&with("d"), "local"));
        files.retain(|file| file.exists());
        self.merge(files)
    }

    /// One file, what stands in the `.local` file beside it, and what they include.
    pub(super) fn read_file(&self, file: &Path) -> Result<Option<Merged>, Errors> {
        self.merge(vec![file.to_owned()])
    }

    fn merge(&self, files: Vec<PathBuf>) -> Result<Option<Merged>, Errors> {
        let mut ordered = Vec::new();
        self.collect(files, &mut Vec::new(), &mut ordered)?;
        let Some((first, _)) = ordered.first() else {
            return Ok(None);
        };
        let place = Place::file(first);
        let mut merged = Merged { sections: Sections::default(), place, used: RefCell::default() };
        for (_, sections) in &ordered {
            merged.add(sections);
        }
        Ok(Some(merged))
    }

    /// Adds `files` to `ordered`, each between what it includes before and after itself. `chain`: who included them.
    fn collect(
        &self,
        files: Vec<PathBuf>,
        chain: &mut Vec<(PathBuf, Place)>,
        ordered: &mut Vec<(PathBuf, Rc<Sections>)>,
    ) -> Result<(), Errors> {
        for file in with_local(files) {
            let Some(sections) = self.parsed(&file)? else {
                continue;
            };
            check_chain(&file, chain, ordered.len())?;
            self.collect_included("before", &file, &sections, chain, ordered)?;
            ordered.push((file.clone(), Rc::clone(&sections)));
            self.collect_included("after", &file, &sections, chain, ordered)?;
        }
        Ok(())
    }

    fn collect_included(
        &self,
        option: &str,
        file: &Path,
        sections: &Rc<Sections>,
        chain: &mut Vec<(PathBuf, Place)>,
        ordered: &mut Vec<(PathBuf, Rc<Sections>)>,
    ) -> Result<(), Errors> {
        if !sections.named.contains_key(INCLUDES) {
            return Ok(());
        }
        let alone = Merged {
            sections: Sections::clone(sections),
            place: Place::file(file),
            used: RefCell::default(),
        };
        let Some(names) = alone.get(INCLUDES, option, &Options::new())? else {
            return Ok(());
        };
        for (name, place) in names.lines().filter(|(name, _)| !name.is_empty()) {
            let included = file.parent().unwrap_or_else(|| Path::new("")).join(name);
            self.note_missing(option, &included, place);
            chain.push((identity(file), place.clone()));
            self.collect(vec![included], chain, ordered)?;
            chain.pop();
        }
        Ok(())
    }

    /// A file with the extension `.local` is a place for what the administrator may want to add.
    fn note_missing(&self, option: &str, included: &Path, place: &Place) {
        if !included.is_file() && included.extension() != Some(OsStr::new("local")) {
            let message = format!(
                "{option}: there is no file `{}`, and nothing is included, as in fail2ban",
                included.display()
            );
            self.notices.borrow_mut().insert(Error { place: place.clone(), message });
        }
    }

    /// A file's sections; `None` if there is no such file.
    fn parsed(&self, file: &Path) -> Result<Option<Rc<Sections>>, Errors> {
        if let Some(parsed) = self.parsed.borrow().get(file) {
            return Ok(parsed.clone());
        }
        let sections = match file.is_file() {
            true => Some(Rc::new(parser::parse(file, &read_text(file)?)?)),
            false => None,
        };
        self.parsed.borrow_mut().insert(file.to_owned(), sections.clone());
        Ok(sections)
    }
}

/// The files of `folder` with that extension in the order of their names; hidden files are none of them.
fn in_folder(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_meant = |path: &PathBuf| {
        path.extension() == Some(OsStr::new(extension))
            && path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
    };
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(is_meant).collect();
    files.sort();
    files
}

/// Each file is followed by the `.local` file beside it, unless that is named anyway.
fn with_local(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let local = |file: &PathBuf| {
        let local = file.with_extension("local");
        (!files.contains(&local) && local.is_file()).then_some(local)
    };
    files.iter().flat_map(|file| [Some(file.clone()), local(file)]).flatten().collect()
}

/// Whether two paths are one file: its path without links and dots.
fn identity(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

fn check_chain(file: &Path, chain: &[(PathBuf, Place)], read: usize) -> Result<(), Error> {
    let Some((_, place)) = chain.last() else {
        return Ok(());
    };
    let identity = identity(file);
    if let Some(start) = chain.iter().position(|(earlier, _)| *earlier == identity) {
        let through: Vec<_> = chain[start..].iter().map(|(file, _)| file.display().to_string()).collect();
        let message = format!(
            "the files include each other in a circle ({}): remove this line or another of them",
            through.join(" -> ")
        );
        return Err(Error { place: place.clone(), message });
    }
    if read >= MOST_FILES {
        let message = format!("more than {MOST_FILES} files are included: include each of them once");
        return Err(Error { place: place.clone(), message });
    }
    Ok(())
}

fn read_text(file: &Path) -> Result<String, Error> {
    let error = |line: usize, message: String| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        Error { place: Place { line, ..Place::file(file) }, message }
    };
    let bytes = read_bounded(file).map_err(|failed| error(0, format!("cannot be read: {failed}")))?;
    String::from_utf8(bytes).map_err(|failed| {
        let good = &failed.as_bytes()[..failed.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        error(line, "this is not UTF-8: convert the file, for example with iconv".to_owned())
    })
}

impl Merged {
    /// Adds what the next file says.
    fn add(&mut self, file: &Sections) {
        self.sections.defaults.extend(file.defaults.clone());
        for (name, section) in &file.named {
            match name.split_once('?').filter(|(name, condition)| is_conditional(name, condition)) {
                Some((name, condition)) => {
                    let suffixed =
                        |(option, value): (&String, &Text)| (format!("{option}?{condition}"), value.clone());
                    let options = section.options.iter().map(suffixed).collect();
                    self.add_section(name, &Section { place: section.place.clone(), options });
                }
                None => self.add_section(name, section),
            }
        }
    }

    fn add_section(&mut self, name: &str, section: &Section) {
        let Some(before) = self.sections.named.get_mut(name) else {
            self.sections.named.insert(name.to_owned(), section.clone());
            return;
        };
        let is_replaced = |(option, _): &(&String, &Text)| section.options.contains_key(*option);
        let replaced: Vec<_> = before
            .options
            .iter()
            .filter(is_replaced)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        before.options.extend(section.options.clone());
        let place = section.place.clone();
        let known = self.sections.named.entry(format!("{KNOWN}{name}"));
        known.or_insert_with(|| Section { place, options: Options::new() }).options.extend(replaced);
    }

    /// The options of a section without those of `[DEFAULT]`.
    pub(super) fn own_options(&self, section: &str) -> Option<&Options> {
        self.sections.named.get(section).map(|section| &section.options)
    }
}

/// A section such as `[Init?family=inet6]` adds its options with the condition as part of their names.
pub(super) fn is_conditional(name: &str, condition: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') && !condition.is_empty()
}
