//! What a user does to cards and tasks at the screen.

use axum::{
    Form,
    extract::{Path, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{address, own_path};
use crate::sandbox::amocrm::{
    handle::{Desk, Edit},
    model::Kind,
};

#[derive(Deserialize)]
pub(super) struct CardForm {
    name: Option<String>,
    phones: Option<String>,
    responsible: Option<u64>,
    status: Option<u64>,
    other: Option<u64>,
    back: Option<String>,
}

/// Saves, merges or deletes a card.
pub(super) async fn change_card(
    Shared(desk): Shared<Desk>,
    Path((plural, id, act)): Path<(String, u64, String)>,
    Form(form): Form<CardForm>,
) -> Response {
    let Some(kind) = Kind::from_plural(&plural) else { return StatusCode::NOT_FOUND.into_response() };
    let lines =
        |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let done = desk.change(|state, now| match act.as_str() {
        "save" => {
            let edit = Edit {
                name: form.name.clone(),
                phones: form.phones.as_deref().map(lines),
                responsible_user_id: form.responsible,
                status_id: form.status,
            };
            state.edit_card(kind, id, &edit, now)
        }
        "merge" => form.other.is_some_and(|other| state.merge_cards(kind, id, other, now)),
        "delete" => state.delete_card(kind, id, now),
        _ => false,
    });
    match (done, act.as_str()) {
        (false, _) => StatusCode::NOT_FOUND.into_response(),
        (true, "delete") => Redirect::to(&format!("/{}/", kind.plural())).into_response(),
        (true, _) => Redirect::to(&address(kind, id)).into_response(),
    }
}

/// Ticks a task off.
pub(super) async fn complete_task(
    Shared(desk): Shared<Desk>,
    Path(id): Path<u64>,
    Form(form): Form<CardForm>,
) -> Response {
    if !desk.change(|state, now| state.complete_task(id, None, now)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    Redirect::to(&own_path(form.back.as_deref())).into_response()
}
