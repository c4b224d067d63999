//! `perezvon backfill`: registers calls that were missed. Safe to repeat: a call that is known is not sent again.
//!
//! The calls are put into the store like the poller's; a running service delivers them. When none runs on this store,
//! this command delivers them itself.

mod delivery;
mod dry_run;

use std::{collections::BTreeMap, io::IsTerminal, process::ExitCode, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{CliError, Global, block_on, calls::days, moment::moment};
use crate::{
    edge::{
        clock,
        pbx_database::PbxDatabase,
        recordings::Library,
        store::{CallState, Put, Store},
    },
    logic::call::{self, Call, CallRows, Context, Restarts},
    settings::{Language, Settings},
    text::say,
};
use delivery::deliver;
use dry_run::dry_run;

/// A scan of a table without an index may take its time; a person is waiting and can stop it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Beginning: `2026-11-20`, `"2026-11-20 09:30"`, RFC 3339, `yesterday`, `2h` (ago)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: String,
    /// End, the same forms or `now`
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub to: String,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Only calls this extension took part in
    #[arg(long, value_name = "N")]
    pub extension: Option<String>,
    /// Look again at calls that are known, whatever became of them: what stands in the CRM is mended, not doubled
    #[arg(long)]
    pub again: bool,
}

/// A call of the period, and its rows.
struct Found {
    call: Call,
    rows: CallRows,
}

/// What became of the period.
#[derive(Debug, Default)]
struct Tally {
    found: usize,
    new: usize,
    changed: usize,
    again: usize,
    states: BTreeMap<&'static str, usize>,
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    let (now, zone) = (clock::now(), settings.pbx.timezone);
    let from = moment(&args.from, now, zone).map_err(CliError::usage)?;
    let to = moment(&args.to, now, zone).map_err(CliError::usage)?;
    if from >= to {
        return Err(CliError::usage(format!("--from {} is not before --to {}", args.from, args.to)));
    }
    if settings.pbx.database_url.is_none() {
        return Err(CliError::usage(say(settings.language(), "backfill.no_pbx", &[])));
    }
    let period = Period { settings: Arc::new(settings), args, from, to };
    block_on(async {
        if args.dry_run {
            return dry_run(&period, global.json).await;
        }
        let tally = register(&period).await?;
        print_tally(&period.settings, &tally, global.json);
        let failed = tally.states.get(CallState::Failed.as_str()).copied().unwrap_or(0);
        let connected = !period.settings.amocrm.base_url.is_empty();
        Ok(if failed == 0 && connected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// What is to be filled.
struct Period<'a> {
    settings: Arc<Settings>,
    args: &'a Args,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Period<'_> {
    /// Calls of one day that have ended.
    async fn day(
        &self,
        database: &PbxDatabase,
        context: &Context,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Found>, CliError> {
        let rows = database.calls_between(from, to).await?;
        let mut restarts = Restarts::default();
        restarts.note(rows.iter().flat_map(|rows| &rows.cel), clock::now());
        let found = rows.into_iter().filter_map(|rows| {
            let call = call::fold(&rows, context)?;
            let began_here = call.started_at >= from && call.started_at < to;
            let is_over = self.is_over(&call, &rows) || restarts.cut_off(&rows).is_some();
            let wanted = began_here && is_over && self.took_part(&call);
            wanted.then_some(Found { call, rows })
        });
        Ok(found.collect())
    }

    /// A call that still goes on is the poller's.
    fn is_over(&self, call: &Call, rows: &CallRows) -> bool {
        let (pbx, now) = (&self.settings.pbx, clock::now());
        if rows.cel.is_empty() {
            return call.ended_at + pbx.quiet.chrono() < now;
        }
        call::is_complete(rows) || call.started_at + pbx.max_call.chrono() < now
    }

    fn took_part(&self, call: &Call) -> bool {
        self.args.extension.as_ref().is_none_or(|extension| {
            call.conversations
                .iter()
                .any(|one| one.party == *extension || one.via.as_ref() == Some(extension))
        })
    }

    async fn database(&self) -> Result<PbxDatabase, CliError> {
        Ok(PbxDatabase::connect(&self.settings.pbx).await?.with_patience(PATIENCE))
    }
}

/// Puts the calls into the store, and sees to it that they are delivered.
async fn register(period: &Period<'_>) -> Result<Tally, CliError> {
    let settings = &period.settings;
    let database = period.database().await?;
    let context = Context::from_settings(settings).map_err(CliError::usage)?;
    let store = Store::open(&settings.store.url).await?;
    let library = Arc::new(Library::open(settings, &store).await?);
    let (mut tally, mut ids) = (Tally::default(), Vec::new());
    let bar = bar(settings.language(), "backfill.reading", days(period.from, period.to).count());
    for day in days(period.from, period.to) {
        for Found { call, rows } in period.day(&database, &context, day).await? {
            let rows = store.with_known_rows(rows).await?;
            let mut call = call::fold(&rows, &context).unwrap_or(call);
            library.probe_call(&mut call).await;
            match store.put_call(&call, &rows).await? {
                Put::New => tally.new += 1,
                Put::Changed => tally.changed += 1,
                Put::Same if period.args.again => {
                    store.retry_call(&call.id).await?;
                    tally.again += 1;
                }
                Put::Same => {}
            }
            ids.push(call.id);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    tally.found = ids.len();
    if settings.amocrm.base_url.is_empty() {
        eprintln!("perezvon: {}", say(settings.language(), "backfill.no_crm", &[]));
        tally.states.insert(CallState::Waiting.as_str(), ids.len());
        return Ok(tally);
    }
    deliver(settings, store, library, ids, &mut tally).await?;
    Ok(tally)
}

fn print_tally(settings: &Settings, tally: &Tally, json: bool) {
    let Tally { found, new, changed, again, states } = tally;
    if json {
        println!(
            "{}",
            json!({"found": found, "new": new, "changed": changed, "again": again, "states": states})
        );
        return;
    }
    let count = |state: CallState| states.get(state.as_str()).copied().unwrap_or(0).to_string();
    let values = [
        ("found", found.to_string()),
        ("new", (new + changed + again).to_string()),
        ("registered", count(CallState::Registered)),
        ("skipped", count(CallState::Skipped)),
        ("waiting", count(CallState::Waiting)),
        ("failed", count(CallState::Failed)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    println!("{}", say(settings.language(), "backfill.done", &values));
}

/// A bar on a terminal, nothing elsewhere.
fn bar(language: Language, key: &str, length: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {eta} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let length = u64::try_from(length).unwrap_or_default();
    ProgressBar::new(length).with_style(style).with_prefix(say(language, key, &[]))
}
