//! Bans: `banned`, `unban`, and below a jail `banip`, `unbanip`, `attempt` and `get JAIL banip`.

use std::collections::HashSet;

use super::{Answer, Call, Nok, of_jail, path, python};
use crate::clock::Timestamp;
use crate::http::api::{Ban, BanChanged, Counted, Ended, MAX_LINES, NewBan, NewFailure, UnbanQuery};
use crate::ip::Prefix;

/// `banned` and `banned IP...`
pub(super) fn banned(call: &Call<'_>, ids: &[&str]) -> Answer {
    let mut held: Vec<(String, Vec<String>)> = Vec::new();
    for jail in call.jails()? {
        let bans = call.bans(&jail)?;
        held.push((jail, bans.iter().map(|ban| ban.prefix.to_string()).collect()));
    }
    let shown: Vec<String> = if ids.is_empty() {
        held.iter().map(|(jail, ids)| format!("{{{}: {}}}", python::repr(jail), python::list(ids))).collect()
    } else {
        let by = |id: &&str| {
            let name = spelled(id);
            python::list(held.iter().filter(|(_, ids)| ids.contains(&name)).map(|(jail, _)| jail))
        };
        ids.iter().map(by).collect()
    };
    Ok(format!("[{}]", shown.join(", ")))
}

/// The one way to write what is an address or a network.
fn spelled(id: &str) -> String {
    id.parse::<Prefix>().map_or_else(|_| id.to_owned(), |prefix| prefix.to_string())
}

/// `get JAIL banned [IP...]`
pub(super) fn banned_in(call: &Call<'_>, jail: &str, ids: &[&str]) -> Answer {
    call.status(jail)?;
    let held: Vec<String> = call.bans(jail)?.iter().map(|ban| ban.prefix.to_string()).collect();
    let is_held = |id: &&str| if held.contains(&spelled(id)) { "1" } else { "0" };
    match ids {
        [] => Ok(python::list(&held)),
        [id] => Ok(is_held(id).to_owned()),
        ids => Ok(format!("[{}]", ids.iter().map(is_held).collect::<Vec<_>>().join(", "))),
    }
}

/// `get JAIL banip [SEPARATOR|--with-time]`: what is banned, by the end of the bans.
pub(super) fn ban_list(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    call.status(jail)?;
    let mut bans = call.bans(jail)?;
    bans.sort_by_key(|ban| ban.until.map_or(i64::MAX, Timestamp::as_millis));
    let with_time = words.first() == Some(&"--with-time");
    let shown: Vec<String> =
        bans.iter().map(|ban| if with_time { timed(ban) } else { ban.prefix.to_string() }).collect();
    let separator = if with_time { "\n" } else { words.first().unwrap_or(&" ") };
    Ok(shown.join(separator))
}

fn timed(ban: &Ban) -> String {
    let (span, end) = match ban.until {
        Some(until) => (until.since(ban.since).as_secs().to_string(), local(until)),
        None => ("-1".to_owned(), "9999-12-31 23:59:59".to_owned()),
    };
    format!("{} \t{} + {span} = {end}", ban.prefix, local(ban.since))
}

/// By the clock on the wall.
fn local(time: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::system();
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `unban IP...` and `unban --all`
pub(super) fn unban_everywhere(call: &Call<'_>, words: &[&str]) -> Answer {
    match words {
        [] => Err(Nok::Server("Invalid command".to_owned())),
        ["--all"] => Ok(end(call, &UnbanQuery { all: true, ..UnbanQuery::default() })?.to_string()),
        ids => {
            let mut ended = 0;
            for prefix in ids.iter().filter_map(|id| id.parse::<Prefix>().ok()) {
                ended += end(call, &UnbanQuery { prefix: Some(prefix), ..UnbanQuery::default() })?;
            }
            Ok(ended.to_string())
        }
    }
}

/// Ends bans and tells how many.
pub(super) fn end(call: &Call<'_>, query: &UnbanQuery) -> Result<u64, Nok> {
    let answer: Ended = call.client()?.delete("/bans", query)?;
    Ok(answer.ended)
}

/// `set JAIL unbanip [--report-absent] IP...`
pub(super) fn unban(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let (reports, ids) = match words {
        ["--report-absent", ids @ ..] => (true, ids),
        [] => return Err(Nok::invalid()),
        ids => (false, ids),
    };
    call.status(jail)?;
    let (mut ended, mut absent) = (0, Vec::new());
    for id in ids {
        let of_this = match id.parse::<Prefix>() {
            Ok(prefix) => {
                let jail = Some(jail.to_owned());
                end(call, &UnbanQuery { prefix: Some(prefix), jail, all: false })?
            }
            Err(_) => 0,
        };
        ended += of_this;
        if of_this == 0 {
            absent.push(*id);
        }
    }
    if reports && !absent.is_empty() {
        return Err(Nok::Server(format!("not banned: {}", python::list(absent))));
    }
    Ok(ended.to_string())
}

/// `set JAIL banip IP...`: all that may be banned are, and those that may not are named.
pub(super) fn ban(call: &Call<'_>, jail: &str, ids: &[&str]) -> Answer {
    let mut held: HashSet<Prefix> = call.status(jail)?.banned.into_iter().collect();
    let (mut new, mut refused) = (0, Vec::new());
    for id in ids {
        let answer = address(id).and_then(|prefix| {
            let order = NewBan {
                prefix,
                jail: Some(jail.to_owned()),
                since: None,
                seconds: None,
                permanent: false,
                reason: Some("fail2ban-client set banip".to_owned()),
            };
            Ok(of_jail(jail, call.client()?.post::<BanChanged>("/bans", &order))?.ban.prefix)
        });
        match answer {
            Ok(prefix) => new += usize::from(held.insert(prefix)),
            Err(Nok::Server(words)) => refused.push(words),
            Err(failed) => return Err(failed),
        }
    }
    if refused.is_empty() { Ok(new.to_string()) } else { Err(Nok::Server(refused.join("; "))) }
}

/// What can be banned or ignored here: fail2ban takes any word, a list of addresses does not.
pub(super) fn address(id: &str) -> Result<Prefix, Nok> {
    id.parse().map_err(|wrong: crate::ip::ParsePrefixError| Nok::Server(wrong.to_string()))
}

/// `set JAIL attempt IP [LINE...]`
pub(super) fn attempt(call: &Call<'_>, jail: &str, words: &[&str]) -> Answer {
    let (id, lines) = words.split_first().ok_or_else(Nok::invalid)?;
    let lines = &lines[lines.len().saturating_sub(MAX_LINES)..];
    let order = NewFailure { prefix: address(id)?, lines: lines.iter().map(ToString::to_string).collect() };
    let answer: Counted = of_jail(jail, call.client()?.post(&path(jail, "/failures"), &order))?;
    Ok(answer.counted.to_string())
}
