//! TCP listener → one task a call → [`crate::logic::agi`].
//!
//! Runs on a thread of its own: one thread is faster than two for so short a job, and a database call that blocks a
//! worker of the main runtime keeps no caller waiting. Live look-ups run on the main runtime, and go on when the
//! caller's patience is over, so that the next call finds their answer.

mod session;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Handle},
    sync::{Semaphore, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    routing::Routing,
    status::{Board, Health},
};

/// Callers that may connect while we are busy accepting; tokio's own 128 makes some wait a whole second.
const BACKLOG: u32 = 4096;
/// After [`TcpListener::accept`] failed: out of file descriptors, mostly.
const AFTER_ACCEPT_FAILED: Duration = Duration::from_millis(50);
/// At the stop: how long answered sessions may take to read Asterisk's replies.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// Listens where `[agi] listen` says, with a backlog for a burst of calls.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers calls until `stop`, then finishes those it has; says how it goes on the board as `agi`.
pub async fn run(listener: TcpListener, routing: Arc<Routing>, board: Arc<Board>, stop: CancellationToken) {
    let address = listener.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
    let lookups = Handle::current();
    let (ended, end) = oneshot::channel();
    let started = listener.into_std().and_then(|listener| {
        std::thread::Builder::new().name("fastagi".to_owned()).spawn(move || {
            let _ = ended.send(on_own_thread(listener, routing, lookups, stop));
        })
    });
    if let Err(error) = started {
        return board.say("agi", Health::Fault, format!("FastAGI could not start: {error}"));
    }
    board.say("agi", Health::Ok, format!("FastAGI answers on {address}"));
    match end.await {
        Ok(Ok(())) => board.say("agi", Health::Off, "FastAGI has stopped"),
        Ok(Err(error)) => board.say("agi", Health::Fault, format!("FastAGI could not start: {error}")),
        Err(_) => {
            board.say("agi", Health::Fault, "FastAGI has died; restart the service and send us its log")
        }
    }
}

fn on_own_thread(
    listener: std::net::TcpListener,
    routing: Arc<Routing>,
    lookups: Handle,
    stop: CancellationToken,
) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        accept(listener, routing, lookups, stop).await;
        Ok(())
    })
}

async fn accept(listener: TcpListener, routing: Arc<Routing>, lookups: Handle, stop: CancellationToken) {
    let settings = &routing.settings().agi;
    let limit = settings.deadline.0;
    let free = Arc::new(Semaphore::new(settings.max_sessions));
    // Over the limit there is nothing to find out: a caller turned away costs a task and two buffers.
    let turned_away = Arc::new(Semaphore::new(settings.max_sessions.max(BACKLOG as usize)));
    let tasks = TaskTracker::new();
    let mut crowded = false;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(
                    "FastAGI cannot accept a connection: {error}; raise LimitNOFILE when files ran out"
                );
                tokio::time::sleep(AFTER_ACCEPT_FAILED).await;
                continue;
            }
        };
        let opened = Instant::now();
        if !settings.may_ask(peer.ip()) {
            tracing::warn!("{peer} asked over FastAGI and is not in [agi] allow");
            continue;
        }
        // Without it the answer would wait for the acknowledgement of what came before.
        let _ = stream.set_nodelay(true);
        if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            crowded = false;
            let visit =
                session::Visit { routing: Arc::clone(&routing), lookups: lookups.clone(), opened, limit };
            tasks.spawn(session::serve(stream, visit, permit));
        } else if let Ok(permit) = Arc::clone(&turned_away).try_acquire_owned() {
            note_crowd(&mut crowded, settings.max_sessions);
            tasks.spawn(async move {
                session::turn_away(stream, opened).await;
                drop(permit);
            });
        } else {
            drop::<TcpStream>(stream);
        }
    }
    drop(listener);
    tasks.close();
    let _ = timeout(limit + LAST_REPLIES, tasks.wait()).await;
}

/// Once a crowd, not once a caller.
fn note_crowd(crowded: &mut bool, most: usize) {
    if !std::mem::replace(crowded, true) {
        tracing::warn!(
            "more than {most} calls ask at once; the rest get an empty answer: see [agi] max_sessions"
        );
    }
}
