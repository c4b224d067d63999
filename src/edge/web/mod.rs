//! axum: admin pages, recordings, webhooks in, `/route`, health, metrics.

mod access;
mod api;
mod health;
mod pages;
pub mod recordings;
mod route;
mod session;
mod sign_in;
mod webhook;

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    response::Response,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;

use access::Visitor;
pub use session::Doors;

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
    /// Sessions and wrong passwords; `Doors::default()`.
    pub doors: Doors,
}

/// All routes of the HTTP port.
pub fn router(app: App) -> Router {
    let recordings = recordings::router(Arc::clone(&app.library), app.language);
    let guarded = Router::new()
        .merge(pages::router())
        .merge(api::router())
        .merge(health::router())
        .fallback(pages::not_found)
        .layer(middleware::from_fn_with_state(app.clone(), access::guard));
    let open = Router::new()
        .merge(sign_in::router())
        .merge(pages::language_router())
        .merge(pages::assets())
        .merge(health::open_router());
    let machines = Router::new().merge(webhook::router()).merge(route::router(&app));
    guarded
        .merge(open)
        .layer(middleware::map_response(with_security_headers))
        .merge(machines)
        .with_state(app)
        .merge(recordings)
}

/// What makes a browser distrust everything that is not ours.
async fn with_security_headers(mut response: Response) -> Response {
    const RULES: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
        media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(RULES));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A text as it may stand in a query or a path segment.
fn url_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Serves until told to stop, then lets what is under way end. The peer's address is known to handlers:
/// who may open the pages depends on it.
pub async fn run(listener: TcpListener, app: App, stop: CancellationToken) -> io::Result<()> {
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}
