//! `perezvon lookup`: what the dialplan would be told about a number, and why.

use std::{process::ExitCode, sync::Arc, time::Instant};

use super::{CliError, Global, block_on};
use crate::{
    edge::{
        amocrm::Amocrm,
        directory::Directory,
        routing::{Caller, Routing},
        status::Board,
        store::Store,
    },
    logic::{phone::Phones, rules::route::Route},
    settings::{Language, Settings},
    text::say,
};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number, in any spelling
    pub number: String,
    /// Company number that was dialled
    #[arg(long, value_name = "N")]
    pub did: Option<String>,
}

/// What was found out.
struct Finding {
    caller: Caller,
    route: Route,
    from_memory: bool,
    micros: u128,
}

/// Runs it: the same decision, directory and budget as a ringing phone has.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = Arc::new(global.settings()?);
    let finding = block_on(find(args, Arc::clone(&settings)))?;
    if global.json {
        println!("{}", as_json(args, &finding));
    } else {
        print!("{}", as_text(settings.language(), &finding));
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(args: &Args, settings: Arc<Settings>) -> Result<Finding, CliError> {
    let phones = Arc::new(Phones::new(&settings.numbers).map_err(CliError::usage)?);
    let store = Store::open_to_look(&settings.store.url).await?;
    let board = Arc::new(Board::default());
    let amocrm = if settings.amocrm.base_url.is_empty() {
        None
    } else {
        Some(Amocrm::new(&settings.amocrm, store.clone(), Arc::clone(&board))?)
    };
    let directory = Directory::open(&settings, store, amocrm, Arc::clone(&phones), board).await?;
    let routing = Routing::new(Arc::clone(&settings), phones, directory);
    let asked_at = Instant::now();
    let caller = routing.caller(Some(&args.number));
    let known = routing.from_memory(&caller);
    let from_memory = known.is_some();
    let route = match known {
        Some(route) => route,
        None => routing.answer(&caller, settings.agi.deadline.0).await,
    };
    Ok(Finding { caller, route, from_memory, micros: asked_at.elapsed().as_micros() })
}

fn as_json(args: &Args, finding: &Finding) -> serde_json::Value {
    let phone = match &finding.caller {
        Caller::Outside(phone) => Some(phone.as_str()),
        _ => None,
    };
    serde_json::json!({
        "asked": args.number,
        "did": args.did,
        "phone": phone,
        "status": finding.route.status,
        "name": finding.route.name,
        "exten": finding.route.exten,
        "responsible": finding.route.responsible,
        "entity": finding.route.entity,
        "reason": finding.route.reason,
        "source": if finding.from_memory { "directory" } else { "crm" },
        "microseconds": finding.micros,
    })
}

fn as_text(language: Language, finding: &Finding) -> String {
    let read = match &finding.caller {
        Caller::Outside(phone) => phone.as_str(),
        _ => "-",
    };
    let Route { status, name, exten, responsible, entity, reason } = &finding.route;
    let source = if finding.from_memory { "lookup.from_directory" } else { "lookup.from_crm" };
    let micros = finding.micros.to_string();
    let facts = [
        (say(language, "lookup.number", &[]), read.to_owned()),
        ("CRM_STATUS".to_owned(), status.as_str().to_owned()),
        ("CRM_NAME".to_owned(), name.clone()),
        ("CRM_EXTEN".to_owned(), exten.clone()),
        ("CRM_RESPONSIBLE".to_owned(), responsible.clone()),
        ("CRM_ENTITY".to_owned(), entity.clone()),
        (say(language, "lookup.why", &[]), reason.clone()),
        (say(language, "lookup.from", &[]), say(language, source, &[("micros", &micros)])),
    ];
    facts
        .iter()
        .map(|(name, value)| {
            let gap = 17_usize.saturating_sub(name.chars().count());
            format!("{name}{:gap$}{value}", "").trim_end().to_owned() + "\n"
        })
        .collect()
}
