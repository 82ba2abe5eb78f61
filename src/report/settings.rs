//! What reports are told by the configuration.

use std::path::PathBuf;

/// Where it is written to whom addresses belong. What is not there is not known, and no error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Files that know the countries: MMDB, or text as Debian's `tor-geoipdb` has it.
    pub countries: Vec<PathBuf>,
    /// Files that know the networks (autonomous systems): MMDB.
    pub networks: Vec<PathBuf>,
}
