//! Webhooks as they are written: forms with PHP brackets, every value text (reference 5).

use serde_json::{Value, json};

use super::{
    card::Card,
    model::{Kind, Note, Task, Unsorted},
    state::{Key, State},
};

/// A form on its way to one subscriber.
#[derive(Debug, Clone)]
pub(super) struct HookPost {
    pub(super) hook: u64,
    pub(super) destination: String,
    pub(super) form: Vec<(String, String)>,
}

impl State {
    /// A card was added, changed, moved, handed over or thrown away.
    pub(super) fn hook_card(&mut self, action: &str, key: Key, before: Option<&Card>) {
        let setting = format!("{action}_{}", key.0.singular());
        if !self.is_awaited(&setting) {
            return;
        }
        let Some(card) = self.cards.get(&key) else { return };
        let body = match (key.0, action) {
            (Kind::Lead, "delete") => json!({
                "id": card.id, "status_id": card.deal.status_id, "pipeline_id": card.deal.pipeline_id,
            }),
            (_, "delete") => json!({"id": card.id, "type": key.0.singular()}),
            (Kind::Lead, _) => self.lead_form(card, before),
            _ => self.person_form(card, before),
        };
        // Companies go under `contacts`, and their new owner arrives as an update.
        let (noun, action) = match (key.0, action) {
            (Kind::Lead, action) => ("leads", action),
            (_, "responsible") => ("contacts", "update"),
            (_, action) => ("contacts", action),
        };
        self.queue(&setting, json!({noun: {action: [body]}}));
    }

    /// A task was added or changed.
    pub(super) fn hook_task(&mut self, action: &str, id: u64) {
        let setting = format!("{action}_task");
        if !self.is_awaited(&setting) {
            return;
        }
        let Some(body) = self.tasks.get(&id).map(task_form) else { return };
        self.queue(&setting, json!({"task": {action: [body]}}));
    }

    /// A note was put on a card.
    pub(super) fn hook_note(&mut self, id: u64) {
        let Some(note) = self.notes.get(&id) else { return };
        let setting = format!("note_{}", note.kind.singular());
        if !self.is_awaited(&setting) {
            return;
        }
        let mut row = json!({"note": note_form(note)});
        if note.kind != Kind::Lead {
            row["type"] = json!(note.kind.singular());
        }
        let noun = if note.kind == Kind::Lead { "leads" } else { "contacts" };
        self.queue(&setting, json!({noun: {"note": [row]}}));
    }

    /// An incoming lead came (`add`), was taken in (`accept`) or turned away (`decline`).
    pub(super) fn hook_unsorted(&mut self, action: &str, uid: &str, user: u64) {
        let setting = if action == "add" { "add_unsorted" } else { "delete_unsorted" };
        if !self.is_awaited(setting) {
            return;
        }
        let Some(one) = self.unsorted.iter().find(|one| one.uid == uid) else { return };
        let form = unsorted_form(one, action, user);
        let verb = if action == "add" { "add" } else { "delete" };
        self.queue(setting, json!({"unsorted": {verb: [form]}}));
    }

    fn is_awaited(&self, setting: &str) -> bool {
        self.hooks.iter().any(|hook| !hook.disabled && hook.settings.iter().any(|own| own == setting))
    }

    fn queue(&mut self, setting: &str, body: Value) {
        let account = json!({"account": {
            "id": self.account_id, "subdomain": self.options.subdomain, "_links": {"self": self.base},
        }});
        let mut form = Vec::new();
        flatten("", &body, &mut form);
        flatten("", &account, &mut form);
        let awaiting =
            |hook: &&super::webhooks::Hook| !hook.disabled && hook.settings.iter().any(|own| own == setting);
        for hook in self.hooks.iter().filter(awaiting) {
            self.outbox.push(HookPost {
                hook: hook.id,
                destination: hook.destination.clone(),
                form: form.clone(),
            });
        }
    }

    fn lead_form(&self, card: &Card, before: Option<&Card>) -> Value {
        let deal = &card.deal;
        let mut form = self.common_form(card, before);
        for (name, value) in [
            ("status_id", json!(deal.status_id)),
            ("pipeline_id", json!(deal.pipeline_id)),
            ("price", json!(deal.price)),
        ] {
            form[name] = value;
        }
        if let Some(old) = before {
            form["old_status_id"] = json!(old.deal.status_id);
            form["old_pipeline_id"] = json!(old.deal.pipeline_id);
        }
        form
    }

    fn person_form(&self, card: &Card, before: Option<&Card>) -> Value {
        let mut form = self.common_form(card, before);
        form["type"] = json!(card.kind.singular());
        for id in self.linked(card.key(), Kind::Lead) {
            form["linked_leads_id"][id.to_string()] = json!({"ID": id});
        }
        if let (Kind::Contact, Some(id)) = (card.kind, self.linked(card.key(), Kind::Company).first()) {
            form["linked_company_id"] = json!(id);
        }
        form
    }

    fn common_form(&self, card: &Card, before: Option<&Card>) -> Value {
        let mut form = json!({
            "id": card.id, "name": card.name, "responsible_user_id": card.responsible_user_id,
            "last_modified": card.updated_at, "modified_user_id": card.updated_by,
            "created_user_id": card.created_by, "date_create": card.created_at, "account_id": self.account_id,
            "created_at": card.created_at, "updated_at": card.updated_at,
        });
        let tags = self.tags_json(card).into_iter().map(|tag| json!({"id": tag["id"], "name": tag["name"]}));
        form["tags"] = tags.collect();
        form["custom_fields"] = self.fields_form(card);
        if let Some(old) = before.filter(|old| old.responsible_user_id != card.responsible_user_id) {
            form["old_responsible_user_id"] = json!(old.responsible_user_id);
        }
        form
    }

    /// Dates come as `values[0]=…` without a key (5).
    fn fields_form(&self, card: &Card) -> Value {
        let mut fields = Vec::new();
        for held in &card.fields {
            let Some(field) = self.field(card.kind, held.field_id) else { continue };
            let values: Vec<Value> = held
                .values
                .iter()
                .map(|one| match (field.field_type.as_str(), one.enum_id) {
                    ("date" | "date_time", _) => one.value.clone(),
                    (_, Some(id)) => json!({"value": one.value, "enum": id}),
                    (_, None) => json!({"value": one.value}),
                })
                .collect();
            let mut form = json!({"id": field.id, "name": field.name, "values": values});
            if let Some(code) = &field.code {
                form["code"] = json!(code);
            }
            fields.push(form);
        }
        Value::Array(fields)
    }
}

fn task_form(task: &Task) -> Value {
    let written = |at: i64| {
        chrono::DateTime::from_timestamp(at, 0)
            .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
    };
    json!({
        "id": task.id, "element_id": task.entity.map_or(0, |entity| entity.1),
        "element_type": task.entity.map_or(0, |entity| entity.0.number()), "task_type": task.task_type_id,
        "date_create": written(task.created_at), "text": task.text, "status": u8::from(task.is_completed),
        "responsible_user_id": task.responsible_user_id, "complete_till": written(task.complete_till),
        "complete_before": task.complete_till, "action_close": u8::from(task.is_completed),
        "result": {"text": task.result.clone().unwrap_or_default()},
        "created_user_id": task.created_by, "modified_user_id": task.updated_by,
        "created_at": task.created_at, "updated_at": task.updated_at,
    })
}

/// Types are numbers here, and a call is a JSON text with keys in capitals (5).
fn note_form(note: &Note) -> Value {
    let number = match note.note_type.as_str() {
        "call_in" => 10,
        "call_out" => 11,
        "attachment" => 5,
        "service_message" | "extended_service_message" => 25,
        "sms_in" => 102,
        "sms_out" => 103,
        _ => 4,
    };
    let text = if note.is_call() {
        let capitals = note.params.as_object().into_iter().flatten().map(|(name, value)| {
            let name = if name == "source" { "SRC".to_owned() } else { name.to_uppercase() };
            (name, value.clone())
        });
        Value::Object(capitals.collect()).to_string()
    } else {
        note.params["text"].as_str().unwrap_or_default().to_owned()
    };
    json!({
        "id": note.id, "note_type": number, "text": text, "element_type": note.kind.number(),
        "element_id": note.entity_id, "created_by": note.created_by, "main_user_id": note.responsible_user_id,
        "modified_by": note.updated_by, "timestamp_x": note.updated_at, "created_at": note.created_at,
        "updated_at": note.updated_at, "attachement": "",
    })
}

fn unsorted_form(one: &Unsorted, action: &str, user: u64) -> Value {
    if action == "add" {
        return json!({
            "uid": one.uid, "category": one.category, "source": one.source_name, "source_uid": one.source_uid,
            "source_data": one.metadata, "pipeline_id": one.pipeline_id, "lead_id": one.lead,
            "created_at": one.created_at,
        });
    }
    json!({
        "uid": one.uid, "category": one.category, "action": action, "modified_user_id": user,
        format!("{action}_result"): {"leads": [one.lead]},
    })
}

/// A tree as `a[b][0][c]=…`; `null` is an empty text, booleans are 1 and 0.
fn flatten(name: &str, value: &Value, form: &mut Vec<(String, String)>) {
    let inner = |step: &str| if name.is_empty() { step.to_owned() } else { format!("{name}[{step}]") };
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(step, value)| flatten(&inner(step), value, form));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| flatten(&inner(&at.to_string()), value, form));
        }
        Value::Null => form.push((name.to_owned(), String::new())),
        Value::Bool(yes) => form.push((name.to_owned(), u8::from(*yes).to_string())),
        Value::String(text) => form.push((name.to_owned(), text.clone())),
        Value::Number(number) => form.push((name.to_owned(), number.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_brackets() {
        let mut form = Vec::new();
        flatten("", &json!({"leads": {"add": [{"id": 1, "tags": [], "ok": true}]}}), &mut form);
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(form, [("leads[add][0][id]", "1"), ("leads[add][0][ok]", "1")]);
    }
}
