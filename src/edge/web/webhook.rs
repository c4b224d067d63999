//! `POST /amocrm/webhook/{secret}`.

use axum::Router;

use super::App;

/// Its routes.
pub(super) fn router() -> Router<App> {
    Router::new()
}
