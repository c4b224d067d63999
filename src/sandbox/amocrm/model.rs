//! What stands in the account, as the inspection methods of [`Handle`](super::Handle) give it out.

use serde::Serialize;
use serde_json::Value;

pub use super::kind::Kind;

/// A CRM user.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// Id.
    pub id: u64,
    /// First and last name.
    pub name: String,
    /// Sign-in name.
    pub email: String,
    /// Phone, shown with `with=phone_number`.
    pub phone: Option<String>,
    /// May be responsible.
    pub is_active: bool,
    /// May everything.
    pub is_admin: bool,
}

/// A contact or a company.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contact {
    /// Contact or company.
    pub kind: Kind,
    /// Id.
    pub id: u64,
    /// Whole name.
    pub name: String,
    /// Numbers as stored.
    pub phones: Vec<String>,
    /// Owner.
    pub responsible_user_id: u64,
    /// Author; 0 is the robot.
    pub created_by: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Names of tags.
    pub tags: Vec<String>,
    /// Other custom fields: code or id → first value.
    pub fields: Vec<(String, Value)>,
    /// Lies in the bin.
    pub is_deleted: bool,
    /// Waits in unsorted.
    pub is_unsorted: bool,
    /// Linked leads.
    pub leads: Vec<u64>,
    /// Linked contacts (of a company) or companies (of a contact).
    pub others: Vec<u64>,
}

/// A lead.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lead {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Money.
    pub price: i64,
    /// Pipeline.
    pub pipeline_id: u64,
    /// Status; 142 won, 143 lost.
    pub status_id: u64,
    /// Owner.
    pub responsible_user_id: u64,
    /// Author; 0 is the robot.
    pub created_by: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Unix seconds; none while open.
    pub closed_at: Option<i64>,
    /// Names of tags.
    pub tags: Vec<String>,
    /// Custom fields: code or id → first value.
    pub fields: Vec<(String, Value)>,
    /// Lies in the bin.
    pub is_deleted: bool,
    /// Waits in unsorted.
    pub is_unsorted: bool,
    /// Linked contacts.
    pub contacts: Vec<u64>,
    /// Linked companies.
    pub companies: Vec<u64>,
}

/// A note of any type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// Id.
    pub id: u64,
    /// Card's kind.
    pub kind: Kind,
    /// Card's id.
    pub entity_id: u64,
    /// `call_in`, `call_out`, `common`…
    pub note_type: String,
    /// As written, less what was not written.
    pub params: Value,
    /// Who may manage it.
    pub responsible_user_id: u64,
    /// Author; 0 is the robot.
    pub created_by: u64,
    /// Last editor.
    pub updated_by: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Stands on top of the feed.
    pub is_pinned: bool,
}

impl Note {
    /// A call note?
    pub fn is_call(&self) -> bool {
        matches!(self.note_type.as_str(), "call_in" | "call_out")
    }
}

/// A call as a note tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallNote {
    /// Note's id.
    pub id: u64,
    /// Where it landed.
    pub kind: Kind,
    /// Card's id.
    pub entity_id: u64,
    /// `call_in` rather than `call_out`.
    pub inbound: bool,
    /// The mark of the sender.
    pub uniq: String,
    /// Number as sent.
    pub phone: String,
    /// Seconds.
    pub duration: i64,
    /// Recording's address; empty when none.
    pub link: String,
    /// Name of the sending service.
    pub source: String,
    /// 1..7 of reference 3.12.
    pub call_status: Option<i64>,
    /// Free text.
    pub call_result: String,
    /// User id or any name, as text.
    pub call_responsible: String,
    /// Who may manage it.
    pub responsible_user_id: u64,
    /// Unix seconds.
    pub created_at: i64,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// Id.
    pub id: u64,
    /// Card, if any.
    pub entity: Option<(Kind, u64)>,
    /// What to do.
    pub text: String,
    /// 1 follow-up, 2 meeting, 3 letter, or the account's own.
    pub task_type_id: u64,
    /// Who is to do it.
    pub responsible_user_id: u64,
    /// Unix seconds.
    pub complete_till: i64,
    /// Seconds.
    pub duration: i64,
    /// Done.
    pub is_completed: bool,
    /// What came of it.
    pub result: Option<String>,
    /// Author; 0 is the robot.
    pub created_by: u64,
    /// Last editor.
    pub updated_by: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

/// Two cards joined; each pair is given once, the lead or the contact first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// One card.
    pub from: (Kind, u64),
    /// The other.
    pub to: (Kind, u64),
    /// The lead's main contact.
    pub is_main: bool,
}

/// An incoming lead that waits for a manager.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unsorted {
    /// Hex id.
    pub uid: String,
    /// `sip` or `forms`.
    pub category: String,
    /// Sender's id.
    pub source_uid: String,
    /// Sender's name.
    pub source_name: String,
    /// Its pipeline.
    pub pipeline_id: u64,
    /// As written.
    pub metadata: Value,
    /// Its lead.
    pub lead: u64,
    /// Its contacts.
    pub contacts: Vec<u64>,
    /// Its companies.
    pub companies: Vec<u64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds of the decision, and whether it was taken in.
    pub decided: Option<(i64, bool)>,
}

/// A pop-up of an incoming call (`POST /api/v2/events`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Popup {
    /// UUID given back.
    pub uid: String,
    /// As sent.
    pub phone: String,
    /// Who sees it; empty means everybody.
    pub users: Vec<u64>,
    /// Card shown.
    pub entity: Option<(Kind, u64)>,
    /// Unix seconds.
    pub at: i64,
}

/// One request as the log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logged {
    /// Unix seconds.
    pub at: i64,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Answered; 0 when the connection was closed without an answer.
    pub status: u16,
    /// Milliseconds.
    pub ms: u64,
}
