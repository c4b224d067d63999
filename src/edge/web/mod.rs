//! axum: admin pages, recordings, webhooks in, `/route`, health, metrics.

pub mod recordings;
mod route;
mod webhook;

use std::sync::Arc;

use axum::Router;

use crate::{
    edge::{recordings::Library, status::Board, store::Store},
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
    /// MP3 files and their signed links.
    pub library: Arc<Library>,
    /// Language of pages.
    pub language: Language,
}

/// All routes of the HTTP port.
pub fn router(app: App) -> Router {
    let recordings = recordings::router(Arc::clone(&app.library));
    Router::new().merge(webhook::router()).merge(route::router()).with_state(app).merge(recordings)
}
