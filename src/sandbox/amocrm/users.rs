//! Users (reference 3.2).

use serde_json::{Value, json};

use super::{answer::Answer, ask::Ask, listing, model::User, state::State};

/// `GET /users`: for administrators (stricter reading).
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    if let Some(refusal) = only_admin(state, ask) {
        return refusal;
    }
    let all: Vec<&User> = state.users.iter().collect();
    listing::listed(state, ask, "users", &all, true, |user| user_json(state, user, ask))
}

/// `GET /users/{id}`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    if let Some(refusal) = only_admin(state, ask) {
        return refusal;
    }
    let found = state.users.iter().find(|user| Some(user.id) == ask.id(1));
    found.map_or_else(
        || Answer::problem(404, "Not Found", "User not found!"),
        |user| Answer::ok(user_json(state, user, ask)),
    )
}

/// 403 for everybody who is no administrator.
pub(super) fn only_admin(state: &State, ask: &Ask) -> Option<Answer> {
    let is_admin = state.users.iter().any(|user| user.id == ask.user && user.is_admin);
    (!is_admin).then(|| Answer::problem(403, "Forbidden", "Access denied"))
}

fn user_json(state: &State, user: &User, ask: &Ask) -> Value {
    let rights = json!({"view": "A", "edit": "A", "add": "A", "delete": "A", "export": "A"});
    let tasks = json!({"edit": "A", "delete": "A"});
    let mut body = json!({
        "id": user.id, "name": user.name, "email": user.email, "lang": "ru",
        "rights": {
            "leads": rights, "contacts": rights, "companies": rights, "tasks": tasks,
            "mail_access": false, "catalog_access": false, "is_admin": user.is_admin, "is_free": false,
            "is_active": user.is_active, "group_id": null, "role_id": null, "status_rights": [],
        },
        "_links": {"self": {"href": format!("{}/api/v4/users/{}", state.base, user.id)}},
        "_embedded": {"roles": [], "groups": []},
    });
    if ask.query.lists("with", "phone_number") {
        body["phone_number"] = json!(user.phone);
    }
    if ask.query.lists("with", "uuid") {
        body["uuid"] = json!(format!("00000000-0000-4000-8000-{:012x}", user.id));
    }
    body
}
