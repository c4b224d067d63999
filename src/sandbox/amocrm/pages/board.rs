//! Leads by pipeline and status, and incoming leads.

use axum::{
    extract::{Query, State as Shared},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reader, address, page, user_name};
use crate::sandbox::amocrm::{
    card::Card,
    handle::Desk,
    model::Kind,
    pipelines::{Pipeline, Status},
    state::State,
};

/// Leads a column shows.
const MOST_SHOWN: usize = 40;

#[derive(Deserialize)]
pub(super) struct Wanted {
    pipeline: Option<u64>,
}

/// The board of one pipeline.
pub(super) async fn leads(
    Shared(desk): Shared<Desk>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    page(&desk, &headers, "board.html", |state, reader| {
        let chosen = wanted.pipeline.or_else(|| state.pipelines.first().map(|line| line.id));
        let tabs: Vec<Value> = state
            .pipelines
            .iter()
            .map(|line| json!({"id": line.id, "name": line.name, "chosen": Some(line.id) == chosen}))
            .collect();
        let line = state.pipelines.iter().find(|line| Some(line.id) == chosen);
        let columns: Vec<Value> = line
            .into_iter()
            .flat_map(|line| line.statuses.iter().map(move |status| column(state, reader, line, status)))
            .collect();
        json!({"here": "leads", "tabs": tabs, "columns": columns})
    })
}

fn column(state: &State, reader: &Reader, line: &Pipeline, status: &Status) -> Value {
    let mut own: Vec<&Card> = state
        .cards_of(Kind::Lead)
        .filter(|card| {
            !card.is_deleted && (card.deal.pipeline_id, card.deal.status_id) == (line.id, status.id)
        })
        .collect();
    own.sort_by_key(|card| std::cmp::Reverse((card.updated_at, card.id)));
    let money: i64 = own.iter().map(|card| card.deal.price).sum();
    let shown: Vec<Value> = own.iter().take(MOST_SHOWN).map(|card| lead(state, reader, card)).collect();
    json!({
        "name": status.name, "color": status.color, "count": own.len(), "money": money,
        "more": own.len().saturating_sub(MOST_SHOWN), "leads": shown,
    })
}

fn lead(state: &State, reader: &Reader, card: &Card) -> Value {
    let people = state.neighbours(card.key());
    let first = people.first().and_then(|(key, _)| state.cards.get(key));
    json!({
        "href": address(Kind::Lead, card.id), "name": card.name, "price": card.deal.price,
        "who": first.map_or("", |card| card.name.as_str()),
        "responsible": user_name(state, card.responsible_user_id), "at": reader.short_moment(card.updated_at),
        "tags": state.tag_names(card), "has_task": state.closest_task(card.key()).is_some(),
    })
}

/// Incoming leads that wait.
pub(super) async fn unsorted(Shared(desk): Shared<Desk>, headers: HeaderMap) -> Response {
    page(&desk, &headers, "unsorted.html", |state, reader| {
        let rows: Vec<Value> = state
            .unsorted
            .iter()
            .rev()
            .filter(|one| one.decided.is_none())
            .map(|one| {
                let name = state.cards.get(&(Kind::Lead, one.lead)).map_or("", |card| card.name.as_str());
                json!({
                    "name": name, "href": address(Kind::Lead, one.lead), "source": one.source_name,
                    "phone": one.metadata["phone"], "from": one.metadata["from"], "link": one.metadata["link"],
                    "at": reader.moment(one.created_at),
                })
            })
            .collect();
        json!({"here": "unsorted", "rows": rows})
    })
}
