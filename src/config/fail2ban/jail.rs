//! The jails as fail2ban reads them: `jail.conf`, `jail.d`, `jail.local` and the filters they name go in, the options of
//! every enabled jail come out, each with its filter.

use std::path::Path;

use super::super::error::{Error, Errors, Place};
use super::expression;
use super::files::{Files, INCLUDES, KNOWN, Merged};
use super::filter::{DEFINITION, Definition, Loaded, Reader};
use super::parameters;
use super::parser::Options;
use super::text::Text;

/// The release whose behaviour this is, for `%(fail2ban_version)s`.
const VERSION: &str = "1.0.2";

/// The options of a jail that mean something here, besides those of [`DEFINITION`].
pub(super) const OPTIONS: &[(&str, Kind)] = &[
    ("enabled", Kind::Flag),
    ("backend", Kind::Text),
    ("maxretry", Kind::Number),
    ("maxmatches", Kind::Number),
    ("findtime", Kind::Text),
    ("bantime", Kind::Text),
    ("bantime.increment", Kind::Flag),
    ("bantime.factor", Kind::Text),
    ("bantime.formula", Kind::Text),
    ("bantime.multipliers", Kind::Text),
    ("bantime.maxtime", Kind::Text),
    ("bantime.rndtime", Kind::Text),
    ("bantime.overalljails", Kind::Flag),
    ("ignorecommand", Kind::Text),
    ("ignoreself", Kind::Flag),
    ("ignoreip", Kind::Text),
    ("ignorecache", Kind::Text),
    ("filter", Kind::Text),
    ("logtimezone", Kind::Text),
    ("logencoding", Kind::Text),
    ("logpath", Kind::Text),
    ("skip_if_nologs", Kind::Flag),
    ("systemd_if_nologs", Kind::Flag),
];

/// What decides whether a jail is looked at any further.
const FIRST: &[(&str, Kind)] = &[("enabled", Kind::Flag), ("backend", Kind::Text), ("filter", Kind::Text)];

/// What an option's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// `1`, `on`, `true` or `yes`, in any case; everything else is no.
    Flag,
    /// A whole number.
    Number,
}

/// An enabled jail.
pub(super) struct Jail {
    pub name: String,
    /// Where its section begins.
    pub place: Place,
    /// The options that are set, those of `[DEFAULT]` included.
    pub options: Options,
    /// The name of its filter, if it has one.
    pub filter_name: Option<String>,
    pub filter: Loaded,
}

/// Why there is no jail.
pub(super) enum Absent {
    /// It is not enabled.
    Disabled,
    /// fail2ban passes over it and starts the others.
    Skipped(Error),
    /// The configuration is wrong.
    Wrong(Errors),
}

impl<E: Into<Errors>> From<E> for Absent {
    fn from(error: E) -> Self {
        Self::Wrong(error.into())
    }
}

/// All that is written about jails.
pub(super) struct Jails<'a> {
    pub files: &'a Files,
    pub base: &'a Path,
    pub merged: Merged,
}

impl<'a> Jails<'a> {
    /// Those of `base`; `None` if there is no file about jails.
    pub(super) fn read(files: &'a Files, base: &'a Path) -> Result<Option<Self>, Errors> {
        let Some(mut merged) = files.read(&base.join("jail"))? else {
            return Ok(None);
        };
        let place = merged.place.clone();
        let folder = base.to_string_lossy();
        for (name, value) in
            [("fail2ban_version", VERSION), ("fail2ban_confpath", folder.trim_end_matches('/'))]
        {
            merged.sections.defaults.insert(name.to_owned(), Text::new(value, &place));
        }
        Ok(Some(Self { files, base, merged }))
    }

    /// The names of all jails, enabled or not, and where they begin.
    pub(super) fn names(&self) -> Vec<(String, Place)> {
        let sections = self.merged.sections.named.iter();
        let jails = sections.filter(|(name, _)| *name != INCLUDES && !name.starts_with(KNOWN));
        jails.map(|(name, section)| (name.clone(), section.place.clone())).collect()
    }

    /// The jail called `name`. What is odd about it is added to `notices`. `backend` stands in for its own.
    pub(super) fn jail(
        &mut self,
        name: &str,
        backend: Option<&str>,
        notices: &mut Vec<Error>,
    ) -> Result<Jail, Absent> {
        let place = self.place(name);
        let mut first = self.options(name, FIRST, backend, notices)?;
        for (option, default) in [("backend", "auto"), ("filter", "")] {
            first.entry(option.to_owned()).or_insert_with(|| Text::new(default, &place));
        }
        if first.get("enabled").is_none_or(|enabled| enabled.as_str() != TRUE) {
            return Err(Absent::Disabled);
        }
        let mut definition = Definition::default();
        let (filter_name, mut reader) = match self.filter(name, &first)? {
            Some((filter_name, reader)) => (Some(filter_name), Some(reader)),
            None => (None, None),
        };
        if let Some(reader) = &mut reader {
            reader.set_logtype(first["backend"].as_str().starts_with("systemd"));
            reader.read_options(&first, true)?;
            self.add_known(name, &reader.combined()?);
        }
        let mut options = self.options(name, OPTIONS, backend, notices)?;
        for (option, value) in first {
            options.entry(option).or_insert(value);
        }
        for option in DEFINITION {
            if let Some(value) = self.merged.get(name, option, &Options::new())? {
                options.insert((*option).to_owned(), value);
            }
        }
        if let Some(reader) = &mut reader {
            reader.read_options(&options, false)?;
            definition.add(&reader.combined()?);
        }
        definition.add(&options);
        let whole = reader.as_ref().map_or(&place, Reader::place);
        let shown = filter_name.as_deref().unwrap_or(name);
        let mut filter = definition.load(shown, whole, notices)?;
        filter.places.timezone = options.get("logtimezone").map(|text| text.place().clone());
        Ok(Jail { name: name.to_owned(), place, options, filter_name, filter })
    }

    fn place(&self, name: &str) -> Place {
        let section = self.merged.sections.named.get(name);
        section.map_or_else(|| self.merged.place.clone(), |section| section.place.clone())
    }

    /// The filter that the jail's options name.
    fn filter(&self, jail: &str, options: &Options) -> Result<Option<(String, Reader)>, Absent> {
        let written = &options["filter"];
        if written.as_str().is_empty() {
            return Ok(None);
        }
        let skip = |message: String| {
            let own = self.merged.own_options(jail).and_then(|own| own.get("filter"));
            let place = own.map_or_else(|| self.place(jail), |own| own.place().clone());
            Absent::Skipped(Error { place, message: format!("filter: {message}") })
        };
        let (name, given) = parameters::split(written.as_str()).map_err(skip)?;
        let given =
            given.into_iter().map(|(option, value)| (option, Text::new(value, written.place()))).collect();
        let reader = Reader::named(self.files, self.base, name, given)?;
        let reader = reader.ok_or_else(|| {
            let folder = self.base.join("filter.d");
            skip(format!("there is no `{name}.conf` or `{name}.local` in {}: add it", folder.display()))
        })?;
        Ok(Some((name.to_owned(), reader)))
    }

    /// What the filter says can be named by the jail's options as `%(known/...)s`.
    fn add_known(&mut self, name: &str, filter: &Options) {
        let Some(section) = self.merged.sections.named.get_mut(name) else {
            return;
        };
        for (option, value) in filter.iter().filter(|(option, _)| !option.starts_with("known/")) {
            section.options.insert(format!("known/{option}"), value.clone());
        }
    }

    /// The options of `table` that are set, as fail2ban hands them on. Numbers that are none are as if they were not set.
    fn options(
        &self,
        jail: &str,
        table: &[(&str, Kind)],
        backend: Option<&str>,
        notices: &mut Vec<Error>,
    ) -> Result<Options, Errors> {
        let mut options = Options::new();
        for (name, kind) in table {
            if let Some(value) = self.merged.get(jail, name, &Options::new())? {
                match converted(name, *kind, value) {
                    Ok(value) => drop(options.insert((*name).to_owned(), value)),
                    Err(no_number) => notices.push(no_number),
                }
            }
        }
        if let Some(backend) = backend {
            let place = options.get("backend").map_or_else(|| self.place(jail), |own| own.place().clone());
            options.insert("backend".to_owned(), Text::new(backend, &place));
        }
        Ok(options)
    }
}

/// A flag that is set, as Python writes it.
pub(super) const TRUE: &str = "True";

/// What fail2ban only warns of, before it takes its own default.
pub(super) fn not_a_number(name: &str, written: &str) -> String {
    format!("{name}: `{written}` is no whole number, so the default holds, as in fail2ban: write {name} = 5")
}

fn converted(name: &str, kind: Kind, value: Text) -> Result<Text, Error> {
    match kind {
        Kind::Text => Ok(value),
        Kind::Flag => {
            let is_set = ["1", "on", "true", "yes"].contains(&&*value.as_str().to_lowercase());
            Ok(Text::new(if is_set { TRUE } else { "False" }, value.place()))
        }
        Kind::Number => match expression::integer(value.as_str()) {
            Some(number) => Ok(Text::new(number.to_string(), value.place())),
            None => {
                let message = not_a_number(name, value.as_str());
                Err(Error { place: value.place().clone(), message })
            }
        },
    }
}
