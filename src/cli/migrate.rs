//! `perezvon migrate`: brings the store's tables up to date.

use std::process::ExitCode;

use super::{CliError, Global, block_on};
use crate::{edge::store::Store, text::say};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it; safe to repeat, and `serve` does the same when it starts.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    block_on(async {
        Store::open(&settings.store.url).await?;
        Ok(())
    })?;
    let url = settings.store.url.to_string();
    if global.json {
        println!("{}", serde_json::json!({ "store": url, "up_to_date": true }));
    } else {
        println!("{}", say(settings.language(), "migrate.done", &[("url", &url)]));
    }
    Ok(ExitCode::SUCCESS)
}
