//! `perezvon check`: the doctor.

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use super::{CliError, Global, block_on};
use crate::{
    edge::{
        doctor::{Finding, examine},
        status::Health,
    },
    settings::{Language, load},
    text::say,
};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it: each line as soon as it is known; 1 on a fault.
pub fn run(_args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let loaded = load::load_with_origins(global.config_path().as_deref())?;
    let language = loaded.language;
    let colours = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut tell = |finding: &Finding| {
        if !global.json {
            print!("{}", line(finding, language, colours));
        }
    };
    let findings = block_on(async { Ok(examine(&loaded, &mut tell).await) })?;
    let count = |health| findings.iter().filter(|finding| finding.health == health).count();
    let (faults, warnings) = (count(Health::Fault), count(Health::Warning));
    if global.json {
        let facts = serde_json::json!({ "findings": findings, "faults": faults, "warnings": warnings });
        println!("{}", serde_json::to_string_pretty(&facts)?);
    } else {
        let (faults, warnings) = (faults.to_string(), warnings.to_string());
        println!("\n{}", say(language, "check.sum", &[("faults", &faults), ("warnings", &warnings)]));
    }
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn line(finding: &Finding, language: Language, colours: bool) -> String {
    let (key, colour) = match finding.health {
        Health::Ok => ("check.word.ok", "32"),
        Health::Off => ("check.word.off", "2"),
        Health::Warning => ("check.word.warning", "33"),
        Health::Fault => ("check.word.fault", "1;31"),
    };
    let word = say(language, key, &[]);
    let padding = " ".repeat(10_usize.saturating_sub(word.chars().count()));
    let word = if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word };
    let mut text = format!("{word}{padding}{:<11}{}\n", finding.part, finding.text);
    if !finding.advice.is_empty() {
        text += &format!("{:21}→ {}\n", "", finding.advice);
    }
    text
}
