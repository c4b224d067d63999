//! Lists of people, one card with its feed, tasks.

use axum::{
    extract::{Path, State as Shared},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Reader, address, clock_of, page, user_name};
use crate::sandbox::amocrm::{
    card::Card,
    handle::Desk,
    model::{CallNote, Kind, Note, Task},
    state::{Key, State},
};

/// Rows a list shows.
const MOST_SHOWN: usize = 200;

/// Contacts, latest first.
pub(super) async fn contacts(Shared(desk): Shared<Desk>, headers: HeaderMap) -> Response {
    page(&desk, &headers, "people.html", |state, reader| people(state, reader, Kind::Contact))
}

/// Companies, latest first.
pub(super) async fn companies(Shared(desk): Shared<Desk>, headers: HeaderMap) -> Response {
    page(&desk, &headers, "people.html", |state, reader| people(state, reader, Kind::Company))
}

fn people(state: &State, reader: &Reader, kind: Kind) -> Value {
    let mut own: Vec<&Card> = state.cards_of(kind).filter(|card| card.is_visible()).collect();
    own.sort_by_key(|card| std::cmp::Reverse((card.updated_at, card.id)));
    let rows: Vec<Value> = own
        .iter()
        .take(MOST_SHOWN)
        .map(|card| {
            json!({
                "href": address(kind, card.id), "name": card.name, "phones": state.phones_of(card),
                "responsible": user_name(state, card.responsible_user_id),
                "leads": state.linked(card.key(), Kind::Lead).len(), "at": reader.moment(card.updated_at),
                "tags": state.tag_names(card),
            })
        })
        .collect();
    json!({"here": kind.plural(), "title": reader.word(kind.plural()), "rows": rows, "count": own.len()})
}

/// All open tasks, the most urgent first.
pub(super) async fn tasks(Shared(desk): Shared<Desk>, headers: HeaderMap) -> Response {
    page(&desk, &headers, "tasks.html", |state, reader| {
        let mut open: Vec<&Task> = state.tasks.values().filter(|task| !task.is_completed).collect();
        open.sort_by_key(|task| task.complete_till);
        let rows: Vec<Value> =
            open.iter().take(MOST_SHOWN).map(|task| task_entry(state, reader, task)).collect();
        json!({"here": "tasks", "rows": rows})
    })
}

/// One card.
pub(super) async fn show(
    Shared(desk): Shared<Desk>,
    Path((plural, id)): Path<(String, u64)>,
    headers: HeaderMap,
) -> Response {
    let key = Kind::from_plural(&plural).map(|kind| (kind, id));
    let Some(key) = key.filter(|key| desk.state().alive(*key).is_some()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    page(&desk, &headers, "card.html", |state, reader| match state.alive(key) {
        Some(card) => card_body(state, reader, card),
        None => json!({}),
    })
}

fn card_body(state: &State, reader: &Reader, card: &Card) -> Value {
    let line = state.pipeline(card.deal.pipeline_id);
    let users: Vec<Value> = state
        .users
        .iter()
        .filter(|user| user.is_active || user.id == card.responsible_user_id)
        .map(|user| json!({"id": user.id, "name": user.name, "chosen": user.id == card.responsible_user_id}))
        .collect();
    let statuses: Vec<Value> = line
        .filter(|_| card.kind == Kind::Lead)
        .into_iter()
        .flat_map(|line| &line.statuses)
        .map(|status| {
            json!({
                "id": status.id, "name": status.name, "color": status.color,
                "chosen": status.id == card.deal.status_id,
            })
        })
        .collect();
    json!({
        "here": card.kind.plural(), "kind": card.kind.plural(), "kind_word": reader.word(card.kind.singular()),
        "id": card.id, "name": card.name, "price": card.deal.price, "is_lead": card.kind == Kind::Lead,
        "pipeline": line.map_or("", |line| line.name.as_str()), "users": users, "statuses": statuses,
        "phones": state.phones_of(card), "fields": state.fields_json(card), "tags": state.tag_names(card),
        "created": reader.moment(card.created_at), "author": user_name(state, card.created_by),
        "linked": linked(state, card.key()), "feed": feed(state, reader, card),
    })
}

fn linked(state: &State, key: Key) -> Vec<Value> {
    let neighbours = state.neighbours(key);
    let cards = neighbours.iter().filter_map(|(key, is_main)| state.alive(*key).map(|card| (card, is_main)));
    cards
        .map(|(card, is_main)| {
            let status = state
                .pipeline(card.deal.pipeline_id)
                .and_then(|line| line.statuses.iter().find(|status| status.id == card.deal.status_id));
            json!({
                "href": address(card.kind, card.id), "name": card.name, "kind": card.kind.singular(),
                "is_main": is_main, "phones": state.phones_of(card),
                "status": status.map_or("", |status| status.name.as_str()),
                "color": status.map_or("", |status| status.color.as_str()),
            })
        })
        .collect()
}

/// Notes and tasks of the card and of those linked to it, newest first.
fn feed(state: &State, reader: &Reader, card: &Card) -> Vec<Value> {
    let mut keys: Vec<Key> = state.neighbours(card.key()).into_iter().map(|(key, _)| key).collect();
    keys.push(card.key());
    let notes = state.notes.values().filter(|note| keys.contains(&(note.kind, note.entity_id)));
    let tasks = state.tasks.values().filter(|task| task.entity.is_some_and(|key| keys.contains(&key)));
    let mut entries: Vec<(i64, u64, Value)> = notes
        .map(|note| (note.created_at, note.id, note_entry(state, reader, card.key(), note)))
        .chain(tasks.map(|task| (task.created_at, task.id, task_entry(state, reader, task))))
        .collect();
    entries.sort_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));
    entries.into_iter().map(|(.., entry)| entry).collect()
}

fn note_entry(state: &State, reader: &Reader, at_card: Key, note: &Note) -> Value {
    let key = (note.kind, note.entity_id);
    let elsewhere = state.alive(key).filter(|_| key != at_card);
    let mut entry = json!({
        "at": reader.moment(note.created_at), "author": user_name(state, note.created_by), "pinned": note.is_pinned,
        "of": elsewhere.map(|card| json!({"href": address(card.kind, card.id), "name": card.name})),
    });
    let Some(call) = CallNote::of(note) else {
        entry["sort"] = json!("note");
        entry["text"] = note.params["text"].clone();
        entry["type"] = json!(note.note_type);
        return entry;
    };
    let spoke = call.call_responsible.parse().map_or("", |id| user_name(state, id));
    let spoke = if spoke.is_empty() { call.call_responsible.as_str() } else { spoke };
    let status = call.call_status.map_or("", |status| reader.word(&format!("result_{status}")));
    for (name, value) in [
        ("sort", json!("call")),
        ("inbound", json!(call.inbound)),
        ("missed", json!(matches!(call.call_status, Some(1..=3 | 6 | 7)))),
        ("phone", json!(call.phone)),
        ("duration", json!(clock_of(call.duration))),
        ("link", json!(web_link(&call.link))),
        ("status", json!(status)),
        ("result", json!(call.call_result)),
        ("spoke", json!(spoke)),
        ("source", json!(call.source)),
    ] {
        entry[name] = value;
    }
    entry
}

/// Only web addresses become a player.
fn web_link(link: &str) -> &str {
    let is_web = link.starts_with("http://") || link.starts_with("https://");
    if is_web { link } else { "" }
}

fn task_entry(state: &State, reader: &Reader, task: &Task) -> Value {
    let card = task.entity.and_then(|key| state.alive(key));
    json!({
        "sort": "task", "id": task.id, "text": task.text, "done": task.is_completed, "result": task.result,
        "responsible": user_name(state, task.responsible_user_id), "till": reader.moment(task.complete_till),
        "overdue": !task.is_completed && task.complete_till < reader.now.timestamp(),
        "at": reader.moment(task.created_at), "author": user_name(state, task.created_by),
        "of": card.map(|card| json!({"href": address(card.kind, card.id), "name": card.name})),
    })
}
