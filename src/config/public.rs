//! `[public]` and the policies of zones: the pages for everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::document::{ANY, Raw, Section, Value};
use super::error::{At, Report, did_you_mean_or};
use super::{duration, file};
use crate::http::{PublicSettings, PublicZone, Removal, Removals};
use crate::ip::Prefix;
use crate::list::EVERY_OTHER_JAIL;

/// `[public]`
#[derive(Default)]
pub(super) struct Public {
    pub listen: Option<At<SocketAddr>>,
    pub proxies: Vec<Prefix>,
    pub contact: Option<Contact>,
    /// By the names of jails.
    pub removal: Vec<(At<String>, Removal)>,
}

/// A way to reach people that may become a link.
pub(super) struct Contact(String);

impl Public {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            listen: section.get("listen"),
            proxies: section.get("proxies").unwrap_or_default(),
            contact: section.get("contact"),
            removal: section.section("removal", ANY).values(),
        }
    }
}

impl Value for Contact {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        const EXPECTED: &str =
            "a mail address such as \"postmaster@bl.example\" or a URL that begins with https://";
        let written = raw.string(EXPECTED)?;
        let is_url = written.starts_with("https://") || written.starts_with("http://");
        if is_url || (written.contains('@') && !written.contains([':', ' '])) {
            return Some(Self(written.to_owned()));
        }
        raw.error(format!("`{written}` is no address: write {EXPECTED}"))
    }
}

impl Value for Removal {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        const EXPECTED: &str = "\"never\", \"always\", or a duration such as \"7d\"";
        match raw.string(EXPECTED)? {
            "never" => Some(Self::Never),
            "always" => Some(Self::Always),
            time => match duration::parse(time) {
                Ok(time) if !time.is_zero() => Some(Self::Every(time)),
                _ => raw.error(format!("write {EXPECTED}")),
            },
        }
    }
}

/// Checks that there are the jails for whose bans it says something.
pub(super) fn check_jails(written: &Public, known: &BTreeSet<&str>, report: &Report) {
    for (At { value, place }, _) in &written.removal {
        if value != EVERY_OTHER_JAIL && !known.contains(value.as_str()) {
            let hint = did_you_mean_or(value, known.iter().copied(), "the jails");
            report.add(place, format!("public.removal: there is no jail `{value}`{hint}"));
        }
    }
}

fn removals(written: &[(At<String>, Removal)]) -> Removals {
    let mut of_jails: BTreeMap<_, _> =
        written.iter().map(|(jail, removal)| (jail.value.clone(), *removal)).collect();
    Removals { of_others: of_jails.remove(EVERY_OTHER_JAIL).unwrap_or_default(), of_jails }
}

/// What the pages are told: zones with a policy are shown. Pages without any zone would say of everybody that nothing is listed.
pub(super) fn settings(written: &Public, zones: &[file::Zone], report: &Report) -> PublicSettings {
    let zones: Vec<PublicZone> = zones.iter().filter_map(shown).collect();
    if let Some(listen) = written.listen.as_ref().filter(|_| zones.is_empty()) {
        let message = "public.listen: no zone is shown: give those that everybody may see a `policy`";
        report.add(&listen.place, message.to_owned());
    }
    PublicSettings {
        listen: written.listen.as_ref().map(|listen| listen.value),
        proxies: written.proxies.iter().copied().collect(),
        contact: written.contact.as_ref().map(|Contact(written)| written.clone()),
        removal: removals(&written.removal),
        zones,
    }
}

fn shown(zone: &file::Zone) -> Option<PublicZone> {
    let (origin, policy) = (zone.origin.as_ref()?, zone.policy.as_ref()?);
    let name = origin.value.to_string().trim_end_matches('.').to_owned();
    Some(PublicZone { name, policy: policy.clone() })
}
