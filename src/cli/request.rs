//! `request`: what people ask on the public pages, and deciding it.

use std::io::Write;

use super::printable::printable;
use super::{Exit, Global};
use crate::http::api::{Decided, NewDecision, RemovalRequest, RemovalRequests, RequestsQuery};

/// Show and decide requests to take an address off the list
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List the requests that wait, the oldest first
    List {
        /// Those that are decided instead, the newest first
        #[arg(long)]
        decided: bool,
    },
    /// Take the address off: its bans end
    Grant(Chosen),
    /// Leave the address listed
    Refuse(Chosen),
}

#[derive(clap::Args)]
struct Chosen {
    /// The number of the request
    number: u64,
    /// Why, for the history
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    note: String,
}

impl Args {
    /// Does it and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.action {
            Action::List { decided } => {
                list(&RequestsQuery { decided, ..RequestsQuery::default() }, global, out)?;
            }
            Action::Grant(chosen) => decide(chosen, true, global, out)?,
            Action::Refuse(chosen) => decide(chosen, false, global, out)?,
        }
        Ok(Exit::Done)
    }
}

fn list(query: &RequestsQuery, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: RemovalRequests = global.client()?.pages("/requests", query, None, usize::MAX)?;
    let rows: Vec<_> = answer.requests.iter().map(row).collect();
    global.rows(&answer, ["NUMBER", "ADDRESS", "ASKED", "CONTACT", "DECISION", "STATEMENT"], &rows, out)
}

fn decide(chosen: Chosen, granted: bool, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let Chosen { number, note } = chosen;
    let decided: Decided =
        global.client()?.post(&format!("/requests/{number}"), &NewDecision { granted, note })?;
    if global.json {
        global.json(&decided, out)?;
    }
    let Decided { request, ended, still_listed } = decided;
    if granted {
        global.note(&format!("bans of {} that were ended: {ended}", request.prefix));
    }
    for prefix in still_listed.iter().filter(|_| granted) {
        global.note(&format!(
            "{prefix} is still listed: `banzone unban {prefix}` ends that, `banzone allow add {}` spares the address",
            request.prefix
        ));
    }
    global.note(&format!("tell {}", printable(&request.contact)));
    Ok(())
}

/// What strangers wrote is shown in one line.
fn row(request: &RemovalRequest) -> [String; 6] {
    let decision = request.decision.as_ref().map(|decision| {
        let what = if decision.granted { "granted" } else { "refused" };
        format!("{what} {} by {}", decision.at, decision.by)
    });
    [
        request.number.to_string(),
        request.prefix.to_string(),
        request.asked.to_string(),
        request.contact.clone(),
        decision.unwrap_or_else(|| "-".to_owned()),
        request.statement.split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}
