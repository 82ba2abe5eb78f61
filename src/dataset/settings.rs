//! What a data set is told by whoever names it: its files, and what holds where they say nothing.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::{ACL, ACLKEY};

/// A data set and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its type: one that [`is_type`](super::is_type) knows.
    pub kind: String,
    /// Its files in their order; there is one at least.
    pub files: Vec<PathBuf>,
    /// How they are read.
    pub options: Options,
}

impl Settings {
    /// Whether it says what who asks gets, and lists nothing.
    pub fn is_for_askers(&self) -> bool {
        [ACL, ACLKEY].contains(&&*self.kind)
    }

    /// What people know it by: its type and the names of its files.
    pub fn title(&self) -> String {
        let names: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!("{} {}", self.kind, names.join(","))
    }
}

/// How files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Networks may be written with host bits, which are cleared.
    pub clear_host_bits: bool,
    /// The shortest and the longest time to live that files may give, in seconds; what is outside becomes one of them.
    pub ttl: (u32, u32),
    /// The time to live of records for which the files give none, in seconds; `None` is that of the zone.
    pub default_ttl: Option<u32>,
    /// The code of entries without one.
    pub code: Ipv4Addr,
    /// The text of entries without one, in which `$` stands for what is listed, as in files.
    pub text: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clear_host_bits: false,
            ttl: (0, u32::MAX),
            default_ttl: None,
            code: Ipv4Addr::new(127, 0, 0, 2),
            text: None,
        }
    }
}

impl Options {
    /// A time to live of a file as it is used.
    pub fn bounded(&self, ttl: u32) -> u32 {
        ttl.max(self.ttl.0).min(self.ttl.1)
    }
}
