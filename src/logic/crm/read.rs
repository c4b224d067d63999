//! JSON of amoCRM → contacts, companies, leads, users, pipelines; lenient about types.
//!
//! amoCRM is written in PHP: an id may come as a string, an empty object as `[]`, a missing list as `null`.
//! Readers here take whatever has the meaning and leave out what has none.

use serde::{Deserialize, Serialize};

/// `GET /api/v4/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Account id.
    pub id: u64,
    /// Name that its users see.
    pub name: String,
    /// First label of the host.
    pub subdomain: String,
    /// The user whose token this is.
    pub current_user: u64,
}

/// A CRM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Login.
    pub email: String,
    /// Whether the user may be responsible for anything.
    pub active: bool,
    /// Whether the user is an administrator.
    pub admin: bool,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Status id; 142 is won and 143 is lost in every pipeline.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Whether this is the stage of unsorted requests, where nothing can be created directly.
    pub unsorted: bool,
}

/// A pipeline with its statuses, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Pipeline id.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Where leads go that name no pipeline.
    pub main: bool,
    /// No longer used.
    pub archived: bool,
    /// In order.
    pub statuses: Vec<Status>,
}
