//! The help in fail2ban-client's form: options, then words, each with what it does here.

use std::fmt::Write;

const OPTIONS: &[(&str, &str)] = &[
    ("-c, --conf <DIR>", "the folder of banzone.toml; another folder is left alone"),
    ("-s, --socket <FILE>", "the control socket of banzone"),
    ("-t, --test", "check the configuration"),
    ("--str2sec <STRING>", "compute a span of time in seconds"),
    ("-q", "say less"),
    ("-h, --help", "this help"),
    ("-V, --version", "the version; with -V nothing else"),
    ("-d -i", "refused, with what to do instead"),
    ("other options", "accepted, and without effect"),
];

const WORDS: &[(&str, &str)] = &[
    ("status", "the jails"),
    ("status <JAIL> [basic|short]", "how a jail is; short: without the addresses"),
    ("status --all [short]", "all of them"),
    ("stats", "a table of all jails"),
    ("banned", "what each jail bans"),
    ("banned <IP> ...", "which jails ban them"),
    ("unban <IP> ... | --all", "ends bans in all jails"),
    ("ping, version, flushlogs", "is it alive, which version, nothing to flush"),
    ("reload [OPTIONS] [<JAIL>|--all]", "reads the whole configuration again"),
    ("get <JAIL> banip [<SEP>|--with-time]", "what a jail bans, by the end of the bans"),
    ("get <JAIL> banned [<IP> ...]", "the same as a list, or whether it bans these"),
    ("get <JAIL> <SETTING>", "bantime, findtime, maxretry, maxmatches, maxlines, usedns,"),
    ("", "logencoding, logtimezone, logpath, ignoreip, ignoreself,"),
    ("", "ignorecommand, prefregex, failregex, ignoreregex,"),
    ("", "datepattern, journalmatch, actions, bantime.increment, ..."),
    ("set <JAIL> banip <IP> ...", "bans by hand"),
    ("set <JAIL> unbanip [--report-absent] <IP> ...", "ends bans"),
    ("set <JAIL> attempt <IP> [<LINE> ...]", "counts failures as if a log had shown them"),
    ("set <JAIL> addignoreip <IP> ...", "until the next reload, as all below"),
    ("set <JAIL> delignoreip <IP>", ""),
    ("set <JAIL> ignoreself true|false", ""),
    ("set <JAIL> bantime|findtime <TIME>", ""),
    ("set <JAIL> maxretry|maxmatches <INT>", ""),
    ("get loglevel, logtarget, dbfile, ...", "of the daemon; they are set in its configuration"),
];

/// The whole of it.
pub(super) fn text() -> String {
    let mut text = format!(
        "Usage: fail2ban-client [OPTIONS] <COMMAND>\n\nbanzone v{} in fail2ban-client's words.\n\nOptions:\n",
        env!("CARGO_PKG_VERSION")
    );
    for (option, does) in OPTIONS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {option:23} {does}");
    }
    text.push_str("\nCommand:\n");
    for (word, does) in WORDS {
        let _ = writeln!(text, "{}", format!("    {word:45} {does}").trim_end());
    }
    text.push_str("\nWhat fail2ban-client has and this has not is refused with what to do instead.");
    text
}
