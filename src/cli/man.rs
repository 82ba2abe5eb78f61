//! `man`: the manual pages.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, Exit, Global};

/// Print the manual pages, or write each to a file
#[derive(clap::Args)]
pub struct Args {
    /// Write banzone.1, banzone-check.1, ... to this folder
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

impl Args {
    /// Prints or writes them.
    pub(super) fn run(self, _: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match &self.output {
            Some(folder) => clap_mangen::generate_to(Cli::command(), folder)
                .with_context(|| format!("cannot write manual pages to {}", folder.display()))?,
            None => print(&Cli::command(), out)?,
        }
        Ok(Exit::Done)
    }
}

/// One page after the other.
fn print(command: &clap::Command, out: &mut dyn Write) -> std::io::Result<()> {
    let mut command = command.clone();
    command.build();
    pages(&command, out)
}

fn pages(command: &clap::Command, out: &mut dyn Write) -> std::io::Result<()> {
    Man::new(command.clone()).render(out)?;
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    below.into_iter().try_for_each(|below| pages(below, out))
}
