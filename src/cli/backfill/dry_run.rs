//! `--dry-run`: what each call would do.

use std::{process::ExitCode, sync::Arc};

use serde_json::json;

use super::{Found, Period};
use crate::{
    cli::{CliError, calls::days},
    edge::{
        directory::Directory,
        status::Board,
        store::{CallState, Store},
    },
    logic::{
        call::{Call, Context},
        phone::{Phone, Phones},
        rules::plan::{Company, Facts, Plan, plan},
    },
    settings::Language,
    text::say,
};

/// What each call would do, as far as the directory knows the clients; touches nothing.
pub(super) async fn dry_run(period: &Period<'_>, json: bool) -> Result<ExitCode, CliError> {
    let settings = &period.settings;
    let database = period.database().await?;
    let context = Context::from_settings(settings).map_err(CliError::usage)?;
    let store = Store::open(&settings.store.url).await?;
    let phones = Arc::new(Phones::new(&settings.numbers).map_err(CliError::usage)?);
    let board = Arc::new(Board::default());
    let directory = Directory::open(settings, store.clone(), None, Arc::clone(&phones), board).await?;
    let language = settings.language();
    let company = Company { settings, phones: &phones, active_users: None, language, zone: settings.zone() };
    let mut count = 0;
    for day in days(period.from, period.to) {
        for Found { call, .. } in period.day(&database, &context, day).await? {
            let phone = call.client.as_deref().and_then(Phone::from_canonical);
            let client = phone.and_then(|phone| directory.find(&phone));
            let facts = Facts { call: &call, key: &call.id, client: client.as_ref(), link: None };
            let state = store.call(&call.id).await?.map(|known| known.state);
            println!("{}", would(&call, state, &plan(&facts, &company), language, json));
            count += 1;
        }
    }
    if !json {
        let n = count.to_string();
        println!("{}", say(language, "backfill.would", &[("n", &n)]));
    }
    Ok(ExitCode::SUCCESS)
}

/// One line of the dry run.
fn would(call: &Call, state: Option<CallState>, plan: &Plan, language: Language, json: bool) -> String {
    if json {
        let state = state.map(CallState::as_str);
        return json!({"id": call.id, "client": call.client, "state": state, "plan": plan}).to_string();
    }
    let what = match (state, &plan.skip) {
        (Some(state), _) => say(language, &format!("state.{}", state.as_str()), &[]),
        (None, Some(why)) => why.clone(),
        (None, None) => plan
            .actions
            .iter()
            .map(|planned| say(language, &format!("explain.{}", planned.action.kind()), &[]))
            .collect::<Vec<_>>()
            .join(" + "),
    };
    format!("{}  {}  {what}", call.id, call.client.as_deref().unwrap_or("–"))
}
