//! The filters in the program, so that the binary works alone.

use std::path::{Path, PathBuf};

/// What stands in the place of a folder in the paths of these filters.
const FOLDER: &str = "<in the program>";

macro_rules! shipped {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../filters/", $name, ".toml"))),)*]
    };
}

/// Every file of `filters/`, in order.
const FILTERS: &[(&str, &str)] = shipped![
    "dovecot",
    "exim",
    "exim-probe",
    "postfix-pipelining",
    "postfix-reject",
    "postfix-sasl",
    "postscreen",
    "pure-ftpd",
    "sshd",
    "sshd-pam",
];

/// The text of the filter called `name`.
pub(super) fn text(name: &str) -> Option<&'static str> {
    FILTERS.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

/// Its path in messages.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name).with_added_extension("toml")
}

/// The names in order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|(name, _)| *name)
}
