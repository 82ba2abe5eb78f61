//! What the store is told by the configuration.

use std::path::PathBuf;
use std::time::Duration;

/// Where the database is and how long it remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The SQLite file; its folder is made if it is missing.
    pub path: PathBuf,
    /// How long the lines that led to a ban are kept after its end.
    pub evidence_retention: Duration,
    /// How long a ban that ended is remembered.
    pub history_retention: Duration,
}
