//! `allow`: the allowlist, which wins over every ban.

use std::io::Write;
use std::time::Duration;

use super::{Exit, Global};
use crate::config::duration;
use crate::http::api::{Allow, AllowChanged, Allowlist, DisallowQuery, Ended, NewAllow};
use crate::ip::Prefix;

/// Show and change what is never banned or published
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Never ban or publish an address or network; bans of it end
    Add {
        /// Such as 192.0.2.1 or 2001:db8::/64
        prefix: Prefix,
        /// Why
        #[arg(short, long, value_name = "TEXT", default_value = "")]
        note: String,
        /// Who answers for it; without it whoever runs this
        #[arg(short, long, value_name = "NAME")]
        owner: Option<String>,
        /// For how long, such as 2d; without it until it is removed
        #[arg(short = 'f', long = "for", value_name = "DURATION", value_parser = duration::parse)]
        time: Option<Duration>,
    },
    /// Let an address or network be banned again
    Remove {
        /// The entry as it was added
        prefix: Prefix,
    },
    /// List the entries
    List,
}

impl Args {
    /// Does it and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.action {
            Action::Add { prefix, note, owner, time } => {
                let seconds = time.map(|time| time.as_secs());
                add(&NewAllow { prefix, note, owner, seconds }, global, out)?;
            }
            Action::Remove { prefix } => remove(prefix, global, out)?,
            Action::List => list(global, out)?,
        }
        Ok(Exit::Done)
    }
}

fn add(order: &NewAllow, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: AllowChanged = global.client()?.post("/allow", order)?;
    let done = format!("{} is allowed; bans ended by that: {}", answer.allow.prefix, answer.ended);
    global.done(&answer, &done, out)
}

fn remove(prefix: Prefix, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Ended = global.client()?.delete("/allow", &DisallowQuery { prefix })?;
    global.done(&answer, &format!("{prefix} is no longer allowed"), out)
}

fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Allowlist = global.client()?.pages("/allow", &(), None, usize::MAX)?;
    let rows: Vec<_> = answer.allow.iter().map(row).collect();
    global.rows(&answer, ["PREFIX", "SINCE", "UNTIL", "OWNER", "NOTE"], &rows, out)
}

fn row(allow: &Allow) -> [String; 5] {
    [
        allow.prefix.to_string(),
        allow.since.map_or_else(|| "configuration".to_owned(), |since| since.to_string()),
        allow.until.map_or_else(|| "-".to_owned(), |until| until.to_string()),
        allow.owner.clone(),
        allow.note.clone(),
    ]
}
