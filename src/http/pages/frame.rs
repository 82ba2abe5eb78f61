//! What stands around every page: where one is, where else one may go, and who one is.

use askama::Template;

use super::PAGES;
use crate::access::{Principal, Role};

/// The frame of a page for whoever has signed in.
pub(super) struct Frame {
    /// Who they are.
    pub(super) user: String,
    pub(super) role: Role,
    /// For forms.
    pub(super) csrf: String,
    /// The pages they may see.
    pub(super) entries: Vec<Entry>,
    /// The first page they may see.
    pub(super) home: &'static str,
    /// Whether they may look up addresses.
    pub(super) searches: bool,
    pub(super) version: &'static str,
}

/// A page that can be gone to.
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    pub(super) is_here: bool,
}

/// What the menu has: pages of the table, which says who sees them.
const ENTRIES: &[(&str, &str)] = &[
    ("/", "Overview"),
    ("/bans", "Bans"),
    ("/networks", "Networks"),
    ("/jails", "Jails"),
    ("/reporters", "Reporters"),
    ("/allow", "Allowlist"),
    ("/zones", "Zones"),
    ("/requests", "Requests"),
    ("/users", "Users"),
    ("/tokens", "Tokens"),
    ("/audit", "Audit"),
    ("/health", "Health"),
];

impl Frame {
    /// The frame for `principal`, who is at `path`.
    pub(super) fn of(principal: &Principal, path: &str) -> Self {
        let own = ENTRIES.iter().filter(|(entry, _)| is_for(principal, entry));
        let entries = own.map(|(entry, title)| Entry { path: entry, title, is_here: *entry == path });
        let session = principal.session();
        Self {
            user: session.map_or_else(|| principal.name().to_owned(), |session| session.user.to_string()),
            role: principal.grant().role,
            csrf: session.map_or_else(String::new, |session| session.csrf.clone()),
            entries: entries.collect(),
            home: if is_for(principal, "/") { "/" } else { "/account" },
            searches: is_for(principal, "/ip"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Whether the page at `path` is for `principal`.
fn is_for(principal: &Principal, path: &str) -> bool {
    PAGES.iter().any(|page| page.path == path && page.method == "get" && page.is_for(principal))
}

/// Something was not done.
#[derive(Template)]
#[template(path = "pages/failure.html")]
pub(super) struct Failure {
    /// Of whoever has signed in.
    pub(super) frame: Option<Frame>,
    pub(super) title: String,
    pub(super) detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_menu_has_pages_of_the_table() {
        for (path, title) in ENTRIES {
            assert!(PAGES.iter().any(|page| page.path == *path && page.method == "get"), "{title}");
        }
    }
}
