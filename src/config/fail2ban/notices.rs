//! What is accepted and has no effect here: the options for firewalls, mail and fail2ban's own process, and those that
//! nothing uses. One notice for each option and file; the files that come with fail2ban get one each.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use super::super::error::{Error, Place, did_you_mean};
use super::filter::DEFINITION;
use super::jail::OPTIONS;
use super::parser::{Options, Sections};
use super::text::Text;

const ACTIONS: &str = "banzone publishes bans over DNS and runs no actions";
const MAIL: &str = "banzone sends no mail";
const PROCESS: &str = "it is for fail2ban's own process, which does not run here";

/// Options that are ignored whatever uses them, and why.
const IGNORED: &[(&str, &str)] = &[
    ("action", ACTIONS),
    ("banaction", ACTIONS),
    ("banaction_allports", ACTIONS),
    ("port", ACTIONS),
    ("protocol", ACTIONS),
    ("chain", ACTIONS),
    ("blocktype", ACTIONS),
    ("returntype", ACTIONS),
    ("fail2ban_agent", ACTIONS),
    ("destemail", MAIL),
    ("sender", MAIL),
    ("sendername", MAIL),
    ("mta", MAIL),
];

/// Before the names of ready-made actions.
const ACTION_PREFIX: &str = "action_";

/// What is passed over in each file: the option, its place and the reason.
type Found<'a> = BTreeMap<Arc<Path>, BTreeMap<&'a str, (Place, Reason)>>;

#[derive(Clone, Copy)]
enum Reason {
    Ignored(&'static str),
    /// It has no meaning, and no option of an enabled jail names it.
    Unused,
}

/// The notices about the options of jails: `options` are those of `[DEFAULT]` and of the enabled jails, `is_used` tells
/// whether the value at a place was asked for.
pub(super) fn of_jails<'a>(
    options: impl Iterator<Item = &'a Options>,
    is_used: impl Fn(&Place) -> bool,
) -> Vec<Error> {
    let mut found = Found::new();
    for (name, value) in options.flatten() {
        let reason = match ignored(name) {
            Some(why) => Reason::Ignored(why),
            None if has_meaning(name) || is_used(value.place()) => continue,
            None => Reason::Unused,
        };
        add(&mut found, name, value, reason);
    }
    let is_stock = |file: &Path| {
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name == "jail.conf" || (name.starts_with("paths-") && name.ends_with(".conf"))
    };
    notices(found, is_stock)
}

/// The notices about `fail2ban.conf` and what belongs to it.
pub(super) fn of_process(sections: &Sections) -> Vec<Error> {
    let mut found = Found::new();
    let named = sections.named.iter().filter(|(name, _)| !name.starts_with(super::files::KNOWN));
    for (name, value) in named.flat_map(|(_, section)| &section.options).chain(&sections.defaults) {
        add(&mut found, name, value, Reason::Ignored(PROCESS));
    }
    notices(found, |file| file.file_name() == Some(OsStr::new("fail2ban.conf")))
}

fn ignored(name: &str) -> Option<&'static str> {
    let known = IGNORED.iter().find(|(ignored, _)| *ignored == name).map(|(_, why)| *why);
    known.or_else(|| name.starts_with(ACTION_PREFIX).then_some(ACTIONS))
}

fn has_meaning(name: &str) -> bool {
    OPTIONS.iter().any(|(option, _)| *option == name) || DEFINITION.contains(&name) || name.contains('/')
}

fn add<'a>(found: &mut Found<'a>, name: &'a str, value: &Text, reason: Reason) {
    let place = value.place();
    // What has no line was written by nobody.
    if place.line > 0 {
        let of_file = found.entry(Arc::clone(&place.file)).or_default();
        let known = of_file.entry(name).or_insert_with(|| (place.clone(), reason));
        if place.line < known.0.line {
            known.0 = place.clone();
        }
    }
}

fn notices(found: Found<'_>, is_stock: impl Fn(&Path) -> bool) -> Vec<Error> {
    let mut notices = Vec::new();
    for (file, options) in found {
        if is_stock(&file) {
            notices.extend(summary(&options));
        } else {
            let one = |(name, (place, reason)): (&str, (Place, Reason))| Error {
                place,
                message: message(name, reason),
            };
            notices.extend(options.into_iter().map(one));
        }
    }
    notices
}

/// One notice for what is ignored of a file that came with fail2ban. What nothing uses there is nobody's slip.
fn summary(options: &BTreeMap<&str, (Place, Reason)>) -> Option<Error> {
    let ignored: Vec<_> = options
        .iter()
        .filter_map(|(name, (place, reason))| match reason {
            Reason::Ignored(why) => Some((*name, place, *why)),
            Reason::Unused => None,
        })
        .collect();
    let (_, first, _) = ignored.iter().min_by_key(|(_, place, _)| place.line)?;
    let mut reasons: Vec<&str> = ignored.iter().map(|(_, _, why)| *why).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let names: Vec<_> = ignored.iter().map(|(name, _, _)| format!("`{name}`")).collect();
    let message = format!("accepted and ignored: {} ({})", names.join(", "), reasons.join("; "));
    Some(Error { place: Place { line: 0, ..(*first).clone() }, message })
}

fn message(name: &str, reason: Reason) -> String {
    match reason {
        Reason::Ignored(why) => format!("`{name}` is accepted and ignored: {why}"),
        Reason::Unused => {
            let known = OPTIONS.iter().map(|(option, _)| *option).chain(DEFINITION.iter().copied());
            let hint = did_you_mean(name, known);
            format!("`{name}` is no option of jails, and no enabled jail uses it{hint}")
        }
    }
}
