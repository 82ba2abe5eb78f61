//! `token`: API tokens, for programs that use the API over TCP.

use std::io::Write;
use std::time::Duration;

use super::client::segment;
use super::granted::{Granted, confinement};
use super::{Exit, Global};
use crate::access::token::without_secrets;
use crate::config::duration;
use crate::http::api::{Ended, NewToken, Rotation, Token, TokenMade, Tokens};

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
    #[command(flatten)]
    grant: Granted,
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
    let New { name, grant, time } = new;
    grant.note_unknown(global)?;
    let (jails, zones, seconds) = (grant.jails(), grant.zones(), time.map(|time| time.as_secs()));
    let Granted { role, sources, organisation, .. } = grant;
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
    let Token { name, id, grant, until, .. } = &made.token;
    let until = until.map_or_else(|| "until it is revoked".to_owned(), |until| format!("until {until}"));
    global.note(&format!("token {name} ({id}), {}, {until}; keep it now, it is not shown again", grant.role));
    Ok(())
}

fn revoke(token: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Ended = global.client()?.delete(&format!("/tokens/{}", segment(token)), &())?;
    global.done(&answer, &format!("token {} is revoked", without_secrets(token)), out)
}

fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Tokens = global.client()?.pages("/tokens", &(), None, usize::MAX)?;
    let rows: Vec<_> = answer.tokens.iter().map(row).collect();
    global.rows(&answer, ["NAME", "ID", "ROLE", "FOR", "FROM", "USED", "UNTIL"], &rows, out)
}

fn row(token: &Token) -> [String; 7] {
    let Token { id, name, grant, until, used, in_force, .. } = token;
    let [good_for, good_from] = confinement(grant);
    let until = match until {
        None => "-".to_owned(),
        Some(until) if *in_force => until.to_string(),
        Some(until) => format!("ended {until}"),
    };
    [
        name.clone(),
        id.clone(),
        grant.role.to_string(),
        good_for,
        good_from,
        used.map_or_else(|| "-".to_owned(), |used| used.to_string()),
        until,
    ]
}
