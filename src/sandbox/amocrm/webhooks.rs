//! Subscriptions to webhooks (reference 3.16) and what becomes of those that do not answer (5).

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    state::State,
    users::only_admin,
    validation::{Batch, Complaints, Shape, may, must},
};

/// Subscriptions of one account (2.1).
const MOST_HOOKS: usize = 100;

/// Invalid answers within two hours after which a subscription is disabled (5).
const MOST_FAILURES: usize = 100;

/// Words a subscription may hold.
const SETTINGS: &[&str] = &[
    "add_lead",
    "update_lead",
    "delete_lead",
    "restore_lead",
    "status_lead",
    "responsible_lead",
    "note_lead",
    "add_contact",
    "update_contact",
    "delete_contact",
    "restore_contact",
    "responsible_contact",
    "note_contact",
    "add_company",
    "update_company",
    "delete_company",
    "restore_company",
    "responsible_company",
    "note_company",
    "add_customer",
    "update_customer",
    "delete_customer",
    "responsible_customer",
    "note_customer",
    "add_task",
    "update_task",
    "delete_task",
    "responsible_task",
    "add_talk",
    "update_talk",
    "add_message",
    "add_outgoing_message",
    "add_chat_template_review",
    "add_unsorted",
    "update_unsorted",
    "delete_unsorted",
];

const SUBSCRIPTION: Shape = Shape::Object(&[&[
    must("destination", Shape::Filled),
    must("settings", Shape::List(&Shape::Word(SETTINGS))),
    may("sort", Shape::Int),
]]);

const BARE: Shape = Shape::Object(&[&[must("destination", Shape::Filled)]]);

/// A subscription.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) id: u64,
    pub(super) destination: String,
    pub(super) settings: Vec<String>,
    pub(super) disabled: bool,
    sort: i64,
    created_by: u64,
    created_at: i64,
    updated_at: i64,
    failures: VecDeque<i64>,
}

/// `GET /webhooks`.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    if let Some(refusal) = only_admin(state, ask) {
        return refusal;
    }
    let wanted = ask.query.get("filter[destination]");
    let found: Vec<Value> = state
        .hooks
        .iter()
        .filter(|hook| wanted.is_none_or(|wanted| wanted == hook.destination))
        .map(|hook| hook_json(state, hook, json!(hook.settings)))
        .collect();
    if found.is_empty() {
        return Answer::nothing();
    }
    Answer::ok(json!({
        "_total_items": found.len(),
        "_links": {"self": {"href": format!("{}/api/v4/webhooks", state.base)}},
        "_embedded": {"webhooks": found},
    }))
}

/// `POST /webhooks`: 200 (7a), with `settings` as an object (3.16). The same destination again is the same subscription,
/// and switches it on again.
pub(super) fn subscribe(state: &mut State, ask: &Ask) -> Answer {
    if let Some(refusal) = only_admin(state, ask) {
        return refusal;
    }
    let checked =
        Batch::read_single(ask, &SUBSCRIPTION).and_then(|batch| batch.each(check_destination).finish());
    let item = match checked {
        Ok(items) => items.into_iter().next().unwrap_or_default(),
        Err(refusal) => return refusal,
    };
    let destination = item["destination"].as_str().unwrap_or_default().to_owned();
    let words = item["settings"].as_array().into_iter().flatten();
    let settings: Vec<String> = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
    let at = match state.hooks.iter().position(|hook| hook.destination == destination) {
        Some(at) => at,
        None if state.hooks.len() >= MOST_HOOKS => return Answer::bad_request("Webhooks limit exceeded"),
        None => {
            let hook = Hook {
                id: state.next_id(),
                destination,
                settings: Vec::new(),
                disabled: false,
                sort: item["sort"].as_i64().unwrap_or(1),
                created_by: ask.user,
                created_at: ask.now,
                updated_at: ask.now,
                failures: VecDeque::new(),
            };
            state.hooks.push(hook);
            state.hooks.len() - 1
        }
    };
    let hook = &mut state.hooks[at];
    (hook.settings, hook.disabled, hook.updated_at) = (settings, false, ask.now);
    hook.failures.clear();
    let marks: Value = hook.settings.iter().map(|word| (word.clone(), json!(1))).collect();
    Answer::ok(hook_json(state, &state.hooks[at], marks))
}

/// `DELETE /webhooks` with the destination in the body: 204.
pub(super) fn unsubscribe(state: &mut State, ask: &Ask) -> Answer {
    if let Some(refusal) = only_admin(state, ask) {
        return refusal;
    }
    let item = match Batch::read_single(ask, &BARE).and_then(Batch::finish) {
        Ok(items) => items.into_iter().next().unwrap_or_default(),
        Err(refusal) => return refusal,
    };
    let before = state.hooks.len();
    state.hooks.retain(|hook| item["destination"] != hook.destination.as_str());
    if state.hooks.len() == before {
        return Answer::problem(404, "Not Found", "Webhook not found!");
    }
    Answer::nothing()
}

fn check_destination(item: &Value, complaints: &mut Complaints) {
    let is_url = |text: &str| {
        reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    if item["destination"].as_str().is_some_and(|text| !text.is_empty() && !is_url(text)) {
        complaints.choice("destination");
    }
    if item["settings"].as_array().is_some_and(Vec::is_empty) {
        complaints.blank("settings");
    }
}

fn hook_json(state: &State, hook: &Hook, settings: Value) -> Value {
    json!({
        "id": hook.id, "destination": hook.destination, "created_at": hook.created_at,
        "updated_at": hook.updated_at, "account_id": state.account_id, "created_by": hook.created_by,
        "sort": hook.sort, "disabled": hook.disabled, "settings": settings,
    })
}

impl State {
    /// A subscriber has answered, well or not; more than 100 bad answers in two hours, the last bad too, disable it.
    pub(super) fn hook_answered(&mut self, id: u64, is_valid: bool, now: i64) {
        let window = 7200 / i64::from(self.options.hook_speed.max(1));
        let Some(hook) = self.hooks.iter_mut().find(|hook| hook.id == id) else { return };
        while hook.failures.front().is_some_and(|at| now - at > window) {
            hook.failures.pop_front();
        }
        if !is_valid {
            hook.failures.push_back(now);
            hook.disabled |= hook.failures.len() > MOST_FAILURES;
        }
    }
}
