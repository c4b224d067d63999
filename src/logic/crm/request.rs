//! One request to amoCRM as a value.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read.
    Get,
    /// Create.
    Post,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

/// Who waits for the answer: under the limit, the lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// A caller hears ringing.
    Ringing,
    /// A call that just ended.
    Live,
    /// Somebody looks at a page or a command.
    Person,
    /// Backfill and sync.
    Background,
}

/// What is sent, less the host and the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path with the leading slash, `/api/v4/contacts`.
    pub path: String,
    /// Query pairs, not yet encoded; PHP brackets stand in the names.
    pub query: Vec<(String, String)>,
    /// JSON body.
    pub body: Option<Value>,
}

impl Request {
    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::Get, path: path.into(), query: Vec::new(), body: None }
    }

    /// A create.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::Post, path: path.into(), query: Vec::new(), body: Some(body) }
    }

    /// A change.
    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::Patch, path: path.into(), query: Vec::new(), body: Some(body) }
    }

    /// With one more query pair.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }
}
