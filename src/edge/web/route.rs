//! `GET /route`: the FastAGI answer for dialplans that use CURL().

use axum::Router;

use super::App;

/// Its routes.
pub(super) fn router() -> Router<App> {
    Router::new()
}
