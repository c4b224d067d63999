//! `perezvon backfill`: registers calls that were missed.

use std::process::ExitCode;

use super::{CliError, Global};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Beginning: `2026-11-20`, `2026-11-20 09:30`, RFC 3339, `yesterday`, `2h` (ago)
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// End, the same forms or `now`
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub to: String,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Only calls this extension took part in
    #[arg(long, value_name = "N")]
    pub extension: Option<String>,
    /// Also calls that are registered or skipped already
    #[arg(long)]
    pub again: bool,
}

/// Runs it.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed("not built into this version"))
}
