//! The stylesheet and the script, embedded; their addresses hold a sum of their content.

use std::sync::LazyLock;

use axum::{Router, http::header, response::IntoResponse, routing::get};
use sha2::{Digest, Sha256};

use crate::edge::web::App;

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/page.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// Changes with the content, so that browsers may keep what they have.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let sum = Sha256::new().chain_update(STYLE).chain_update(SCRIPT).chain_update(ICON).finalize();
    sum.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
});

/// Open to everybody.
pub(in crate::edge::web) fn router() -> Router<App> {
    Router::new()
        .route("/assets/style.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route("/assets/page.js", get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/assets/icon.svg", get(|| async { file("image/svg+xml", ICON) }))
}

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")], content)
}
