//! The three kinds of cards, and the words and numbers the API has for each.

use serde::Serialize;

/// What a card is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    Contact,
    /// An organisation.
    Company,
    /// A deal.
    Lead,
}

impl Kind {
    /// As in paths and in `entity_type` of most answers.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
            Self::Lead => "leads",
        }
    }

    /// As in the answer of `/calls`.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Lead => "lead",
        }
    }

    /// The number of webhooks and of v2.
    pub fn number(self) -> u64 {
        match self {
            Self::Contact => 1,
            Self::Lead => 2,
            Self::Company => 3,
        }
    }

    /// From the plural word.
    pub fn from_plural(word: &str) -> Option<Self> {
        [Self::Contact, Self::Company, Self::Lead].into_iter().find(|kind| kind.plural() == word)
    }
}
