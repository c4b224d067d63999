//! `POST /amocrm/webhook/{secret}`: amoCRM says what changed.
//!
//! amoCRM signs nothing, so the secret stands in the address; whoever lacks it sees no such page. It waits two
//! seconds, and switches hooks off that fail too often: so what came is only queued here, and read again later.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    routing::post,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::App;
use crate::{logic::crm::webhook, settings::Secret};

/// Far above the largest hook seen (a few hundred kilobytes after a mass change).
const LARGEST: usize = 4 << 20;

/// Its routes.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/amocrm/webhook/{secret}", post(hear).fallback(async || StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(LARGEST))
}

async fn hear(State(app): State<App>, Path(secret): Path<String>, body: Bytes) -> StatusCode {
    if !opens(&app.settings.amocrm.webhook_secret, &secret) {
        return StatusCode::NOT_FOUND;
    }
    let changed = webhook::changed(&String::from_utf8_lossy(&body));
    metrics::counter!("perezvon_amocrm_webhooks_total").increment(1);
    tracing::debug!(ids = changed.len(), "a webhook came");
    app.directory.hear(changed);
    StatusCode::OK
}

/// Compares digests, so that neither content nor length shows in the time it takes. No secret set: nothing opens.
fn opens(secret: &Secret, tried: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    !secret.is_empty() && bool::from(digest(secret.expose()).as_slice().ct_eq(digest(tried).as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_opens_and_an_empty_one_never() {
        assert!(opens(&Secret::new("s3cret"), "s3cret"));
        for tried in ["", "s3cre", "s3cret ", "S3CRET"] {
            assert!(!opens(&Secret::new("s3cret"), tried), "{tried}");
        }
        assert!(!opens(&Secret::default(), ""));
    }
}
