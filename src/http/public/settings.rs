//! What the public pages are told by the configuration.

use std::net::SocketAddr;

use super::removal::Removals;
use crate::ip::PrefixSet;

/// Pages for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicSettings {
    /// Where they are served; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Whose word counts for where a request came from (`X-Forwarded-For`).
    pub proxies: PrefixSet,
    /// How to reach those who run the list: an address of mail or a URL.
    pub contact: Option<String>,
    /// Whether those who are listed may take themselves off, by jail.
    pub removal: Removals,
    /// The zones that are shown, in order.
    pub zones: Vec<PublicZone>,
}

/// A zone that is shown to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicZone {
    /// Its name, without the last dot.
    pub name: String,
    /// What is listed there, why, and how it ends; paragraphs stand apart by empty lines.
    pub policy: String,
}

impl PublicSettings {
    /// Whether the zone of this name, without the last dot, is shown.
    pub(super) fn shows(&self, zone: &str) -> bool {
        self.zones.iter().any(|shown| shown.name == zone)
    }
}
