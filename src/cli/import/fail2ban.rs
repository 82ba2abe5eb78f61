//! `import fail2ban`: the bans in fail2ban's database, running and over, handed to the daemon as orders.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::super::client::Client;
use super::super::printable::printable;
use super::super::{Exit, Global};
use crate::clock::{Clock, Timestamp};
use crate::http::api::{KnownBan, KnownBans, MAX_BANS, Outcome, Status, TakenOver};
use crate::ip::Prefix;
use crate::store::{Fail2ban, Fail2banRow};

/// A request has a limit on its bytes, which log lines may reach before the number of bans does.
const BATCH_BYTES: usize = 1 << 20;

/// So many reasons are written out; with --json all of them are.
const TOLD: usize = 20;

/// As long as a ban may last.
const LONGEST: i64 = 100 * 31_557_600;

/// The last second of the year 9999.
const LATEST: i64 = 253_402_300_799;

/// Take over fail2ban's bans: those in force, and how often whoever was banned before was
///
/// The database is only read, and fail2ban may be running. Every ban goes to the daemon as an order, so the allowlist and the
/// reserved ranges hold. Importing twice is as good as once.
#[derive(clap::Args)]
pub struct Args {
    /// The database, such as /var/lib/fail2ban/fail2ban.sqlite3
    #[arg(value_name = "DATABASE")]
    path: PathBuf,
    /// Bans by fail2ban's jail OLD become bans by NEW; without it names stay
    #[arg(short, long = "jail", value_name = "OLD=NEW", value_parser = parse_pair)]
    jails: Vec<(String, String)>,
    /// Hand nothing over, only count
    #[arg(long)]
    dry_run: bool,
}

fn parse_pair(written: &str) -> Result<(String, String), String> {
    match written.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err(format!("`{written}` is no pair of jails: write OLD=NEW, fail2ban's name first")),
    }
}

/// What became of the rows.
#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    /// By fail2ban's name of the jail.
    jails: BTreeMap<String, OfJail>,
    /// Why some were not taken over.
    left_out: Vec<LeftOut>,
}

/// What became of the rows of one jail.
#[derive(Debug, Default, Serialize)]
struct OfJail {
    /// The jail here.
    jail: String,
    /// Whether there is one of that name.
    exists: bool,
    /// Now in force here.
    banned: u64,
    /// Over, and remembered.
    remembered: u64,
    /// Known already, or over for so long that it is forgotten.
    unchanged: u64,
    /// By the allowlist or a rule.
    refused: u64,
    /// No address, no time, or no such jail.
    skipped: u64,
}

#[derive(Debug, Serialize)]
struct LeftOut {
    id: String,
    jail: String,
    reason: String,
}

impl Args {
    /// Reads, hands over and reports.
    pub(in super::super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let database = Fail2ban::open(&self.path)?;
        let client = global.client()?;
        let status: Status = client.get("/status", &())?;
        let now = Clock::System.now();
        let mut import = Import { args: &self, client, known: status.jails, report: Report::default(), now };
        import.report.dry_run = self.dry_run;
        let mut page = database.page(None, MAX_BANS)?;
        while !page.is_empty() {
            import.page(&page)?;
            page = database.page(page.last(), MAX_BANS)?;
        }
        let report = import.report;
        if global.json {
            global.json(&report, out)?;
        } else {
            report.tell(global, out)?;
        }
        Ok(Exit::Done)
    }
}

/// An import under way.
struct Import<'a> {
    args: &'a Args,
    client: Client,
    /// The jails of the daemon.
    known: Vec<String>,
    report: Report,
    now: Timestamp,
}

impl Import<'_> {
    fn page(&mut self, rows: &[Fail2banRow]) -> anyhow::Result<()> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for row in rows {
            let Some(ban) = self.ban(row) else {
                continue;
            };
            let length = serde_json::to_vec(&ban)?.len();
            if bytes + length > BATCH_BYTES {
                self.hand_over(std::mem::take(&mut batch))?;
                bytes = 0;
            }
            bytes += length;
            batch.push((row, ban));
        }
        self.hand_over(batch)
    }

    /// The row as a ban here, or a note why it is none.
    fn ban(&mut self, row: &Fail2banRow) -> Option<KnownBan> {
        let renamed = self.args.jails.iter().find(|(old, _)| *old == row.jail);
        let name = renamed.map_or(&row.jail, |(_, new)| new);
        let exists = self.known.contains(name);
        let of_jail = self.report.jails.entry(row.jail.clone()).or_default();
        of_jail.jail.clone_from(name);
        of_jail.exists = exists;
        match known_ban(row, name) {
            Ok(ban) if exists => Some(ban),
            Ok(_) => {
                // One note for the jail is enough.
                of_jail.skipped += 1;
                None
            }
            Err(reason) => {
                of_jail.skipped += 1;
                self.report.leave_out(row, reason);
                None
            }
        }
    }

    fn hand_over(&mut self, batch: Vec<(&Fail2banRow, KnownBan)>) -> anyhow::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (rows, bans): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let outcomes = if self.args.dry_run {
            bans.iter().map(|ban| foreseen(ban, self.now)).collect()
        } else {
            let answer: TakenOver = self.client.post("/takeover", &KnownBans { bans })?;
            answer.outcomes
        };
        for (row, outcome) in rows.into_iter().zip(outcomes) {
            self.report.count(row, outcome);
        }
        Ok(())
    }
}

fn known_ban(row: &Fail2banRow, jail: &str) -> Result<KnownBan, String> {
    let prefix: Prefix = row.id.parse().map_err(|_| "it is no address or network".to_owned())?;
    if !(0..=LATEST).contains(&row.since) {
        return Err(format!("{} is no time to be banned at", row.since));
    }
    Ok(KnownBan {
        prefix,
        jail: jail.to_owned(),
        since: Timestamp::from_secs(row.since),
        seconds: u64::try_from(row.bantime.min(LONGEST)).ok(),
        permanent: row.bantime == -1,
        count: row.count,
        failures: row.failures,
        evidence: row.lines.clone(),
    })
}

/// What would become of a ban, as far as it says so itself.
fn foreseen(ban: &KnownBan, now: Timestamp) -> Outcome {
    let is_over = |seconds| ban.since + std::time::Duration::from_secs(seconds) <= now;
    if ban.seconds.is_some_and(is_over) { Outcome::Remembered } else { Outcome::Banned }
}

impl Report {
    fn count(&mut self, row: &Fail2banRow, outcome: Outcome) {
        let of_jail = self.jails.entry(row.jail.clone()).or_default();
        match outcome {
            Outcome::Banned => of_jail.banned += 1,
            Outcome::Remembered => of_jail.remembered += 1,
            Outcome::Unchanged => of_jail.unchanged += 1,
            Outcome::Refused(reason) => {
                of_jail.refused += 1;
                self.leave_out(row, reason);
            }
        }
    }

    fn leave_out(&mut self, row: &Fail2banRow, reason: String) {
        self.left_out.push(LeftOut { id: row.id.clone(), jail: row.jail.clone(), reason });
    }

    /// A line for each jail; why something was left out goes to standard error.
    fn tell(&self, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
        for (name, of_jail) in &self.jails {
            let OfJail { banned, remembered, unchanged, refused, skipped, .. } = of_jail;
            let to = if *name == of_jail.jail { String::new() } else { format!(" as {}", of_jail.jail) };
            writeln!(
                out,
                "{}{to}: {banned} banned, {remembered} remembered, {unchanged} unchanged, {refused} refused, {skipped} skipped",
                printable(name)
            )?;
            if !of_jail.exists {
                global.note(&format!(
                    "there is no jail `{}` here: its bans are skipped; configure it, or name another with --jail {}=OTHER",
                    printable(&of_jail.jail),
                    printable(name)
                ));
            }
        }
        for LeftOut { id, jail, reason } in self.left_out.iter().take(TOLD) {
            global.note(&format!("{} of {}: {reason}", printable(id), printable(jail)));
        }
        if self.left_out.len() > TOLD {
            global.note(&format!("and {} more; --json lists them", self.left_out.len() - TOLD));
        }
        if self.dry_run {
            global.note("nothing was handed over: this is what the database says");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, since: i64, bantime: i64) -> Fail2banRow {
        Fail2banRow { id: id.to_owned(), jail: "sshd".to_owned(), since, bantime, ..Fail2banRow::default() }
    }

    #[test]
    fn rows_become_bans() {
        let ban = |row| known_ban(&row, "login").unwrap();
        let end = |ban: KnownBan| (ban.seconds, ban.permanent);
        assert_eq!(end(ban(row("192.0.2.1", 100, 600))), (Some(600), false));
        assert_eq!(end(ban(row("192.0.2.0/24", 100, -1))), (None, true));
        assert_eq!(end(ban(row("2001:db8::1", 100, -2))), (None, false), "as long as the jail bans");
        assert_eq!(end(ban(row("192.0.2.1", 100, i64::MAX))), (Some(LONGEST as u64), false));
        assert!(known_ban(&row("mx.example", 100, 600), "login").is_err());
        assert!(known_ban(&row("192.0.2.1", i64::MAX, 600), "login").is_err());
        let at = Timestamp::from_secs;
        assert_eq!(foreseen(&ban(row("192.0.2.1", 100, 600)), at(699)), Outcome::Banned);
        assert_eq!(foreseen(&ban(row("192.0.2.1", 100, 600)), at(700)), Outcome::Remembered);
    }
}
