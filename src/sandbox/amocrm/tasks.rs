//! Tasks (reference 3.10).

use serde_json::{Value, json};

use super::{
    account::TASK_TYPES,
    answer::Answer,
    ask::Ask,
    fields::check_users,
    listing,
    model::{Kind, Task},
    state::{Key, State},
    validation::{Batch, Complaints, Field, Shape, may, must, request_id},
};

const KINDS: &[&str] = &["leads", "contacts", "companies", "customers"];

const COMMON: &[Field] = &[
    may("entity_id", Shape::Int),
    may("entity_type", Shape::Word(KINDS)),
    may("task_type_id", Shape::Int),
    may("responsible_user_id", Shape::Int),
    may("duration", Shape::Int),
    may("is_completed", Shape::Bool),
    may("result", Shape::Object(&[&[must("text", Shape::Text)]])),
    may("created_by", Shape::Int),
    may("updated_by", Shape::Int),
    may("created_at", Shape::Int),
    may("updated_at", Shape::Int),
    may("request_id", Shape::Text),
];

/// The term is required (3.10: docs say so).
const NEW_TASK: Shape =
    Shape::Object(&[COMMON, &[must("text", Shape::Filled), must("complete_till", Shape::Int)]]);
const CHANGED_TASK: Shape = Shape::Object(&[
    COMMON,
    &[may("id", Shape::Int), may("text", Shape::Filled), may("complete_till", Shape::Int)],
]);

/// `GET /tasks`. A filter by entity needs the entity's type too, else it is passed over (3.10).
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let query = &ask.query;
    let (ids, users) = (query.ids("filter[id]"), query.ids("filter[responsible_user_id]"));
    let authors = query.ids("filter[created_by]");
    let completed = query.get("filter[is_completed]").map(|text| text == "1");
    let types = query.ids("filter[task_type]").or_else(|| query.ids("filter[task_type_id]"));
    let kind = query.get("filter[entity_type]").and_then(Kind::from_plural);
    let entities = query.ids("filter[entity_id]").filter(|_| kind.is_some());
    let updated = query.range("filter[updated_at]");
    let has = |ids: &Option<Vec<u64>>, id: u64| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    let mut found: Vec<&Task> = state
        .tasks
        .values()
        .filter(|task| has(&ids, task.id) && has(&users, task.responsible_user_id))
        .filter(|task| has(&authors, task.created_by) && has(&types, task.task_type_id))
        .filter(|task| completed.is_none_or(|wanted| task.is_completed == wanted))
        .filter(|task| kind.is_none_or(|kind| task.entity.is_some_and(|entity| entity.0 == kind)))
        .filter(|task| has(&entities, task.entity.map_or(0, |entity| entity.1)))
        .filter(|task| updated.is_none_or(|(from, to)| (from..=to).contains(&task.updated_at)))
        .collect();
    if let Some((field, down)) = query.order(&["created_at", "complete_till", "id"]) {
        found.sort_by_key(|task| match field {
            "created_at" => (task.created_at, task.id),
            "complete_till" => (task.complete_till, task.id),
            _ => (0, task.id),
        });
        if down {
            found.reverse();
        }
    }
    listing::listed(state, ask, "tasks", &found, false, |task| task_json(state, task))
}

/// `GET /tasks/{id}`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let found = ask.id(1).and_then(|id| state.tasks.get(&id));
    found.map_or_else(Answer::nothing, |task| Answer::ok(task_json(state, task)))
}

/// `DELETE /tasks/{id}`: seen live (3.10).
pub(super) fn delete(_state: &mut State, _ask: &Ask) -> Answer {
    Answer::problem(403, "Forbidden", "Invalid scope")
}

/// `POST /tasks`.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read(ask, &NEW_TASK)
        .and_then(|batch| batch.each(|item, complaints| check_task(state, item, complaints)).finish());
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut made = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let id = state.create_task(item, ask);
        made.push(json!({"id": id, "request_id": request_id(item, at), "_links": links(state, id)}));
    }
    Answer::ok(json!({
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {"tasks": made},
    }))
}

/// `PATCH /tasks`.
pub(super) fn change_many(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read(ask, &CHANGED_TASK).and_then(|batch| {
        batch
            .each(|item, complaints| {
                match item["id"].as_u64() {
                    Some(id) if state.tasks.contains_key(&id) => {}
                    Some(_) => complaints.choice("id"),
                    None if item.get("id").is_none() => complaints.missing("id"),
                    None => {}
                }
                check_task(state, item, complaints);
            })
            .finish()
    });
    match checked {
        Ok(items) => {
            let done: Vec<Value> =
                items.iter().map(|item| change(state, item["id"].as_u64(), item, ask)).collect();
            Answer::ok(json!({"_embedded": {"tasks": done}}))
        }
        Err(refusal) => refusal,
    }
}

/// `PATCH /tasks/{id}`.
pub(super) fn change_one(state: &mut State, ask: &Ask) -> Answer {
    if !ask.id(1).is_some_and(|id| state.tasks.contains_key(&id)) {
        return Answer::problem(404, "Not Found", "Entity not found!");
    }
    let checked = Batch::read_single(ask, &CHANGED_TASK)
        .and_then(|batch| batch.each(|item, complaints| check_task(state, item, complaints)).finish());
    match checked {
        Ok(items) => Answer::ok(change(state, ask.id(1), &items[0], ask)),
        Err(refusal) => refusal,
    }
}

fn check_task(state: &State, item: &Value, complaints: &mut Complaints) {
    check_users(state, item, "", complaints);
    if let Some(id) = item["task_type_id"].as_i64()
        && !TASK_TYPES.iter().any(|(own, ..)| i64::try_from(*own) == Ok(id))
    {
        complaints.choice("task_type_id");
    }
    let kind = item["entity_type"].as_str();
    match (item.get("entity_id"), kind) {
        (Some(_), None) if item.get("entity_type").is_none() => complaints.missing("entity_type"),
        (None, Some(_)) => complaints.missing("entity_id"),
        (Some(id), Some(kind))
            if id.is_i64() && entity(kind, id).is_none_or(|key| state.alive(key).is_none()) =>
        {
            complaints.choice("entity_id");
        }
        _ => {}
    }
}

fn entity(kind: &str, id: &Value) -> Option<Key> {
    Kind::from_plural(kind).zip(id.as_u64())
}

fn change(state: &mut State, id: Option<u64>, item: &Value, ask: &Ask) -> Value {
    let id = id.unwrap_or_default();
    if let Some(task) = state.tasks.get_mut(&id) {
        write(task, item);
        task.updated_by = item["updated_by"].as_u64().unwrap_or(ask.user);
        task.updated_at = item["updated_at"].as_i64().unwrap_or(ask.now);
    }
    state.hook_task("update", id);
    let updated_at = state.tasks.get(&id).map_or(0, |task| task.updated_at);
    json!({"id": id, "updated_at": updated_at, "_links": links(state, id)})
}

fn write(task: &mut Task, item: &Value) {
    if let Some(text) = item["text"].as_str() {
        text.clone_into(&mut task.text);
    }
    if let Some(kind) = item["entity_type"].as_str() {
        task.entity = entity(kind, &item["entity_id"]);
    }
    task.task_type_id = item["task_type_id"].as_u64().unwrap_or(task.task_type_id);
    task.responsible_user_id = item["responsible_user_id"].as_u64().unwrap_or(task.responsible_user_id);
    task.complete_till = item["complete_till"].as_i64().unwrap_or(task.complete_till);
    task.duration = item["duration"].as_i64().unwrap_or(task.duration);
    task.is_completed = item["is_completed"].as_bool().unwrap_or(task.is_completed);
    task.result = item["result"]["text"].as_str().map(str::to_owned).or_else(|| task.result.take());
    task.created_at = item["created_at"].as_i64().unwrap_or(task.created_at);
}

fn links(state: &State, id: u64) -> Value {
    json!({"self": {"href": format!("{}/api/v4/tasks/{id}", state.base)}})
}

/// `result` is `[]` when empty, else an object (3.10).
fn task_json(state: &State, task: &Task) -> Value {
    let result = task.result.as_ref().map_or_else(|| json!([]), |text| json!({"text": text}));
    json!({
        "id": task.id, "created_by": task.created_by, "updated_by": task.updated_by,
        "created_at": task.created_at, "updated_at": task.updated_at,
        "responsible_user_id": task.responsible_user_id, "group_id": 0,
        "entity_id": task.entity.map(|entity| entity.1),
        "entity_type": task.entity.map(|entity| entity.0.plural()),
        "is_completed": task.is_completed, "task_type_id": task.task_type_id, "text": task.text,
        "duration": task.duration, "complete_till": task.complete_till, "result": result,
        "account_id": state.account_id, "_links": links(state, task.id),
    })
}

impl State {
    fn create_task(&mut self, item: &Value, ask: &Ask) -> u64 {
        let id = self.next_id();
        let mut task = Task {
            id,
            entity: None,
            text: String::new(),
            task_type_id: 1,
            responsible_user_id: ask.user,
            complete_till: 0,
            duration: 0,
            is_completed: false,
            result: None,
            created_by: item["created_by"].as_u64().unwrap_or(ask.user),
            updated_by: item["updated_by"].as_u64().unwrap_or(ask.user),
            created_at: ask.now,
            updated_at: item["updated_at"].as_i64().unwrap_or(ask.now),
        };
        write(&mut task, item);
        let (entity, author) = (task.entity, task.created_by);
        self.tasks.insert(id, task);
        if let Some(entity) = entity {
            self.log_event("task_added", entity, author, ask.now);
        }
        self.hook_task("add", id);
        id
    }

    /// A person ticks a task off.
    pub(super) fn complete_task(&mut self, id: u64, result: Option<&str>, now: i64) -> bool {
        let Some(task) = self.tasks.get_mut(&id) else { return false };
        task.is_completed = true;
        task.result = result.map(str::to_owned).filter(|text| !text.is_empty());
        task.updated_at = now;
        self.hook_task("update", id);
        true
    }

    /// The nearest term of a card's open tasks.
    pub(super) fn closest_task(&self, key: Key) -> Option<i64> {
        let open = self.tasks.values().filter(|task| task.entity == Some(key) && !task.is_completed);
        open.map(|task| task.complete_till).min()
    }
}
