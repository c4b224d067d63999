//! `perezvon explain`: rows, conversations, decisions and requests of one call.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Any linkedid of the call
    pub call: String,
}

/// Runs it.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed("not built into this version"))
}
