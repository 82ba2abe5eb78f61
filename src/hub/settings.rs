//! What a reporter is told by the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// To whom this server reports, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the hub is, without the path of its API and without a slash at the end.
    pub url: String,
    /// What it is shown.
    pub token: Token,
    /// Certificates, in a PEM file, one of which vouches for the hub's; absent: those that browsers trust.
    pub ca: Option<PathBuf>,
    /// The jails whose bans and failures are reported.
    pub jails: BTreeSet<Arc<str>>,
    /// So many rows wait for the hub at the most.
    pub max_spooled: u64,
}

/// Where the token is.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// In the configuration.
    Written(String),
    /// In this file, which is read each time, so that another token is taken up without a reload.
    File(PathBuf),
}

/// A token is a secret.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Written(_) => f.write_str("Written(...)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}
