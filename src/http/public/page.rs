//! What the public pages show, and their templates in `templates/public`, which escape all of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use askama::Template;

use super::removal::May;
use super::settings::PublicSettings;
use crate::clock::Timestamp;
use crate::ip::write_reversed;
use crate::zone::{InSet, Listed, Zones};

/// The first page: the own address, and the field for others.
#[derive(Template)]
#[template(path = "public/home.html")]
pub(super) struct Home {
    pub(super) site: Site,
    /// What was typed and is no address.
    pub(super) mistyped: Option<String>,
    pub(super) own: IpAddr,
    pub(super) own_zones: Vec<String>,
}

/// All that is published of one address.
#[derive(Template)]
#[template(path = "public/address.html")]
pub(super) struct Address {
    pub(super) site: Site,
    pub(super) address: IpAddr,
    pub(super) is_own: bool,
    /// Whether who asks can take some of it off.
    pub(super) can_remove: bool,
    /// Whether somebody has asked for it and waits.
    pub(super) waits: bool,
    pub(super) findings: Vec<Finding>,
}

/// How listing works in one zone.
#[derive(Template)]
#[template(path = "public/zone.html")]
pub(super) struct Policy {
    pub(super) site: Site,
    pub(super) zone: String,
    pub(super) paragraphs: Vec<String>,
}

/// There is no such page.
#[derive(Template)]
#[template(path = "public/missing.html")]
pub(super) struct Missing {
    pub(super) site: Site,
}

/// What became of a request.
#[derive(Template)]
#[template(path = "public/told.html")]
pub(super) struct Told {
    pub(super) site: Site,
    pub(super) message: &'static str,
}

/// What stands on every page.
pub(super) struct Site {
    /// The zones that are shown.
    pub(super) zones: Vec<String>,
    pub(super) contact: Option<Contact>,
}

/// How to reach those who run the list.
pub(super) struct Contact {
    pub(super) shown: String,
    pub(super) link: String,
}

/// One listing of an address.
pub(super) struct Finding {
    pub(super) zone: String,
    /// What is listed: the address or a network around it.
    pub(super) what: String,
    /// Who or what listed it.
    pub(super) by: String,
    /// What mail servers get for an answer.
    pub(super) answer: String,
    pub(super) text: String,
    pub(super) since: Option<Time>,
    /// When it ends by itself; `None` is not by itself.
    pub(super) until: Option<Time>,
    pub(super) removal: Removal,
}

/// A time for browsers and for people.
pub(super) struct Time {
    /// RFC 3339.
    pub(super) written: String,
    pub(super) shown: String,
}

impl Time {
    fn new(time: Timestamp) -> Self {
        let written = time.to_string();
        let shown = format!("{} UTC", written.replace('T', " ").trim_end_matches('Z'));
        Self { written, shown }
    }
}

/// How to get off a list before.
pub(super) enum Removal {
    /// Who comes from the address can do so at once.
    Now,
    /// From then on.
    From(Time),
    /// By writing to those who run it.
    Written,
}

impl Site {
    /// As `settings` say.
    pub(super) fn new(settings: &PublicSettings) -> Self {
        let zones = settings.zones.iter().map(|zone| zone.name.clone()).collect();
        Self { zones, contact: settings.contact.as_deref().map(Contact::new) }
    }
}

impl Contact {
    fn new(written: &str) -> Self {
        let link = if written.contains("://") { written.to_owned() } else { format!("mailto:{written}") };
        Self { shown: written.to_owned(), link }
    }
}

/// What the data sets of the zones that are shown have for `address`.
pub(super) fn in_sets(
    zones: &Zones,
    settings: &PublicSettings,
    address: IpAddr,
    now: Timestamp,
) -> impl Iterator<Item = Finding> {
    let written = write_reversed(address);
    let labels: Vec<&[u8]> = written.split('.').map(str::as_bytes).collect();
    let found = zones.in_sets(&labels, now).into_iter();
    found.filter(|found| settings.shows(&found.zone)).map(move |found| Finding::of_set(address, found))
}

/// The zones among those that are shown that list `address`.
pub(super) fn listed_in(
    zones: &Zones,
    settings: &PublicSettings,
    address: IpAddr,
    now: Timestamp,
) -> Vec<String> {
    let listed = zones.listed(address, now).into_iter().map(|listed| listed.zone);
    let in_sets = in_sets(zones, settings, address, now).map(|finding| finding.zone);
    let found: BTreeSet<String> = listed.filter(|zone| settings.shows(zone)).chain(in_sets).collect();
    found.into_iter().collect()
}

impl Finding {
    /// A ban, and what who has the address may do about it.
    pub(super) fn of_ban(listed: Listed, may: May) -> Self {
        let removal = match may {
            May::Now(_) => Removal::Now,
            May::From(time) => Removal::From(Time::new(time)),
            May::Not => Removal::Written,
        };
        Self {
            removal,
            what: listed.prefix.to_string(),
            by: listed.jail,
            answer: listed.code.to_string(),
            text: listed.text,
            since: Some(Time::new(listed.since)),
            until: listed.until.map(Time::new),
            zone: listed.zone,
        }
    }

    fn of_set(address: IpAddr, found: InSet) -> Self {
        Self {
            removal: Removal::Written,
            what: address.to_string(),
            by: found.set,
            answer: found.code.to_string(),
            text: found.text,
            since: None,
            until: None,
            zone: found.zone,
        }
    }
}

/// The paragraphs of a text, which stand apart by empty lines.
pub(super) fn paragraphs(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let mut paragraphs = vec![String::new()];
    for line in lines {
        let last = paragraphs.last_mut().expect("there is one from the start");
        match (line.is_empty(), last.is_empty()) {
            (true, false) => paragraphs.push(String::new()),
            (false, true) => last.push_str(line),
            (false, false) => {
                last.push(' ');
                last.push_str(line);
            }
            (true, true) => {}
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stand_apart_by_empty_lines() {
        assert_eq!(paragraphs("\n one\n  two \n\n\n three\n"), ["one two", "three"]);
        assert!(paragraphs(" \n\n").is_empty());
    }
}
