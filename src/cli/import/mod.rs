//! `import`: takes over what another program knows.
//!
//! A new kind is a file with its `Args` and a line in the table below.

mod fail2ban;

use std::io::Write;

use super::{Exit, Global};

/// Take over what another program knows
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    Fail2ban(fail2ban::Args),
}

impl Args {
    /// Takes it over and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.kind {
            Kind::Fail2ban(args) => args.run(global, out),
        }
    }
}
