//! Contacts and companies (reference 3.3, 3.4).

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    card::Card,
    fields::{self, CHANGES, ONLY_TAGS, STAMPS, VALUES},
    listing,
    model::Kind,
    state::State,
    validation::{Batch, Field, Shape, may, request_id},
};

const NAMES: &[Field] = &[may("first_name", Shape::Text), may("last_name", Shape::Text)];

/// A new contact; also the contact inside `leads/complex` and unsorted.
pub(super) const NEW_CONTACT: Shape = Shape::Object(&[STAMPS, VALUES, NAMES, ONLY_TAGS]);
/// A new company.
pub(super) const NEW_COMPANY: Shape = Shape::Object(&[STAMPS, VALUES, ONLY_TAGS]);
const CHANGED_CONTACT: Shape = Shape::Object(&[STAMPS, VALUES, NAMES, ONLY_TAGS, CHANGES]);
const CHANGED_COMPANY: Shape = Shape::Object(&[STAMPS, VALUES, ONLY_TAGS, CHANGES]);

fn kind_of(ask: &Ask) -> Kind {
    if ask.word(0) == "companies" { Kind::Company } else { Kind::Contact }
}

fn changed_shape(kind: Kind) -> Shape {
    if kind == Kind::Company { CHANGED_COMPANY } else { CHANGED_CONTACT }
}

/// `GET /contacts`, `GET /companies`.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let kind = kind_of(ask);
    let found = select(state, ask, kind, |_| true);
    listing::listed(state, ask, kind.plural(), &found, false, |card| state.card_json(card, ask))
}

/// The cards of a list: common filters, search and order. The bin, and people who wait in unsorted, are not shown (3.13). Unknown filters are passed over silently (2.4).
pub(super) fn select<'a>(
    state: &'a State,
    ask: &Ask,
    kind: Kind,
    also: impl Fn(&Card) -> bool,
) -> Vec<&'a Card> {
    let query = &ask.query;
    let (ids, names) = (query.ids("filter[id]"), query.all("filter[name]"));
    let responsible = query.ids("filter[responsible_user_id]");
    let (created_by, updated_by) = (query.ids("filter[created_by]"), query.ids("filter[updated_by]"));
    let (created, updated) = (query.range("filter[created_at]"), query.range("filter[updated_at]"));
    let search = query.get("query").map(str::to_lowercase).filter(|text| !text.is_empty());
    let lag = state.toggles().search_lag;
    let in_bin = kind == Kind::Lead && query.lists("with", "only_deleted");
    let has = |ids: &Option<Vec<u64>>, id: u64| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    let within =
        |range: Option<(i64, i64)>, at: i64| range.is_none_or(|(from, to)| (from..=to).contains(&at));
    let mut found: Vec<&Card> = state
        .cards_of(kind)
        .filter(|card| card.is_deleted == in_bin && (kind == Kind::Lead || !card.is_unsorted))
        .filter(|card| has(&ids, card.id))
        .filter(|card| names.as_ref().is_none_or(|names| names.contains(&card.name.as_str())))
        .filter(|card| has(&responsible, card.responsible_user_id))
        .filter(|card| has(&created_by, card.created_by) && has(&updated_by, card.updated_by))
        .filter(|card| within(created, card.created_at) && within(updated, card.updated_at))
        .filter(|card| also(card))
        .filter(|card| search.as_ref().is_none_or(|text| matches_search(card, text, lag)))
        .collect();
    sort(&mut found, query.order(&["id", "updated_at", "created_at"]));
    found
}

fn sort(cards: &mut [&Card], order: Option<(&str, bool)>) {
    let Some((field, down)) = order else { return };
    match field {
        "updated_at" => cards.sort_by_key(|card| (card.updated_at, card.id)),
        "created_at" => cards.sort_by_key(|card| (card.created_at, card.id)),
        _ => cards.sort_by_key(|card| card.id),
    }
    if down {
        cards.reverse();
    }
}

/// A substring of the name or of a value as stored: no folding of +7 and 8 (6.1).
fn matches_search(card: &Card, text: &str, lag: Duration) -> bool {
    let hit = |value: &Value| match value {
        Value::String(own) => own.to_lowercase().contains(text),
        other => other.to_string().contains(text),
    };
    card.indexed_from.elapsed() >= lag
        && (card.name.to_lowercase().contains(text)
            || card.fields.iter().flat_map(|held| &held.values).any(|held| hit(&held.value)))
}

/// `GET /contacts/{id}`: 204 when there is none (3.3).
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let found = ask.id(1).and_then(|id| state.alive((kind_of(ask), id)));
    found.map_or_else(Answer::nothing, |card| Answer::ok(state.card_json(card, ask)))
}

/// `POST /contacts`: nothing is required.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let kind = kind_of(ask);
    let shape = if kind == Kind::Company { NEW_COMPANY } else { NEW_CONTACT };
    let checked = Batch::read(ask, &shape).and_then(|batch| {
        batch.each(|item, complaints| fields::check_item(state, kind, item, "", complaints)).finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let ids: Vec<u64> = items.iter().map(|item| state.create_person(kind, item, ask, false)).collect();
    fields::created(state, ask, kind, &items, &ids)
}

/// `PATCH /contacts`: a list, each with its id.
pub(super) fn change_many(state: &mut State, ask: &Ask) -> Answer {
    let kind = kind_of(ask);
    let checked = Batch::read(ask, &changed_shape(kind)).and_then(|batch| {
        batch
            .each(|item, complaints| {
                fields::check_id(state, kind, item, complaints);
                fields::check_item(state, kind, item, "", complaints);
            })
            .finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut done = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let id = item["id"].as_u64().unwrap_or_default();
        fields::change_card(state, kind, id, item, ask.origin(), |_, _| {});
        done.push(fields::changed(state, kind, id, Some(request_id(item, at))));
    }
    Answer::ok(json!({
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {kind.plural(): done},
    }))
}

/// `PATCH /contacts/{id}`: one bare object.
pub(super) fn change_one(state: &mut State, ask: &Ask) -> Answer {
    let kind = kind_of(ask);
    let Some(id) = ask.id(1).filter(|id| state.alive((kind, *id)).is_some()) else {
        return Answer::problem(404, "Not Found", "Entity not found!");
    };
    let checked = Batch::read_single(ask, &changed_shape(kind)).and_then(|batch| {
        batch.each(|item, complaints| fields::check_item(state, kind, item, "", complaints)).finish()
    });
    match checked {
        Ok(items) => {
            for item in &items {
                fields::change_card(state, kind, id, item, ask.origin(), |_, _| {});
            }
            Answer::ok(fields::changed(state, kind, id, None))
        }
        Err(refusal) => refusal,
    }
}

impl State {
    /// A contact or company from an item that passed the checks; hidden when it waits in unsorted.
    pub(super) fn create_person(&mut self, kind: Kind, item: &Value, ask: &Ask, hidden: bool) -> u64 {
        let mut card = self.blank_card(kind, ask.origin());
        fields::apply(self, &mut card, item);
        let stamp = fields::stamped(item, ask.origin());
        (card.updated_by, card.updated_at, card.is_unsorted) = (stamp.user, stamp.now, hidden);
        self.put_new(card)
    }

    /// A card as read; `with` adds what is linked.
    pub(super) fn card_json(&self, card: &Card, ask: &Ask) -> Value {
        match card.kind {
            Kind::Lead => self.lead_json(card, ask),
            _ => self.person_json(card, ask),
        }
    }

    fn person_json(&self, card: &Card, ask: &Ask) -> Value {
        let mut body = self.common_json(card);
        let mut embedded = json!({"tags": self.tags_json(card)});
        if card.kind == Kind::Contact {
            body["first_name"] = json!(card.first_name);
            body["last_name"] = json!(card.last_name);
            body["is_unsorted"] = json!(card.is_unsorted);
            embedded["companies"] = self.linked_json(card, Kind::Company);
        } else if ask.query.lists("with", "contacts") {
            embedded["contacts"] = self.linked_json(card, Kind::Contact);
        }
        // Only ids, no status (3.3).
        if ask.query.lists("with", "leads") {
            embedded["leads"] = self.linked_json(card, Kind::Lead);
        }
        for absent in ["customers", "catalog_elements"] {
            if ask.query.lists("with", absent) {
                embedded[absent] = json!([]);
            }
        }
        body["_embedded"] = embedded;
        body
    }

    /// Fields that contacts, companies and leads share.
    pub(super) fn common_json(&self, card: &Card) -> Value {
        json!({
            "id": card.id, "name": card.name, "responsible_user_id": card.responsible_user_id, "group_id": 0,
            "created_by": card.created_by, "updated_by": card.updated_by,
            "created_at": card.created_at, "updated_at": card.updated_at,
            "closest_task_at": self.closest_task(card.key()), "is_deleted": card.is_deleted,
            "custom_fields_values": self.fields_json(card), "account_id": self.account_id,
            "_links": {"self": {"href": self.href(card.kind, card.id)}},
        })
    }

    /// Linked cards by id and address.
    pub(super) fn linked_json(&self, card: &Card, kind: Kind) -> Value {
        let of = |id: u64| json!({"id": id, "_links": {"self": {"href": self.href(kind, id)}}});
        let ids = self.linked(card.key(), kind).into_iter();
        ids.filter(|id| self.alive((kind, *id)).is_some()).map(of).collect()
    }
}
