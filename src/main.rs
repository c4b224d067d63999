//! argv to exit code: 0 done, 1 failed, 2 bad usage or settings.

use std::process::ExitCode;

fn main() -> ExitCode {
    perezvon::cli::main()
}
