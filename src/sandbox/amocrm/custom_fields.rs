//! Custom fields of the account, and their values on cards (reference 3.3, 3.8).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    card::{Card, Held, HeldField},
    listing,
    model::Kind,
    state::State,
    validation::{Batch, Complaints, Field, Shape, below, may, must},
};

/// One field of one kind of card.
#[derive(Debug, Clone)]
pub(super) struct CustomField {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) code: Option<String>,
    pub(super) field_type: String,
    pub(super) enums: Vec<(u64, String)>,
    pub(super) is_predefined: bool,
}

const TYPES: &[&str] =
    &["text", "textarea", "numeric", "checkbox", "select", "date", "date_time", "url", "multitext"];

const NEW_FIELD: &[Field] = &[
    must("name", Shape::Filled),
    must("type", Shape::Word(TYPES)),
    may("code", Shape::Filled),
    may("sort", Shape::Int),
    may("is_api_only", Shape::Bool),
    may("enums", Shape::List(&Shape::Object(&[&[must("value", Shape::Filled), may("sort", Shape::Int)]]))),
    may("request_id", Shape::Text),
];

/// `GET /{entity}/custom_fields`.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let Some(kind) = Kind::from_plural(ask.word(0)) else { return Answer::nothing() };
    let own: Vec<&CustomField> = state.fields.iter().filter(|field| field.kind == kind).collect();
    listing::listed(state, ask, "custom_fields", &own, true, |field| field_json(state, field))
}

/// `GET /{entity}/custom_fields/{id}`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let found = Kind::from_plural(ask.word(0)).zip(ask.id(2)).and_then(|(kind, id)| state.field(kind, id));
    found.map_or_else(Answer::nothing, |field| Answer::ok(field_json(state, field)))
}

/// `POST /{entity}/custom_fields`: 201.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let Some(kind) = Kind::from_plural(ask.word(0)) else { return Answer::nothing() };
    let items = match Batch::read(ask, &Shape::Object(&[NEW_FIELD])).and_then(Batch::finish) {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut made = Vec::new();
    for item in &items {
        let enums = item["enums"].as_array().into_iter().flatten();
        let words: Vec<String> = enums.filter_map(|one| one["value"].as_str().map(str::to_owned)).collect();
        let text = |key: &str| item[key].as_str().map(str::to_owned);
        let (name, field_type) = (text("name").unwrap_or_default(), text("type").unwrap_or_default());
        state.add_field(kind, &name, text("code"), &field_type, &words, false);
        made.extend(state.fields.last().map(|field| field_json(state, field)));
    }
    Answer::created(json!({"_total_items": made.len(), "_embedded": {"custom_fields": made}}))
}

fn field_json(state: &State, field: &CustomField) -> Value {
    let enums: Vec<Value> = field
        .enums
        .iter()
        .enumerate()
        .map(|(at, (id, value))| json!({"id": id, "value": value, "sort": at + 1}))
        .collect();
    json!({
        "id": field.id, "name": field.name, "code": field.code, "type": field.field_type,
        "sort": 500, "entity_type": field.kind.plural(), "is_predefined": field.is_predefined,
        "is_deletable": !field.is_predefined, "is_api_only": false, "is_computed": false,
        "group_id": null, "remind": null, "currency": null, "required_statuses": [],
        "enums": if enums.is_empty() { Value::Null } else { json!(enums) },
        "account_id": state.account_id,
        "_links": {"self": {"href": format!(
            "{}/api/v4/{}/custom_fields/{}", state.base, field.kind.plural(), field.id
        )}},
    })
}

impl State {
    pub(super) fn add_field(
        &mut self,
        kind: Kind,
        name: &str,
        code: Option<String>,
        field_type: &str,
        words: &[String],
        is_predefined: bool,
    ) {
        let id = self.next_id();
        let enums = words.iter().map(|word| (self.next_id(), word.clone())).collect();
        let field_type = field_type.to_owned();
        self.fields.push(CustomField {
            id,
            kind,
            name: name.to_owned(),
            code,
            field_type,
            enums,
            is_predefined,
        });
    }

    pub(super) fn field(&self, kind: Kind, id: u64) -> Option<&CustomField> {
        self.fields.iter().find(|field| field.kind == kind && field.id == id)
    }

    fn field_by_code(&self, kind: Kind, code: &str) -> Option<&CustomField> {
        self.fields.iter().find(|field| field.kind == kind && field.code.as_deref() == Some(code))
    }

    fn named_field(&self, kind: Kind, item: &Value) -> Option<&CustomField> {
        match (item["field_id"].as_u64(), item["field_code"].as_str()) {
            (Some(id), _) => self.field(kind, id),
            (None, Some(code)) => self.field_by_code(kind, code),
            (None, None) => None,
        }
    }

    /// Whether the field exists and its values are of its type.
    pub(super) fn check_field(&self, kind: Kind, item: &Value, path: &str, complaints: &mut Complaints) {
        if item.get("field_id").is_none() && item.get("field_code").is_none() {
            return complaints.missing(below(path, "field_id"));
        }
        let Some(field) = self.named_field(kind, item) else {
            let key = if item.get("field_id").is_some() { "field_id" } else { "field_code" };
            return complaints.choice(below(path, key));
        };
        let values = item["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        if values.is_empty() && item["values"].is_array() {
            complaints.blank(below(path, "values"));
        }
        for (at, value) in values.iter().enumerate() {
            field.check_value(value, &below(path, &format!("values.{at}")), complaints);
        }
    }

    /// Replaces the whole list of values of that field, others stay (3.3).
    pub(super) fn apply_field(&self, card: &mut Card, item: &Value) {
        let Some(field) = self.named_field(card.kind, item) else { return };
        let values = item["values"].as_array().into_iter().flatten().map(|value| field.held(value)).collect();
        card.fields.retain(|held| held.field_id != field.id);
        card.fields.push(HeldField { field_id: field.id, values });
    }

    /// Numbers as stored.
    pub(super) fn phones_of(&self, card: &Card) -> Vec<String> {
        let Some(field) = self.field_by_code(card.kind, "PHONE") else { return Vec::new() };
        let held = card.fields.iter().filter(|held| held.field_id == field.id);
        held.flat_map(|held| &held.values).filter_map(|held| held.value.as_str().map(str::to_owned)).collect()
    }

    /// Sets the numbers, as a person types them.
    pub(super) fn set_phones(&self, card: &mut Card, phones: &[String]) {
        let values: Vec<Value> = phones.iter().map(|phone| json!({"value": phone})).collect();
        self.apply_field(card, &json!({"field_code": "PHONE", "values": values}));
    }

    /// `custom_fields_values` as read; `null` when the card has none.
    pub(super) fn fields_json(&self, card: &Card) -> Value {
        let shown: Vec<Value> = card
            .fields
            .iter()
            .filter(|held| !held.values.is_empty())
            .filter_map(|held| self.field(card.kind, held.field_id).map(|field| field.values_json(held)))
            .collect();
        if shown.is_empty() { Value::Null } else { Value::Array(shown) }
    }
}

impl CustomField {
    fn has_words(&self) -> bool {
        matches!(self.field_type.as_str(), "multitext" | "select")
    }

    fn word(&self, id: u64) -> Option<&str> {
        self.enums.iter().find(|(own, _)| *own == id).map(|(_, word)| word.as_str())
    }

    fn word_id(&self, word: &str) -> Option<u64> {
        self.enums.iter().find(|(_, own)| own == word).map(|(id, _)| *id)
    }

    fn check_value(&self, item: &Value, path: &str, complaints: &mut Complaints) {
        if !self.has_words() {
            // Seen live: `enum_code` on a plain field (7a).
            for key in ["enum_id", "enum_code"].into_iter().filter(|key| item.get(*key).is_some()) {
                complaints.unexpected(below(path, key));
            }
        }
        if item["enum_id"].as_u64().is_some_and(|id| self.has_words() && self.word(id).is_none()) {
            complaints.choice(below(path, "enum_id"));
        }
        if self.field_type == "multitext"
            && item["enum_code"].as_str().is_some_and(|code| self.word_id(code).is_none())
        {
            complaints.choice(below(path, "enum_code"));
        }
        let at = below(path, "value");
        let Some(value) = item.get("value") else {
            if self.field_type != "select" || item.get("enum_id").is_none() {
                complaints.missing(at);
            }
            return;
        };
        self.check_type(value, &at, complaints);
    }

    fn check_type(&self, value: &Value, path: &str, complaints: &mut Complaints) {
        if value.is_null() {
            return;
        }
        match self.field_type.as_str() {
            "numeric" if value.is_number() => {}
            "numeric" if value.as_str().is_some_and(|text| text.parse::<f64>().is_ok()) => {}
            "numeric" => complaints.mistyped(path, "numeric"),
            "checkbox" if !value.is_boolean() => complaints.mistyped(path, "bool"),
            "date" | "date_time" if value.as_i64().is_none() => complaints.mistyped(path, "int"),
            "checkbox" | "date" | "date_time" => {}
            _ if !value.is_string() => complaints.mistyped(path, "string"),
            "select" if value.as_str().is_some_and(|word| self.word_id(word).is_none()) => {
                complaints.choice(path);
            }
            "multitext" if value.as_str().is_some_and(|text| text.trim().is_empty()) => {
                complaints.blank(path);
            }
            _ => {}
        }
    }

    /// A value that passed the check, as the card holds it.
    fn held(&self, item: &Value) -> Held {
        let code = item["enum_code"].as_str().and_then(|code| self.word_id(code));
        let enum_id = match self.field_type.as_str() {
            "multitext" => {
                item["enum_id"].as_u64().or(code).or_else(|| self.enums.first().map(|(id, _)| *id))
            }
            "select" => item["enum_id"].as_u64().or_else(|| self.word_id(item["value"].as_str()?)),
            _ => None,
        };
        let value = match (self.field_type.as_str(), &item["value"]) {
            ("select", _) => json!(enum_id.and_then(|id| self.word(id))),
            ("numeric", Value::Number(number)) => json!(number.to_string()),
            (_, value) => value.clone(),
        };
        Held { value, enum_id }
    }

    fn values_json(&self, held: &HeldField) -> Value {
        let values: Vec<Value> = held
            .values
            .iter()
            .map(|held| match (self.field_type.as_str(), held.enum_id) {
                ("multitext", Some(id)) => {
                    json!({"value": held.value, "enum_id": id, "enum_code": self.word(id)})
                }
                ("select", Some(id)) => json!({"value": held.value, "enum_id": id, "enum_code": null}),
                _ => json!({"value": held.value}),
            })
            .collect();
        json!({
            "field_id": self.id, "field_name": self.name, "field_code": self.code,
            "field_type": self.field_type, "values": values,
        })
    }
}
