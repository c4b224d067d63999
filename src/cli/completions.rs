//! `perezvon completions SHELL`.

use std::process::ExitCode;

use super::CliError;

/// Which shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Shell to print for
    shell: clap_complete::Shell,
}

/// Prints the script; source it, or put it where the shell looks.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    clap_complete::generate(args.shell, &mut super::command(), "perezvon", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
