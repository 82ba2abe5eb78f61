//! `reload`: the daemon reads its configuration again.

use std::io::Write;

use super::{Exit, Global};
use crate::http::api::Reloaded;

/// Make the daemon read its configuration again
///
/// If there is an error in it, the errors are shown and everything stays as it is.
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
        Ok(Exit::Done)
    }
}
