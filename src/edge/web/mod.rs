//! axum: admin pages, recordings, webhooks in, `/route`, health, metrics.

pub mod recordings;
mod route;
mod webhook;

use std::{io, net::SocketAddr, sync::Arc};

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;

use crate::{
    edge::{amocrm::Amocrm, directory::Directory, recordings::Library, status::Board, store::Store},
    logic::phone::Phones,
    settings::{Language, Settings},
};

/// What request handlers share; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Everything a company can set.
    pub settings: Arc<Settings>,
    /// Calls, actions, requests.
    pub store: Store,
    /// Last words of all parts.
    pub board: Arc<Board>,
    /// The local mirror of the CRM.
    pub directory: Arc<Directory>,
    /// The CRM; none when it is not connected.
    pub amocrm: Option<Arc<Amocrm>>,
    /// MP3 files and their signed links.
    pub library: Arc<Library>,
    /// Spelling of numbers.
    pub phones: Arc<Phones>,
    /// Language of pages, until a visitor chooses another.
    pub language: Language,
    /// What `/metrics` shows; none in tests.
    pub metrics: Option<PrometheusHandle>,
    /// Wakes the registrar after "try again".
    pub wake: Arc<Notify>,
}

/// All routes of the HTTP port.
pub fn router(app: App) -> Router {
    let recordings = recordings::router(Arc::clone(&app.library));
    Router::new().merge(webhook::router()).merge(route::router()).with_state(app).merge(recordings)
}

/// Serves until told to stop, then lets what is under way end. The peer's address is known to handlers:
/// who may open the pages depends on it.
pub async fn run(listener: TcpListener, app: App, stop: CancellationToken) -> io::Result<()> {
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}
