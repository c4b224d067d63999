//! `/api/v1`: status, calls and one call as JSON.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use crate::{
    edge::{
        status::PartStatus,
        store::{CallFilter, CallState, StoreError, StoredCall},
    },
    logic::directory::Counts,
};

const MOST: u32 = 500;

/// Its routes, behind the guard.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/calls", get(calls))
        .route("/api/v1/calls/{id}", get(call))
}

/// A failure as JSON.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    parts: BTreeMap<&'static str, PartStatus>,
    calls: BTreeMap<CallState, u64>,
    directory: Counts,
}

async fn status(State(app): State<App>) -> Result<Json<Status>, Refusal> {
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        parts: app.board.all(),
        calls: app.store.count_calls_by_state().await?,
        directory: app.directory.counts(),
    }))
}

/// Times are RFC 3339; `before` is the id of the last call of the page before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    state: Option<CallState>,
    phone: Option<String>,
    limit: Option<u32>,
    before: Option<String>,
}

async fn calls(
    State(app): State<App>,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let Query(filter) = filter.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    let limit = filter.limit.unwrap_or(100).clamp(1, MOST);
    let digits = filter.phone.map(|phone| phone.chars().filter(char::is_ascii_digit).collect::<String>());
    let wanted = CallFilter {
        from: filter.from,
        to: filter.to,
        state: filter.state,
        phone: digits.filter(|digits| !digits.is_empty()),
        limit: Some(limit + 1),
        before: filter.before,
    };
    let found = app.store.calls(&wanted).await?;
    let more = found.len() > limit as usize;
    let page: Vec<_> = found.into_iter().take(limit as usize).map(Line::from).collect();
    let before = page.last().filter(|_| more).map(|line| line.id.clone());
    Ok(Json(json!({ "calls": page, "before": before })))
}

/// A call without its rows and plan.
#[derive(Serialize)]
struct Line {
    #[serde(skip)]
    id: String,
    state: CallState,
    reason: String,
    next_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    #[serde(flatten)]
    call: crate::logic::call::Call,
}

impl From<StoredCall> for Line {
    fn from(stored: StoredCall) -> Self {
        Self {
            id: stored.id,
            state: stored.state,
            reason: stored.reason,
            next_at: stored.next_at,
            updated_at: stored.updated_at,
            call: stored.call,
        }
    }
}

async fn call(State(app): State<App>, Path(id): Path<String>) -> Result<Json<serde_json::Value>, Refusal> {
    let Some(stored) = app.store.call(&id).await? else {
        return Err(Refusal(StatusCode::NOT_FOUND, format!("there is no call {id}")));
    };
    let actions = app.store.actions_of(&stored.id).await?;
    let requests = app.store.requests_of(&stored.id).await?;
    Ok(Json(json!({ "call": stored, "actions": actions, "requests": requests })))
}
