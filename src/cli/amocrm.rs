//! `perezvon amocrm`: sign in, status, users, pipelines.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};

use super::{CliError, Global, block_on};
use crate::{
    edge::{
        amocrm::{Amocrm, Failure},
        status::Board,
        store::Store,
    },
    settings::{Language, Settings},
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
    /// Sign in an OAuth integration
    Login {
        /// The code, or the whole address that the browser was sent to; asked for when absent
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
    },
    /// Account and the token's user
    Status,
    /// Users with ids, for `[employees]`
    Users,
    /// Pipelines and statuses with ids, for `[base]`
    Pipelines,
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    block_on(async {
        let store = match &args.command {
            Command::Login { .. } => Store::open(&settings.store.url).await?,
            _ => Store::open_to_look(&settings.store.url).await?,
        };
        let amocrm = Amocrm::new(&settings.amocrm, store, Arc::new(Board::default()))?;
        match &args.command {
            Command::Login { code } => login(&settings, &amocrm, code.as_deref()).await?,
            Command::Status => status(&settings, &amocrm, global.json).await?,
            Command::Users => users(&settings, &amocrm, global.json).await?,
            Command::Pipelines => pipelines(&amocrm, global.json).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn login(settings: &Settings, amocrm: &Amocrm, code: Option<&str>) -> Result<(), CliError> {
    let language = settings.language();
    let state: String = format!("{:016x}", rand::random::<u64>());
    let Some(url) = amocrm.consent_url(&state) else {
        return Err(CliError::usage(say(language, "amocrm.long_lived", &[])));
    };
    match code {
        Some(code) => amocrm.exchange_code(code, None).await?,
        None => {
            println!("{}\n\n  {url}\n", say(language, "amocrm.open", &[]));
            amocrm.exchange_code(&asked(language)?, Some(&state)).await?;
        }
    }
    status(settings, amocrm, false).await
}

/// The code, as a person pastes it.
fn asked(language: Language) -> Result<String, CliError> {
    if !io::stdin().is_terminal() {
        eprintln!("{}", say(language, "amocrm.no_terminal", &[]));
    }
    print!("{} ", say(language, "amocrm.paste", &[]));
    io::stdout().flush()?;
    let mut pasted = String::new();
    io::stdin().lock().read_line(&mut pasted)?;
    Ok(pasted)
}

async fn status(settings: &Settings, amocrm: &Amocrm, json: bool) -> Result<(), CliError> {
    let language = settings.language();
    let account = amocrm.account().await?;
    // Only an administrator's token may list users; that it cannot is worth knowing.
    let user = match amocrm.users().await {
        Ok(users) => users.into_iter().find(|user| user.id == account.current_user),
        Err(Failure::Forbidden(_)) => None,
        Err(failure) => return Err(failure.into()),
    };
    let admin = user.as_ref().is_some_and(|user| user.admin);
    let token_ends = amocrm.token_ends();
    if json {
        let shown = serde_json::json!({
            "account": account,
            "user": user,
            "administrator": admin,
            "sign_in": if amocrm.is_oauth() { "oauth" } else { "long_lived" },
            "token_ends": token_ends,
            "requests_per_second": settings.amocrm.requests_per_second,
        });
        println!("{shown}");
        return Ok(());
    }
    println!("{}  {} ({})", amocrm.base_url(), account.name, account.id);
    let name = user.map_or_else(|| account.current_user.to_string(), |user| user.name);
    let key = if admin { "amocrm.admin" } else { "amocrm.not_admin" };
    println!("{}", say(language, key, &[("user", &name)]));
    if let Some(ends) = token_ends {
        println!("{}", say(language, "amocrm.token_ends", &[("date", &ends.format("%Y-%m-%d").to_string())]));
    }
    Ok(())
}

async fn users(settings: &Settings, amocrm: &Amocrm, json: bool) -> Result<(), CliError> {
    let users = amocrm.users().await?;
    if json {
        println!("{}", serde_json::json!(users));
        return Ok(());
    }
    for user in users {
        let mut extensions: Vec<&str> = Vec::new();
        extensions.extend(
            settings.employees.iter().filter(|entry| entry.1.user == user.id).map(|entry| entry.0.as_str()),
        );
        let state = if user.active { "" } else { "  -" };
        println!("{:>10}  {}  {}  {}{state}", user.id, user.name, user.email, extensions.join(","));
    }
    Ok(())
}

async fn pipelines(amocrm: &Amocrm, json: bool) -> Result<(), CliError> {
    let pipelines = amocrm.pipelines().await?;
    if json {
        println!("{}", serde_json::json!(pipelines));
        return Ok(());
    }
    for pipeline in pipelines {
        println!("{:>10}  {}{}", pipeline.id, pipeline.name, if pipeline.main { "  *" } else { "" });
        for status in pipeline.statuses {
            println!("{:>14}  {}", status.id, status.name);
        }
    }
    Ok(())
}
