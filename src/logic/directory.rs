//! The directory: phone number → contact or company, responsible, open leads, in compact memory.

use serde::{Deserialize, Serialize};

/// What a phone number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A person.
    Contact,
    /// A company.
    Company,
}

impl EntityKind {
    /// Path segment of the API: `contacts`, `companies`.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
        }
    }

    /// As the contract of `CRM_ENTITY` writes it: `contact`, `company`.
    pub const fn singular(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }
}

/// A lead that is neither won (142) nor lost (143).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLead {
    /// Lead id.
    pub id: u64,
    /// Pipeline id.
    pub pipeline: u64,
    /// Status id.
    pub status: u64,
    /// CRM user.
    pub responsible: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

/// A contact or company of the CRM, as far as calls need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Contact or company.
    pub kind: EntityKind,
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// CRM user; 0 is the robot.
    pub responsible: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Canonical phones, `+E.164`.
    pub phones: Vec<String>,
    /// Newest first.
    pub leads: Vec<OpenLead>,
}
