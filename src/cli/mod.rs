//! One file a subcommand: argv → exit code.
//!
//! Each subcommand has `Args` and `run(args, &Global)`. What fails is printed as a chain of plain sentences;
//! exit codes are 0 done, 1 failed, 2 bad usage or settings.

pub mod amocrm;
pub mod backfill;
pub mod calls;
pub mod check;
mod completions;
pub mod convert;
pub mod demo;
pub mod dialplan;
pub mod directory;
mod error;
pub mod explain;
mod log;
pub mod lookup;
mod man;
pub mod migrate;
pub mod moment;
pub mod serve;
pub mod settings;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};

pub use error::CliError;
pub use log::LogFormat;

use crate::settings::{Settings, load};

/// Where settings are looked for when `--config` is absent; the first that exists.
pub const CONFIG_PLACES: [&str; 2] = ["/etc/perezvon/perezvon.toml", "perezvon.toml"];

/// Options of every subcommand.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Settings file [default: /etc/perezvon/perezvon.toml, else ./perezvon.toml]
    #[arg(long, global = true, value_name = "FILE", env = "PEREZVON_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Print facts as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Logs on standard error: human or json; PEREZVON_LOG=debug for more
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human", env = "PEREZVON_LOG_FORMAT")]
    #[arg(hide_env = true, hide_default_value = true, hide_possible_values = true)]
    pub log: LogFormat,
}

impl Global {
    /// Settings from the file and the environment; a fault ends in exit code 2.
    pub fn settings(&self) -> Result<Settings, CliError> {
        Ok(load::load(self.config_path().as_deref())?)
    }

    /// The settings file: the one named, else the first of the usual places that exists, else none.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.config
            .clone()
            .or_else(|| CONFIG_PLACES.iter().map(PathBuf::from).find(|place| Path::exists(place)))
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "perezvon",
    version,
    about = "Ties a company's own Asterisk to amoCRM (Kommo)",
    help_template = include_str!("help.txt"),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything the settings enable, in the foreground
    Serve(serve::Args),
    /// Try it: a pretend PBX, a pretend amoCRM and the real service between them
    Demo(demo::Args),
    /// The doctor: look at every part and say what to do
    Check(check::Args),
    /// Calls of a period, straight from Asterisk's tables; touches nothing
    Calls(calls::Args),
    /// Register calls of a period that were missed; safe to repeat
    Backfill(backfill::Args),
    /// What the dialplan would be told about a number, and why
    Lookup(lookup::Args),
    /// One call: rows, conversations, decisions, requests and answers
    Explain(explain::Args),
    /// The include file for Asterisk's dialplan, with this installation's address
    Dialplan(dialplan::Args),
    /// One recording to MP3
    Convert(convert::Args),
    /// The local mirror of the CRM's phone numbers
    Directory(directory::Args),
    /// Sign in to amoCRM; look at users and pipelines
    Amocrm(amocrm::Args),
    /// Show, check, or print an example of the settings; fields of templates
    Settings(settings::Args),
    /// Bring the store's tables up to date
    Migrate(migrate::Args),
    /// Completions for a shell
    Completions(completions::Args),
    /// The manual page
    Man(man::Args),
}

impl Command {
    /// How much is logged by default. Commands that answer one question say all there is to say themselves: the
    /// same in a log line above the answer only hides it.
    fn log_level(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            Self::Demo(_) => "warn",
            // Between its lines stands a progress bar; what failed is in the sum.
            Self::Backfill(_) => "error",
            _ => "off",
        }
    }
}

/// Parses argv, runs the subcommand, prints the error chain.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.global.log, cli.command.log_level());
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(cli.command, &cli.global) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("perezvon: {error}");
            error.exit_code()
        }
    }
}

fn run(command: Command, global: &Global) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve(args) => serve::run(&args, global),
        Command::Demo(args) => demo::run(&args, global),
        Command::Check(args) => check::run(&args, global),
        Command::Calls(args) => calls::run(&args, global),
        Command::Backfill(args) => backfill::run(&args, global),
        Command::Lookup(args) => lookup::run(&args, global),
        Command::Explain(args) => explain::run(&args, global),
        Command::Dialplan(args) => dialplan::run(&args, global),
        Command::Convert(args) => convert::run(&args, global),
        Command::Directory(args) => directory::run(&args, global),
        Command::Amocrm(args) => amocrm::run(&args, global),
        Command::Settings(args) => settings::run(&args, global),
        Command::Migrate(args) => migrate::run(&args, global),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Runs a future on a multi-thread runtime, which migrations and the SQLite store need.
pub fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

/// The whole command tree, for completions and the manual page.
fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_contradiction() {
        command().debug_assert();
    }

    #[test]
    fn the_first_screen_names_every_subcommand() {
        let screen = include_str!("help.txt");
        for subcommand in command().get_subcommands() {
            let name = subcommand.get_name();
            assert!(screen.contains(&format!("\n  {name} ")), "help.txt does not name {name}");
        }
    }
}
