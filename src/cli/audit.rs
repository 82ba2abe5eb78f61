//! `audit`: who changed what, and whether that record is whole.

use std::io::Write;
use std::str::FromStr;

use super::{Exit, Global};
use crate::http::api::{AuditEntry, AuditLog, AuditQuery, AuditVerified};

/// Show who changed what, and check that nobody has tampered with that record
#[derive(clap::Args)]
pub struct Args {
    /// How many entries, the newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Entries before this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// Only what this one did
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Read the whole record and find what was changed or taken out
    Verify {
        /// What an earlier `verify` printed; it must still be there
        #[arg(long, value_name = "NUMBER:HASH")]
        expect: Option<Expected>,
    },
}

/// An entry that somebody knows of old.
#[derive(Clone, Debug)]
struct Expected {
    number: u64,
    hash: String,
}

impl FromStr for Expected {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let parsed = written.split_once(':').and_then(|(number, hash)| {
            Some(Self { number: number.parse().ok()?, hash: hash.to_ascii_lowercase() })
        });
        parsed.filter(|expected| expected.hash.len() == 64).ok_or("write NUMBER:HASH as `verify` prints it")
    }
}

impl Args {
    /// Shows or checks it.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.action {
            None => list(self.who, self.before, self.limit, global, out),
            Some(Action::Verify { expect }) => verify(expect, global, out),
        }
    }
}

fn list(
    who: Option<String>,
    before: Option<u64>,
    limit: usize,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let after = before.map(|number| number.to_string());
    let query = AuditQuery { who, ..AuditQuery::default() };
    let log: AuditLog = global.client()?.pages("/audit", &query, after, limit)?;
    let rows: Vec<_> = log.audit.iter().map(row).collect();
    global.rows(&log, ["NUMBER", "AT", "WHO", "FROM", "OUTCOME", "WHAT", "DETAIL"], &rows, out)?;
    Ok(Exit::Done)
}

fn row(entry: &AuditEntry) -> [String; 7] {
    let AuditEntry { number, at, who, source, action, detail, outcome, .. } = entry;
    [
        number.to_string(),
        at.to_string(),
        who.clone(),
        source.clone(),
        outcome.to_string(),
        action.clone(),
        detail.clone(),
    ]
}

fn verify(expect: Option<Expected>, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let found: AuditVerified = global.client()?.get("/audit/verify", &())?;
    if global.json {
        global.json(&found, out)?;
    } else {
        writeln!(out, "{}:{}", found.number, found.hash)?;
    }
    if let Some(broken) = found.broken {
        anyhow::bail!(
            "entry {broken} was changed or taken out, or those before it were; up to {} all is right",
            found.number
        );
    }
    if let Some(expected) = expect {
        check(&expected, global)?;
    }
    if found.gone_early {
        global.note(
            "warning: the first entries are gone before their time; unless `history_retention` was shorter then, somebody took them out",
        );
    }
    global.note(&format!("{} entries, none changed or missing", found.entries));
    Ok(Exit::Done)
}

/// The chain holds; what was known of it must be a part of it.
fn check(expected: &Expected, global: &Global) -> anyhow::Result<()> {
    let after = expected.number.checked_add(1).map(|number| number.to_string());
    let query = AuditQuery { after, ..AuditQuery::default() };
    let log: AuditLog = global.client()?.get("/audit", &query)?;
    let is_there = |entry: &AuditEntry| entry.number == expected.number && entry.hash == expected.hash;
    if log.audit.first().is_some_and(is_there) {
        return Ok(());
    }
    anyhow::bail!(
        "entry {} is not what it was, or is gone: the record was written anew or cut at its end, unless the entry is older than \
         `history_retention`",
        expected.number
    )
}
