//! `perezvon convert`: one recording to MP3.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// WAV, wav49, .ulaw, .alaw, .sln
    pub input: std::path::PathBuf,
    /// MP3 to write
    pub output: std::path::PathBuf,
}

/// Runs it.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed("not built into this version"))
}
