//! What a CRM user sees.

use axum::Router;

use super::handle::Desk;

/// The pages, on their own paths.
pub(super) fn router(_desk: Desk) -> Router<Desk> {
    Router::new()
}
