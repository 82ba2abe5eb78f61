//! What a jail reads: `backend`, `logpath` and `journalmatch` go in, sources come out.

use std::path::Path;
use std::sync::Arc;

use super::super::error::{Error, Errors, Place};
use super::super::jail::matches;
use super::jail::{Jail, TRUE};
use super::parameters;
use super::parser::is_space;
use super::text::Text;
use crate::source::{self, Start};

/// Ways of reading that mean the same here: the files that `logpath` names.
const FILE_BACKENDS: &[&str] = &["auto", "pyinotify", "gamin", "polling"];

/// The way of reading that means the journal.
const JOURNAL: &str = "systemd";

/// What is to be done with a jail.
pub(super) enum Reading {
    /// It reads these.
    Sources(Vec<source::Settings>),
    /// None of its logs exists, and fail2ban reads the journal instead.
    JournalInstead(Error),
    /// None of its logs exists, and it says that it wants to be left out then.
    Skip(Error),
}

/// What `jail` reads. `journal`: whether there is one to read instead of logs that do not exist.
pub(super) fn of_jail(jail: &Jail, journal: bool, notices: &mut Vec<Error>) -> Result<Reading, Errors> {
    let backend = jail.options.get("backend").map_or("auto", Text::as_str);
    let place = jail.options.get("backend").map_or(&jail.place, Text::place);
    let error = |message: String| Error { place: place.clone(), message: format!("backend: {message}") };
    let (name, arguments) = parameters::split(backend).map_err(error)?;
    match name.to_lowercase().as_str() {
        JOURNAL => {
            if jail.filter.journalmatch.is_empty() {
                let message = format!(
                    "jail `{}` reads the whole journal: set journalmatch to what its program writes there",
                    jail.name
                );
                notices.push(Error { place: jail.place.clone(), message });
            }
            let path: Arc<str> = journal_path(&arguments, &jail.filter.journalmatch).into();
            (source::kind(&path).check)(&path).map_err(|failed| error(failed.to_string()))?;
            Ok(Reading::Sources(vec![source::Settings { path, start: Start::Head, horizon: None }]))
        }
        known if FILE_BACKENDS.contains(&known) => files(jail, known == "auto" && journal, notices),
        _ => {
            let known = FILE_BACKENDS.join(", ");
            Err(error(format!("`{name}` is unknown: use {known} or {JOURNAL}")).into())
        }
    }
}

/// `journal:MATCHES` or `journal[OPTION=VALUE,...]:MATCHES`.
fn journal_path(arguments: &indexmap::IndexMap<String, String>, matches: &[String]) -> String {
    let argument = |(name, value): (&String, &String)| {
        let quote = if value.contains([',', ']', ' ']) { "\"" } else { "" };
        format!("{name}={quote}{value}{quote}")
    };
    let arguments: Vec<_> = arguments.iter().map(argument).collect();
    let arguments = if arguments.is_empty() { String::new() } else { format!("[{}]", arguments.join(",")) };
    let matches: Vec<_> = matches.iter().map(|line| line.trim_matches(is_space)).collect();
    format!("journal{arguments}:{}", matches.join(" + "))
}

fn files(jail: &Jail, or_journal: bool, notices: &mut Vec<Error>) -> Result<Reading, Errors> {
    let Some(logpath) = jail.options.get("logpath") else {
        notices.push(error(&jail.place, format!("jail `{}` reads nothing: set logpath", jail.name)));
        return Ok(Reading::Sources(Vec::new()));
    };
    let sources = sources(jail, logpath)?;
    let exists = |source: &source::Settings| {
        glob::glob(&source.path).is_ok_and(|paths| paths.filter_map(Result::ok).any(|path| path.exists()))
    };
    if sources.iter().any(exists) {
        return Ok(Reading::Sources(sources));
    }
    let is_set =
        |option: &str, default: bool| jail.options.get(option).map_or(default, |flag| flag.as_str() == TRUE);
    if or_journal && !jail.filter.journalmatch.is_empty() && is_set("systemd_if_nologs", true) {
        let message = format!(
            "logpath: no log of jail `{}` exists, so it reads the journal: set backend = polling to wait for the log instead",
            jail.name
        );
        return Ok(Reading::JournalInstead(error(&jail.place, message)));
    }
    if is_set("skip_if_nologs", false) {
        let message =
            format!("logpath: no log of jail `{}` exists, so it is left out (skip_if_nologs)", jail.name);
        return Ok(Reading::Skip(error(&jail.place, message)));
    }
    Ok(Reading::Sources(sources))
}

/// Every path of `logpath`, each file once.
fn sources(jail: &Jail, logpath: &Text) -> Result<Vec<source::Settings>, Errors> {
    let lines = logpath.lines().filter(|(line, _)| !line.is_empty());
    let mut sources = lines.map(|(line, place)| source(line, place)).collect::<Result<Vec<_>, _>>()?;
    if sources.is_empty() {
        let message =
            format!("logpath of jail `{}` is empty: name its log, or set backend = systemd", jail.name);
        return Err(error(logpath.place(), message).into());
    }
    let paths: Vec<_> = sources.iter().map(|source| Arc::clone(&source.path)).collect();
    let mut number = 0;
    sources.retain(|source| {
        number += 1;
        let is_repeated = paths[..number - 1].contains(&source.path);
        !is_repeated && !paths.iter().any(|other| matches(other, &source.path))
    });
    Ok(sources)
}

/// A path or pattern, and where to begin.
fn source(line: &str, place: &Place) -> Result<source::Settings, Error> {
    let (path, start) = match line.rsplit_once(' ') {
        None => (line, Start::Head),
        Some((path, word)) => match word.to_lowercase().as_str() {
            "head" => (path, Start::Head),
            "tail" => (path, Start::Tail),
            _ => {
                let message =
                    format!("logpath: `{word}` behind `{path}` is neither head nor tail: remove it");
                return Err(error(place, message));
            }
        },
    };
    // Two stars mean no more than one to fail2ban.
    let mut pattern = path.to_owned();
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    if let Err(failed) = glob::Pattern::new(&pattern) {
        return Err(error(place, format!("logpath: `{path}` is no pattern of file names: {}", failed.msg)));
    }
    let path = std::path::absolute(Path::new(&pattern)).unwrap_or_else(|_| pattern.clone().into());
    Ok(source::Settings { path: path.to_string_lossy().into(), start, horizon: None })
}

fn error(place: &Place, message: String) -> Error {
    Error { place: place.clone(), message }
}
