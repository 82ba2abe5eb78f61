//! `[acme]`: who issues certificates for which names.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::document::Section;
use super::error::{At, Place, Report};
use super::file::Zone;
use super::file::keys;
use super::load::resolve_absolute;
use crate::zone::Name;

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Certificate authorities take a hundred at most; nobody needs more for one server.
const MOST_NAMES: usize = 100;

/// A certificate authority, and what to ask it for (RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The names of the certificate. Each is that of a zone or below one.
    pub names: Vec<Name>,
    /// The URL under which the authority is found.
    pub directory: String,
    /// How it reaches the administrator: URLs, such as `mailto:`.
    pub contact: Vec<String>,
    /// What vouches for the authority itself, if the system does not know it: a PEM file.
    pub ca: Option<PathBuf>,
    /// The folder of the account and of the certificate.
    pub folder: PathBuf,
}

impl Acme {
    /// The file of certificate and key; other names have another one.
    pub fn certificate(&self) -> PathBuf {
        let names: Vec<String> = self.names.iter().map(host).collect();
        self.folder.join(format!("{}-{}.pem", names[0], short_hash(&names.join(" "))))
    }

    /// The file of the account at this authority.
    pub fn account(&self) -> PathBuf {
        self.folder.join(format!("account-{}.json", short_hash(&self.directory)))
    }

    /// The names as certificates have them.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(host)
    }
}

fn host(name: &Name) -> String {
    name.to_string().trim_end_matches('.').to_owned()
}

fn short_hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text)[..4])
}

/// `[acme]` as it is written.
pub(super) struct Written {
    names: Vec<At<Name>>,
    directory: Option<At<String>>,
    contact: Vec<At<String>>,
    ca: Option<At<PathBuf>>,
    folder: Option<At<PathBuf>>,
    place: Place,
}

impl Written {
    /// Reads the section of `main`, if it is there.
    pub(super) fn read(main: &Section<'_>) -> Option<Self> {
        main.raw("acme")?;
        let section = main.section("acme", keys::ACME);
        Some(Self {
            names: section.require_some("names", "[\"bl.example\"]"),
            directory: section.get("directory"),
            contact: section.get("contact").unwrap_or_default(),
            ca: section.get("ca"),
            folder: section.get("folder"),
            place: section.place().clone(),
        })
    }

    /// The settings; without a folder in them it is the one beside the database at `store`.
    pub(super) fn settings(&self, store: &Path, zones: &[Zone], report: &Report) -> Acme {
        self.check(zones, report);
        let path = |written: &At<PathBuf>| resolve_absolute(&written.place.file, &written.value);
        let directory = self.directory.as_ref().map_or(DIRECTORY, |directory| &directory.value);
        Acme {
            names: self.names.iter().map(|name| name.value.clone()).collect(),
            directory: directory.to_owned(),
            contact: self.contact.iter().map(|contact| contact.value.clone()).collect(),
            ca: self.ca.as_ref().map(path),
            folder: self.folder.as_ref().map_or_else(|| store.with_file_name("acme"), path),
        }
    }

    fn check(&self, zones: &[Zone], report: &Report) {
        if self.names.len() > MOST_NAMES {
            let message = format!("acme.names: a certificate has at most {MOST_NAMES} names");
            report.add(&self.place, message);
        }
        for name in &self.names {
            let origins = || zones.iter().filter_map(|zone| zone.origin.as_ref());
            let is_ours = |origin: &Name| name.value == *origin || name.value.labels_below(origin).is_some();
            if !origins().any(|origin| is_ours(&origin.value)) {
                let message = format!(
                    "acme.names: `{}` is in none of the zones, so that nobody could see here that it is yours",
                    name.value
                );
                report.add(&name.place, message);
            }
        }
        if let Some(url) = self.directory.as_ref().filter(|url| !url.value.starts_with("https://")) {
            report.add(&url.place, format!("acme.directory: `{}` does not begin with https://", url.value));
        }
        for contact in self.contact.iter().filter(|contact| !contact.value.starts_with("mailto:")) {
            let message = format!("acme.contact: write \"mailto:{}\"", contact.value);
            report.add(&contact.place, message);
        }
    }
}
