//! `[base]` and `[tasks]`: what a finished call does in the CRM.

use serde::{Deserialize, Serialize};

use super::Span;

/// A switch for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PerDirection {
    /// The client called.
    pub inbound: bool,
    /// The employee called.
    pub outbound: bool,
}

impl Default for PerDirection {
    fn default() -> Self {
        Self { inbound: true, outbound: true }
    }
}

/// `[base]`: rules that hold for all calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Base {
    /// Make a contact for an unknown number.
    pub create_contact: PerDirection,
    /// Make a lead when the client has no open one.
    pub create_lead: PerDirection,
    /// Pipeline of new leads; absent means the account's main pipeline.
    pub pipeline: Option<u64>,
    /// Status of new leads; absent means the pipeline's first.
    pub status: Option<u64>,
    /// CRM user for employees without one of their own, and for calls nobody took.
    pub default_user: Option<u64>,
    /// Name of new contacts, a template; the number when it gives none.
    pub contact_name: String,
    /// Name of new leads, a template; the number when it gives none.
    pub lead_name: String,
    /// Name of the service, shown beside calls in the CRM.
    pub source: String,
}

impl Default for Base {
    fn default() -> Self {
        Self {
            create_contact: PerDirection::default(),
            create_lead: PerDirection::default(),
            pipeline: None,
            status: None,
            default_user: None,
            contact_name: "{{ phone }}".to_owned(),
            lead_name: "Звонок {{ phone }}".to_owned(),
            source: "Perezvon".to_owned(),
        }
    }
}

/// `[tasks]`: the task for a missed call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tasks {
    /// Whether a missed call makes one.
    pub missed: bool,
    /// Its text, a template; the number when it gives none.
    pub text: String,
    /// amoCRM task type; 1 is "follow up".
    pub task_type: u64,
    /// How long after the call it is due.
    pub due: Span,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            missed: true,
            text: "Перезвонить: пропущенный звонок {{ phone }}".to_owned(),
            task_type: 1,
            due: Span::secs(3600),
        }
    }
}
