//! `perezvon demo`: a sandbox amoCRM, a sandbox PBX and the real service between them.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many times faster than life
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub speed: f64,
    /// How many calls, then only what is still under way; absent means until Ctrl-C
    #[arg(long, value_name = "N")]
    pub calls: Option<usize>,
    /// Folder to keep everything in; absent means a temporary one
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<std::path::PathBuf>,
}

/// Runs it.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed("not built into this version"))
}
