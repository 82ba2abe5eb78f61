//! `fail2ban-client`: takes the words of fail2ban's client, and answers in its layouts and with its exit codes, so that
//! scripts and habits stay. The answers come from the daemon over its control socket.
//!
//! A word is a line of [`WORDS`]; those below `get JAIL` and `set JAIL` have tables of their own. What fail2ban has and
//! banzone has not is in [`refused`], each with what to do instead.

mod bans;
mod get;
pub(super) mod layout;
mod options;
mod python;
mod refused;
mod server;
mod set;
mod status;
mod usage;

use std::io::Write;

use super::client::{Client, Refused, segment};
use super::global::complain;
use super::{Exit, Global};
use crate::http::api::{Bans, BansQuery, JailSettings, JailStatus, Status};
use crate::jail::MANUAL;

/// The name of the subcommand, and of the program it stands in for.
pub(super) const NAME: &str = "fail2ban-client";

/// Take fail2ban-client's words and answer in its layouts
///
/// Everything behind `fail2ban-client` is read as fail2ban-client reads it, options included: -s SOCKET is the control socket
/// of banzone, -c DIR the folder of its banzone.toml. -h lists the words. Exit codes are fail2ban-client's too: 0, or 255 for
/// whatever failed. A link to banzone with the name fail2ban-client does the same.
#[derive(clap::Args)]
pub struct Args {
    /// fail2ban-client's options and words, such as `status sshd`; -h lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
    words: Vec<String>,
}

/// One of fail2ban-client's words.
struct Word {
    names: &'static [&'static str],
    answer: fn(&Call<'_>, &[&str]) -> Answer,
}

const WORDS: &[Word] = &[
    Word { names: &["status"], answer: status::status },
    Word { names: &["stats", "statistic", "statistics"], answer: status::statistics },
    Word { names: &["banned"], answer: bans::banned },
    Word { names: &["unban"], answer: bans::unban_everywhere },
    Word { names: &["get"], answer: get::get },
    Word { names: &["set"], answer: set::set },
    Word { names: &["reload"], answer: server::reload },
    Word { names: &["restart"], answer: server::restart },
    Word { names: &["ping"], answer: server::ping },
    Word { names: &["version"], answer: server::version },
    Word { names: &["flushlogs"], answer: server::flush_logs },
    Word { names: &["echo"], answer: |_, words| Ok(words.join(" ")) },
    Word { names: &["help"], answer: |_, _| Ok(usage::text()) },
];

/// What is printed, or why not.
type Answer = Result<String, Nok>;

/// Why a word has no answer.
#[derive(Debug)]
enum Nok {
    /// The daemon was asked and says no: the words go to both outputs, as fail2ban-client does.
    Server(String),
    /// It did not come to that.
    Client(String),
    /// The command line makes no sense.
    Usage,
}

impl Nok {
    /// There are too few words.
    fn invalid() -> Self {
        Self::Server("Sorry but the command is invalid".to_owned())
    }

    fn unknown_jail(name: &str) -> Self {
        Self::Server(format!("Sorry but the jail '{name}' does not exist"))
    }
}

impl From<anyhow::Error> for Nok {
    fn from(error: anyhow::Error) -> Self {
        let words = super::in_words(&error);
        if error.is::<Refused>() { Self::Server(words) } else { Self::Client(words) }
    }
}

/// Everything a word may need.
struct Call<'a> {
    global: &'a Global,
}

impl Call<'_> {
    fn client(&self) -> anyhow::Result<Client> {
        self.global.client()
    }

    /// The jails; that of bans by hand, which fail2ban does not have, only while it holds some.
    fn jails(&self) -> Result<Vec<String>, Nok> {
        let status: Status = self.client()?.get("/status", &())?;
        let mut jails = status.jails;
        if jails.iter().any(|jail| jail == MANUAL) && self.status(MANUAL)?.currently_banned == 0 {
            jails.retain(|jail| jail != MANUAL);
        }
        Ok(jails)
    }

    fn status(&self, jail: &str) -> Result<JailStatus, Nok> {
        of_jail(jail, self.client()?.get(&path(jail, ""), &()))
    }

    fn settings(&self, jail: &str) -> Result<JailSettings, Nok> {
        of_jail(jail, self.client()?.get(&path(jail, "/settings"), &()))
    }

    /// What `jail` bans, the oldest first.
    fn bans(&self, jail: &str) -> Result<Vec<crate::http::api::Ban>, Nok> {
        let query = BansQuery { jail: Some(jail.to_owned()), ..BansQuery::default() };
        let answer: Bans = self.client()?.pages("/bans", &query, None, usize::MAX)?;
        Ok(answer.bans.into_iter().rev().collect())
    }
}

fn path(jail: &str, below: &str) -> String {
    format!("/jails/{}{below}", segment(jail))
}

/// Whoever asks for something of a jail that is not there gets fail2ban's words for that.
fn of_jail<T>(jail: &str, answer: anyhow::Result<T>) -> Result<T, Nok> {
    answer.map_err(|error| match error.downcast_ref::<Refused>() {
        Some(Refused { status: 404, .. }) => Nok::unknown_jail(jail),
        _ => error.into(),
    })
}

impl Args {
    /// With what stands behind the name, as it stands there.
    pub(super) fn with_words(self, words: Vec<String>) -> Self {
        Self { words: self.words.into_iter().chain(words).collect() }
    }

    /// Asks and prints.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match options::read(&self.words).and_then(|options| options.carry_out(global)) {
            Ok(text) => {
                writeln!(out, "{text}")?;
                Ok(Exit::Done)
            }
            Err(Nok::Server(words)) => {
                writeln!(out, "{words}")?;
                complain(&format!("{NAME}: ERROR   NOK: ({},)", python::repr(&words)));
                Ok(Exit::Nok)
            }
            Err(Nok::Usage) => {
                writeln!(out, "{}", usage::text())?;
                Ok(Exit::Nok)
            }
            Err(Nok::Client(words)) => {
                complain(&format!("{NAME}: ERROR   {words}"));
                Ok(Exit::Nok)
            }
        }
    }
}

/// Carries one command out.
fn command(global: &Global, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((name, rest)) = words.split_first() else {
        return Err(Nok::Usage);
    };
    if let Some(word) = WORDS.iter().find(|word| word.names.contains(name)) {
        return (word.answer)(&Call { global }, rest);
    }
    Err(refused::word(name).unwrap_or_else(|| Nok::Server("Invalid command".to_owned())))
}
