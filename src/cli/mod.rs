//! Subcommands, one file each. Data goes to standard output, messages to standard error; the exit code is 0 for done, 1 for
//! failed, 2 for a command line that makes no sense.
//!
//! A new subcommand is a file with its `Args`, whose method `run` does the work, and a line in the table below. Help,
//! completions and manual pages come from the same definition.

mod allow;
mod audit;
mod ban;
mod bans;
mod check;
mod client;
mod completions;
mod fail2ban_client;
mod global;
mod granted;
mod hits;
mod import;
mod lookup;
mod man;
mod printable;
mod rbldnsd;
mod reload;
mod replay;
mod report;
mod reporter;
mod request;
mod serve;
mod status;
mod table;
mod test_filter;
mod token;
mod top;
mod unban;
mod user;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use global::Global;
use global::complain;

/// Turns the logs of mail servers into a DNS blocklist.
#[derive(Parser)]
#[command(name = "banzone", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Defines the subcommands: variant, arguments, and the call.
macro_rules! commands {
    ($($variant:ident => $module:ident,)*) => {
        #[derive(Subcommand)]
        enum Command {
            $($variant($module::Args),)*
        }

        impl Command {
            fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
                match self {
                    $(Self::$variant(args) => args.run(global, out),)*
                }
            }
        }
    };
}

// The order of the help.
commands! {
    Serve => serve,
    Check => check,
    TestFilter => test_filter,
    Replay => replay,
    Status => status,
    Top => top,
    Report => report,
    Bans => bans,
    Lookup => lookup,
    Ban => ban,
    Unban => unban,
    Allow => allow,
    User => user,
    Token => token,
    Reporter => reporter,
    Request => request,
    Audit => audit,
    Reload => reload,
    Import => import,
    Fail2banClient => fail2ban_client,
    Rbldnsd => rbldnsd,
    Completions => completions,
    Man => man,
}

/// How a command that could do its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Done,
    /// What was asked for is not so: the configuration has errors.
    Failed,
    /// The same in fail2ban-client's words, which has 255 for everything that fails.
    Nok,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Nok => Self::from(255),
        }
    }
}

/// Runs the program. A command line that makes no sense ends it at once, with 2.
pub fn main() -> ExitCode {
    let Cli { global, command } = read(std::env::args_os().collect());
    let mut out = BufWriter::new(io::stdout());
    let done = command.run(&global, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match done {
        Ok(exit) => exit.into(),
        // Whoever read the output has seen enough: `banzone bans | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("banzone: {}", in_words(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Commands in the place of other programs.
const OTHERS: [&str; 2] = [fail2ban_client::NAME, rbldnsd::NAME];

/// Reads the command line. What stands behind the name of another program is left to it: its options are others than ours.
fn read(args: Vec<OsString>) -> Cli {
    let args = spelled_out(args);
    let name = args.iter().position(|arg| OTHERS.iter().any(|name| arg == name));
    let (own, others) = args.split_at(name.map_or(args.len(), |name| name + 1));
    let words = others.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match Cli::try_parse_from(own) {
        Ok(Cli { global, command: Command::Fail2banClient(client) }) => {
            Cli { global, command: Command::Fail2banClient(client.with_words(words)) }
        }
        Ok(Cli { global, command: Command::Rbldnsd(server) }) => {
            Cli { global, command: Command::Rbldnsd(server.with_words(words)) }
        }
        _ => Cli::parse_from(args),
    }
}

/// A link to the program may have the name of another one.
fn spelled_out(mut args: Vec<OsString>) -> Vec<OsString> {
    let program = args.first().and_then(|program| Path::new(program).file_name());
    if let Some(name) = OTHERS.iter().find(|name| program.is_some_and(|program| program == **name)) {
        args.insert(1, name.into());
    }
    args
}

/// The error with its causes; many of our errors name their cause themselves, which is not said twice.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
