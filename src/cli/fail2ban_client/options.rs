//! fail2ban-client's options, read as Python's `getopt` reads them: they end at the first word, and a long one may be
//! shortened as long as it is clear which is meant.

use std::path::{Path, PathBuf};

use super::{Answer, Nok, python, usage};
use crate::cli::Global;
use crate::config;

/// An option: its short name, its long names, and whether a value follows.
struct Known {
    short: Option<char>,
    long: &'static [&'static str],
    takes_value: bool,
    is: Is,
}

/// What an option asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Config,
    Socket,
    Seconds,
    Help,
    Version,
    LongVersion,
    Test,
    Quiet,
    Dump,
    Interactive,
    /// It concerns the start of fail2ban's server, or how much is told.
    Idle,
}

const fn flag(short: char, long: &'static [&'static str], is: Is) -> Known {
    Known { short: Some(short), long, takes_value: false, is }
}

const fn value(short: Option<char>, long: &'static [&'static str], is: Is) -> Known {
    Known { short, long, takes_value: true, is }
}

const OPTIONS: &[Known] = &[
    value(Some('c'), &["conf"], Is::Config),
    value(Some('s'), &["socket"], Is::Socket),
    value(Some('p'), &["pidfile"], Is::Idle),
    value(None, &["pname", "loglevel", "logtarget", "syslogsocket", "timeout"], Is::Idle),
    value(None, &["str2sec"], Is::Seconds),
    flag('h', &["help"], Is::Help),
    flag('V', &[], Is::Version),
    Known { short: None, long: &["version"], takes_value: false, is: Is::LongVersion },
    flag('t', &["test"], Is::Test),
    flag('q', &[], Is::Quiet),
    flag('d', &["dp", "dump-pretty"], Is::Dump),
    flag('i', &[], Is::Interactive),
    flag('v', &[], Is::Idle),
    flag('x', &[], Is::Idle),
    flag('f', &[], Is::Idle),
    flag('b', &[], Is::Idle),
    Known { short: None, long: &["async"], takes_value: false, is: Is::Idle },
];

/// The options and the words behind them.
#[derive(Debug, Default)]
pub(super) struct Options {
    config: Option<PathBuf>,
    socket: Option<PathBuf>,
    test: bool,
    quiet: bool,
    /// The answer that needs no daemon.
    answer: Option<String>,
    words: Vec<String>,
}

/// Reads them; an option that nobody knows is answered with the usage.
pub(super) fn read(args: &[String]) -> Result<Options, Nok> {
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if let Some(long) = arg.strip_prefix("--") {
            if long.is_empty() {
                break;
            }
            let (name, written) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let known = find_long(name).ok_or_else(unknown)?;
            let value = match (known.takes_value, written) {
                (true, Some(value)) => value.to_owned(),
                (true, None) => rest.next().ok_or_else(unknown)?.clone(),
                (false, None) => String::new(),
                (false, Some(_)) => return Err(unknown()),
            };
            options.take(known.is, value)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                let known = OPTIONS.iter().find(|known| known.short == Some(letter)).ok_or_else(unknown)?;
                let value =
                    if known.takes_value { rest_or_next(&mut letters, &mut rest)? } else { String::new() };
                options.take(known.is, value)?;
            }
        } else {
            options.words.push(arg.clone());
            break;
        }
    }
    options.words.extend(rest.cloned());
    Ok(options)
}

fn unknown() -> Nok {
    Nok::Usage
}

/// The value of a short option stands behind it, or in the next argument.
fn rest_or_next<'a>(
    letters: &mut std::str::Chars<'_>,
    rest: &mut impl Iterator<Item = &'a String>,
) -> Result<String, Nok> {
    let value = letters.as_str().to_owned();
    *letters = "".chars();
    if value.is_empty() { rest.next().cloned().ok_or_else(unknown) } else { Ok(value) }
}

fn find_long(name: &str) -> Option<&'static Known> {
    let exact = OPTIONS.iter().find(|known| known.long.contains(&name));
    exact.or_else(|| {
        let begins = |known: &&Known| known.long.iter().filter(|long| long.starts_with(name)).count();
        let mut meant = OPTIONS.iter().filter(|known| begins(known) > 0);
        let only = meant.next().filter(|known| begins(known) == 1);
        if meant.next().is_none() { only } else { None }
    })
}

impl Options {
    fn take(&mut self, is: Is, value: String) -> Result<(), Nok> {
        match is {
            Is::Config => self.config = Some(value.into()),
            Is::Socket => self.socket = Some(value.into()),
            Is::Test => self.test = true,
            Is::Quiet => self.quiet = true,
            Is::Idle => {}
            Is::Seconds => {
                let seconds =
                    python::seconds(&value).map_err(|wrong| Nok::Server(format!("ERROR: {wrong}")))?;
                self.answer(seconds.to_string());
            }
            Is::Help => self.answer(usage::text()),
            Is::Version => self.answer(env!("CARGO_PKG_VERSION").to_owned()),
            Is::LongVersion => self.answer(concat!("banzone v", env!("CARGO_PKG_VERSION")).to_owned()),
            Is::Dump => {
                let remedy = "-d is for fail2ban's own server: `banzone check --json` shows what would run";
                return Err(Nok::Client(remedy.to_owned()));
            }
            Is::Interactive => {
                return Err(Nok::Client("-i is not there: give one command after the other".to_owned()));
            }
        }
        Ok(())
    }

    /// The first of them counts.
    fn answer(&mut self, text: String) {
        self.answer.get_or_insert(text);
    }

    /// Does what they ask for, and then the words.
    pub(super) fn carry_out(self, global: &Global) -> Answer {
        if let Some(answer) = self.answer {
            return Ok(answer);
        }
        let mut global = global.clone();
        global.quiet |= self.quiet;
        if let Some(own) = self.config.as_deref().and_then(own_config) {
            global.config = own;
        }
        global.socket = self.socket.or(global.socket);
        if self.test {
            test(&global.config)?;
            if self.words.is_empty() {
                return Ok("OK: configuration test is successful".to_owned());
            }
        }
        super::command(&global, &self.words)
    }
}

/// A script may name fail2ban's folder, which says nothing about us, or ours.
fn own_config(written: &Path) -> Option<PathBuf> {
    let inside = written.join("banzone.toml");
    if inside.exists() {
        return Some(inside);
    }
    written.is_file().then(|| written.to_owned())
}

fn test(config: &Path) -> Result<(), Nok> {
    config::load(config).map(drop).map_err(|errors| {
        let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        Nok::Client(format!("test configuration failed\n{}", lines.join("\n")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Option<Options> {
        read(&args.iter().map(ToString::to_string).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn options_are_read_as_getopt_does() {
        let read = options(&["-vqs", "/a", "-c/b", "--", "status", "-x"]).unwrap();
        assert_eq!(read.socket, Some("/a".into()));
        assert_eq!(read.config, Some("/b".into()));
        assert!(read.quiet);
        assert_eq!(read.words, ["status", "-x"]);
        let read = options(&["--sock", "/a", "--conf=/b", "set", "x", "unbanip", "--report-absent"]).unwrap();
        assert_eq!(read.socket, Some("/a".into()));
        assert_eq!(read.words.len(), 4);
        assert!(options(&["--log", "x"]).is_none(), "loglevel or logtarget");
        for wrong in ["-s", "--socket", "-y", "--test=1", "--nothing"] {
            assert!(options(&[wrong]).is_none(), "{wrong}");
        }
        assert_eq!(options(&["--str2sec", "1h", "-V"]).unwrap().answer.unwrap(), "3600");
    }
}
