//! axum: admin pages, recordings, webhooks in, `/route`, health, metrics.

pub mod recordings;
