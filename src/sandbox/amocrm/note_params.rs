//! What each type of note must carry in `params` (reference 3.11, 7a).

use serde_json::Value;

use super::{
    state::State,
    validation::{Complaints, Field, Shape, may, must},
};

/// Fields that `/calls` and call notes share.
pub(super) const CALL: &[Field] = &[
    must("duration", Shape::Int),
    must("source", Shape::Filled),
    may("uniq", Shape::Text),
    may("link", Shape::Text),
    may("call_result", Shape::Text),
    may("call_status", Shape::Between(1, 7)),
    may("call_responsible", Shape::IntOrText),
];

const TEXT: &[Field] = &[must("text", Shape::Filled)];
const SERVICE: &[Field] = &[must("service", Shape::Filled)];

const CALL_NOTE: Shape = Shape::Object(&[CALL, &[may("phone", Shape::Text)]]);
const COMMON: Shape = Shape::Object(&[TEXT]);
const SERVICE_MESSAGE: Shape = Shape::Object(&[TEXT, SERVICE]);
const CASHIER: Shape =
    Shape::Object(&[TEXT, &[must("status", Shape::Word(&["created", "shown", "canceled"]))]]);
const PLACE: Shape = Shape::Object(&[
    TEXT,
    &[must("address", Shape::Text), must("longitude", Shape::Text), must("latitude", Shape::Text)],
]);
/// `uniq` is refused here (7a).
const SMS: Shape = Shape::Object(&[TEXT, &[must("phone", Shape::Filled)]]);
const ATTACHMENT: Shape = Shape::Object(&[&[
    must("version_uuid", Shape::Filled),
    must("file_uuid", Shape::Filled),
    must("file_name", Shape::Filled),
]]);

/// The shape of a type's params; none when the type cannot be written.
fn shape_of(note_type: &str) -> Option<Shape> {
    Some(match note_type {
        "common" => COMMON,
        "call_in" | "call_out" => CALL_NOTE,
        "service_message" | "extended_service_message" => SERVICE_MESSAGE,
        "message_cashier" => CASHIER,
        "geolocation" => PLACE,
        "sms_in" | "sms_out" => SMS,
        "attachment" => ATTACHMENT,
        _ => return None,
    })
}

/// Holds a note's params against its type.
pub(super) fn check(state: &State, note_type: &str, item: &Value, complaints: &mut Complaints) {
    let Some(shape) = shape_of(note_type) else { return complaints.choice("note_type") };
    match item.get("params") {
        None => complaints.missing("params"),
        Some(params) => {
            complaints.check(params, &shape, "params");
            check_call(state, params, "params.", complaints);
        }
    }
}

/// A duration is no debt, and a responsible given as a number is a user of the account.
pub(super) fn check_call(state: &State, params: &Value, prefix: &str, complaints: &mut Complaints) {
    if params["duration"].as_i64().is_some_and(|duration| duration < 0) {
        complaints.choice(format!("{prefix}duration"));
    }
    if let Some(id) = params["call_responsible"].as_i64()
        && !state.users.iter().any(|user| i64::try_from(user.id) == Ok(id))
    {
        complaints.choice(format!("{prefix}call_responsible"));
    }
}
