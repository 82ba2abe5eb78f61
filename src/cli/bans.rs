//! `bans`: lists bans.

use std::io::Write;

use super::{Exit, Global};
use crate::clock::Timestamp;
use crate::http::api::{Ban, BanState, Bans, BansQuery};
use crate::ip::Prefix;

/// List bans, the newest first
#[derive(clap::Args)]
pub struct Args {
    /// Only bans by this jail
    #[arg(short, long)]
    jail: Option<String>,
    /// Those that ended too
    #[arg(long)]
    all_history: bool,
    /// Only this address or network and what is in it, in the order of addresses
    #[arg(long, value_name = "PREFIX")]
    within: Option<Prefix>,
    /// At most so many; without it all
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
}

impl Args {
    /// Asks and lists.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let state = self.all_history.then_some(BanState::All);
        let query = BansQuery { jail: self.jail, state, prefix: self.within, ..BansQuery::default() };
        let answer: Bans = global.client()?.pages("/bans", &query, None, self.limit.unwrap_or(usize::MAX))?;
        let rows: Vec<_> = answer.bans.iter().map(row).collect();
        global.rows(
            &answer,
            ["PREFIX", "JAIL", "SINCE", "UNTIL", "FAILURES", "COUNT", "ENDED"],
            &rows,
            out,
        )?;
        Ok(Exit::Done)
    }
}

fn row(ban: &Ban) -> [String; 7] {
    let time =
        |time: Option<Timestamp>, none: &str| time.map_or_else(|| none.to_owned(), |time| time.to_string());
    [
        ban.prefix.to_string(),
        ban.jail.clone(),
        ban.since.to_string(),
        time(ban.until, "permanent"),
        ban.failures.to_string(),
        ban.count.to_string(),
        time(ban.ended, "-"),
    ]
}
