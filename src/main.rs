//! The `banzone` program: runs a subcommand and turns its outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    banzone::cli::main()
}
