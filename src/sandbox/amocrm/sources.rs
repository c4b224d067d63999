//! Sources (reference 3.17): kept, and used for nothing else.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    listing,
    state::State,
    validation::{Batch, Complaints, Field, Shape, may, must, request_id},
};

/// A source of the integration.
#[derive(Debug, Clone)]
pub(super) struct Source {
    id: u64,
    /// What was written.
    body: Value,
}

const COMMON: &[Field] = &[
    may("pipeline_id", Shape::Int),
    may("default", Shape::Bool),
    may("origin_code", Shape::Text),
    may("services", Shape::List(&Shape::AnyObject)),
    may("is_supports_list_message", Shape::Bool),
    may("waba", Shape::Bool),
    may("request_id", Shape::Text),
];

const NEW: Shape =
    Shape::Object(&[COMMON, &[must("name", Shape::Filled), must("external_id", Shape::Filled)]]);
const CHANGED: Shape = Shape::Object(&[
    COMMON,
    &[may("id", Shape::Int), may("name", Shape::Filled), may("external_id", Shape::Filled)],
]);

/// Sources of one integration (2.1).
const MOST_SOURCES: usize = 100;

/// `GET /sources`.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let external = ask.query.all("filter[external_id]");
    let found: Vec<&Source> = state
        .sources
        .iter()
        .filter(|source| {
            let own = source.body["external_id"].as_str().unwrap_or_default();
            external.as_ref().is_none_or(|ids| ids.contains(&own))
        })
        .collect();
    listing::listed(state, ask, "sources", &found, true, |source| source_json(state, source))
}

/// `GET /sources/{id}`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let found = state.sources.iter().find(|source| Some(source.id) == ask.id(1));
    found.map_or_else(Answer::nothing, |source| Answer::ok(source_json(state, source)))
}

/// `POST /sources`: an `external_id` that is there gives the old id.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read(ask, &NEW)
        .and_then(|batch| batch.each(|item, complaints| check(state, item, complaints)).finish());
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    if state.sources.len() + items.len() > MOST_SOURCES {
        return Answer::too_many_items(MOST_SOURCES);
    }
    let mut made = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let mark = request_id(&item, at);
        let known = state.sources.iter().position(|own| own.body["external_id"] == item["external_id"]);
        let at = known.unwrap_or_else(|| {
            let id = state.next_id();
            state.sources.push(Source { id, body: item });
            state.sources.len() - 1
        });
        let mut shown = source_json(state, &state.sources[at]);
        shown["request_id"] = json!(mark);
        made.push(shown);
    }
    Answer::ok(json!({"_total_items": made.len(), "_embedded": {"sources": made}}))
}

/// `PATCH /sources` and `/sources/{id}`.
pub(super) fn change(state: &mut State, ask: &Ask) -> Answer {
    let fixed = ask.id(1);
    let batch = if fixed.is_some() { Batch::read_single(ask, &CHANGED) } else { Batch::read(ask, &CHANGED) };
    let checked = batch.and_then(|batch| {
        batch
            .each(|item, complaints| {
                check(state, item, complaints);
                let id = fixed.or_else(|| item["id"].as_u64());
                if !state.sources.iter().any(|source| Some(source.id) == id) {
                    complaints.choice("id");
                }
            })
            .finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut done = Vec::new();
    for item in items {
        let id = fixed.or_else(|| item["id"].as_u64());
        let Some(at) = state.sources.iter().position(|source| Some(source.id) == id) else { continue };
        for (name, value) in item.as_object().into_iter().flatten().filter(|(name, _)| *name != "id") {
            state.sources[at].body[name] = value.clone();
        }
        done.push(source_json(state, &state.sources[at]));
    }
    match fixed {
        Some(_) => Answer::ok(done.pop().unwrap_or_default()),
        None => Answer::ok(json!({"_total_items": done.len(), "_embedded": {"sources": done}})),
    }
}

/// `DELETE /sources/{id}`: 204.
pub(super) fn delete(state: &mut State, ask: &Ask) -> Answer {
    let before = state.sources.len();
    state.sources.retain(|source| Some(source.id) != ask.id(1));
    if state.sources.len() == before {
        return Answer::problem(404, "Not Found", "Source not found!");
    }
    Answer::nothing()
}

fn check(state: &State, item: &Value, complaints: &mut Complaints) {
    if let Some(id) = item["pipeline_id"].as_i64()
        && u64::try_from(id).map_or(true, |id| state.pipeline(id).is_none())
    {
        complaints.choice("pipeline_id");
    }
}

fn source_json(state: &State, source: &Source) -> Value {
    let body = &source.body;
    json!({
        "id": source.id, "name": body["name"], "external_id": body["external_id"],
        "pipeline_id": body["pipeline_id"].as_u64().unwrap_or_else(|| state.default_stage().0),
        "default": body["default"] == true, "origin_code": body["origin_code"], "services": body["services"],
        "_links": {"self": {"href": format!("{}/api/v4/sources/{}", state.base, source.id)}},
    })
}
