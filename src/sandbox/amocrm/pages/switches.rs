//! The page of switches: integrators rehearse what their installation will do on a bad day.

use std::time::Duration;

use axum::{
    Form,
    extract::{Path, State as Shared},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reader, page};
use crate::sandbox::amocrm::{
    faults::{ActiveRule, Fault, Rule, Toggles, When},
    handle::Desk,
    options::Limits,
    state::State,
};

/// Key of the form and of the text, and the fault.
const FAULTS: [(&str, Fault); 14] = [
    ("fault_lost", Fault::LostReply),
    ("fault_dropped", Fault::Dropped),
    ("fault_delay", Fault::Delay(Duration::from_secs(1))),
    ("fault_error", Fault::ServerError),
    ("fault_502", Fault::BadGateway),
    ("fault_504", Fault::GatewayTimeout),
    ("fault_504_done", Fault::GatewayTimeoutAfterCommit),
    ("fault_429", Fault::TooManyRequests),
    ("fault_429_html", Fault::TooManyRequestsHtml),
    ("fault_401", Fault::Unauthorized),
    ("fault_unpaid", Fault::Unpaid),
    ("fault_403", Fault::Forbidden),
    ("fault_blocked", Fault::Blocked),
    ("fault_html", Fault::Html),
];

/// Requests shown.
const MOST_SHOWN: usize = 100;

/// The page.
pub(super) async fn show(Shared(desk): Shared<Desk>, headers: HeaderMap) -> Response {
    page(&desk, &headers, "switches.html", body)
}

fn body(state: &State, reader: &Reader) -> Value {
    let rules: Vec<Value> = state.faults.rules().iter().map(|active| rule_row(active, reader)).collect();
    let faults: Vec<Value> =
        FAULTS.iter().map(|(key, _)| json!({"key": key, "name": reader.word(key)})).collect();
    let requests: Vec<Value> = state
        .log
        .latest
        .iter()
        .rev()
        .take(MOST_SHOWN)
        .map(|one| {
            json!({
                "at": reader.moment(one.at), "method": one.method, "path": one.path, "status": one.status, "ms": one.ms,
            })
        })
        .collect();
    let hooks: Vec<Value> = state
        .hooks
        .iter()
        .map(|hook| json!({"destination": hook.destination, "settings": hook.settings, "disabled": hook.disabled}))
        .collect();
    let (toggles, limits) = (state.toggles(), state.options.limits);
    json!({
        "here": "switches", "rules": rules, "faults": faults, "requests": requests, "hooks": hooks,
        "total": state.log.count, "per_second": limits.per_second, "per_account": limits.per_account,
        "toggles": {
            "lag": toggles.search_lag.as_secs(), "strict": toggles.strict_rotation,
            "same": toggles.refuse_same_unsorted, "unsorted": toggles.unsorted_off,
            "editable": toggles.editable_call_notes,
        },
    })
}

fn rule_row(active: &ActiveRule, reader: &Reader) -> Value {
    let rule = &active.rule;
    let same = |fault: &Fault| std::mem::discriminant(fault) == std::mem::discriminant(&rule.fault);
    let key = FAULTS.iter().find(|(_, fault)| same(fault)).map_or("", |(key, _)| *key);
    let name = match rule.fault {
        Fault::Delay(longer) => format!("{} {} s", reader.word(key), longer.as_secs_f64()),
        _ => reader.word(key).to_owned(),
    };
    let often = match rule.when {
        When::Always => reader.word("when_always").to_owned(),
        When::Every(n) => format!("{}, N = {n}", reader.word("every")),
        When::Chance(part) => format!("{} {part}", reader.word("when_chance")),
        When::Next(n) => format!("{}, N = {n}", reader.word("when_next")),
    };
    json!({
        "id": active.id, "method": rule.method.as_deref().unwrap_or("*"), "path": rule.path, "name": name,
        "often": often, "matched": active.matched, "struck": active.struck,
    })
}

#[derive(Deserialize)]
pub(super) struct SwitchForm {
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    fault: String,
    #[serde(default)]
    often: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    seconds: String,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    lag: u64,
    strict: Option<String>,
    same: Option<String>,
    editable: Option<String>,
    unsorted: Option<String>,
}

/// Something is switched.
pub(super) async fn change(
    Shared(desk): Shared<Desk>,
    Path(act): Path<String>,
    Form(form): Form<SwitchForm>,
) -> Response {
    match act.as_str() {
        "add" => match rule_of(&form) {
            Some(rule) => {
                desk.faults.set(rule);
            }
            None => return StatusCode::BAD_REQUEST.into_response(),
        },
        "remove" => desk.faults.remove(form.id),
        "toggles" => desk.faults.set_toggles(Toggles {
            search_lag: Duration::from_secs(form.lag),
            strict_rotation: form.strict.is_some(),
            refuse_same_unsorted: form.same.is_some(),
            editable_call_notes: form.editable.is_some(),
            unsorted_off: form.unsorted.is_some(),
        }),
        "limits-on" => set_limits(&desk, Limits::real()),
        "limits-off" => set_limits(&desk, Limits::off()),
        "expire" => desk.state().oauth.expire_access(),
        "revoke" => desk.state().oauth.revoke_all(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    }
    Redirect::to("/switches").into_response()
}

fn set_limits(desk: &Desk, limits: Limits) {
    let mut state = desk.state();
    state.options.limits = limits;
    state.limiter.forget();
}

fn rule_of(form: &SwitchForm) -> Option<Rule> {
    let (_, fault) = FAULTS.iter().find(|(key, _)| *key == form.fault)?;
    let number: f64 = form.number.trim().replace(',', ".").parse().unwrap_or(1.0);
    let seconds: f64 = form.seconds.trim().replace(',', ".").parse().unwrap_or(1.0);
    let fault = match fault {
        Fault::Delay(_) => Fault::Delay(Duration::try_from_secs_f64(seconds.clamp(0.0, 600.0)).ok()?),
        other => *other,
    };
    let whole = number.clamp(1.0, 1e6) as u32;
    let when = match form.often.as_str() {
        "every" => When::Every(whole),
        "chance" => When::Chance(number.clamp(0.0, 1.0)),
        "next" => When::Next(whole),
        _ => When::Always,
    };
    let path = if form.path.trim().is_empty() { "*" } else { form.path.trim() };
    let rule = Rule::new(path, fault, when);
    Some(if form.method.is_empty() { rule } else { rule.only(form.method.as_str()) })
}
