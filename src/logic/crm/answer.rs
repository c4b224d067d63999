//! Status + body → what the caller must do next.

use serde::{Deserialize, Serialize};

/// One fault of one item of a refused batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationError {
    /// The `request_id` that was sent, or the item's index.
    pub request_id: String,
    /// `NotSupportedChoice`, `InvalidType`, `NotNullable`, `FieldMissing`, …
    pub code: String,
    /// Dotted path of the field, `custom_fields_values.0.field_id`.
    pub path: String,
    /// In words.
    pub detail: String,
}
