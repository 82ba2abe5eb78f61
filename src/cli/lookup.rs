//! `lookup`: all that is known of an address, of a network, or of a domain name.

use std::fmt::Write as _;
use std::io::Write;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::printable::printable;
use super::{Exit, Global};
use crate::clock::Timestamp;
use crate::http::api::{
    Allow, Ban, BanInForce, JailOfNetwork, ListedInNetwork, Lookup, NameLookup, NetworkLookup, NetworkQuery,
    Score, SetListing, Vote,
};
use crate::ip::Prefix;
use crate::zone::Name;

/// Show all that is known of an address: bans, what DNS answers, failures, history; or of a network
#[derive(clap::Args)]
pub struct Args {
    /// The address or network, or a domain name to look for in data sets
    #[arg(value_name = "ADDRESS")]
    subject: Subject,
}

/// What is looked for.
#[derive(Clone, Debug)]
enum Subject {
    Address(IpAddr),
    Network(Prefix),
    Name(Name),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        // What looks like an address and is none would be an odd name.
        let is_name = written.contains(|c: char| c.is_ascii_alphabetic()) && !written.contains(':');
        match (written.parse(), written.parse(), written.parse()) {
            (Ok(address), _, _) => Ok(Self::Address(address)),
            (_, Ok(network), _) => Ok(Self::Network(network)),
            (_, _, Ok(name)) if is_name => Ok(Self::Name(name)),
            _ => Err("it is no address, network or domain name".to_owned()),
        }
    }
}

impl Args {
    /// Asks and shows.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.subject {
            Subject::Address(address) => {
                show::<Lookup>(&format!("/lookup/{address}"), &(), text, global, out)?;
            }
            Subject::Network(prefix) => {
                show::<NetworkLookup>("/lookup", &NetworkQuery { prefix }, network_text, global, out)?;
            }
            Subject::Name(name) => {
                show::<NameLookup>(&format!("/names/{name}"), &(), name_text, global, out)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn show<T: Serialize + DeserializeOwned>(
    path: &str,
    query: &impl Serialize,
    text: fn(&T) -> String,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let answer: T = global.client()?.get(path, query)?;
    if global.json {
        return global.json(&answer, out);
    }
    Ok(write!(out, "{}", text(&answer))?)
}

fn network_text(found: &NetworkLookup) -> String {
    let mut text = format!("{}\n", found.prefix);
    section(&mut text, "Allowed", found.allowed.iter().map(allow_line));
    let ban = |BanInForce { prefix, jail, since, until }: &BanInForce| {
        format!("{prefix}  by {jail} since {since} {}", end(*until))
    };
    section(&mut text, "Banned", found.bans.iter().map(ban));
    let jail = |JailOfNetwork { jail, banned, ended, failing }: &JailOfNetwork| {
        format!("{jail}  {banned} bans, {ended} over, {failing} addresses with failures")
    };
    section(&mut text, "Inside", found.jails.iter().map(jail));
    let listed =
        |ListedInNetwork { zone, listings }: &ListedInNetwork| format!("{zone}  {listings} listings");
    section(&mut text, "Listed", found.listings.iter().map(listed));
    if found.is_cut {
        text.push_str("There is more than was counted\n");
    }
    if found.bans.is_empty() && found.jails.is_empty() && found.allowed.is_none() {
        text.push_str("Nothing is known of it\n");
    }
    text
}

fn name_text(found: &NameLookup) -> String {
    let mut text = format!("{}\n", printable(&found.name));
    if found.sets.is_empty() {
        text.push_str("Not listed\n");
    }
    section(&mut text, "Listed", found.sets.iter().map(set_line));
    text
}

fn set_line(listing: &SetListing) -> String {
    format!("{}  {}  {}  {}", listing.zone, listing.set, listing.code, listing.text).trim_end().to_owned()
}

fn text(found: &Lookup) -> String {
    let mut text = format!("{}\n", found.address);
    section(&mut text, "Allowed", found.allowed.iter().map(allow_line));
    if found.bans.is_empty() {
        text.push_str("Not banned\n");
    }
    section(&mut text, "Banned", found.bans.iter().flat_map(ban_lines));
    let listing = |listing: &crate::http::api::Listing| {
        format!("{}  {}  {}  {}", listing.zone, listing.prefix, listing.code, listing.text)
    };
    section(&mut text, "Listed", found.listings.iter().map(listing).chain(found.sets.iter().map(set_line)));
    let failures = |failures: &crate::http::api::Failures| {
        format!("{}  {} failures, the last at {}", failures.jail, failures.failures, failures.last)
    };
    section(&mut text, "Counted", found.failures.iter().map(failures));
    section(&mut text, "Reported", found.votes.iter().map(vote_line));
    let score = |Score { prefix, sum, threshold }: &Score| {
        format!("{prefix}  {sum:.2} of the {threshold:.2} that make a listing")
    };
    section(&mut text, "Score", found.scores.iter().map(score));
    section(&mut text, "History", found.history.iter().flat_map(ban_lines));
    text
}

fn allow_line(Allow { prefix, note, .. }: &Allow) -> String {
    format!("{prefix}  {note}").trim_end().to_owned()
}

/// When a ban ends by itself.
fn end(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "for ever".to_owned(), |until| format!("until {until}"))
}

fn vote_line(Vote { prefix, reporter, seen, weight }: &Vote) -> String {
    format!("{prefix}  by {reporter}, seen at {seen}, weighs {weight:.2}")
}

fn section(text: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    for (number, line) in lines.into_iter().enumerate() {
        let title = if number == 0 { title } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{title:8}  {}", printable(&line));
    }
}

/// The ban, and its evidence below it.
fn ban_lines(ban: &Ban) -> Vec<String> {
    let end = ban.ended.map_or_else(|| end(ban.until), |ended| format!("to {ended}"));
    let mut lines = vec![format!(
        "{}  by {} since {} {end}, {} failures, ban number {}",
        ban.prefix, ban.jail, ban.since, ban.failures, ban.count
    )];
    if let Some(asked) = ban.asked.filter(|asked| *asked > 0) {
        lines.push(format!("  asked for {asked} times since the start"));
    }
    lines.extend(ban.evidence.iter().map(|line| format!("  {line}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evidence is what attackers sent.
    #[test]
    fn a_terminal_is_told_nothing() {
        let json = r#"{"address":"192.0.2.7","bans":[],"failures":[],"history":[],
            "allowed":{"prefix":"192.0.2.7","since":null,"until":null,"note":"a\u001b]0;b\u0007"},
            "listings":[{"zone":"bl.example.","prefix":"192.0.2.7","code":"127.0.0.2","text":"\u009b2J"}]}"#;
        let shown = text(&serde_json::from_str(json).unwrap());
        let expected = "Allowed   192.0.2.7  a\\x1b]0;b\\x07\nNot banned\n\
                        Listed    bl.example.  192.0.2.7  127.0.0.2  \\x9b2J\n";
        assert_eq!(shown, format!("192.0.2.7\n{expected}"));
    }

    #[test]
    fn what_is_not_there_is_not_shown() {
        let json = r#"{"address":"192.0.2.7","bans":[],"listings":[],"history":[],
            "failures":[{"jail":"postfix-sasl","failures":2,"last":"2026-11-22T08:04:12Z"}]}"#;
        let shown = text(&serde_json::from_str(json).unwrap());
        assert_eq!(
            shown,
            "192.0.2.7\nNot banned\nCounted   postfix-sasl  2 failures, the last at 2026-11-22T08:04:12Z\n"
        );
    }
}
