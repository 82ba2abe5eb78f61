//! What concerns the server as a whole.

use super::{Answer, Call, Nok, bans};
use crate::http::api::{DaemonSettings, Reloaded, Status, UnbanQuery};

/// `ping`
pub(super) fn ping(call: &Call<'_>, _: &[&str]) -> Answer {
    let _alive: Status = call.client()?.get("/status", &())?;
    Ok("Server replied: pong".to_owned())
}

/// `version`: banzone's own.
pub(super) fn version(call: &Call<'_>, _: &[&str]) -> Answer {
    let status: Status = call.client()?.get("/status", &())?;
    Ok(status.version)
}

/// `flushlogs`: messages go to standard error, where there is nothing to open again.
pub(super) fn flush_logs(call: &Call<'_>, words: &[&str]) -> Answer {
    ping(call, words)?;
    Ok("logs: flushed".to_owned())
}

/// `restart JAIL`, which is a reload; the whole server is the service manager's.
pub(super) fn restart(call: &Call<'_>, words: &[&str]) -> Answer {
    if words.is_empty() {
        return Err(super::refused::word("restart").unwrap_or_else(Nok::invalid));
    }
    reload(call, words)
}

/// `reload [--restart] [--unban] [--if-exists] [JAIL|--all]`: always the whole configuration, whatever jail is named.
pub(super) fn reload(call: &Call<'_>, words: &[&str]) -> Answer {
    let is_option = |word: &&&str| ["--restart", "--unban", "--if-exists"].contains(*word);
    let options = words.iter().take_while(is_option).count();
    let (options, rest) = words.split_at(options);
    let jail = match rest {
        [] | ["--all"] => None,
        [jail] => Some(*jail),
        _ => {
            return Err(Nok::Client(format!(
                "Unexpected argument(s) for reload: {}",
                super::python::list(rest)
            )));
        }
    };
    let _reloaded: Reloaded = call.client()?.post("/reload", &())?;
    if let Some(jail) = jail
        && !options.contains(&"--if-exists")
    {
        call.settings(jail).map_err(|nok| match nok {
            // fail2ban's client finds this out by itself.
            Nok::Server(_) => Nok::Client(format!("Failed during configuration: No section: '{jail}'")),
            nok => nok,
        })?;
    }
    if options.contains(&"--unban") {
        bans::end(call, &UnbanQuery { all: true, jail: jail.map(str::to_owned), prefix: None })?;
    }
    Ok("OK".to_owned())
}

/// `get NAME` of the server; `None`: it is the name of a jail.
pub(super) fn get(call: &Call<'_>, name: &str) -> Option<Answer> {
    let read: fn(&DaemonSettings) -> String = match name {
        "dbfile" => |daemon| format!("Current database file is:\n`- {}", daemon.database),
        "dbpurgeage" => {
            |daemon| format!("Current database purge age is:\n`- {}seconds", daemon.history_retention)
        }
        "dbmaxmatches" => |daemon| daemon.max_matches.to_string(),
        "loglevel" => |daemon| format!("Current logging level is '{}'", level(&daemon.log_level)),
        "logtarget" => |_| "Current logging target is:\n`- STDERR".to_owned(),
        "syslogsocket" => |_| "Current syslog socket is:\n`- auto".to_owned(),
        "thread" => return Some(Err(super::refused::get("thread").unwrap_or_else(Nok::invalid))),
        _ => return None,
    };
    Some(ask(call).map(|daemon| read(&daemon)))
}

fn ask(call: &Call<'_>) -> Result<DaemonSettings, Nok> {
    Ok(call.client()?.get("/settings", &())?)
}

fn level(own: &str) -> &'static str {
    match own {
        "error" => "ERROR",
        "warn" => "WARNING",
        "debug" => "DEBUG",
        "trace" => "TRACEDEBUG",
        _ => "INFO",
    }
}

/// `set NAME VALUE` of the server, none of which can change while it runs; `None`: it is the name of a jail.
pub(super) fn set(name: &str, words: &[&str]) -> Option<Answer> {
    let remedy = super::refused::server_setting(name)?;
    if words.is_empty() {
        return Some(Err(Nok::invalid()));
    }
    Some(Err(Nok::Server(remedy)))
}
