//! What stands around every page: where one is, where else one may go, and who one is.

use askama::Template;

use crate::access::{Permission, Principal, Role};

/// The frame of a page for whoever has signed in.
pub(super) struct Frame {
    /// Who they are.
    pub(super) user: String,
    pub(super) role: Role,
    /// For forms.
    pub(super) csrf: String,
    /// The pages they may see.
    pub(super) entries: Vec<Entry>,
    pub(super) version: &'static str,
}

/// A page that can be gone to.
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    pub(super) is_here: bool,
}

/// What the menu has, and who sees it.
const ENTRIES: &[(&str, &str, Permission)] =
    &[("/", "Overview", Permission::Read), ("/bans", "Bans", Permission::Read)];

impl Frame {
    /// The frame for `principal`, who is at `path`.
    pub(super) fn of(principal: &Principal, path: &str) -> Self {
        let may = |needs: Permission| principal.may(needs);
        let entry = |(entry, title, _): &(&'static str, &'static str, Permission)| Entry {
            path: entry,
            title,
            is_here: *entry == path,
        };
        let session = principal.session();
        Self {
            user: session.map_or_else(|| principal.name().to_owned(), |session| session.user.to_string()),
            role: principal.grant().role,
            csrf: session.map_or_else(String::new, |session| session.csrf.clone()),
            entries: ENTRIES.iter().filter(|(_, _, needs)| may(*needs)).map(entry).collect(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
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
