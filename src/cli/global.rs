//! What every subcommand understands.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::client::Client;
use super::table;
use crate::config::{self, Glance};

/// The options that may stand before or behind every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The configuration's main file
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = config::PATH_VARIABLE,
        default_value = config::DEFAULT_PATH
    )]
    pub config: PathBuf,
    /// The daemon's control socket, instead of the one in the configuration
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Leave out messages that are no errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Global {
    /// Writes a message that is no error.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            complain(message);
        }
    }

    /// Writes `value` as JSON.
    pub fn json(&self, value: &impl Serialize, out: &mut dyn Write) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&mut *out, value).map_err(std::io::Error::from)?;
        writeln!(out)?;
        Ok(())
    }

    /// Writes what was asked for: as JSON, or `rows` of it below `head`.
    pub(super) fn rows<const N: usize>(
        &self,
        answer: &impl Serialize,
        head: [&str; N],
        rows: &[[String; N]],
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        if self.json {
            return self.json(answer, out);
        }
        Ok(table::write(head, rows, out)?)
    }

    /// Says what was done, with the answer to the order where JSON is asked for.
    pub(super) fn done(
        &self,
        answer: &impl Serialize,
        message: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        if self.json {
            self.json(answer, out)?;
        }
        self.note(message);
        Ok(())
    }

    /// The client of the daemon.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => self.glance()?.socket,
        };
        Ok(Client::new(socket))
    }

    /// What the configuration's main file says; without one at the default place, the defaults.
    pub(super) fn glance(&self) -> anyhow::Result<Glance> {
        if self.config == Path::new(config::DEFAULT_PATH) && !self.config.exists() {
            return Ok(Glance::default());
        }
        Ok(config::glance(&self.config)?)
    }
}

/// Writes a message; nobody may be reading, and that is no reason to panic.
pub(super) fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
