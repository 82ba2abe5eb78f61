//! What stands around every page: where one is, where else one may go, and who one is.

use askama::Template;

use crate::access::{Permission, Principal, Role};
use crate::http::routes::Reach;

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

/// What the menu has, who sees it, and whether it is about all jails and zones.
const ENTRIES: &[(&str, &str, Permission, Reach)] = &[
    ("/", "Overview", Permission::Read, Reach::Own),
    ("/bans", "Bans", Permission::Read, Reach::Own),
    ("/networks", "Networks", Permission::Read, Reach::Own),
    ("/jails", "Jails", Permission::Read, Reach::Own),
    ("/reporters", "Reporters", Permission::Read, Reach::Whole),
    ("/allow", "Allowlist", Permission::Read, Reach::Whole),
    ("/zones", "Zones", Permission::Read, Reach::Own),
    ("/requests", "Requests", Permission::Operate, Reach::Whole),
    ("/users", "Users", Permission::Administer, Reach::Whole),
    ("/tokens", "Tokens", Permission::Administer, Reach::Whole),
    ("/audit", "Audit", Permission::Administer, Reach::Whole),
    ("/health", "Health", Permission::Read, Reach::Own),
];

impl Frame {
    /// The frame for `principal`, who is at `path`.
    pub(super) fn of(principal: &Principal, path: &str) -> Self {
        let is_confined = principal.grant().is_confined();
        let own = ENTRIES
            .iter()
            .filter(|(_, _, needs, reach)| principal.may(*needs) && !(is_confined && *reach == Reach::Whole));
        let entries = own.map(|(entry, title, ..)| Entry { path: entry, title, is_here: *entry == path });
        let session = principal.session();
        Self {
            user: session.map_or_else(|| principal.name().to_owned(), |session| session.user.to_string()),
            role: principal.grant().role,
            csrf: session.map_or_else(String::new, |session| session.csrf.clone()),
            entries: entries.collect(),
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
