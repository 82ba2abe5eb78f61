//! `reload`: the daemon reads its configuration again.

use std::io::Write;

use super::printable::printable;
use super::{Exit, Global};
use crate::http::api::Reloaded;

/// Make the daemon read its configuration again
///
/// If there is an error in it, the errors are shown and everything stays as it is. Otherwise what needs a person is shown, such
/// as keys that take a restart, and data sets whose files are damaged.
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    /// Orders and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let reloaded: Reloaded = global.client()?.post("/reload", &())?;
        if global.json {
            global.json(&reloaded, out)?;
        }
        global.note("the new configuration is in force");
        reloaded.warnings.iter().for_each(|warning| global.note(&printable(&format!("warning: {warning}"))));
        Ok(Exit::Done)
    }
}
