//! `POST /api/v2/events`: the card of an incoming call on the managers' screens (reference 3.14).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::{Ask, Query},
    model::Popup,
    state::State,
};

/// JSON or a form, both with `add`.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let items = match items(ask) {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut checked = Vec::new();
    for item in &items {
        match check(state, item) {
            Ok(popup) => checked.push(popup),
            Err(detail) => return Answer::bad_request(&detail),
        }
    }
    let mut shown = Vec::new();
    for (phone, users) in checked {
        let entity = state.place_of(&phone);
        let hex = state.random_hex(32);
        let uid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        shown.push(json!({
            "element_id": entity.map(|entity| entity.1), "element_type": entity.map(|entity| entity.0.number()),
            "uid": uid, "phone_number": phone,
        }));
        state.popups.push(Popup { uid, phone, users, entity, at: ask.now });
    }
    Answer::ok(json!({
        "_links": {"self": {"href": "/api/v2/events", "method": "post"}},
        "_embedded": {"items": shown},
    }))
}

fn items(ask: &Ask) -> Result<Vec<Value>, Answer> {
    if ask.content_type.contains("x-www-form-urlencoded") {
        return form_items(&Query::parse(&String::from_utf8_lossy(&ask.body)));
    }
    match ask.json()?["add"].as_array() {
        Some(items) if !items.is_empty() => Ok(items.clone()),
        _ => Err(Answer::empty_request()),
    }
}

fn form_items(form: &Query) -> Result<Vec<Value>, Answer> {
    let one = |at: usize| {
        let get = |key: &str| form.get(&format!("add[{at}][{key}]")).map(str::to_owned);
        let users = form.all(&format!("add[{at}][users]"));
        let mut item = json!({"type": get("type")?, "phone_number": get("phone_number")?});
        if let Some(users) = users {
            item["users"] = json!(users);
        }
        Some(item)
    };
    let items: Vec<Value> = (0..250).map_while(one).collect();
    if items.is_empty() { Err(Answer::empty_request()) } else { Ok(items) }
}

/// Number and users of a pop-up, or what is wrong.
fn check(state: &State, item: &Value) -> Result<(String, Vec<u64>), String> {
    if item["type"] != "phone_call" {
        return Err("type should be phone_call".into());
    }
    let phone = item["phone_number"].as_str().filter(|text| !text.trim().is_empty());
    let phone = phone.ok_or("phone_number should not be blank")?;
    let users: Vec<&Value> = match &item["users"] {
        Value::Null => Vec::new(),
        Value::Array(users) => users.iter().collect(),
        one => vec![one],
    };
    let mut ids = Vec::new();
    for user in users {
        let id = user.as_u64().or_else(|| user.as_str()?.parse().ok());
        ids.push(id.filter(|id| state.users.iter().any(|user| user.id == *id)).ok_or("users: no such user")?);
    }
    Ok((phone.to_owned(), ids))
}
