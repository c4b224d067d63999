//! `perezvon settings`: show, check, example, fields.

mod fields;

use std::process::ExitCode;

use serde::Serialize;
use toml::Value;

use super::{CliError, Global};
use crate::{
    settings::{
        Language,
        load::{self, Loaded},
        shown,
    },
    text::say,
};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every value in force, and where it came from; secrets as ***
    Show,
    /// Every fault at once, each with its key and place; exit code 2 on any
    Check,
    /// A commented example with every key, its meaning, default and variable
    Example {
        /// Language of the comments: ru or en [default: the locale's]
        #[arg(long, value_name = "LANGUAGE", value_parser = ["ru", "en"])]
        language: Option<String>,
    },
    /// What templates may say: every field and filter, each with an example
    Fields {
        /// Language of the meanings: ru or en [default: the locale's]
        #[arg(long, value_name = "LANGUAGE", value_parser = ["ru", "en"])]
        language: Option<String>,
    },
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Example { language } => {
            print!("{}", crate::settings::example::example(asked(language.as_deref())));
        }
        Command::Fields { language } => fields::print(asked(language.as_deref()), global.json)?,
        Command::Show => show(&loaded(global)?, global.json)?,
        Command::Check => check(&loaded(global)?, global)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The language named, else the locale's: the settings may not be there yet.
fn asked(language: Option<&str>) -> Language {
    let named = language.and_then(Language::parse);
    named.unwrap_or_else(|| Language::of_locale(|name| std::env::var(name).ok()))
}

fn loaded(global: &Global) -> Result<Loaded, CliError> {
    Ok(load::load_with_origins(global.config_path().as_deref())?)
}

fn show(loaded: &Loaded, json: bool) -> Result<(), CliError> {
    let lines = shown::lines(&loaded.settings, &loaded.origins);
    if json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
        return Ok(());
    }
    let mut section = "";
    for line in &lines {
        let head = line.key.split('.').next().unwrap_or_default();
        if head != section {
            println!("{}[{head}]", if section.is_empty() { "" } else { "\n" });
            section = head;
        }
        let name = line.key.strip_prefix(head).unwrap_or_default().trim_start_matches('.');
        let value = line.value.as_ref().map_or_else(|| "(not set)".to_owned(), Value::to_string);
        let setting = format!("{name} = {value}");
        println!("{setting:<60} # {}", line.origin);
    }
    Ok(())
}

#[derive(Serialize)]
struct Verdict<'a> {
    warnings: &'a [load::Fault],
}

fn check(loaded: &Loaded, global: &Global) -> Result<(), CliError> {
    if global.json {
        println!("{}", serde_json::to_string_pretty(&Verdict { warnings: &loaded.warnings })?);
        return Ok(());
    }
    for warning in &loaded.warnings {
        println!("{}: {warning}", say(loaded.language, "check.warning", &[]));
    }
    let place = global
        .config_path()
        .map_or_else(|| say(loaded.language, "settings.no_file", &[]), |path| path.display().to_string());
    println!("{}", say(loaded.language, "settings.good", &[("place", &place)]));
    Ok(())
}
