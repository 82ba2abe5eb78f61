//! What fail2ban has and banzone has not, word by word, and what to do instead.

use super::Nok;

/// Words, and the remedy.
type Remedies = &'static [(&'static [&'static str], &'static str)];

const COMMANDS: Remedies = &[
    (
        &["start"],
        "the service manager starts banzone: `systemctl start banzone`, or `banzone serve`; a jail starts with `enabled = true` and a reload",
    ),
    (
        &["stop"],
        "the service manager stops banzone: `systemctl stop banzone`; a jail stops with `enabled = false` and a reload",
    ),
    (&["restart"], "the service manager restarts banzone: `systemctl restart banzone`"),
    (&["add"], "a jail is added in the configuration: write it there and reload"),
    (
        &["sleep", "server-status", "server-stream", "config-error", "multi-set"],
        "it is spoken between fail2ban's client and its server only",
    ),
];

const SERVER: Remedies = &[
    (&["loglevel"], "set `level` in [log] and restart banzone, or start it with BANZONE_LOG"),
    (
        &["logtarget", "syslogsocket"],
        "messages go to standard error, which the service manager takes; `journalctl -u banzone` shows them",
    ),
    (&["dbfile"], "set `path` in [store] and restart banzone"),
    (&["dbpurgeage"], "set `history_retention` in [store] and reload"),
    (&["dbmaxmatches"], "set `max_matches` of the jails and reload"),
    (&["thread", "allowipv6"], "there is nothing to set: banzone sees to it itself"),
];

const CONFIGURED: &str = "set it in the configuration and reload: it does not change while a jail runs";

const ACTIONS: &str =
    "banzone publishes bans in DNS and has no actions; docs/fail2ban.md says how fail2ban's actions stay";

const PROPERTIES: Remedies = &[
    (
        &["idle"],
        "a jail rests with `enabled = false` and a reload, and reads on from there when it is enabled again",
    ),
    (&["addlogpath", "dellogpath"], CONFIGURED),
    (&["addjournalmatch", "deljournalmatch", "logencoding", "logtimezone", "datepattern"], CONFIGURED),
    (
        &[
            "addfailregex",
            "delfailregex",
            "addignoreregex",
            "delignoreregex",
            "prefregex",
            "maxlines",
            "usedns",
        ],
        CONFIGURED,
    ),
    (&["ignorecommand", "ignorecache"], CONFIGURED),
    (&["bantime.increment", "bantime.factor", "bantime.formula", "bantime.multipliers"], CONFIGURED),
    (&["bantime.maxtime", "bantime.rndtime", "bantime.overalljails"], CONFIGURED),
    (&["addaction", "delaction", "action", "actionproperties", "actionmethods"], ACTIONS),
    (&["thread"], "banzone chooses its threads itself"),
];

fn find(remedies: Remedies, word: &str) -> Option<String> {
    let (_, remedy) = remedies.iter().find(|(words, _)| words.contains(&word))?;
    Some(format!("banzone does not take `{word}`: {remedy}"))
}

/// Why a command is refused; `None`: fail2ban has no such command either.
pub(super) fn word(name: &str) -> Option<Nok> {
    find(COMMANDS, name).map(Nok::Client)
}

/// What to do instead of setting something of the server.
pub(super) fn server_setting(name: &str) -> Option<String> {
    find(SERVER, name)
}

/// Why a property of a jail can't be set; `None`: fail2ban has no such property either.
pub(super) fn set(property: &str) -> Option<Nok> {
    find(PROPERTIES, property).map(Nok::Server)
}

/// Why a property can't be read.
pub(super) fn get(property: &str) -> Option<Nok> {
    find(PROPERTIES, property).map(Nok::Server)
}
