//! The data sets of a configuration: read as `serve` would read them.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::config::{Config, Place};
use crate::daemon::data_files::{Contents, Unread, read};

/// A data set, and what came of reading it.
pub(super) struct Checked {
    place: Place,
    zone: String,
    /// The sublist that answers it alone.
    sublist: Option<String>,
    title: String,
    contents: Result<Contents, Unread>,
}

/// Reads all data sets.
pub(super) fn read_all(config: &Config, now: Timestamp) -> Vec<Checked> {
    let lists = config.zones.iter().flat_map(|zone| zone.data_sets.iter().map(move |list| (zone, list)));
    let checked = lists.zip(&config.places.data_sets).map(|((zone, list), place)| Checked {
        place: place.clone(),
        zone: zone.origin.to_string(),
        sublist: list.sublist.as_ref().map(ToString::to_string),
        title: list.settings.title(),
        contents: read(&list.settings, now),
    });
    checked.collect()
}

impl Checked {
    /// How it is, in a line.
    pub(super) fn describe(&self) -> String {
        let outcome = match &self.contents {
            Ok(contents) => format!("{} entries", contents.entries()),
            Err(_) => "cannot be read".to_owned(),
        };
        let alone = self.sublist.as_ref().map(|name| format!(", alone as {name}.{}", self.zone));
        format!("{} {}: {outcome}{}", self.zone, self.title, alone.unwrap_or_default())
    }

    /// Why it would not be served.
    pub(super) fn error(&self) -> Option<String> {
        let unread = self.contents.as_ref().err()?;
        Some(format!("{}: zone {}: {unread}", self.place, self.zone))
    }

    /// What is wrong in its files.
    pub(super) fn warnings(&self, now: Timestamp) -> Vec<String> {
        let Ok(contents) = &self.contents else { return Vec::new() };
        let mut warnings: Vec<String> = contents.findings.warnings.iter().map(ToString::to_string).collect();
        match contents.findings.untold() {
            0 => {}
            untold => warnings.push(format!("{}: {untold} more lines are wrong", self.title)),
        }
        if let Some(expires) = contents.expires().filter(|expires| *expires <= now) {
            warnings.push(format!(
                "{}: $TIMESTAMP says that it is too old since {expires}, it is not served",
                self.title
            ));
        }
        warnings
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "zone": self.zone,
            "set": self.title,
            "name": self.sublist,
            "entries": self.contents.as_ref().ok().map(Contents::entries),
            "wrong_lines": self.contents.as_ref().ok().map(|contents| contents.findings.wrong()),
            "error": self.error(),
        })
    }
}
