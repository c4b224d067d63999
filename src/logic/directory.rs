//! The directory: phone number → contact or company, responsible, open leads, in compact memory.
//!
//! A million phones take about 80 MB: sorted numbers, and each contact packed into a few dozen bytes.
//!
//! # One number on several cards
//!
//! Nothing in amoCRM keeps a number from standing on two contacts, or on a contact and its company. The one that a
//! call belongs to is chosen by these rules, each only among those that the one before left equal:
//!
//! 1. a card with an open lead, before one without: somebody is working with that client now, and amoCRM itself
//!    puts the call there;
//! 2. a contact, before a company: a person calls;
//! 3. the oldest card (then the smallest id): the choice of amoCRM's own pop-up, and one that does not change when
//!    somebody edits a card.
//!
//! Deleted cards and closed leads are not in the directory at all.

mod index;
mod packed;
mod shards;

use serde::{Deserialize, Serialize};

pub use index::Index;

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

/// Kind and id of a contact or company.
pub type Owner = (EntityKind, u64);

/// A contact or company as the directory keeps it: numbers as digits, leads apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Contact or company.
    pub kind: EntityKind,
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// CRM user.
    pub responsible: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Canonical phones as [`crate::logic::phone::Phone::number`] gives them.
    pub phones: Vec<u64>,
}

impl Listed {
    /// Kind and id.
    pub const fn owner(&self) -> Owner {
        (self.kind, self.id)
    }
}

impl From<&Known> for Listed {
    fn from(known: &Known) -> Self {
        let digits = |phone: &String| phone.trim_start_matches('+').parse().ok();
        Self {
            kind: known.kind,
            id: known.id,
            name: known.name.clone(),
            responsible: known.responsible,
            created_at: known.created_at,
            updated_at: known.updated_at,
            phones: known.phones.iter().filter_map(digits).collect(),
        }
    }
}

/// How much the directory holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Contacts.
    pub contacts: u64,
    /// Companies.
    pub companies: u64,
    /// Phone numbers on cards; one on two cards counts twice.
    pub phones: u64,
    /// Open leads.
    pub leads: u64,
}
