//! What the CRM can be asked to do for a call.

use serde::{Deserialize, Serialize};

use crate::logic::crm::payload::CallStatus;

/// Where a call or task stands in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Place {
    /// An existing lead.
    Lead(u64),
    /// An existing contact.
    Contact(u64),
    /// An existing company.
    Company(u64),
    /// The contact that this plan makes.
    NewContact,
    /// The lead that this plan makes.
    NewLead,
}

/// One thing to do in the CRM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Action {
    /// A contact for a number that nobody in the CRM has.
    CreateContact {
        /// Shown name.
        name: String,
        /// Canonical number.
        phone: String,
        /// CRM user; none leaves it to the CRM.
        responsible: Option<u64>,
        /// Unix seconds: when the call began.
        created_at: i64,
    },
    /// A lead for a client without an open one.
    CreateLead {
        /// Shown name.
        name: String,
        /// Whose lead it is.
        client: Place,
        /// Pipeline; none means the account's main one.
        pipeline: Option<u64>,
        /// Status; none means the pipeline's first.
        status: Option<u64>,
        /// CRM user; none leaves it to the CRM.
        responsible: Option<u64>,
        /// Unix seconds: when the call began.
        created_at: i64,
    },
    /// The call itself.
    WriteCall {
        /// On whose card.
        place: Place,
        /// What is written.
        note: CallNote,
    },
    /// Somebody is to ring back.
    MakeTask {
        /// On whose card.
        place: Place,
        /// What is to be done.
        text: String,
        /// amoCRM's task type.
        task_type: u64,
        /// CRM user; none leaves it to the CRM.
        responsible: Option<u64>,
        /// Due, Unix seconds.
        complete_till: i64,
    },
}

impl Action {
    /// A word for it: `contact`, `lead`, `call`, `task`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CreateContact { .. } => "contact",
            Self::CreateLead { .. } => "lead",
            Self::WriteCall { .. } => "call",
            Self::MakeTask { .. } => "task",
        }
    }
}

/// A call as amoCRM keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallNote {
    /// Whether the client called.
    pub inbound: bool,
    /// Our mark, the same for ever: by it the call is found again.
    pub uniq: String,
    /// The client's number, canonical.
    pub phone: String,
    /// Seconds of talk.
    pub duration: u32,
    /// What came of it.
    pub status: CallStatus,
    /// Who talked, in a few words.
    pub result: Option<String>,
    /// CRM user who talked, or was asked: shown as the author.
    pub user: Option<u64>,
    /// Shown when there is no such user: extension and name.
    pub party: Option<String>,
    /// CRM user who may change the note.
    pub responsible: Option<u64>,
    /// Signed address of the MP3.
    pub link: Option<String>,
    /// Name of the service.
    pub source: String,
    /// Unix seconds: when the call began.
    pub created_at: i64,
}
