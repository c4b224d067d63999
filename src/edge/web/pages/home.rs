//! `/`: how every part is, counters, latest calls.

use std::collections::BTreeMap;

use axum::{Extension, extract::State, http::HeaderMap, response::Response};
use serde::Serialize;
use serde_json::json;

use super::{Eye, Look, view::CallLine};
use crate::{
    edge::{
        clock,
        status::{Board, Health},
        store::{CallFilter, CallState, StoreError, StoredCall},
        web::{App, Visitor},
    },
    settings::Settings,
    text::say,
};

/// Order of parts on the page: the way of a call.
const PARTS: [&str; 9] =
    ["ami", "pbx", "agi", "directory", "amocrm", "delivery", "recordings", "store", "http"];

#[derive(Serialize)]
struct Part {
    name: String,
    health: &'static str,
    text: String,
    since: String,
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    let eye = Eye { app: &app, language: look.language };
    let (counts, latest) = match facts(&app).await {
        Ok(facts) => facts,
        Err(error) => {
            app.board.say("store", Health::Fault, error.to_string());
            (BTreeMap::new(), Vec::new())
        }
    };
    let parts = parts(&app.board, &eye);
    let lines: Vec<CallLine> = latest.iter().map(|call| eye.call_line(call)).collect();
    let total: u64 = counts.values().sum();
    let counters: Vec<(&str, u64)> = CallState::ALL
        .iter()
        .map(|state| (state.as_str(), counts.get(state).copied().unwrap_or(0)))
        .collect();
    let directory = app.directory.counts();
    let worst = parts.iter().map(|part| part.health).max_by_key(|health| rank(health)).unwrap_or("ok");
    let values = json!({ "page": "home", "parts": parts, "counters": counters, "total": total, "calls": lines, "directory": directory, "worst": worst, "steps": steps(&app.settings, look.language), "zone": eye.zone_name(clock::now()) });
    super::render(&look, "home.html", values)
}

async fn facts(app: &App) -> Result<(BTreeMap<CallState, u64>, Vec<StoredCall>), StoreError> {
    let counts = app.store.count_calls_by_state().await?;
    let latest = app.store.calls(&CallFilter { limit: Some(8), ..CallFilter::default() }).await?;
    Ok((counts, latest))
}

fn parts(board: &Board, eye: &Eye<'_>) -> Vec<Part> {
    let said = board.all();
    let now = clock::now();
    let known = PARTS.iter().copied().filter(|part| said.contains_key(part));
    let others = said.keys().copied().filter(|part| !PARTS.contains(part));
    known
        .chain(others)
        .map(|part| {
            let status = &said[part];
            Part {
                name: eye.say(&format!("part.{part}")),
                health: health(status.health),
                text: status.text.clone(),
                since: eye.ago(status.since, now),
            }
        })
        .collect()
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Off => "off",
        Health::Warning => "warning",
        Health::Fault => "fault",
    }
}

fn rank(health: &str) -> usize {
    ["ok", "off", "warning", "fault"].iter().position(|word| *word == health).unwrap_or(0)
}

/// What is still to be set, in the order in which it makes sense.
fn steps(settings: &Settings, language: crate::settings::Language) -> Vec<String> {
    let mut steps = Vec::new();
    let mut step = |wanted: bool, key: &str| {
        if wanted {
            steps.push(say(language, key, &[]));
        }
    };
    step(settings.pbx.database_url.is_none(), "step.pbx");
    step(settings.amocrm.base_url.is_empty(), "step.amocrm");
    step(settings.employees.is_empty() && settings.base.default_user.is_none(), "step.employees");
    step(settings.admin.password.is_empty(), "step.password");
    steps
}
