//! Which entries of which journal are wanted. In comes the path of a source, `journal:MATCHES` or
//! `journal[OPTION=VALUE,...]:MATCHES`; out come the arguments of `journalctl`.

use std::fs;

/// systemd's flags for opening a journal, as fail2ban's `journalflags` adds them up (sd-journal.h).
mod flag {
    pub(super) const LOCAL_ONLY: u32 = 1;
    pub(super) const RUNTIME_ONLY: u32 = 1 << 1;
    pub(super) const SYSTEM: u32 = 1 << 2;
    pub(super) const CURRENT_USER: u32 = 1 << 3;
    pub(super) const ALL: u32 = LOCAL_ONLY | RUNTIME_ONLY | SYSTEM | CURRENT_USER;
}

/// Where the journal of this boot is, and none of those before.
const RUNTIME: &str = "/run/log/journal";

/// The name of this machine in its own entries (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";

/// Whether a path means a journal.
pub(in crate::source) fn is_journal(path: &str) -> bool {
    let rest = path.strip_prefix("journal").unwrap_or_default();
    rest.starts_with(':') || (rest.starts_with('[') && rest.contains("]:"))
}

/// The matches in a path that means a journal, as they are written: the terms of each group.
pub(in crate::source) fn matches(path: &str) -> Vec<String> {
    let rest = path.strip_prefix("journal").unwrap_or(path);
    let matches = rest.strip_prefix(':').or_else(|| rest.split_once("]:").map(|(_, matches)| matches));
    let groups = groups(matches.unwrap_or_default()).unwrap_or_default();
    groups.iter().map(|group| group.join(" ")).collect()
}

/// A journal, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Which journal, as options of `journalctl`.
    journal: Vec<String>,
    /// Entries that match all terms of one group are wanted; terms for the same field are alternatives.
    groups: Vec<Vec<String>>,
}

impl Query {
    /// Reads the path of a source. The error says what is wrong and how to write it.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let rest = path.strip_prefix("journal").unwrap_or(path);
        let (options, matches) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once("]:").ok_or("close the options by `]:`")?,
            None => ("", rest.strip_prefix(':').unwrap_or(rest)),
        };
        let options = Options::parse(options)?;
        let mut groups = groups(matches)?;
        if options.flags.is_some_and(|flags| flags & flag::LOCAL_ONLY != 0) {
            restrict_to_this_machine(&mut groups)?;
        }
        Ok(Self { journal: options.arguments(), groups })
    }

    /// The arguments that name the journal and, behind `--`, the matches.
    pub(super) fn arguments(&self) -> (&[String], impl Iterator<Item = &str>) {
        let groups = self.groups.iter().enumerate();
        let matches = groups.flat_map(|(number, group)| {
            let or = (number > 0).then_some("+");
            or.into_iter().chain(group.iter().map(String::as_str))
        });
        (&self.journal, matches)
    }
}

/// What stands in the brackets.
#[derive(Default)]
struct Options {
    directory: Option<String>,
    files: Vec<String>,
    flags: Option<u32>,
    namespace: Option<String>,
}

impl Options {
    fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for option in separate(text) {
            let (name, value) =
                option.split_once('=').ok_or_else(|| format!("`{option}`: write NAME=VALUE"))?;
            options.set(name.trim(), unquote(value.trim()))?;
        }
        if options.directory.is_some() && !options.files.is_empty() {
            return Err("journalpath and journalfiles exclude each other: name one of them".to_owned());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "journalpath" => self.directory = Some(absolute(value)?),
            "journalfiles" => {
                let names = value.split([' ', ',', '\n']).filter(|name| !name.is_empty());
                self.files = names.map(absolute).collect::<Result<_, _>>()?;
            }
            "journalflags" => self.flags = Some(flags(value)?),
            "namespace" => self.namespace = Some(value.to_owned()),
            // Entries are read wherever they are by now: what was written before a rotation must not be lost.
            "rotated" => {}
            _ => {
                return Err(format!(
                    "there is no option `{name}`: use journalpath, journalfiles, journalflags, namespace or rotated"
                ));
            }
        }
        Ok(())
    }

    /// As fail2ban opens it: the journals of the system unless files, a folder or flags are named.
    fn arguments(&self) -> Vec<String> {
        let is_named = self.directory.is_some() || !self.files.is_empty();
        let flags = self.flags.unwrap_or(if is_named { 0 } else { flag::SYSTEM });
        let mut arguments: Vec<String> = self.files.iter().map(|file| format!("--file={file}")).collect();
        let runtime = (flags & flag::RUNTIME_ONLY != 0 && !is_named).then(|| RUNTIME.to_owned());
        let directory = self.directory.clone().or(runtime);
        arguments.extend(directory.map(|directory| format!("--directory={directory}")));
        arguments.extend(self.namespace.as_ref().map(|name| format!("--namespace={name}")));
        for (bit, argument) in [(flag::SYSTEM, "--system"), (flag::CURRENT_USER, "--user")] {
            if flags & bit != 0 {
                arguments.push(argument.to_owned());
            }
        }
        arguments
    }
}

/// Splits at commas outside quotes. A comma in front of a `/` separates files, not options.
fn separate(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' | b'\'' if quote.is_none() => quote = Some(byte),
            _ if quote == Some(byte) => quote = None,
            b',' if quote.is_none() && !text[at + 1..].starts_with('/') => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn unquote(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

fn absolute(path: &str) -> Result<String, String> {
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    Err(format!("`{path}`: give a path that starts with `/`"))
}

fn flags(value: &str) -> Result<u32, String> {
    let flags = value.parse().ok().filter(|flags: &u32| flags & !flag::ALL == 0);
    flags.ok_or_else(|| {
        format!(
            "journalflags={value}: add up 1 (this machine), 2 (this boot), 4 (the system) and 8 (the user)"
        )
    })
}

/// The groups of terms between `+`; a new line begins a group as well.
fn groups(matches: &str) -> Result<Vec<Vec<String>>, String> {
    let mut groups = Vec::new();
    for line in matches.lines() {
        for group in words(line)?.split(|word| word == "+") {
            group.iter().try_for_each(|term| check(term))?;
            if !group.is_empty() {
                groups.push(group.to_vec());
            }
        }
    }
    Ok(groups)
}

/// What sd-journal takes for a match: anything else `journalctl` would read as a path or an option.
fn check(term: &str) -> Result<(), String> {
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && !name.starts_with("__") && name.bytes().all(allowed)
    };
    if term.split_once('=').is_some_and(|(name, _)| is_name(name)) && !term.contains('\0') {
        return Ok(());
    }
    Err(format!(
        "`{term}` is no match: write FIELD=VALUE, such as _SYSTEMD_UNIT=ssh.service, and `+` for `or`"
    ))
}

/// Splits a line into words as a shell does, with its quotes and backslashes but without anything else of it.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut rest = line.chars();
    while let Some(letter) = rest.next() {
        match letter {
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                quoted(letter, &mut rest, word)?;
            }
            '\\' => word.get_or_insert_default().push(rest.next().ok_or("nothing follows the last `\\`")?),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match rest.next().ok_or_else(|| format!("a {quote} is not closed"))? {
            letter if letter == quote => return Ok(()),
            // Between double quotes a backslash stands for itself unless it protects a quote or another one.
            '\\' if quote == '"' => {
                let next = rest.next().ok_or("a \" is not closed")?;
                if !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            letter => word.push(letter),
        }
    }
}

fn restrict_to_this_machine(groups: &mut Vec<Vec<String>>) -> Result<(), String> {
    let id = fs::read_to_string(MACHINE_ID)
        .map_err(|error| format!("journalflags: {MACHINE_ID} cannot be read ({error}); leave out 1"))?;
    if groups.is_empty() {
        groups.push(Vec::new());
    }
    for group in groups {
        group.push(format!("_MACHINE_ID={}", id.trim()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert!(is_journal(path), "{path}");
        let found = Query::parse(path).map(|query| {
            let (journal, matches) = query.arguments();
            let all = journal.iter().map(String::as_str).chain(["--"]).chain(matches);
            all.collect::<Vec<_>>().join("|")
        });
        assert_eq!(found.unwrap_or_else(|error| error), expected, "{path}");
    }

    #[test]
    fn matches_are_those_of_journalmatch() {
        check("journal:", "--system|--");
        check(
            "journal:_SYSTEMD_UNIT=ssh.service + _COMM=sshd",
            "--system|--|_SYSTEMD_UNIT=ssh.service|+|_COMM=sshd",
        );
        check("journal:_COMM=a _COMM=b  _UID=0", "--system|--|_COMM=a|_COMM=b|_UID=0");
        check("journal:_COMM=a\n_COMM=b", "--system|--|_COMM=a|+|_COMM=b");
        check("journal:+ _COMM=a + + ", "--system|--|_COMM=a");
        check(
            "journal:'_COMM=a b' _EXE=\"/x \\\"y\\z\" A=b\\ c",
            "--system|--|_COMM=a b|_EXE=/x \"y\\z|A=b c",
        );
        check("journal:A=''", "--system|--|A=");
    }

    #[test]
    fn matches_are_shown_by_group() {
        let shown = ["_SYSTEMD_UNIT=ssh.service _UID=0", "_COMM=sshd"];
        assert_eq!(matches("journal:_SYSTEMD_UNIT=ssh.service  '_UID=0' + _COMM=sshd"), shown);
        assert_eq!(matches("journal[journalpath=/x]:_SYSTEMD_UNIT=ssh.service _UID=0\n_COMM=sshd"), shown);
        assert!(matches("journal:").is_empty());
    }

    #[test]
    fn options_choose_the_journal() {
        check("journal[journalpath=/x]:A=b", "--directory=/x|--|A=b");
        check("journal[journalfiles=/a /b*]:", "--file=/a|--file=/b*|--");
        check("journal[journalfiles=\"/a,/b\", namespace=mail]:", "--file=/a|--file=/b|--namespace=mail|--");
        check("journal[journalfiles=/a,/b,rotated=on]:", "--file=/a|--file=/b|--");
        check("journal[journalflags=0]:", "--");
        check("journal[journalflags=6]:", "--directory=/run/log/journal|--system|--");
        check("journal[journalflags=12]:", "--system|--user|--");
        check("journal[journalpath=/x,journalflags=8]:", "--directory=/x|--user|--");
        check("journal[]:", "--system|--");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let no_match = "is no match: write FIELD=VALUE, such as _SYSTEMD_UNIT=ssh.service, and `+` for `or`";
        for term in ["sshd", "--root=/x", "/usr/sbin/sshd", "comm=x", "=x", "__CURSOR=x"] {
            check(&format!("journal:{term}"), &format!("`{term}` {no_match}"));
        }
        check("journal:'A=b", "a ' is not closed");
        check("journal:A=b\\", "nothing follows the last `\\`");
        check("journal[journalpath]:", "`journalpath`: write NAME=VALUE");
        check("journal[journalpath=x]:", "`x`: give a path that starts with `/`");
        check(
            "journal[path=/x]:",
            "there is no option `path`: use journalpath, journalfiles, journalflags, namespace or rotated",
        );
        check(
            "journal[journalflags=16]:",
            "journalflags=16: add up 1 (this machine), 2 (this boot), 4 (the system) and 8 (the user)",
        );
    }

    #[test]
    fn files_are_no_journals() {
        for path in ["/var/log/journal:x", "journal", "journal.log", "journal[0-9].log", "journald:x"] {
            assert!(!is_journal(path), "{path}");
        }
    }
}
