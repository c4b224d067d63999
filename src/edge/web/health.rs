//! `/healthz` for watchdogs, `/metrics` for Prometheus.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::{
    App,
    access::{self, Proof},
};
use crate::edge::{
    metrics,
    status::{Health, PartStatus},
};

/// Open to everybody: says which parts work, and the reasons only to those who may see the pages.
pub(super) fn open_router() -> Router<App> {
    Router::new().route("/healthz", get(healthz))
}

/// Behind the guard.
pub(super) fn router() -> Router<App> {
    Router::new().route("/metrics", get(prometheus))
}

#[derive(Serialize)]
struct Healthz {
    status: &'static str,
    parts: BTreeMap<&'static str, PartView>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PartView {
    Whole(PartStatus),
    Word(Health),
}

async fn healthz(State(app): State<App>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let may_see = matches!(access::proof(&app, &parts).await, Proof::Admin(_));
    let said = app.board.all();
    let broken = said.values().any(|part| part.health == Health::Fault);
    let parts = said
        .into_iter()
        .map(|(name, part)| (name, if may_see { PartView::Whole(part) } else { PartView::Word(part.health) }))
        .collect();
    let (code, status) =
        if broken { (StatusCode::SERVICE_UNAVAILABLE, "fault") } else { (StatusCode::OK, "ok") };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(Healthz { status, parts })).into_response()
}

async fn prometheus(State(app): State<App>) -> Response {
    let Some(handle) = &app.metrics else {
        return (StatusCode::NOT_FOUND, "metrics are not collected in this process\n").into_response();
    };
    measure_now(&app).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response()
}

/// Gauges that nobody has to keep: read when they are asked for.
async fn measure_now(app: &App) {
    for (part, status) in app.board.all() {
        let up = match status.health {
            Health::Ok | Health::Off => 1.0,
            Health::Warning => 0.5,
            Health::Fault => 0.0,
        };
        ::metrics::gauge!(metrics::PART, "part" => part).set(up);
    }
    let counts = app.directory.counts();
    for (kind, count) in [
        ("contact", counts.contacts),
        ("company", counts.companies),
        ("phone", counts.phones),
        ("lead", counts.leads),
    ] {
        ::metrics::gauge!(metrics::DIRECTORY, "kind" => kind).set(count as f64);
    }
    match app.store.count_calls_by_state().await {
        Ok(counts) => {
            for (state, count) in counts {
                ::metrics::gauge!(metrics::CALLS_KEPT, "state" => state.as_str()).set(count as f64);
            }
        }
        Err(error) => tracing::warn!("calls cannot be counted: {error}"),
    }
}
