//! `perezvon serve`: everything the settings enable, in the foreground.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs until SIGTERM or Ctrl-C.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed("not built into this version"))
}
