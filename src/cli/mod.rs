//! One file a subcommand: argv → exit code.

use std::process::ExitCode;

/// Parses argv, runs the subcommand, prints the error chain.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
