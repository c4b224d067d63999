//! What contacts, companies and leads have in common when written: shapes, checks, and putting it on the card.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    card::{Card, Origin},
    model::Kind,
    state::State,
    validation::{Complaints, Field, Shape, below, may, must, request_id},
};

/// Author, owner, times and the sender's mark.
pub(super) const STAMPS: &[Field] = &[
    may("responsible_user_id", Shape::Int),
    may("created_by", Shape::Int),
    may("updated_by", Shape::Int),
    may("created_at", Shape::Int),
    may("updated_at", Shape::Int),
    may("request_id", Shape::Text),
];

/// Custom fields and tags to add.
pub(super) const VALUES: &[Field] = &[
    may("name", Shape::Text),
    may("custom_fields_values", Shape::List(&FIELD_VALUES)),
    may("tags_to_add", Shape::List(&TAG)),
];

/// What only a change may carry.
pub(super) const CHANGES: &[Field] = &[may("id", Shape::Int), may("tags_to_delete", Shape::List(&TAG))];

/// A tag by id or name.
pub(super) const TAG: Shape = Shape::Object(&[&[may("id", Shape::Int), may("name", Shape::Filled)]]);

/// `_embedded` with nothing but tags.
pub(super) const ONLY_TAGS: &[Field] =
    &[may("_embedded", Shape::Object(&[&[may("tags", Shape::List(&TAG))]]))];

const FIELD_VALUES: Shape = Shape::Object(&[&[
    may("field_id", Shape::Int),
    may("field_code", Shape::Filled),
    must("values", Shape::List(&ONE_VALUE)),
]]);

const ONE_VALUE: Shape = Shape::Object(&[&[
    may("value", Shape::Scalar),
    may("enum_id", Shape::Int),
    may("enum_code", Shape::Filled),
]]);

/// Custom-field values one entity may carry in a write (2.1).
const MOST_VALUES: usize = 40;

/// Looks whether what an item names exists.
pub(super) fn check_item(state: &State, kind: Kind, item: &Value, path: &str, complaints: &mut Complaints) {
    check_users(state, item, path, complaints);
    if let Some(fields) = item["custom_fields_values"].as_array() {
        let at = below(path, "custom_fields_values");
        let count: usize = fields.iter().map(|field| field["values"].as_array().map_or(0, Vec::len)).sum();
        if count > MOST_VALUES {
            complaints.too_many(at.as_str(), MOST_VALUES);
        }
        for (index, field) in fields.iter().enumerate() {
            state.check_field(kind, field, &below(&at, &index.to_string()), complaints);
        }
    }
    let lists = [
        (&item["tags_to_add"], "tags_to_add"),
        (&item["tags_to_delete"], "tags_to_delete"),
        (&item["_embedded"]["tags"], "_embedded.tags"),
    ];
    for (tags, name) in lists {
        for (index, tag) in tags.as_array().into_iter().flatten().enumerate() {
            state.check_tag(kind, tag, &below(path, &format!("{name}.{index}")), complaints);
        }
    }
}

/// A responsible must be an active user (6.5); an author any user or 0, the robot.
pub(super) fn check_users(state: &State, item: &Value, path: &str, complaints: &mut Complaints) {
    if let Some(id) = item["responsible_user_id"].as_i64()
        && !u64::try_from(id).is_ok_and(|id| state.is_active_user(id))
    {
        complaints.choice(below(path, "responsible_user_id"));
    }
    for name in ["created_by", "updated_by"] {
        if let Some(id) = item[name].as_i64()
            && id != 0
            && !state.users.iter().any(|user| i64::try_from(user.id) == Ok(id))
        {
            complaints.choice(below(path, name));
        }
    }
    for name in ["created_at", "updated_at"] {
        if item[name].as_i64().is_some_and(|moment| moment < 0) {
            complaints.choice(below(path, name));
        }
    }
}

/// Puts what is common on the card. `updated_at` and `updated_by` are the caller's matter.
pub(super) fn apply(state: &mut State, card: &mut Card, item: &Value) {
    let whole = |key: &str| item[key].as_u64();
    if let Some(name) = item["name"].as_str() {
        name.clone_into(&mut card.name);
    }
    if card.kind == Kind::Contact {
        apply_names(card, item);
    }
    card.responsible_user_id = whole("responsible_user_id").unwrap_or(card.responsible_user_id);
    card.created_by = whole("created_by").unwrap_or(card.created_by);
    card.created_at = item["created_at"].as_i64().unwrap_or(card.created_at);
    for field in item["custom_fields_values"].as_array().into_iter().flatten() {
        state.apply_field(card, field);
    }
    state.apply_tags(card, item);
}

fn apply_names(card: &mut Card, item: &Value) {
    let (first, last) = (item["first_name"].as_str(), item["last_name"].as_str());
    if first.is_none() && last.is_none() {
        return;
    }
    first.unwrap_or(&card.first_name.clone()).clone_into(&mut card.first_name);
    last.unwrap_or(&card.last_name.clone()).clone_into(&mut card.last_name);
    if item["name"].as_str().is_none() {
        card.name = format!("{} {}", card.first_name, card.last_name).trim().to_owned();
    }
}

/// Who and when a write of this item counts for.
pub(super) fn stamped(item: &Value, origin: Origin) -> Origin {
    Origin {
        user: item["updated_by"].as_u64().unwrap_or(origin.user),
        now: item["updated_at"].as_i64().unwrap_or(origin.now),
    }
}

/// The answer to a create: ids with the senders' marks.
pub(super) fn created(state: &State, ask: &Ask, kind: Kind, items: &[Value], ids: &[u64]) -> Answer {
    let made: Vec<Value> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| {
            json!({
                "id": id,
                "request_id": request_id(&items[at], at),
                "_links": {"self": {"href": state.href(kind, *id)}},
            })
        })
        .collect();
    Answer::ok(json!({
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {kind.plural(): made},
    }))
}

/// Puts a change of one card through; the card must be alive.
pub(super) fn change_card(
    state: &mut State,
    kind: Kind,
    id: u64,
    item: &Value,
    origin: Origin,
    also: impl FnOnce(&State, &mut Card),
) {
    let Some(before) = state.alive((kind, id)).cloned() else { return };
    let mut card = before.clone();
    apply(state, &mut card, item);
    also(state, &mut card);
    state.cards.insert(card.key(), card);
    state.touched(&before, stamped(item, origin));
}

/// The answer to a change.
pub(super) fn changed(state: &State, kind: Kind, id: u64, request_id: Option<String>) -> Value {
    let card = state.cards.get(&(kind, id));
    let mut body = json!({
        "id": id,
        "name": card.map_or("", |card| card.name.as_str()),
        "updated_at": card.map_or(0, |card| card.updated_at),
        "_links": {"self": {"href": state.href(kind, id)}},
    });
    if let Some(request_id) = request_id {
        body["request_id"] = json!(request_id);
    }
    body
}

/// Batch changes name their card; it must be there.
pub(super) fn check_id(state: &State, kind: Kind, item: &Value, complaints: &mut Complaints) {
    match item["id"].as_i64() {
        Some(id) if u64::try_from(id).is_ok_and(|id| state.alive((kind, id)).is_some()) => {}
        Some(_) => complaints.choice("id"),
        None if item["id"].is_null() && item.get("id").is_none() => complaints.missing("id"),
        None => {}
    }
}

impl State {
    /// Address of a card.
    pub(super) fn href(&self, kind: Kind, id: u64) -> String {
        format!("{}/api/v4/{}/{id}", self.base, kind.plural())
    }
}
