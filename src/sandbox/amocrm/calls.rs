//! `POST /calls`: the server itself finds where a call belongs (reference 3.12).

use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    fields::check_users,
    model::Kind,
    note_params::{CALL, check_call},
    state::{Key, State},
    validation::{Batch, Field, Shape, may, must, request_id},
};

const AROUND: &[Field] = &[
    must("direction", Shape::Word(&["inbound", "outbound"])),
    must("phone", Shape::Filled),
    may("responsible_user_id", Shape::Int),
    may("created_by", Shape::Int),
    may("updated_by", Shape::Int),
    may("created_at", Shape::Int),
    may("updated_at", Shape::Int),
    may("request_id", Shape::Text),
];

const NEW_CALL: Shape = Shape::Object(&[CALL, AROUND]);

/// What goes into the note's params.
const PARAMS: [&str; 8] =
    ["uniq", "duration", "source", "link", "phone", "call_result", "call_status", "call_responsible"];

/// Nothing found for any is a 400; for some, a 200 with both lists. The same `uniq` twice makes two calls.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read(ask, &NEW_CALL).and_then(|batch| {
        batch
            .each(|item, complaints| {
                check_users(state, item, "", complaints);
                check_call(state, item, "", complaints);
            })
            .finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let (mut calls, mut errors) = (Vec::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        let mark = request_id(item, at);
        match state.place_of(item["phone"].as_str().unwrap_or_default()) {
            Some(key) => calls.push(put_call(state, key, item, &mark, ask)),
            None => errors.push(not_found(&mark)),
        }
    }
    let body = json!({"_total_items": calls.len(), "errors": errors, "_embedded": {"calls": calls}});
    if calls.is_empty() { Answer::problem_of(400, body) } else { Answer::ok(body) }
}

fn put_call(state: &mut State, key: Key, item: &Value, mark: &str, ask: &Ask) -> Value {
    let kept = PARAMS.iter().filter_map(|name| Some(((*name).to_owned(), item.get(name)?.clone())));
    let params = Value::Object(kept.collect::<Map<_, _>>());
    let note_type = if item["direction"] == "inbound" { "call_in" } else { "call_out" };
    let id = state.put_note(key, note_type, params, item, ask);
    json!({
        "id": id, "entity_id": key.1, "entity_type": key.0.singular(), "account_id": state.account_id,
        "request_id": mark,
        "_embedded": {"entity": {"id": key.1, "_links": {"self": {"href": state.href(key.0, key.1)}}}},
    })
}

fn not_found(mark: &str) -> Value {
    json!({
        "title": "Entity not found", "status": 400, "detail": "Entity not found",
        "type": "https://httpstatus.es/400", "request_id": mark,
    })
}

impl State {
    /// Where a call of this number lands: the one open lead of the card that has the number, else that card itself.
    /// Of several cards the oldest is taken.
    pub(super) fn place_of(&self, phone: &str) -> Option<Key> {
        let card = self.card_by_phone(phone)?;
        let leads = self.linked(card, Kind::Lead);
        let mut open = leads.into_iter().filter(|id| {
            self.alive((Kind::Lead, *id)).is_some_and(|lead| lead.is_open() && lead.is_visible())
        });
        match (open.next(), open.next()) {
            (Some(only), None) => Some((Kind::Lead, only)),
            _ => Some(card),
        }
    }

    /// The oldest visible contact or company with this number, by its last ten digits.
    pub(super) fn card_by_phone(&self, phone: &str) -> Option<Key> {
        let wanted = last_ten(phone);
        if wanted.is_empty() {
            return None;
        }
        self.cards
            .values()
            .filter(|card| card.kind != Kind::Lead && card.is_visible())
            .filter(|card| self.phones_of(card).iter().any(|own| last_ten(own) == wanted))
            .min_by_key(|card| (card.created_at, card.id))
            .map(super::card::Card::key)
    }
}

/// The last ten digits of any spelling.
fn last_ten(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(10)..].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::last_ten;

    #[test]
    fn only_the_last_ten_digits_count() {
        assert_eq!(last_ten("8 (495) 123-45-67"), last_ten("+74951234567"));
        assert_eq!(last_ten("101"), "101");
    }
}
