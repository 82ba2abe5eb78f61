//! `unban`: ends bans.

use std::io::Write;

use super::{Exit, Global};
use crate::http::api::{Ended, UnbanQuery};
use crate::ip::Prefix;

/// End the bans of addresses or networks, and of everything in them
#[derive(clap::Args)]
pub struct Args {
    /// What to unban, such as 192.0.2.1 or 2001:db8::/64
    #[arg(required_unless_present = "all", value_name = "PREFIX")]
    prefixes: Vec<Prefix>,
    /// Only bans by this jail
    #[arg(short, long)]
    jail: Option<String>,
    /// Every ban there is
    #[arg(long, conflicts_with = "prefixes")]
    all: bool,
}

impl Args {
    /// Orders and reports how many bans were ended.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let client = global.client()?;
        let mut total = Ended { ended: 0 };
        for query in self.queries() {
            let answer: Ended = client.delete("/bans", &query)?;
            total.ended += answer.ended;
        }
        if global.json {
            global.json(&total, out)?;
        } else {
            writeln!(out, "{}", total.ended)?;
        }
        Ok(Exit::Done)
    }

    fn queries(&self) -> Vec<UnbanQuery> {
        let query = |prefix| UnbanQuery { prefix, jail: self.jail.clone(), all: self.all };
        if self.all {
            return vec![query(None)];
        }
        self.prefixes.iter().map(|prefix| query(Some(*prefix))).collect()
    }
}
