//! `set`: changes of a jail while it runs. They are orders to the daemon and last, as in fail2ban, until the next reload or
//! restart.

use std::num::NonZeroU32;

use super::{Answer, Call, Nok, bans, get, of_jail, path, python, refused, server};
use crate::http::api::{JailChange, JailSettings};
use crate::ip::Prefix;

type Set = fn(&Call<'_>, &str, &[&str]) -> Answer;

const PROPERTIES: &[(&str, Set)] = &[
    ("banip", bans::ban),
    ("unbanip", bans::unban),
    ("attempt", bans::attempt),
    ("addignoreip", add_ignored),
    ("delignoreip", remove_ignored),
    ("ignoreself", ignore_self),
    ("bantime", ban_time),
    ("findtime", find_time),
    ("maxretry", max_retry),
    ("maxmatches", max_matches),
];

/// `set NAME VALUE` of the server, or `set JAIL PROPERTY VALUE...`
pub(super) fn set(call: &Call<'_>, words: &[&str]) -> Answer {
    let (name, rest) = words.split_first().ok_or_else(Nok::invalid)?;
    if let Some(answer) = server::set(name, rest) {
        return answer;
    }
    let (property, rest) = rest.split_first().ok_or_else(Nok::invalid)?;
    match PROPERTIES.iter().find(|(known, _)| known == property) {
        Some((_, set)) => set(call, name, rest),
        None => Err(refused::set(property).unwrap_or_else(|| {
            let words = format!("Invalid command '{property}' (no set action or not yet implemented)");
            Nok::Server(words)
        })),
    }
}

fn change(call: &Call<'_>, jail: &str, change: &JailChange) -> Result<JailSettings, Nok> {
    of_jail(jail, call.client()?.patch(&path(jail, "/settings"), change))
}

/// Unlike fail2ban's, the list of a running jail has addresses only: names and files are read with the configuration.
fn entry(word: &str) -> Result<Prefix, Nok> {
    word.parse().map_err(|_| {
        Nok::Server(format!(
            "`{word}` is no address or network: host names and files go into `ignoreip` of the configuration, then reload"
        ))
    })
}

fn add_ignored(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let prefixes = words.iter().map(|word| entry(word)).collect::<Result<Vec<_>, Nok>>()?;
    Ok(get::ignored(&change(call, jail, &JailChange::AddIgnoreip(prefixes))?))
}

fn remove_ignored(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let word = words.first().ok_or_else(Nok::invalid)?;
    Ok(get::ignored(&change(call, jail, &JailChange::DelIgnoreip(entry(word)?))?))
}

fn ignore_self(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let word = words.first().ok_or_else(Nok::invalid)?.to_lowercase();
    let own = ["1", "on", "true", "yes"].contains(&word.as_str());
    Ok(python::truth(change(call, jail, &JailChange::Ignoreself(own))?.ignoreself).to_owned())
}

fn seconds(words: &[&str]) -> Result<i64, Nok> {
    let word = words.first().ok_or_else(Nok::invalid)?;
    Ok(python::seconds(word).map_err(Nok::Server)?.whole())
}

/// Less than nothing is for good.
fn ban_time(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let seconds = u64::try_from(seconds(words)?).ok();
    Ok(get::ban_time(&change(call, jail, &JailChange::Bantime(seconds))?))
}

fn find_time(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let seconds = u64::try_from(seconds(words)?)
        .map_err(|_| Nok::Server("a findtime is at least 0: a number of seconds, or `10m`".to_owned()))?;
    Ok(change(call, jail, &JailChange::Findtime(seconds))?.findtime.to_string())
}

fn number(words: &[&str]) -> Result<i64, Nok> {
    let word = words.first().ok_or_else(Nok::invalid)?;
    let wrong = |_| Nok::Server(format!("invalid literal for int() with base 10: {}", python::repr(word)));
    word.trim().parse().map_err(wrong)
}

/// Nobody is banned before the first failure, whatever number is asked for.
fn max_retry(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let failures = u32::try_from(number(words)?.max(1)).unwrap_or(u32::MAX);
    let failures = NonZeroU32::new(failures).unwrap_or(NonZeroU32::MIN);
    Ok(change(call, jail, &JailChange::Maxretry(failures))?.maxretry.to_string())
}

fn max_matches(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let lines = u16::try_from(number(words)?.max(0)).unwrap_or(u16::MAX);
    Ok(change(call, jail, &JailChange::Maxmatches(lines))?.maxmatches.to_string())
}
