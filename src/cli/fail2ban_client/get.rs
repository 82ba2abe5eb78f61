//! `get`: what the server and the jails are set to.

use super::{Answer, Call, Nok, bans, layout, python, refused, server};
use crate::clock::Clock;
use crate::filter::Detector;
use crate::http::api::{IncrementSettings, JailSettings};

/// One property of a jail.
struct Property {
    name: &'static str,
    answer: Read,
}

/// How it is had.
enum Read {
    /// From the jail's settings.
    Setting(fn(&JailSettings) -> String),
    /// From how bans grow, if they do.
    Grown(fn(&IncrementSettings) -> Option<String>),
    /// Otherwise, from the jail and further words.
    Asked(fn(&Call<'_>, &str, &[&str]) -> Answer),
}

const fn setting(name: &'static str, read: fn(&JailSettings) -> String) -> Property {
    Property { name, answer: Read::Setting(read) }
}

const fn grown(name: &'static str, read: fn(&IncrementSettings) -> Option<String>) -> Property {
    Property { name, answer: Read::Grown(read) }
}

const fn asked(name: &'static str, ask: fn(&Call<'_>, &str, &[&str]) -> Answer) -> Property {
    Property { name, answer: Read::Asked(ask) }
}

const PROPERTIES: &[Property] = &[
    asked("banned", bans::banned_in),
    asked("banip", bans::ban_list),
    asked("logpath", log_paths),
    setting("bantime", ban_time),
    setting("findtime", |jail| jail.findtime.to_string()),
    setting("maxretry", |jail| jail.maxretry.to_string()),
    setting("maxmatches", |jail| jail.maxmatches.to_string()),
    setting("maxlines", |jail| jail.maxlines.to_string()),
    setting("usedns", |jail| jail.usedns.clone()),
    setting("logencoding", |jail| format!("Current log encoding is set to:\n{}", jail.logencoding)),
    setting("logtimezone", |jail| jail.logtimezone.clone().unwrap_or_else(none)),
    setting("ignoreip", ignored),
    setting("ignoreself", |jail| python::truth(jail.ignoreself).to_owned()),
    setting("ignorecommand", |jail| jail.ignorecommand.clone().unwrap_or_else(|| "False".to_owned())),
    setting("ignorecache", ignore_cache),
    setting("prefregex", |jail| jail.prefregex.clone().unwrap_or_default()),
    setting("failregex", |jail| patterns(&jail.failregex)),
    setting("ignoreregex", |jail| patterns(&jail.ignoreregex)),
    setting("datepattern", date_pattern),
    asked("journalmatch", journal_match),
    setting("actions", |jail| format!("No actions for jail {}", jail.jail)),
    grown("bantime.increment", |_| Some(python::truth(true).to_owned())),
    grown("bantime.factor", |by| (by.factor != 1.0).then(|| by.factor.to_string())),
    grown("bantime.formula", |by| by.formula.clone()),
    grown("bantime.maxtime", |by| by.maxtime.map(|seconds| seconds.to_string())),
    grown("bantime.rndtime", |by| (by.rndtime > 0).then(|| by.rndtime.to_string())),
    grown("bantime.multipliers", |by| {
        let shown: Vec<String> = by.multipliers.iter().map(ToString::to_string).collect();
        (!shown.is_empty()).then(|| shown.join(" "))
    }),
    grown("bantime.overalljails", |by| by.overalljails.then(|| python::truth(true).to_owned())),
];

/// `get NAME` of the server, or `get JAIL PROPERTY ...`
pub(super) fn get(call: &Call<'_>, words: &[&str]) -> Answer {
    let (name, rest) = words.split_first().ok_or_else(Nok::invalid)?;
    if let Some(answer) = server::get(call, name) {
        return answer;
    }
    let (property, rest) = rest.split_first().ok_or_else(Nok::invalid)?;
    match PROPERTIES.iter().find(|known| known.name == *property) {
        Some(Property { answer: Read::Setting(read), .. }) => Ok(read(&call.settings(name)?)),
        Some(Property { answer: Read::Grown(read), .. }) => {
            Ok(call.settings(name)?.increment.as_ref().and_then(*read).unwrap_or_else(none))
        }
        Some(Property { answer: Read::Asked(ask), .. }) => ask(call, name, rest),
        None => Err(refused::get(property).unwrap_or_else(|| {
            Nok::Server("Invalid command (no get action or not yet implemented)".to_owned())
        })),
    }
}

/// What Python shows for a value that is not set.
fn none() -> String {
    "None".to_owned()
}

/// -1 is permanent.
pub(super) fn ban_time(jail: &JailSettings) -> String {
    jail.bantime.map_or_else(|| "-1".to_owned(), |seconds| seconds.to_string())
}

/// What never fails in the jail.
pub(super) fn ignored(jail: &JailSettings) -> String {
    let heading = "These IP addresses/networks are ignored:";
    layout::list(heading, "No IP address/network is ignored", &jail.ignoreip)
}

fn log_paths(call: &Call<'_>, jail: &str, _: &[&str]) -> Answer {
    let files = call.status(jail)?.files;
    Ok(layout::list("Current monitored log file(s):", "No file is currently monitored", &files))
}

fn journal_match(call: &Call<'_>, jail: &str, _: &[&str]) -> Answer {
    let groups = call.status(jail)?.journal_matches.unwrap_or_default();
    if groups.is_empty() {
        return Ok("No journal match filter set".to_owned());
    }
    Ok(format!("Current match filter:\n{}", groups.join(" + ")))
}

fn ignore_cache(jail: &JailSettings) -> String {
    jail.ignorecache.as_ref().map_or_else(none, |cache| {
        format!("[{}, {}, {}]", python::repr(&cache.key), cache.max_count, cache.max_time)
    })
}

fn patterns(patterns: &[String]) -> String {
    let numbered: Vec<String> =
        patterns.iter().enumerate().map(|(number, pattern)| format!("[{number}]: {pattern}")).collect();
    let heading = "The following regular expression are defined:";
    layout::list(heading, "No regular expression is defined", &numbered)
}

/// With what fail2ban calls it. Patterns of banzone's own that fail2ban does not know are shown as they are written.
fn date_pattern(jail: &JailSettings) -> String {
    let detector = Detector::new(&jail.datepattern, None, Clock::System.now());
    let shown = detector.map_or_else(|_| jail.datepattern.join("\n"), |detector| detector.description());
    format!("Current date pattern set to: {shown}")
}
