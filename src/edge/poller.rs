//! New rows → finished calls → the store.
//!
//! Rows are written when a leg ENDS, so nothing here trusts `calldate`. What a table offers decides how it is read:
//!
//! | table | how | cost |
//! |---|---|---|
//! | `cel` with a growing key (FreePBX, SQLite) | rows after the last key; gaps are looked at again for some seconds | new rows |
//! | `cdr` with a growing key (SQLite, some vendors) | the same | new rows |
//! | `cdr` without one (FreePBX) | by the channels of a call that CEL saw end; beneath it sweeps over the time, with a set of rows seen | calls of the window |
//!
//! [`OpenCalls`](crate::logic::call::OpenCalls) says when a call is complete; all its rows are then read once more, so that what was missed, doubled or
//! late does not matter. The place in the tables is kept at the oldest call still open, and storing a call twice changes
//! nothing: a restart at any instant neither loses nor doubles.

mod intake;
mod place;
mod sweeps;
mod tail;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    pbx_database::{PbxDatabase, PbxError},
    recordings::Library,
    status::{Board, Health},
    store::{Store, StoreError},
};
use crate::logic::call::Context;

use intake::Intake;

/// The longest wait after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a round did not end well.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Pbx(#[from] PbxError),
    #[error("finished calls wait for the store: {0}")]
    Store(#[from] StoreError),
}

/// Where calls go once they are understood.
struct Target {
    store: Store,
    context: Arc<Context>,
    library: Arc<Library>,
    wake: Arc<Notify>,
}

/// Polls until told to stop; says how it is as part `pbx` of the board, and wakes the registrar when a call was stored.
/// Never fails: a database that is down is asked again, slower and slower.
pub async fn run(
    database: PbxDatabase,
    store: Store,
    context: Arc<Context>,
    library: Arc<Library>,
    board: Arc<Board>,
    wake: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut intake = Intake::new(database, Target { store, context, library, wake });
    let mut failures = 0;
    loop {
        // A round that is cut short was kept nowhere: the next start reads the same rows again.
        let round = tokio::select! {
            () = stop.cancelled() => return,
            round = intake.round() => round,
        };
        let pause = match round {
            Ok(pause) => {
                failures = 0;
                board.say("pbx", Health::Ok, intake.describe());
                pause
            }
            Err(trouble) => {
                board.say("pbx", Health::Fault, trouble.to_string());
                failures += 1;
                Duration::from_millis(500).saturating_mul(1 << failures.min(8)).min(LONGEST_PAUSE)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
