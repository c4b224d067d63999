//! Settings → running service; owns the order of starting and stopping.
//!
//! Starting: store, keys, directory, then the edges that take from outside. Stopping: first nothing new is taken
//! (FastAGI, pages, poller), then what is under way is finished (delivery, sync), all within [`PATIENCE`].

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    edge::{
        ami,
        amocrm::{Amocrm, Failure},
        directory::Directory,
        fastagi,
        hangups::Hangups,
        metrics,
        pbx_database::{PbxDatabase, PbxError},
        poller,
        recordings::Library,
        registrar::{self, Registrar},
        routing::Routing,
        status::{Board, Health},
        store::{Store, StoreError},
        web,
    },
    logic::{call::Context, phone::Phones},
    settings::Settings,
};

/// How long stopping may take before what still runs is cut off; what it did stands in the store.
pub const PATIENCE: Duration = Duration::from_secs(9);

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else has the port, or the address is not ours.
    #[error(
        "cannot listen on {address} ({key}): {error}; another program may hold the port, or the address is not this machine's"
    )]
    Listen {
        /// Setting that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A setting that passed the first reading is wrong after all.
    #[error("{0}")]
    Settings(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The CRM's settings.
    #[error("[amocrm]: {0}")]
    Amocrm(#[from] Failure),
    /// Asterisk's tables' settings.
    #[error("[pbx]: {0}")]
    Pbx(#[from] PbxError),
}

/// Sockets bound before anything else starts, so that a taken port is found out first.
pub struct Sockets {
    /// Pages, recordings, webhooks.
    pub http: TcpListener,
    /// FastAGI, when it is enabled.
    pub agi: Option<TcpListener>,
}

impl Sockets {
    /// Binds what the settings name.
    pub async fn bind(settings: &Settings) -> Result<Self, ServeError> {
        let address = settings.http.listen;
        let http = TcpListener::bind(address).await.map_err(|error| ServeError::Listen {
            key: "[http] listen",
            address,
            error,
        })?;
        let address = settings.agi.listen;
        let agi = match settings.agi.enabled {
            true => Some(fastagi::bind(address).map_err(|error| ServeError::Listen {
                key: "[agi] listen",
                address,
                error,
            })?),
            false => None,
        };
        Ok(Self { http, agi })
    }
}

/// A service that runs.
pub struct Running {
    /// Where pages are.
    pub http: SocketAddr,
    /// Where FastAGI is.
    pub agi: Option<SocketAddr>,
    /// Its state.
    pub store: Store,
    /// What its parts say.
    pub board: Arc<Board>,
    /// Its directory.
    pub directory: Arc<Directory>,
    taking: Stage,
    finishing: Stage,
}

/// Tasks that stop together.
#[derive(Default)]
struct Stage {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    async fn end(&self, patience: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "some work was cut off; it goes on at the next start");
        }
    }
}

/// What the edges share.
struct Parts {
    settings: Arc<Settings>,
    store: Store,
    board: Arc<Board>,
    phones: Arc<Phones>,
    library: Arc<Library>,
    amocrm: Option<Arc<Amocrm>>,
    directory: Arc<Directory>,
    hangups: Arc<Hangups>,
}

impl Parts {
    async fn open(settings: Settings) -> Result<Self, ServeError> {
        let settings = Arc::new(settings);
        let board = Arc::new(Board::default());
        let store = Store::open(&settings.store.url).await?;
        board.say("store", Health::Ok, settings.store.url.to_string());
        let phones = Arc::new(Phones::new(&settings.numbers).map_err(ServeError::Settings)?);
        let library = Arc::new(Library::open(&settings, &store).await?);
        let amocrm = match settings.amocrm.base_url.is_empty() {
            true => {
                board.say("amocrm", Health::Off, "no [amocrm] base_url: calls are kept and wait");
                None
            }
            false => Some(Amocrm::new(&settings.amocrm, store.clone(), Arc::clone(&board))?),
        };
        let directory = Directory::open(
            &settings,
            store.clone(),
            amocrm.clone(),
            Arc::clone(&phones),
            Arc::clone(&board),
        )
        .await?;
        Ok(Self { settings, store, board, phones, library, amocrm, directory, hangups: Arc::default() })
    }
}

/// Starts everything the settings enable.
pub async fn start(settings: Settings, sockets: Sockets) -> Result<Running, ServeError> {
    let parts = Parts::open(settings).await?;
    let (taking, finishing) = (Stage::default(), Stage::default());
    let wake = Arc::new(Notify::new());
    deliver(&parts, &finishing, &wake);
    listen(&parts, &taking);
    poll(&parts, &taking, &wake)?;
    let agi = sockets.agi.as_ref().and_then(|listener| listener.local_addr().ok());
    answer(&parts, &taking, sockets.agi);
    let http = serve_pages(&parts, &taking, sockets.http, wake)?;
    Ok(Running {
        http,
        agi,
        store: parts.store,
        board: parts.board,
        directory: parts.directory,
        taking,
        finishing,
    })
}

fn deliver(parts: &Parts, stage: &Stage, wake: &Arc<Notify>) {
    let stop = stage.stop.clone();
    stage.spawn(Arc::clone(&parts.directory).run_sync(stop.clone()));
    let library = Arc::clone(&parts.library);
    let until = stop.clone();
    stage.spawn(async move { library.run_cleanup(until).await });
    let registrar = Registrar::new(registrar::Parts {
        settings: Arc::clone(&parts.settings),
        store: parts.store.clone(),
        amocrm: parts.amocrm.clone(),
        directory: Arc::clone(&parts.directory),
        library: Arc::clone(&parts.library),
        phones: Arc::clone(&parts.phones),
        board: Arc::clone(&parts.board),
        language: parts.settings.language(),
    });
    stage.spawn(registrar.run(Arc::clone(wake), stop));
}

fn listen(parts: &Parts, stage: &Stage) {
    if parts.settings.ami.address.is_empty() {
        let off = "no [ami] address: Asterisk's tables are looked at more often instead";
        return parts.board.say("ami", Health::Off, off);
    }
    let (hangups, board) = (Arc::clone(&parts.hangups), Arc::clone(&parts.board));
    stage.spawn(ami::run(parts.settings.ami.clone(), hangups, board, stage.stop.clone()));
}

fn poll(parts: &Parts, stage: &Stage, wake: &Arc<Notify>) -> Result<(), ServeError> {
    if parts.settings.pbx.database_url.is_none() {
        parts.board.say("pbx", Health::Off, "no [pbx] database_url: no calls are read");
        return Ok(());
    }
    let context = Context::from_settings(&parts.settings).map_err(ServeError::Settings)?;
    let poller = poller::Parts {
        database: PbxDatabase::new(&parts.settings.pbx)?,
        store: parts.store.clone(),
        context: Arc::new(context),
        library: Arc::clone(&parts.library),
        board: Arc::clone(&parts.board),
        wake: Arc::clone(wake),
        hangups: Arc::clone(&parts.hangups),
    };
    stage.spawn(poller::run(poller, stage.stop.clone()));
    Ok(())
}

fn answer(parts: &Parts, stage: &Stage, listener: Option<TcpListener>) {
    let Some(listener) = listener else {
        parts.board.say("agi", Health::Off, "switched off in [agi] enabled");
        return;
    };
    let routing =
        Routing::new(Arc::clone(&parts.settings), Arc::clone(&parts.phones), Arc::clone(&parts.directory));
    stage.spawn(fastagi::run(listener, Arc::new(routing), Arc::clone(&parts.board), stage.stop.clone()));
}

fn serve_pages(
    parts: &Parts,
    stage: &Stage,
    listener: TcpListener,
    wake: Arc<Notify>,
) -> Result<SocketAddr, ServeError> {
    let address = listener.local_addr().map_err(|error| ServeError::Listen {
        key: "[http] listen",
        address: parts.settings.http.listen,
        error,
    })?;
    let app = web::App {
        settings: Arc::clone(&parts.settings),
        store: parts.store.clone(),
        board: Arc::clone(&parts.board),
        directory: Arc::clone(&parts.directory),
        amocrm: parts.amocrm.clone(),
        library: Arc::clone(&parts.library),
        phones: Arc::clone(&parts.phones),
        language: parts.settings.language(),
        // A second service in one process (tests) counts into the first one's recorder.
        metrics: metrics::install().ok(),
        wake,
        doors: web::Doors::default(),
    };
    let (board, stop) = (Arc::clone(&parts.board), stage.stop.clone());
    board.say("http", Health::Ok, format!("http://{address}"));
    stage.spawn(async move {
        if let Err(error) = web::run(listener, app, stop).await {
            board.say("http", Health::Fault, format!("the web server ended: {error}; restart the service"));
        }
    });
    Ok(address)
}

impl Running {
    /// Takes nothing new, finishes what is under way, within [`PATIENCE`].
    pub async fn stop(self) {
        tracing::info!("stopping: nothing new is taken");
        self.taking.end(PATIENCE / 2).await;
        self.finishing.end(PATIENCE / 2).await;
        tracing::info!("stopped");
    }
}

/// `perezvon serve`: until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), ServeError> {
    let sockets = Sockets::bind(&settings).await?;
    let running = start(settings, sockets).await?;
    tracing::info!(http = %running.http, agi = ?running.agi, "ready");
    notify(&[sd_notify::NotifyState::Ready]);
    stop_signal().await;
    notify(&[sd_notify::NotifyState::Stopping]);
    running.stop().await;
    Ok(())
}

/// Tells systemd; outside systemd there is nobody to tell.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("systemd was not told: {error}");
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without SIGTERM there is still Ctrl-C.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
