//! `top`: what the DNS servers have seen.

use std::fmt::Write as _;
use std::io::Write;

use super::{Exit, Global};
use crate::http::api::{DnsQuery, DnsSeen, RankedAddress, ZoneSeen};

/// Show what DNS was asked since the start: each zone, who asks most, and for which listed addresses
#[derive(clap::Args)]
pub struct Args {
    /// At most so many addresses of each kind
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    limit: u32,
}

impl Args {
    /// Asks and shows.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let seen: DnsSeen = global.client()?.get("/dns", &DnsQuery { limit: Some(self.limit) })?;
        if global.json {
            global.json(&seen, out)?;
        } else {
            write!(out, "{}", text(&seen))?;
        }
        Ok(Exit::Done)
    }
}

fn text(seen: &DnsSeen) -> String {
    let mut text = String::new();
    for zone in seen.zones.iter().filter(|zone| zone.origin.is_some() || zone.queries > 0) {
        text.push_str(&zone_lines(zone));
    }
    let dropped: Vec<String> =
        seen.dropped.iter().map(|drop| format!("{} {}", drop.queries, drop.reason)).collect();
    let mut line = |title: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{title}: {value}");
    };
    if !dropped.is_empty() {
        line("without a reply", dropped.join(", "));
    }
    if seen.asked_without_room > 0 {
        line("answers not counted by ban, as there are too many bans", seen.asked_without_room.to_string());
    }
    if seen.log_lost > 0 {
        line("lines that the query log lacks", seen.log_lost.to_string());
    }
    ranking(&mut text, "clients, by about how many queries", &seen.clients);
    ranking(&mut text, "listed addresses, by about how often they were asked for", &seen.listed);
    text
}

fn zone_lines(zone: &ZoneSeen) -> String {
    let name = zone.origin.as_deref().unwrap_or("outside all zones");
    let mut text = format!("{name}: {} queries, {} of them listed", zone.queries, zone.listed);
    if zone.names > 0 {
        let _ = write!(text, ", {} for names that are no address", zone.names);
    }
    for code in &zone.codes {
        let shown = code.code.map_or_else(|| "other codes".to_owned(), |code| code.to_string());
        let _ = write!(text, "\n  {shown}: {}", code.answers);
    }
    text + "\n"
}

fn ranking(text: &mut String, title: &str, ranked: &[RankedAddress]) {
    for (number, ranked) in ranked.iter().enumerate() {
        if number == 0 {
            let _ = writeln!(text, "{title}:");
        }
        let _ = writeln!(text, "  {}  {}", ranked.queries, ranked.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_shown() {
        let json = r#"{"zones":[
            {"origin":"bl.example.","queries":9,"listed":3,"names":1,"received":1,"sent":1,
             "codes":[{"code":"127.0.0.4","answers":2},{"code":null,"answers":1}]},
            {"origin":null,"queries":0,"listed":0,"names":0,"received":0,"sent":0,"codes":[]}],
            "dropped":[{"reason":"short","queries":2}],"clients":[{"address":"192.0.2.53","queries":8}],
            "listed":[],"asked_without_room":0,"log_lost":0}"#;
        let shown = text(&serde_json::from_str(json).unwrap());
        let expected = "bl.example.: 9 queries, 3 of them listed, 1 for names that are no address\n  \
                        127.0.0.4: 2\n  other codes: 1\nwithout a reply: 2 short\n\
                        clients, by about how many queries:\n  8  192.0.2.53\n";
        assert_eq!(shown, expected);
    }
}
