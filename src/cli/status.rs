//! `status`: the daemon or one jail, in the words and the form of fail2ban-client.

use std::io::Write;

use serde::Serialize;

use super::client::segment;
use super::fail2ban_client::layout;
use super::hits::{self, Hits};
use super::printable::printable;
use super::{Exit, Global};
use crate::http::api::{
    FilterHits, HubStatus, JailStatus, OutsideStatus, PatternHits, Status, StoppedPattern,
};

/// Show the jails, or how one of them is
#[derive(clap::Args)]
pub struct Args {
    /// The jail; without one: all names
    jail: Option<String>,
    /// Show how often each pattern of its filter matched, too
    #[arg(long, requires = "jail")]
    hits: bool,
}

impl Args {
    /// Asks and shows.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let client = global.client()?;
        match self.jail {
            Some(jail) => {
                let status: JailStatus = client.get(&format!("/jails/{}", segment(&jail)), &())?;
                show(&status, jail_tree, global, out)?;
                if self.hits && !global.json {
                    write_hits(&status, out)?;
                }
            }
            None => {
                let status: Status = client.get("/status", &())?;
                show(&status, tree, global, out)?;
                warnings(&status).iter().for_each(|warning| global.note(warning));
            }
        }
        Ok(Exit::Done)
    }
}

fn show<T: Serialize>(
    status: &T,
    tree: fn(&T) -> String,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if global.json {
        return global.json(status, out);
    }
    Ok(out.write_all(tree(status).as_bytes())?)
}

fn tree(status: &Status) -> String {
    layout::server_tree(&status.jails) + "\n"
}

/// What a person should look at; beside the tree, which programs read.
fn warnings(status: &Status) -> Vec<String> {
    let outside = status.outside.iter().filter(|outside| outside.waiting + outside.dropped > 0);
    let outside = outside.map(|OutsideStatus { kind, waiting, dropped, .. }| {
        format!(
            "warning: {waiting} failures wait for their {kind}, and {dropped} were not counted since the start, as too many waited"
        )
    });
    let stopped = status.patterns_stopped.iter().map(|StoppedPattern { jail, pattern, lines }| {
        format!(
            "warning: jail {jail}: {pattern} was stopped on {lines} lines, as it takes too many steps there: what it would have found is not known; simplify it"
        )
    });
    let hub = status.hub.iter().map(hub_line);
    outside.chain(stopped).chain(hub).map(|warning| printable(&warning).into_owned()).collect()
}

/// How the spool before the hub stands.
fn hub_line(hub: &HubStatus) -> String {
    let HubStatus { url, waiting, dropped, refused, last_sent, problem, .. } = hub;
    let last = last_sent.map_or_else(|| "never since the start".to_owned(), |last| format!("last at {last}"));
    let state =
        format!("{waiting} reports wait, {dropped} were dropped, {refused} refused; it confirmed {last}");
    match problem {
        None => format!("hub {url}: {state}"),
        Some(problem) => format!("warning: hub {url}: {state}; {problem}"),
    }
}

fn jail_tree(status: &JailStatus) -> String {
    let tree = layout::jail_tree(status, Some(&status.banned), "");
    format!("Status for the jail: {}\n{tree}\n", status.jail)
}

fn write_hits(status: &JailStatus, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(FilterHits { filter, since, lines, failregex, ignoreregex }) = &status.hits else {
        return Ok(writeln!(out, "\nThe jail reads no log.")?);
    };
    writeln!(out, "\nFilter {}: {lines} lines since {since}\n", printable(filter))?;
    let of = |patterns: &[PatternHits]| -> Vec<Hits> {
        let hits = |one: &PatternHits| Hits {
            pattern: one.pattern.clone(),
            count: one.hits,
            found: one.last.iter().map(|last| format!("last at {last}")).collect(),
        };
        patterns.iter().map(hits).collect()
    };
    hits::write("Failregex", &of(failregex), true, out)?;
    Ok(hits::write("Ignoreregex", &of(ignoreregex), true, out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_that_of_fail2ban_client() {
        let status = JailStatus {
            jail: "sshd".to_owned(),
            currently_failed: 2,
            total_failed: 6,
            files: vec!["/var/log/a".to_owned(), "/var/log/b".to_owned()],
            streams: Vec::new(),
            journal_matches: None,
            currently_banned: 2,
            total_banned: 3,
            banned: vec!["203.0.113.7".parse().unwrap(), "2001:db8::5".parse().unwrap()],
            hits: None,
        };
        let expected = [
            "Status for the jail: sshd",
            "|- Filter",
            "|  |- Currently failed:\t2",
            "|  |- Total failed:\t6",
            "|  `- File list:\t/var/log/a /var/log/b",
            "`- Actions",
            "   |- Currently banned:\t2",
            "   |- Total banned:\t3",
            "   `- Banned IP list:\t203.0.113.7 2001:db8::5",
            "",
        ];
        assert_eq!(jail_tree(&status), expected.join("\n"));
    }
}
