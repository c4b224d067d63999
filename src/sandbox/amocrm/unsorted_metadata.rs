//! What an incoming lead tells of the call or form it came from (reference 3.13).

use serde_json::Value;

use super::{
    state::State,
    validation::{Complaints, Field, Shape, may, must},
};

/// All that older docs mark as required is, the link too (3.13: whether it still is today is unknown).
const SIP: &[Field] = &[
    must("from", Shape::Filled),
    must("phone", Shape::Filled),
    must("called_at", Shape::Int),
    must("duration", Shape::Int),
    must("link", Shape::Filled),
    must("service_code", Shape::Filled),
    may("call_responsible", Shape::IntOrText),
    may("uniq", Shape::Text),
    may("is_call_event_needed", Shape::Bool),
];

const FORM: &[Field] = &[
    must("form_id", Shape::Filled),
    must("form_name", Shape::Filled),
    must("form_page", Shape::Filled),
    must("form_sent_at", Shape::Int),
    may("ip", Shape::Text),
    may("referer", Shape::Text),
];

const CATEGORY: &[Field] = &[must("category", Shape::Word(&["sip", "forms"]))];

/// What a category must carry.
pub(super) fn metadata_shape(category: &str) -> Shape {
    if category == "forms" { Shape::Object(&[FORM]) } else { Shape::Object(&[SIP]) }
}

/// `metadata` of `leads/complex` names its category itself.
pub(super) fn check_metadata_of_complex(state: &State, item: &Value, complaints: &mut Complaints) {
    let metadata = &item["_embedded"]["metadata"];
    if !metadata.is_object() {
        return;
    }
    let shape = match metadata["category"].as_str() {
        Some("forms") => Shape::Object(&[FORM, CATEGORY]),
        _ => Shape::Object(&[SIP, CATEGORY]),
    };
    complaints.check(metadata, &shape, "_embedded.metadata");
    if state.toggles().unsorted_off {
        complaints.choice("pipeline_id");
    }
}
