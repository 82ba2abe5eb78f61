//! `[public]` and the policies of zones: the pages for everybody.

use std::net::SocketAddr;

use super::document::{Raw, Section, Value};
use super::error::{At, Report};
use super::file;
use crate::http::{PublicSettings, PublicZone};
use crate::ip::Prefix;

/// `[public]`
#[derive(Default)]
pub(super) struct Public {
    pub listen: Option<At<SocketAddr>>,
    pub proxies: Vec<Prefix>,
    pub contact: Option<Contact>,
}

/// A way to reach people that may become a link.
pub(super) struct Contact(String);

impl Public {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            listen: section.get("listen"),
            proxies: section.get("proxies").unwrap_or_default(),
            contact: section.get("contact"),
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
        zones,
    }
}

fn shown(zone: &file::Zone) -> Option<PublicZone> {
    let (origin, policy) = (zone.origin.as_ref()?, zone.policy.as_ref()?);
    Some(PublicZone { origin: origin.value.clone(), policy: policy.clone() })
}
