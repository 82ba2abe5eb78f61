//! `ban`: bans by hand.

use std::io::Write;

use super::{Exit, Global};
use crate::clock::Timestamp;
use crate::config::duration;
use crate::http::api::{BanChanged, NewBan};
use crate::ip::Prefix;
use crate::jail::BanTime;

/// Ban addresses or networks by hand
#[derive(clap::Args)]
pub struct Args {
    /// What to ban, such as 192.0.2.1 or 2001:db8::/64
    #[arg(required = true, value_name = "PREFIX")]
    prefixes: Vec<Prefix>,
    /// In the name of this jail, and published as its bans are
    #[arg(short, long)]
    jail: Option<String>,
    /// For how long, such as 2h or `permanent`; without it as long as the jail bans
    #[arg(short = 'f', long = "for", value_name = "DURATION", value_parser = duration::parse_bantime)]
    time: Option<BanTime>,
    /// From when on the time counts, such as 2026-11-22T08:04:12Z or a number of seconds since 1970; without it from now on
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
    /// Why, for those who look the ban up
    #[arg(short, long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Args {
    /// Orders one ban after the other and reports each.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let client = global.client()?;
        let mut answers: Vec<BanChanged> = Vec::new();
        for prefix in &self.prefixes {
            let answer: BanChanged = client.post("/bans", &self.order(*prefix))?;
            global.note(&report(&answer));
            answers.push(answer);
        }
        if global.json {
            global.json(&answers, out)?;
        }
        Ok(Exit::Done)
    }

    fn order(&self, prefix: Prefix) -> NewBan {
        NewBan {
            prefix,
            jail: self.jail.clone(),
            since: self.since,
            seconds: match self.time {
                Some(BanTime::For(span)) => Some(span.as_secs()),
                _ => None,
            },
            permanent: self.time == Some(BanTime::Permanent),
            reason: self.reason.clone(),
        }
    }
}

/// A time as people write it, or as programs do: RFC 3339, or seconds since 1970, with a fraction or without.
fn parse_time(written: &str) -> Result<Timestamp, String> {
    if let Ok(time) = written.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(time.as_millisecond()));
    }
    let seconds: f64 = written.parse().map_err(|_| {
        format!("`{written}` is no time: write it like 2026-11-22T08:04:12Z, or as seconds since 1970")
    })?;
    if !(0.0..=LATEST).contains(&seconds) {
        return Err(format!("`{written}` is no time between the years 1970 and 9999"));
    }
    Ok(Timestamp::from_millis((seconds * 1000.0) as i64))
}

/// The last second of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

fn report(BanChanged { changed, ban }: &BanChanged) -> String {
    let was = if *changed { "is banned" } else { "was banned already" };
    let until = ban.until.map_or_else(|| "for ever".to_owned(), |until| format!("until {until}"));
    format!("{} {was} by {} {until}", ban.prefix, ban.jail)
}
