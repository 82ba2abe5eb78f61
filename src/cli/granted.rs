//! What a token or a user may do, as it is typed and as it is shown.

use std::sync::Arc;

use super::Global;
use crate::access::{Role, is_same_zone};
use crate::http::api::{self, Status};
use crate::ip::Prefix;

/// A role, and what it is confined to.
#[derive(clap::Args)]
pub(super) struct Granted {
    /// The role: viewer, operator, admin or reporter
    #[arg(short, long)]
    pub(super) role: Role,
    /// Only with this jail; may be repeated
    #[arg(short, long = "jail", value_name = "JAIL")]
    jails: Vec<Arc<str>>,
    /// Only with this zone; may be repeated
    #[arg(short, long = "zone", value_name = "ZONE")]
    zones: Vec<Arc<str>>,
    /// Only from this address or network; may be repeated
    #[arg(short = 'S', long = "source", value_name = "PREFIX")]
    pub(super) sources: Vec<Prefix>,
    /// For whom a reporter reports, such as example.org
    #[arg(short, long, value_name = "NAME")]
    pub(super) organisation: Option<Arc<str>>,
}

impl Granted {
    /// The jails, if it is confined to some.
    pub(super) fn jails(&self) -> Option<Vec<Arc<str>>> {
        some(&self.jails)
    }

    /// The zones, if it is confined to some.
    pub(super) fn zones(&self) -> Option<Vec<Arc<str>>> {
        some(&self.zones)
    }

    /// Says which of its jails and zones there are not: they may come later, or be written wrong.
    pub(super) fn note_unknown(&self, global: &Global) -> anyhow::Result<()> {
        if self.jails.is_empty() && self.zones.is_empty() {
            return Ok(());
        }
        let status: Status = global.client()?.get("/status", &())?;
        for jail in self.jails.iter().filter(|jail| status.jails.iter().all(|known| **known != ***jail)) {
            global.note(&format!("there is no jail `{jail}` now; `banzone status` lists them"));
        }
        let is_unknown =
            |zone: &Arc<str>| !status.zones.iter().any(|known| is_same_zone(&known.origin, zone));
        for zone in self.zones.iter().filter(|zone| is_unknown(zone)) {
            global.note(&format!("there is no zone `{zone}` now; `banzone status` lists them"));
        }
        Ok(())
    }
}

fn some(names: &[Arc<str>]) -> Option<Vec<Arc<str>>> {
    (!names.is_empty()).then(|| names.to_vec())
}

/// The columns that say for what and from where a grant is good.
pub(super) fn confinement(grant: &api::Granted) -> [String; 2] {
    let api::Granted { jails, zones, sources, organisation, .. } = grant;
    let names = [jails, zones].into_iter().flatten().flatten().chain(organisation);
    [
        or_dash(names.map(ToString::to_string).collect()),
        or_dash(sources.iter().map(ToString::to_string).collect()),
    ]
}

fn or_dash(words: Vec<String>) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(",") }
}
