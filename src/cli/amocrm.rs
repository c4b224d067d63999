//! `perezvon amocrm`: sign in, users, pipelines.

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
    /// Sign in an OAuth integration
    Login,
    /// Account, token, rights, pace
    Status,
    /// Users with ids, for [employees]
    Users,
    /// Pipelines and statuses with ids, for [base]
    Pipelines,
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let _settings = global.settings()?;
    Err(CliError::failed(format!("{:?} is not built into this version", args.command)))
}
