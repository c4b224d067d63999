//! `perezvon serve`: everything the settings enable, in the foreground.

use std::process::ExitCode;

use super::{CliError, Global, block_on};
use crate::serve;

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs until SIGTERM or Ctrl-C.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    block_on(async {
        serve::run(settings).await?;
        Ok(ExitCode::SUCCESS)
    })
}
