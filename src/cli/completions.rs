//! `completions`: what a shell needs to complete the command line.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, Global};

/// Print the completions for a shell
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    /// Prints them.
    pub(super) fn run(self, _: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        // The generator panics when writing fails, so it writes to memory.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "banzone", &mut text);
        out.write_all(&text)?;
        Ok(Exit::Done)
    }
}
