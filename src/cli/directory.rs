//! `perezvon directory`: the local mirror of the CRM's phone numbers.

use std::{process::ExitCode, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, Global, block_on};
use crate::{
    edge::{
        amocrm::{Amocrm, Failure},
        directory::{Directory, Progress},
        status::Board,
        store::Store,
    },
    logic::{
        directory::{Counts, EntityKind, Known},
        phone::{Phone, Phones},
    },
    settings::{Language, Settings},
    text::say,
};

/// How long `show` waits for the CRM about a number that is not in the directory.
const PATIENCE: Duration = Duration::from_secs(20);

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read everything from the CRM anew
    Sync,
    /// Every card with a number, the one that calls go to first
    Show {
        /// The number, in any spelling
        number: String,
    },
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    match &args.command {
        Command::Sync => sync(&settings, global.json),
        Command::Show { number } => show(&settings, number, global.json),
    }
}

async fn open(settings: &Settings, phones: &Arc<Phones>, store: Store) -> Result<Arc<Directory>, CliError> {
    let board = Arc::new(Board::default());
    let amocrm = match Amocrm::new(&settings.amocrm, store.clone(), Arc::clone(&board)) {
        Ok(amocrm) => Some(amocrm),
        // What is kept can be looked at without an account.
        Err(Failure::NotConnected(_)) if settings.amocrm.base_url.is_empty() => None,
        Err(failure) => return Err(failure.into()),
    };
    Ok(Directory::open(settings, store, amocrm, Arc::clone(phones), board).await?)
}

fn sync(settings: &Settings, json: bool) -> Result<ExitCode, CliError> {
    let language = settings.language();
    let phones = Arc::new(Phones::new(&settings.numbers).map_err(CliError::usage)?);
    let counts = block_on(async {
        let directory = open(settings, &phones, Store::open(&settings.store.url).await?).await?;
        // How many there are in all, amoCRM does not say: what is known from before is the best guess.
        let bar = ProgressBar::new_spinner().with_style(style());
        bar.enable_steady_tick(Duration::from_millis(200));
        directory.sync_now(&|progress| bar.set_message(line(language, progress))).await?;
        bar.finish_and_clear();
        Ok(directory.counts())
    })?;
    if json {
        println!("{}", serde_json::json!(counts));
    } else {
        println!("{}", summary(language, counts));
    }
    Ok(ExitCode::SUCCESS)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn line(language: Language, progress: Progress) -> String {
    let key = format!("directory.read_{}", progress.what);
    say(language, &key, &[("n", &progress.read.to_string())])
}

fn summary(language: Language, counts: Counts) -> String {
    let values = [
        ("contacts", counts.contacts.to_string()),
        ("companies", counts.companies.to_string()),
        ("phones", counts.phones.to_string()),
        ("leads", counts.leads.to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    say(language, "directory.synced", &values)
}

fn show(settings: &Settings, number: &str, json: bool) -> Result<ExitCode, CliError> {
    let language = settings.language();
    let phones = Arc::new(Phones::new(&settings.numbers).map_err(CliError::usage)?);
    let Some(phone) = phones.canonical(number) else {
        return Err(CliError::usage(say(language, "directory.no_number", &[("number", number)])));
    };
    let (directory, asked) = block_on(async {
        let store = Store::open_to_look(&settings.store.url).await?;
        let directory = open(settings, &phones, store).await?;
        let asked = directory.find(&phone).is_none() && !settings.amocrm.base_url.is_empty();
        if asked {
            directory.lookup_again(&phone, PATIENCE).await?;
        }
        Ok((directory, asked))
    })?;
    let cards = directory.all(&phone);
    if json {
        let shown = serde_json::json!({
            "phone": phone,
            "source": if asked { "crm" } else { "directory" },
            "cards": cards,
        });
        println!("{shown}");
    } else {
        print!("{}", as_text(language, &phone, &directory, &cards));
    }
    Ok(if cards.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_text(language: Language, phone: &Phone, directory: &Directory, cards: &[Known]) -> String {
    let mut text = format!("{}\n", phone.as_str());
    if cards.is_empty() {
        text += &format!("  {}\n", say(language, "directory.nobody", &[]));
    }
    for (place, card) in cards.iter().enumerate() {
        let chosen = if place == 0 { "*" } else { " " };
        let kind = match card.kind {
            EntityKind::Contact => "contact",
            EntityKind::Company => "company",
        };
        let owner = user(directory, card.responsible);
        text += &format!("{chosen} {kind}/{}  {}  {owner}  {}\n", card.id, card.name, card.phones.join(" "));
        for lead in &card.leads {
            let values = [("id", lead.id.to_string()), ("user", user(directory, lead.responsible))];
            let values: Vec<(&str, &str)> =
                values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            text += &format!("    {}\n", say(language, "directory.lead", &values));
        }
    }
    text
}

fn user(directory: &Directory, id: u64) -> String {
    directory.user(id).map_or_else(|| id.to_string(), |user| format!("{} ({id})", user.name))
}
