//! `perezvon man`: the manual page.

use std::{path::PathBuf, process::ExitCode};

use super::CliError;

/// Where to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for one page a subcommand; absent prints the main page
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Prints the page, or writes all of them.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            clap_mangen::generate_to(super::command(), folder)?;
        }
        None => clap_mangen::Man::new(super::command()).render(&mut std::io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}
