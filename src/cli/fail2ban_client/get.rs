//! `get`: what the server and the jails are set to.

use super::{Answer, Call, Nok, bans, layout, python, refused, server};
use crate::http::api::JailSettings;

/// One property of a jail.
struct Property {
    name: &'static str,
    answer: Read,
}

/// How it is had.
enum Read {
    /// From the jail's settings.
    Setting(fn(&JailSettings) -> String),
    /// Otherwise, from the jail and further words.
    Asked(fn(&Call<'_>, &str, &[&str]) -> Answer),
}

const fn setting(name: &'static str, read: fn(&JailSettings) -> String) -> Property {
    Property { name, answer: Read::Setting(read) }
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
    setting("prefregex", |jail| jail.prefregex.clone().unwrap_or_default()),
    setting("failregex", |jail| patterns(&jail.failregex)),
    setting("ignoreregex", |jail| patterns(&jail.ignoreregex)),
    setting("datepattern", date_pattern),
    setting("journalmatch", |_| "No journal match filter set".to_owned()),
    setting("actions", |jail| format!("No actions for jail {}", jail.jail)),
    setting("bantime.increment", |jail| jail.increment.as_ref().map_or_else(none, |_| "True".to_owned())),
    setting("bantime.factor", |jail| jail.increment.as_ref().map_or_else(none, |by| by.factor.to_string())),
    setting("bantime.maxtime", |jail| {
        let limit = jail.increment.as_ref().and_then(|increment| increment.maxtime);
        limit.map_or_else(none, |seconds| seconds.to_string())
    }),
    setting("bantime.rndtime", |jail| {
        jail.increment.as_ref().map_or_else(none, |increment| increment.rndtime.to_string())
    }),
    setting("bantime.multipliers", |jail| {
        let multipliers = jail.increment.iter().flat_map(|increment| &increment.multipliers);
        let shown: Vec<String> = multipliers.map(ToString::to_string).collect();
        if shown.is_empty() { none() } else { shown.join(" ") }
    }),
    setting("bantime.overalljails", |jail| {
        jail.increment
            .as_ref()
            .map_or_else(none, |increment| python::truth(increment.overalljails).to_owned())
    }),
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

fn patterns(patterns: &[String]) -> String {
    let numbered: Vec<String> =
        patterns.iter().enumerate().map(|(number, pattern)| format!("[{number}]: {pattern}")).collect();
    let heading = "The following regular expression are defined:";
    layout::list(heading, "No regular expression is defined", &numbered)
}

fn date_pattern(jail: &JailSettings) -> String {
    let patterns = if jail.datepattern.is_empty() {
        "Default Detectors".to_owned()
    } else {
        jail.datepattern.join("\n")
    };
    format!("Current date pattern set to: {patterns}")
}
