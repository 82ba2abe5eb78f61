//! A filter as fail2ban builds it: the files of `filter.d`, the options given in brackets and those of the jail go in,
//! the filter's settings come out, with the place of every pattern.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::super::error::{Error, Errors, Place};
use super::super::filter::compiled;
use super::files::{Files, Merged, is_conditional};
use super::jail::not_a_number;
use super::parser::{Options, option_name};
use super::tags;
use super::text::Text;
use crate::filter::{self, Dialect, Filter, UseDns};

/// The options of a filter that say what it finds. A jail may have any of them too.
pub(super) const DEFINITION: &[&str] =
    &["usedns", "prefregex", "ignoreregex", "failregex", "maxlines", "datepattern", "journalmatch"];

/// The option that says what the lines look like: those of a file, or those of the journal.
const LOGTYPE: &str = "logtype";

/// A filter, ready to be compiled.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it finds.
    pub settings: filter::Settings,
    /// Which entries of the journal it is meant for: each is an alternative.
    pub journalmatch: Vec<String>,
    pub(super) places: Places,
}

/// Where the parts of a filter stand.
#[derive(Clone, Debug)]
pub(super) struct Places {
    whole: Place,
    prefregex: Option<Place>,
    failregex: Vec<Place>,
    ignoreregex: Vec<Place>,
    datepattern: Vec<Place>,
    pub timezone: Option<Place>,
}

impl Loaded {
    /// Where the part stands that an error of [`filter::Filter::compile`] speaks of.
    pub fn place(&self, part: filter::Place) -> &Place {
        let places = &self.places;
        let place = match part {
            filter::Place::Failregex(index) => places.failregex.get(index),
            filter::Place::Ignoreregex(index) => places.ignoreregex.get(index),
            filter::Place::Datepattern(index) => places.datepattern.get(index),
            filter::Place::Timezone => places.timezone.as_ref(),
            filter::Place::Prefregex => places.prefregex.as_ref(),
            filter::Place::Daemon => None,
        };
        place.unwrap_or(&places.whole)
    }

    /// The filter of `settings`, which are its own with what the jail adds; or everything that is wrong.
    pub(in super::super) fn compiled(&self, settings: &filter::Settings) -> Result<Filter, Errors> {
        let error = |problem: filter::Error| {
            let message = format!("{}: {}; {}", problem.place, problem.reason, problem.remedy);
            Error { place: self.place(problem.place).clone(), message }
        };
        compiled(settings).map_err(|problems| Errors(problems.into_iter().map(error).collect()))
    }

    /// What `compiled`, which this has become, does otherwise than in fail2ban.
    pub(super) fn differences(&self, compiled: &Filter) -> impl Iterator<Item = Error> {
        compiled.with_two_identities().into_iter().map(|part| {
            let message = format!(
                "{part}: it has an `<F-ID>` beside an address; an id that is no address cannot be listed, so the address \
                 fails where fail2ban bans the id"
            );
            Error { place: self.place(part).clone(), message }
        })
    }
}

/// A filter that is read step by step: first alone, so that the jail can build on its options, then below the jail's.
pub(super) struct Reader {
    merged: Merged,
    /// The options given in brackets, and those of `[Init]` besides.
    given: Options,
    /// What wins over the filter's files: the jail's options and those given.
    vars: Options,
    /// What the filter says itself.
    own: Options,
    /// fail2ban keeps what it once looked up, even if the jail says something else later.
    found: RefCell<HashMap<String, Option<Text>>>,
}

impl Reader {
    /// The filter `name` of a folder such as `/etc/fail2ban`; `None` if it has no file.
    pub(super) fn named(
        files: &Files,
        base: &Path,
        name: &str,
        given: Options,
    ) -> Result<Option<Self>, Errors> {
        // A path that is absolute, or begins with `./`, stands for itself.
        let path = match name.starts_with("./") {
            true => std::path::absolute(name).unwrap_or_else(|_| name.into()),
            false => base.join("filter.d").join(name),
        };
        Ok(files.read(&path)?.map(|merged| Self::new(merged, given)))
    }

    /// The filter of one file.
    pub(super) fn of_file(files: &Files, file: &Path, given: Options) -> Result<Option<Self>, Errors> {
        Ok(files.read_file(file)?.map(|merged| Self::new(merged, given)))
    }

    fn new(merged: Merged, given: Options) -> Self {
        Self { merged, given, vars: Options::new(), own: Options::new(), found: RefCell::default() }
    }

    /// Its main file.
    pub(super) fn place(&self) -> &Place {
        &self.merged.place
    }

    /// Sets what the lines look like, unless the filter or the jail says so.
    pub(super) fn set_logtype(&mut self, journal: bool) {
        let is_given = self.given.get(LOGTYPE).is_some_and(|given| !given.as_str().is_empty());
        let is_defined = self.merged.own_options("Definition").is_some_and(|own| own.contains_key(LOGTYPE));
        if !is_given && !is_defined {
            let logtype = if journal { "journal" } else { "file" };
            self.given.insert(LOGTYPE.to_owned(), Text::new(logtype, &self.merged.place));
        }
    }

    /// Reads the options below those of the jail; `all`: those without a meaning of their own too.
    pub(super) fn read_options(&mut self, jail: &Options, all: bool) -> Result<(), Errors> {
        let mut above = jail.clone();
        above.extend(self.given.clone());
        self.vars = above.iter().map(|(name, value)| (option_name(name), value.clone())).collect();
        self.own.clear();
        for name in DEFINITION.iter().filter(|name| !above.contains_key(**name)) {
            if let Some(value) = self.merged.get("Definition", name, &self.vars)? {
                self.own.insert((*name).to_owned(), value);
            }
        }
        self.read_init()?;
        if all { self.read_rest() } else { Ok(()) }
    }

    /// What `[Init]` says holds unless it is given; what it says is known in any case.
    fn read_init(&mut self) -> Result<(), Errors> {
        let names: Vec<String> =
            self.merged.own_options("Init").into_iter().flat_map(Options::keys).cloned().collect();
        for name in names {
            let is_known = name.starts_with("known/");
            if is_known && self.given.contains_key(&name) {
                continue;
            }
            let Some(value) = self.merged.get("Init", &name, &Options::new())? else {
                continue;
            };
            if !is_known {
                self.given.insert(format!("known/{name}"), value.clone());
            }
            self.given.entry(name).or_insert(value);
        }
        Ok(())
    }

    fn read_rest(&mut self) -> Result<(), Errors> {
        let names: Vec<String> =
            self.merged.own_options("Definition").into_iter().flat_map(Options::keys).cloned().collect();
        for name in names {
            if !self.own.contains_key(&name)
                && let Some(value) = self.merged.get("Definition", &name, &Options::new())?
            {
                self.own.insert(name, value);
            }
        }
        Ok(())
    }

    /// All its options with their tags replaced.
    pub(super) fn combined(&self) -> Result<Options, Errors> {
        let mut options = self.own.clone();
        options.extend(self.given.clone());
        let conditional = options.keys().filter_map(|name| {
            let (name, condition) = name.split_once('?')?;
            is_conditional(name, condition).then(|| name.to_owned())
        });
        let skipped: HashSet<String> = conditional.collect();
        tags::substitute(&options, &skipped, |tag| self.find(tag))
    }

    /// What a tag stands for that is none of the combined options.
    fn find(&self, tag: &str) -> Result<Option<Text>, Errors> {
        if let Some(found) = self.found.borrow().get(tag) {
            return Ok(found.clone());
        }
        let found = self.merged.get_anywhere("Definition", tag, &self.vars)?;
        self.found.borrow_mut().insert(tag.to_owned(), found.clone());
        Ok(found)
    }
}

/// What a filter and its jail say about matching, put together.
#[derive(Default)]
pub(super) struct Definition {
    usedns: Option<Text>,
    prefregex: Option<Text>,
    maxlines: Option<Text>,
    datepattern: Option<Text>,
    failregex: Vec<Text>,
    ignoreregex: Vec<Text>,
    journalmatch: Vec<Text>,
}

impl Definition {
    /// Adds the options of the filter, and after them those of the jail. Patterns add up; a date pattern of the jail
    /// wins, while of the others those of the filter do, which holds only what the jail does not say, or what was
    /// given to it in brackets.
    pub(super) fn add(&mut self, options: &Options) {
        let get = |name: &str| options.get(name).cloned();
        self.usedns = self.usedns.take().or_else(|| get("usedns"));
        self.prefregex = self.prefregex.take().or_else(|| get("prefregex"));
        self.maxlines = self.maxlines.take().or_else(|| get("maxlines"));
        self.datepattern = get("datepattern").or_else(|| self.datepattern.take());
        self.failregex.extend(get("failregex"));
        self.ignoreregex.extend(get("ignoreregex"));
        self.journalmatch.extend(get("journalmatch"));
    }

    /// The settings of the filter called `name`, whose main file is at `whole`. What fail2ban only warns of is added to
    /// `notices`.
    pub(super) fn load(&self, name: &str, whole: &Place, notices: &mut Vec<Error>) -> Result<Loaded, Errors> {
        let (failregex, fail_places) = lines(&self.failregex);
        let (ignoreregex, ignore_places) = lines(&self.ignoreregex);
        let (datepattern, date_places) = trimmed_lines(self.datepattern.as_ref());
        let prefregex = self.prefregex.as_ref().filter(|text| !text.as_str().is_empty());
        let settings = filter::Settings {
            name: name.to_owned(),
            dialect: Dialect::Fail2ban,
            daemon: None,
            prefregex: prefregex.map(|text| text.as_str().to_owned()),
            failregex,
            ignoreregex,
            maxlines: self.maxlines(notices)?,
            datepattern,
            timezone: None,
            use_dns: self.use_dns(notices),
        };
        Ok(Loaded {
            settings,
            journalmatch: lines(&self.journalmatch).0,
            places: Places {
                whole: whole.clone(),
                prefregex: prefregex.map(|text| text.place().clone()),
                failregex: fail_places,
                ignoreregex: ignore_places,
                datepattern: date_places,
                timezone: None,
            },
        })
    }

    fn maxlines(&self, notices: &mut Vec<Error>) -> Result<usize, Error> {
        /// So many lines may be kept for each log; it bounds the memory of a jail.
        const MOST_LINES: i64 = 1000;
        let Some(text) = &self.maxlines else {
            return Ok(1);
        };
        match super::expression::integer(text.as_str()) {
            Some(lines @ 1..=MOST_LINES) => Ok(usize::try_from(lines).unwrap_or(1)),
            None => {
                let message = not_a_number("maxlines", text.as_str());
                notices.push(Error { place: text.place().clone(), message });
                Ok(1)
            }
            Some(_) => {
                let message = format!(
                    "maxlines: `{}` is not a number from 1 to {MOST_LINES}: write maxlines = 10",
                    text.as_str()
                );
                Err(Error { place: text.place().clone(), message })
            }
        }
    }

    fn use_dns(&self, notices: &mut Vec<Error>) -> UseDns {
        let Some(text) = &self.usedns else {
            return UseDns::default();
        };
        match text.as_str().to_lowercase().as_str() {
            "yes" => UseDns::Yes,
            "warn" => UseDns::Warn,
            "no" => UseDns::No,
            "raw" => UseDns::Raw,
            other => {
                let message = format!(
                    "usedns: `{other}` is not yes, warn, no or raw, and stands for no, as in fail2ban"
                );
                notices.push(Error { place: text.place().clone(), message });
                UseDns::No
            }
        }
    }
}

/// The lines that are not empty, and their places.
fn lines(texts: &[Text]) -> (Vec<String>, Vec<Place>) {
    let lines = texts.iter().flat_map(Text::lines).filter(|(line, _)| !line.is_empty());
    lines.map(|(line, place)| (line.to_owned(), place.clone())).unzip()
}

fn trimmed_lines(text: Option<&Text>) -> (Vec<String>, Vec<Place>) {
    let lines = text.into_iter().flat_map(Text::lines);
    let trimmed = lines.map(|(line, place)| (line.trim_matches(super::parser::is_space), place));
    let some = trimmed.filter(|(line, _)| !line.is_empty());
    some.map(|(line, place)| (line.to_owned(), place.clone())).unzip()
}
