//! Notes on all their paths (reference 3.11).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    fields::check_users,
    listing,
    model::{Kind, Note},
    note_params,
    state::{Key, State},
    validation::{Batch, Complaints, Field, Shape, may, must, request_id},
};

const COMMON: &[Field] = &[
    may("created_by", Shape::Int),
    may("updated_by", Shape::Int),
    may("created_at", Shape::Int),
    may("updated_at", Shape::Int),
    may("responsible_user_id", Shape::Int),
    may("request_id", Shape::Text),
    may("params", Shape::AnyObject),
    may("is_need_to_trigger_digital_pipeline", Shape::Bool),
];

const NEW_NOTE: Shape =
    Shape::Object(&[COMMON, &[may("entity_id", Shape::Int), must("note_type", Shape::Filled)]]);
const CHANGED_NOTE: Shape = Shape::Object(&[
    COMMON,
    &[may("id", Shape::Int), may("entity_id", Shape::Int), may("note_type", Shape::Filled)],
]);

/// Where on the four paths a request stands: the card it names, the note it names.
struct Place {
    kind: Kind,
    entity: Option<u64>,
    note: Option<u64>,
}

/// `/{entity}/notes`, `/{entity}/notes/{note}`, `/{entity}/{id}/notes`, `/{entity}/{id}/notes/{note}`.
fn place(ask: &Ask) -> Place {
    let kind = Kind::from_plural(ask.word(0)).unwrap_or(Kind::Contact);
    match ask.word(1) {
        "notes" => Place { kind, entity: None, note: ask.id(2) },
        _ => Place { kind, entity: ask.id(1), note: ask.id(3) },
    }
}

/// A list of notes; 204 when there is none.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let place = place(ask);
    let query = &ask.query;
    let (ids, types) = (query.ids("filter[id]"), query.all("filter[note_type]"));
    let entities = place.entity.map(|id| vec![id]).or_else(|| query.ids("filter[entity_id]"));
    let updated = query.range("filter[updated_at]");
    let mut found: Vec<&Note> = state
        .notes
        .values()
        .filter(|note| note.kind == place.kind && state.alive((note.kind, note.entity_id)).is_some())
        .filter(|note| entities.as_ref().is_none_or(|ids| ids.contains(&note.entity_id)))
        .filter(|note| ids.as_ref().is_none_or(|ids| ids.contains(&note.id)))
        .filter(|note| types.as_ref().is_none_or(|types| types.contains(&note.note_type.as_str())))
        .filter(|note| updated.is_none_or(|(from, to)| (from..=to).contains(&note.updated_at)))
        .collect();
    if let Some((field, down)) = query.order(&["updated_at", "id"]) {
        found.sort_by_key(|note| (if field == "id" { 0 } else { note.updated_at }, note.id));
        if down {
            found.reverse();
        }
    }
    listing::listed(state, ask, "notes", &found, false, |note| note_json(state, note))
}

/// One note; 204 when it is not there.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    found(state, &place(ask)).map_or_else(Answer::nothing, |note| Answer::ok(note_json(state, note)))
}

fn found<'a>(state: &'a State, place: &Place) -> Option<&'a Note> {
    state
        .notes
        .get(&place.note?)
        .filter(|note| note.kind == place.kind && place.entity.is_none_or(|id| id == note.entity_id))
}

/// `POST`: the card comes from the path, else from each item.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let place = place(ask);
    if place.entity.is_some_and(|id| state.alive((place.kind, id)).is_none()) {
        return Answer::problem(404, "Not Found", "Entity not found!");
    }
    let checked = Batch::read(ask, &NEW_NOTE)
        .and_then(|batch| batch.each(|item, complaints| check_new(state, &place, item, complaints)).finish());
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut made = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let entity = place.entity.or_else(|| item["entity_id"].as_u64()).unwrap_or_default();
        let note_type = item["note_type"].as_str().unwrap_or_default();
        let id = state.put_note((place.kind, entity), note_type, item["params"].clone(), item, ask);
        made.push(json!({
            "id": id, "entity_id": entity, "request_id": request_id(item, at), "_links": links(state, (place.kind, entity), id),
        }));
    }
    Answer::ok(json!({
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {"notes": made},
    }))
}

fn check_new(state: &State, place: &Place, item: &Value, complaints: &mut Complaints) {
    check_users(state, item, "", complaints);
    let own = item["entity_id"].as_i64().and_then(|id| u64::try_from(id).ok());
    match place.entity {
        None if item.get("entity_id").is_none() => complaints.missing("entity_id"),
        None if item["entity_id"].is_i64()
            && own.is_none_or(|id| state.alive((place.kind, id)).is_none()) =>
        {
            complaints.choice("entity_id");
        }
        Some(fixed) if item["entity_id"].is_i64() && own != Some(fixed) => complaints.choice("entity_id"),
        _ => {}
    }
    if let Some(note_type) = item["note_type"].as_str() {
        note_params::check(state, note_type, item, complaints);
    }
}

/// `PATCH`: a list, each with its id.
pub(super) fn change_many(state: &mut State, ask: &Ask) -> Answer {
    let kind = place(ask).kind;
    let checked = Batch::read(ask, &CHANGED_NOTE).and_then(|batch| {
        batch
            .each(|item, complaints| match item["id"].as_u64() {
                None if item.get("id").is_none() => complaints.missing("id"),
                None => {}
                Some(id) => match state.notes.get(&id).filter(|note| note.kind == kind) {
                    Some(note) => check_change(state, note, item, complaints),
                    None => complaints.choice("id"),
                },
            })
            .finish()
    });
    match checked {
        Ok(items) => {
            let done: Vec<Value> = items
                .iter()
                .map(|item| change(state, item["id"].as_u64().unwrap_or_default(), item, ask))
                .collect();
            Answer::ok(json!({"_embedded": {"notes": done}}))
        }
        Err(refusal) => refusal,
    }
}

/// `PATCH` of one note.
pub(super) fn change_one(state: &mut State, ask: &Ask) -> Answer {
    let Some(note) = found(state, &place(ask)).cloned() else {
        return Answer::problem(404, "Not Found", "Entity not found!");
    };
    let checked = Batch::read_single(ask, &CHANGED_NOTE).and_then(|batch| {
        batch.each(|item, complaints| check_change(state, &note, item, complaints)).finish()
    });
    match checked {
        Ok(items) => Answer::ok(change(state, note.id, &items[0], ask)),
        Err(refusal) => refusal,
    }
}

fn check_change(state: &State, note: &Note, item: &Value, complaints: &mut Complaints) {
    check_users(state, item, "", complaints);
    // Whether a call note can be edited is unknown (6.4): the stricter reading refuses it.
    let frozen = note.is_call() && !state.faults.toggles().editable_call_notes;
    if frozen || item["note_type"].as_str().is_some_and(|own| own != note.note_type) {
        return complaints.choice("note_type");
    }
    if item.get("params").is_some() {
        note_params::check(state, &note.note_type, item, complaints);
    }
}

fn change(state: &mut State, id: u64, item: &Value, ask: &Ask) -> Value {
    let Some(note) = state.notes.get_mut(&id) else { return Value::Null };
    if item["params"].is_object() {
        note.params = item["params"].clone();
    }
    note.updated_by = item["updated_by"].as_u64().unwrap_or(ask.user);
    note.updated_at = item["updated_at"].as_i64().unwrap_or(ask.now);
    let (key, updated_at) = ((note.kind, note.entity_id), note.updated_at);
    json!({"id": id, "entity_id": key.1, "updated_at": updated_at, "_links": links(state, key, id)})
}

/// `POST …/notes/{id}/pin` and `/unpin`: 204.
pub(super) fn pin(state: &mut State, ask: &Ask) -> Answer {
    let pinned = ask.path.ends_with("/pin");
    let id = found(state, &place(ask)).map(|note| note.id);
    let Some(note) = id.and_then(|id| state.notes.get_mut(&id)) else {
        return Answer::problem(404, "Not Found", "Entity not found!");
    };
    note.is_pinned = pinned;
    Answer::nothing()
}

fn links(state: &State, key: Key, id: u64) -> Value {
    json!({"self": {"href": format!("{}/api/v4/{}/{}/notes/{id}", state.base, key.0.plural(), key.1)}})
}

/// Reading gives nulls for what was not written, though writing them is refused (3.11).
fn note_json(state: &State, note: &Note) -> Value {
    let mut params = note.params.clone();
    if note.is_call() {
        for key in ["uniq", "link", "phone", "call_result", "call_status", "call_responsible"] {
            if params.get(key).is_none() {
                params[key] = Value::Null;
            }
        }
    }
    json!({
        "id": note.id, "entity_id": note.entity_id, "created_by": note.created_by,
        "updated_by": note.updated_by, "created_at": note.created_at, "updated_at": note.updated_at,
        "responsible_user_id": note.responsible_user_id, "group_id": 0, "note_type": note.note_type,
        "params": params, "is_pinned": note.is_pinned, "account_id": state.account_id,
        "_links": links(state, (note.kind, note.entity_id), note.id),
    })
}

impl State {
    /// Puts a note on a card; event and webhook follow.
    pub(super) fn put_note(
        &mut self,
        key: Key,
        note_type: &str,
        params: Value,
        item: &Value,
        ask: &Ask,
    ) -> u64 {
        let id = self.next_id();
        let author = item["created_by"].as_u64().unwrap_or(ask.user);
        let created_at = item["created_at"].as_i64().unwrap_or(ask.now);
        let note = Note {
            id,
            kind: key.0,
            entity_id: key.1,
            note_type: note_type.to_owned(),
            params,
            responsible_user_id: item["responsible_user_id"].as_u64().unwrap_or(ask.user),
            created_by: author,
            updated_by: item["updated_by"].as_u64().unwrap_or(author),
            created_at,
            updated_at: item["updated_at"].as_i64().unwrap_or(created_at),
            is_pinned: false,
        };
        self.notes.insert(id, note);
        self.log_note(id);
        self.hook_note(id);
        id
    }
}
