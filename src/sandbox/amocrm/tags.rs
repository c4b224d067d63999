//! Tags (reference 3.9).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    card::Card,
    listing,
    model::Kind,
    state::State,
    validation::{Batch, Complaints, Field, Shape, below, may, must, request_id},
};

/// A tag of one kind of card.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) name: String,
}

const NEW_TAG: &[Field] = &[must("name", Shape::Filled), may("request_id", Shape::Text)];

/// `GET /{entity}/tags`.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let Some(kind) = Kind::from_plural(ask.word(0)) else { return Answer::nothing() };
    let (ids, name) = (ask.query.ids("filter[id]"), ask.query.get("filter[name]"));
    let search = ask.query.get("query").map(str::to_lowercase);
    let found: Vec<&Tag> = state
        .tags
        .iter()
        .filter(|tag| tag.kind == kind)
        .filter(|tag| ids.as_ref().is_none_or(|ids| ids.contains(&tag.id)))
        .filter(|tag| name.is_none_or(|name| tag.name == name))
        .filter(|tag| search.as_ref().is_none_or(|text| tag.name.to_lowercase().contains(text)))
        .collect();
    listing::listed(state, ask, "tags", &found, false, |tag| tag_json(tag))
}

/// `POST /{entity}/tags`; a name that is there already keeps its id.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let Some(kind) = Kind::from_plural(ask.word(0)) else { return Answer::nothing() };
    let items = match Batch::read(ask, &Shape::Object(&[NEW_TAG])).and_then(Batch::finish) {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let made: Vec<Value> = items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let name = item["name"].as_str().unwrap_or_default();
            json!({"id": state.tag_id(kind, name), "name": name, "color": null, "request_id": request_id(item, at)})
        })
        .collect();
    Answer::ok(json!({"_total_items": made.len(), "_embedded": {"tags": made}}))
}

fn tag_json(tag: &Tag) -> Value {
    match tag.kind {
        Kind::Lead => json!({"id": tag.id, "name": tag.name, "color": null}),
        _ => json!({"id": tag.id, "name": tag.name}),
    }
}

impl State {
    /// The tag of that name, made when missing.
    pub(super) fn tag_id(&mut self, kind: Kind, name: &str) -> u64 {
        if let Some(tag) = self.tags.iter().find(|tag| tag.kind == kind && tag.name == name) {
            return tag.id;
        }
        let id = self.next_id();
        self.tags.push(Tag { id, kind, name: name.to_owned() });
        id
    }

    pub(super) fn check_tag(&self, kind: Kind, tag: &Value, path: &str, complaints: &mut Complaints) {
        match (tag["id"].as_u64(), tag.get("name")) {
            (Some(id), _) if self.tags.iter().any(|tag| tag.kind == kind && tag.id == id) => {}
            (Some(_), _) => complaints.choice(below(path, "id")),
            (None, None) if tag.is_object() => complaints.missing(below(path, "name")),
            _ => {}
        }
    }

    /// `_embedded.tags` replaces the set; `tags_to_add` and `tags_to_delete` change it (3.3).
    pub(super) fn apply_tags(&mut self, card: &mut Card, item: &Value) {
        let kind = card.kind;
        if let Some(set) = item["_embedded"]["tags"].as_array() {
            card.tags = set.iter().map(|tag| self.tag_of(kind, tag)).collect();
        }
        for tag in item["tags_to_add"].as_array().into_iter().flatten() {
            let id = self.tag_of(kind, tag);
            if !card.tags.contains(&id) {
                card.tags.push(id);
            }
        }
        for tag in item["tags_to_delete"].as_array().into_iter().flatten() {
            let id = self.tag_of(kind, tag);
            card.tags.retain(|own| *own != id);
        }
    }

    fn tag_of(&mut self, kind: Kind, tag: &Value) -> u64 {
        match tag["id"].as_u64() {
            Some(id) => id,
            None => self.tag_id(kind, tag["name"].as_str().unwrap_or_default()),
        }
    }

    pub(super) fn tag_names(&self, card: &Card) -> Vec<String> {
        let named = card.tags.iter().filter_map(|id| self.tags.iter().find(|tag| tag.id == *id));
        named.map(|tag| tag.name.clone()).collect()
    }

    /// A card's tags as read.
    pub(super) fn tags_json(&self, card: &Card) -> Vec<Value> {
        let named = card.tags.iter().filter_map(|id| self.tags.iter().find(|tag| tag.id == *id));
        named.map(tag_json).collect()
    }
}
