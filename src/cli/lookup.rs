//! `perezvon lookup`: what the dialplan would be told about a number.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number, in any spelling
    pub number: String,
    /// Company number that was dialled
    #[arg(long, value_name = "N")]
    pub did: Option<String>,
}

/// Runs it.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed("not built into this version"))
}
