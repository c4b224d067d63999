//! Links between cards (reference 3.6).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    card::Origin,
    model::Kind,
    state::{Key, State},
    validation::{Batch, Complaints, Field, Shape, may, must},
};

const KINDS: &[&str] = &["leads", "contacts", "companies"];

const ROW: &[Field] = &[
    must("to_entity_id", Shape::Int),
    must("to_entity_type", Shape::Word(KINDS)),
    may(
        "metadata",
        Shape::Object(&[&[
            may("is_main", Shape::Bool),
            may("main_contact", Shape::Bool),
            may("updated_by", Shape::Int),
        ]]),
    ),
];

const OF_ONE: Shape = Shape::Object(&[ROW]);
const OF_MANY: Shape = Shape::Object(&[ROW, &[must("entity_id", Shape::Int)]]);

/// `POST /{entity}/{id}/link` and `POST /{entity}/link`.
pub(super) fn link(state: &mut State, ask: &Ask) -> Answer {
    let rows = match rows(state, ask) {
        Ok(rows) => rows,
        Err(refusal) => return refusal,
    };
    let mut done = Vec::new();
    for (from, to, is_main) in rows {
        let is_main = state.join(from, to, is_main);
        state.log_event("entity_linked", from, ask.user, ask.now);
        state.touch_links(from, ask.origin());
        done.push(link_json(from, to, is_main));
    }
    Answer::ok(json!({
        "_total_items": done.len(),
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {"links": done},
    }))
}

/// `POST …/unlink`: 204.
pub(super) fn unlink(state: &mut State, ask: &Ask) -> Answer {
    match rows(state, ask) {
        Ok(rows) => {
            for (from, to, _) in rows {
                state.part(from, to);
                state.log_event("entity_unlinked", from, ask.user, ask.now);
                state.touch_links(from, ask.origin());
            }
            Answer::nothing()
        }
        Err(refusal) => refusal,
    }
}

/// `GET /{entity}/{id}/links` and `GET /{entity}/links?filter[entity_id][]=`.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let Some(kind) = Kind::from_plural(ask.word(0)) else { return Answer::nothing() };
    let from = match ask.id(1) {
        Some(id) => vec![id],
        None => ask.query.ids("filter[entity_id]").unwrap_or_default(),
    };
    let wanted = ask.query.ids("filter[to_entity_id]");
    let wanted_kind = ask.query.get("filter[to_entity_type]").and_then(Kind::from_plural);
    let mut found = Vec::new();
    for id in from.into_iter().filter(|id| state.alive((kind, *id)).is_some()) {
        for (to, is_main) in state.neighbours((kind, id)) {
            if wanted.as_ref().is_none_or(|ids| ids.contains(&to.1))
                && wanted_kind.is_none_or(|kind| kind == to.0)
                && state.alive(to).is_some()
            {
                found.push(link_json((kind, id), to, is_main));
            }
        }
    }
    if found.is_empty() {
        return Answer::nothing();
    }
    Answer::ok(json!({
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {"links": found},
    }))
}

fn link_json(from: Key, to: Key, is_main: bool) -> Value {
    let metadata = match (from.0, to.0) {
        (Kind::Lead, Kind::Contact) | (Kind::Contact, Kind::Lead) => json!({"main_contact": is_main}),
        _ => Value::Null,
    };
    json!({
        "entity_id": from.1, "entity_type": from.0.plural(),
        "to_entity_id": to.1, "to_entity_type": to.0.plural(), "metadata": metadata,
    })
}

type Row = (Key, Key, bool);

fn rows(state: &State, ask: &Ask) -> Result<Vec<Row>, Answer> {
    let Some(kind) = Kind::from_plural(ask.word(0)) else { return Err(Answer::nothing()) };
    let fixed = ask.id(1);
    if fixed.is_some_and(|id| state.alive((kind, id)).is_none()) {
        return Err(Answer::problem(404, "Not Found", "Entity not found!"));
    }
    let shape = if fixed.is_some() { OF_ONE } else { OF_MANY };
    let items = Batch::read(ask, &shape)?
        .each(|item, complaints| check_row(state, kind, fixed, item, complaints))
        .finish()?;
    Ok(items.iter().filter_map(|item| row(kind, fixed, item)).collect())
}

fn row(kind: Kind, fixed: Option<u64>, item: &Value) -> Option<Row> {
    let to = Kind::from_plural(item["to_entity_type"].as_str()?)?;
    let metadata = &item["metadata"];
    let is_main = metadata["is_main"] == true || metadata["main_contact"] == true;
    let from = fixed.or_else(|| item["entity_id"].as_u64())?;
    Some(((kind, from), (to, item["to_entity_id"].as_u64()?), is_main))
}

fn check_row(state: &State, kind: Kind, fixed: Option<u64>, item: &Value, complaints: &mut Complaints) {
    if let (None, Some(id)) = (fixed, item["entity_id"].as_u64())
        && state.alive((kind, id)).is_none()
    {
        complaints.choice("entity_id");
    }
    let Some(to) = item["to_entity_type"].as_str().and_then(Kind::from_plural) else { return };
    if to == kind {
        complaints.choice("to_entity_type");
    }
    if let Some(id) = item["to_entity_id"].as_i64()
        && u64::try_from(id).map_or(true, |id| state.alive((to, id)).is_none())
    {
        complaints.choice("to_entity_id");
    }
}

impl State {
    /// Joins two cards; a lead has one main contact, and its first contact is it. Answers whether this is it.
    pub(super) fn join(&mut self, from: Key, to: Key, is_main: bool) -> bool {
        let pair = |kind: Kind| [from, to].into_iter().find(|key| key.0 == kind);
        let mut is_main = is_main;
        if let (Some(lead), Some(contact)) = (pair(Kind::Lead), pair(Kind::Contact)) {
            let others: Vec<(Key, bool)> = self
                .neighbours(lead)
                .into_iter()
                .filter(|(other, _)| other.0 == Kind::Contact && *other != contact)
                .collect();
            is_main |= others.is_empty();
            for (other, _) in others.into_iter().filter(|_| is_main) {
                self.links.insert((lead, other), false);
                self.links.insert((other, lead), false);
            }
        } else {
            is_main = false;
        }
        self.links.insert((from, to), is_main);
        self.links.insert((to, from), is_main);
        is_main
    }

    /// Parts two cards.
    pub(super) fn part(&mut self, from: Key, to: Key) {
        self.links.remove(&(from, to));
        self.links.remove(&(to, from));
    }

    /// Everything a card is joined to, with the mark of the main contact.
    pub(super) fn neighbours(&self, from: Key) -> Vec<(Key, bool)> {
        let least = (from, (Kind::Contact, 0));
        let most = (from, (Kind::Lead, u64::MAX));
        self.links.range(least..=most).map(|((_, to), is_main)| (*to, *is_main)).collect()
    }

    /// Ids of one kind a card is joined to.
    pub(super) fn linked(&self, from: Key, kind: Kind) -> Vec<u64> {
        self.neighbours(from).into_iter().filter(|(to, _)| to.0 == kind).map(|(to, _)| to.1).collect()
    }

    /// A link changes the card it was made from.
    fn touch_links(&mut self, key: Key, origin: Origin) {
        if let Some(before) = self.cards.get(&key).cloned() {
            self.touched(&before, origin);
        }
    }
}
