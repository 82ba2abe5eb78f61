//! `token`: API tokens, for programs that use the API over TCP.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::client::segment;
use super::{Exit, Global, table};
use crate::access::Role;
use crate::config::duration;
use crate::http::api::{Ended, NewToken, Rotation, Token, TokenMade, Tokens};
use crate::ip::Prefix;

/// Make, list and revoke API tokens
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make a token; it is shown once
    Add(New),
    /// List the tokens; those that have ended stay for 90 days
    List,
    /// End a token at once
    Revoke {
        /// The name, for all tokens of that name, or the id of one
        token: String,
    },
    /// Make a token that allows the same; the one before stays good for a while
    Rotate {
        /// The name or the id
        token: String,
        /// For how long the one before stays good, such as 2d or 0s
        #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "1d")]
        overlap: Duration,
    },
}

#[derive(clap::Args)]
struct New {
    /// What to call it
    name: String,
    /// What it may do: viewer, operator, admin or reporter
    #[arg(short, long)]
    role: Role,
    /// Only with this jail; may be repeated
    #[arg(short, long = "jail", value_name = "JAIL")]
    jails: Vec<Arc<str>>,
    /// Only with this zone; may be repeated
    #[arg(short, long = "zone", value_name = "ZONE")]
    zones: Vec<Arc<str>>,
    /// Only from this address or network; may be repeated
    #[arg(short = 'S', long = "source", value_name = "PREFIX")]
    sources: Vec<Prefix>,
    /// For whom a reporter reports, such as example.org
    #[arg(short, long, value_name = "NAME")]
    organisation: Option<Arc<str>>,
    /// For how long, such as 90d; without it until it is revoked
    #[arg(short = 'f', long = "for", value_name = "DURATION", value_parser = duration::parse)]
    time: Option<Duration>,
}

impl Args {
    /// Does it and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.action {
            Action::Add(new) => add(new, global, out)?,
            Action::List => list(global, out)?,
            Action::Revoke { token } => revoke(&token, global, out)?,
            Action::Rotate { token, overlap } => rotate(&token, overlap, global, out)?,
        }
        Ok(Exit::Done)
    }
}

fn add(new: New, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let New { name, role, jails, zones, sources, organisation, time } = new;
    let some = |list: Vec<Arc<str>>| Some(list).filter(|list| !list.is_empty());
    let (jails, zones, seconds) = (some(jails), some(zones), time.map(|time| time.as_secs()));
    let order = NewToken { name, role, jails, zones, sources, organisation, seconds };
    let made: TokenMade = global.client()?.post("/tokens", &order)?;
    show_made(&made, global, out)
}

fn rotate(token: &str, overlap: Duration, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = format!("/tokens/{}/rotate", segment(token));
    let made: TokenMade = global.client()?.post(&path, &Rotation { overlap: overlap.as_secs() })?;
    show_made(&made, global, out)
}

fn show_made(made: &TokenMade, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    if global.json {
        return global.json(made, out);
    }
    writeln!(out, "{}", made.secret)?;
    let Token { name, id, role, until, .. } = &made.token;
    let until = until.map_or_else(|| "until it is revoked".to_owned(), |until| format!("until {until}"));
    global.note(&format!("token {name} ({id}), {role}, {until}; keep it now, it is not shown again"));
    Ok(())
}

fn revoke(token: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Ended = global.client()?.delete(&format!("/tokens/{}", segment(token)), &())?;
    if global.json {
        global.json(&answer, out)?;
    }
    global.note(&format!("token {token} is revoked"));
    Ok(())
}

fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Tokens = global.client()?.get("/tokens", &())?;
    if global.json {
        return global.json(&answer, out);
    }
    let rows: Vec<_> = answer.tokens.iter().map(row).collect();
    table::write(["NAME", "ID", "ROLE", "FOR", "FROM", "USED", "UNTIL"], &rows, out)?;
    Ok(())
}

fn row(token: &Token) -> [String; 7] {
    let Token { id, name, role, jails, zones, sources, organisation, until, used, in_force, .. } = token;
    let names = [jails, zones].into_iter().flatten().flatten().chain(organisation);
    let until = match until {
        None => "-".to_owned(),
        Some(until) if *in_force => until.to_string(),
        Some(until) => format!("ended {until}"),
    };
    [
        name.clone(),
        id.clone(),
        role.to_string(),
        or_dash(names.map(ToString::to_string).collect()),
        or_dash(sources.iter().map(ToString::to_string).collect()),
        used.map_or_else(|| "-".to_owned(), |used| used.to_string()),
        until,
    ]
}

fn or_dash(words: Vec<String>) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(",") }
}
