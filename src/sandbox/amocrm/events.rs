//! The account's log of events (reference 3.15).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    listing,
    state::{Key, State},
};

/// Events a page (UNVERIFIED in 3.15, the stricter reading).
const MOST_EVENTS: usize = 100;

/// Something that happened to a card.
#[derive(Debug, Clone)]
pub(super) struct Event {
    id: String,
    kind: String,
    key: Key,
    created_by: u64,
    created_at: i64,
    note: Option<u64>,
}

/// `GET /events`, newest first. Its filters are comma lists, unlike all others (2.4).
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let words = |name: &str| -> Option<Vec<String>> {
        let values = ask.query.all(name)?;
        Some(values.iter().flat_map(|text| text.split(',')).map(|word| word.trim().to_owned()).collect())
    };
    let (types, kinds) = (words("filter[type]"), words("filter[entity]"));
    let (ids, entities, authors) =
        (words("filter[id]"), words("filter[entity_id]"), words("filter[created_by]"));
    let created: Option<Vec<i64>> =
        words("filter[created_at]").map(|bounds| bounds.iter().filter_map(|one| one.parse().ok()).collect());
    let has = |list: &Option<Vec<String>>, word: &str| {
        list.as_ref().is_none_or(|list| list.iter().any(|own| own == word))
    };
    let found: Vec<&Event> = state
        .events
        .iter()
        .rev()
        .filter(|event| has(&types, &event.kind) && has(&kinds, event.key.0.singular()))
        .filter(|event| has(&ids, &event.id) && has(&entities, &event.key.1.to_string()))
        .filter(|event| has(&authors, &event.created_by.to_string()))
        .filter(|event| match created.as_deref() {
            Some([from, to, ..]) => (*from..=*to).contains(&event.created_at),
            Some([only]) => event.created_at == *only,
            _ => true,
        })
        .collect();
    listing::listed_most(state, ask, "events", &found, (false, MOST_EVENTS), |event| event_json(state, event))
}

fn event_json(state: &State, event: &Event) -> Value {
    let after = event.note.map_or_else(|| json!([]), |id| json!([{"note": {"id": id}}]));
    let (kind, id) = event.key;
    json!({
        "id": event.id, "type": event.kind, "entity_id": id, "entity_type": kind.singular(),
        "created_by": event.created_by, "created_at": event.created_at,
        "value_after": after, "value_before": [], "account_id": state.account_id,
        "_links": {"self": {"href": format!("{}/api/v4/events/{}", state.base, event.id)}},
        "_embedded": {"entity": {"id": id, "_links": {"self": {"href": state.href(kind, id)}}}},
    })
}

impl State {
    pub(super) fn log_event(&mut self, kind: &str, key: Key, created_by: u64, created_at: i64) {
        self.push_event(kind, key, created_by, created_at, None);
    }

    /// A note entered a card.
    pub(super) fn log_note(&mut self, id: u64) {
        let Some(note) = self.notes.get(&id) else { return };
        let kind = match note.note_type.as_str() {
            "call_in" => "incoming_call".to_owned(),
            "call_out" => "outgoing_call".to_owned(),
            "sms_in" => "incoming_sms".to_owned(),
            "sms_out" => "outgoing_sms".to_owned(),
            other => format!("{other}_note_added"),
        };
        self.push_event(&kind, (note.kind, note.entity_id), note.created_by, note.created_at, Some(id));
    }

    fn push_event(&mut self, kind: &str, key: Key, created_by: u64, created_at: i64, note: Option<u64>) {
        let id = format!("01sandbox{:017x}", self.events.len());
        self.events.push(Event { id, kind: kind.to_owned(), key, created_by, created_at, note });
    }
}
