//! A ringing call → who it is and whose phone should ring.

use serde::{Deserialize, Serialize};

/// `CRM_STATUS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteStatus {
    /// The CRM has the number.
    Found,
    /// The CRM does not have it.
    Unknown,
    /// No answer within the budget.
    Timeout,
    /// The CRM or we failed.
    Error,
}

impl RouteStatus {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}

/// What the dialplan is told: the same over FastAGI and `GET /route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// `CRM_STATUS`.
    pub status: RouteStatus,
    /// `CRM_NAME`: at most 20 characters, transliterated when settings say so.
    pub name: String,
    /// `CRM_EXTEN`: extension to ring, empty when none.
    pub exten: String,
    /// `CRM_RESPONSIBLE`: CRM user id, empty when none.
    pub responsible: String,
    /// `CRM_ENTITY`: `contact/123`, empty when none.
    pub entity: String,
    /// Why, in a sentence, for `lookup`; not sent to the dialplan.
    pub reason: String,
}
