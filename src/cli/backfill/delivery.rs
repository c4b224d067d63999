//! Delivery of a period's calls: by a running service, or by this command itself.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Tally, bar};
use crate::{
    cli::CliError,
    edge::{
        amocrm::Amocrm,
        directory::Directory,
        recordings::Library,
        registrar::{self, Registrar},
        status::Board,
        store::{CallState, Store},
    },
    logic::phone::Phones,
    settings::Settings,
};

/// Calls that are looked after at a time; they are delivered in order.
const MOST_WATCHED: usize = 2_000;

/// Delivers, or watches the running service deliver.
pub(super) async fn deliver(
    settings: &Arc<Settings>,
    store: Store,
    library: Arc<Library>,
    ids: Vec<String>,
    tally: &mut Tally,
) -> Result<(), CliError> {
    let stop = CancellationToken::new();
    let parts = parts(settings, store.clone(), library).await?;
    let sync = tokio::spawn(Arc::clone(&parts.directory).run_sync(stop.clone()));
    let wake = Arc::new(Notify::new());
    let delivery = tokio::spawn(Registrar::new(parts).run(wake, stop.clone()));
    let watched = watch(settings, &store, ids, tally).await;
    stop.cancel();
    let _ = tokio::join!(sync, delivery);
    watched
}

async fn parts(
    settings: &Arc<Settings>,
    store: Store,
    library: Arc<Library>,
) -> Result<registrar::Parts, CliError> {
    let board = Arc::new(Board::default());
    let phones = Arc::new(Phones::new(&settings.numbers).map_err(CliError::usage)?);
    let amocrm = match settings.amocrm.base_url.is_empty() {
        true => None,
        false => Some(Amocrm::new(&settings.amocrm, store.clone(), Arc::clone(&board))?),
    };
    let directory =
        Directory::open(settings, store.clone(), amocrm.clone(), Arc::clone(&phones), Arc::clone(&board))
            .await?;
    Ok(registrar::Parts {
        settings: Arc::clone(settings),
        store,
        amocrm,
        directory,
        library,
        phones,
        board,
        language: settings.language(),
    })
}

/// Until no call waits for the CRM any more, or a person stops it; the rest is delivered at the next start.
async fn watch(
    settings: &Settings,
    store: &Store,
    mut waiting: Vec<String>,
    tally: &mut Tally,
) -> Result<(), CliError> {
    let bar = bar(settings.language(), "backfill.delivering", waiting.len());
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    loop {
        let looked_at = waiting.len().min(MOST_WATCHED);
        let states = store.states_of(&waiting[..looked_at]).await?;
        let mut why = String::new();
        waiting.retain(|id| match states.get(id) {
            Some((CallState::Waiting, reason)) => {
                if why.is_empty() {
                    why.clone_from(reason);
                }
                true
            }
            Some((state, _)) => {
                *tally.states.entry(state.as_str()).or_default() += 1;
                bar.inc(1);
                false
            }
            None => true,
        });
        bar.set_message(why);
        if waiting.is_empty() {
            break;
        }
        tokio::select! {
            _ = &mut interrupt => break,
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
        }
    }
    if !waiting.is_empty() {
        tally.states.insert(CallState::Waiting.as_str(), waiting.len());
    }
    bar.finish_and_clear();
    Ok(())
}
