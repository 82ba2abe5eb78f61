//! `[hub]`: to whom this server reports what its jails find.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::document::Section;
use super::error::{At, Place, Report};
use super::file::keys;
use super::load::resolve_absolute;
use crate::hub::{Settings, Token};
use crate::jail;

/// Some dozen megabytes: what a busy server finds in a week.
const MAX_SPOOLED: u64 = 1_000_000;

/// Stands for all jails that read something.
const EVERY: &str = "*";

/// `[hub]` as it is written.
pub(super) struct Hub {
    url: Option<At<String>>,
    token: Option<At<String>>,
    token_file: Option<At<PathBuf>>,
    ca: Option<At<PathBuf>>,
    jails: Vec<At<String>>,
    max_spooled: Option<u64>,
    place: Place,
}

impl Hub {
    /// Reads the section of `main`, if it is there.
    pub(super) fn read(main: &Section<'_>) -> Option<Self> {
        main.raw("hub")?;
        let section = main.section("hub", keys::HUB);
        Some(Self {
            url: section.require("url", "\"https://hub.example:8053\""),
            token: section.get("token"),
            token_file: section.get("token_file"),
            ca: section.get("ca"),
            jails: section.get("jails").unwrap_or_default(),
            max_spooled: section.number("max_spooled", 1, 100_000_000),
            place: section.place().clone(),
        })
    }

    /// The settings, if all is right; `jails` are those that there are.
    pub(super) fn settings(&self, jails: &[jail::Settings], report: &Report) -> Option<Settings> {
        let url = self.url.as_ref()?;
        if let Err(message) = check_url(&url.value) {
            report.add(&url.place, format!("hub.url: {message}"));
        }
        let path = |written: &At<PathBuf>| resolve_absolute(&written.place.file, &written.value);
        let token = match (&self.token, &self.token_file) {
            (Some(token), None) => Some(Token::Written(token.value.clone())),
            (None, Some(file)) => Some(Token::File(path(file))),
            _ => {
                let message = "hub: write either token_file = \"hub.token\" or token = \"bz_...\"; \
                               `banzone token add NAME --role reporter` on the hub makes one";
                report.add(&self.place, message.to_owned());
                None
            }
        };
        Some(Settings {
            url: url.value.trim_end_matches('/').to_owned(),
            token: token?,
            ca: self.ca.as_ref().map(path),
            jails: self.jails(jails, report),
            max_spooled: self.max_spooled.unwrap_or(MAX_SPOOLED),
        })
    }

    /// What others have seen is not reported again: it would come back as if it had been seen here.
    fn jails(&self, jails: &[jail::Settings], report: &Report) -> BTreeSet<Arc<str>> {
        let every = || jails.iter().filter(|jail| *jail.name != *jail::MANUAL && jail.reports.is_none());
        let all = || every().map(|jail| Arc::clone(&jail.name)).collect();
        if self.jails.is_empty() {
            return all();
        }
        let mut chosen = BTreeSet::new();
        for name in &self.jails {
            match jails.iter().find(|jail| *jail.name == *name.value) {
                _ if name.value == EVERY => chosen.append(&mut all()),
                Some(jail) if jail.reports.is_none() => {
                    chosen.insert(Arc::clone(&jail.name));
                }
                Some(_) => {
                    let message =
                        format!("hub.jails: `{}` lists what others report: leave it out", name.value);
                    report.add(&name.place, message);
                }
                None => {
                    let known: Vec<&str> = jails.iter().map(|jail| &*jail.name).collect();
                    let message = format!(
                        "hub.jails: there is no jail `{}`; there are: {}",
                        name.value,
                        known.join(", ")
                    );
                    report.add(&name.place, message);
                }
            }
        }
        chosen
    }
}

/// Whether a token may be sent there.
fn check_url(url: &str) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let is_local = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        _ if name.is_empty() || url.contains(['?', '#', ' ', '@']) => {
            Err(format!("`{url}` is no place of a hub: write https://hub.example:8053"))
        }
        "https" => Ok(()),
        "http" if is_local => Ok(()),
        "http" => Err(format!("`{url}` would have the token sent in the clear: write https")),
        _ => Err(format!("`{url}` does not begin with https://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        for (url, good) in [
            ("https://hub.example", true),
            ("https://hub.example:8053/banzone", true),
            ("https://[2001:db8::1]:8053", true),
            ("http://127.0.0.1:8053", true),
            ("http://[::1]:8053", true),
            ("http://localhost", true),
            ("http://hub.example", false),
            ("http://192.0.2.1:8053", false),
            ("hub.example", false),
            ("https://", false),
            ("https://user@hub.example", false),
            ("ftp://hub.example", false),
        ] {
            assert_eq!(check_url(url).is_ok(), good, "{url}");
        }
    }
}
