//! `perezvon directory`: the local mirror of the CRM's phone numbers.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read everything from the CRM anew
    Sync,
    /// What stands under a number
    Show {
        /// The number, in any spelling
        number: String,
    },
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed(format!("{:?} is not built into this version", args.command)))
}
