//! The status board: what each part says of itself, for the page, `/healthz` and `check`.

use std::{collections::BTreeMap, sync::Mutex};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::clock;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Works.
    Ok,
    /// Switched off in settings.
    Off,
    /// Works, but somebody should look.
    Warning,
    /// Does not work.
    Fault,
}

/// One part's last word.
#[derive(Debug, Clone, Serialize)]
pub struct PartStatus {
    /// How it is.
    pub health: Health,
    /// A sentence; on a fault it says what to do.
    pub text: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Last words of all parts; parts are `store`, `pbx`, `ami`, `agi`, `amocrm`, `directory`, `delivery`, `recordings`, `http`.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<&'static str, PartStatus>>);

impl Board {
    /// A part says how it is; logged once when its health changes.
    pub fn say(&self, part: &'static str, health: Health, text: impl Into<String>) {
        let text = text.into();
        let mut parts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = parts.get(part).map(|status| status.health);
        if before != Some(health) {
            match health {
                Health::Fault => tracing::error!(part, "{text}"),
                Health::Warning => tracing::warn!(part, "{text}"),
                Health::Ok | Health::Off => tracing::info!(part, "{text}"),
            }
        }
        let since = match parts.get(part) {
            Some(status) if status.health == health => status.since,
            _ => clock::now(),
        };
        parts.insert(part, PartStatus { health, text, since });
    }

    /// Everything said so far.
    pub fn all(&self) -> BTreeMap<&'static str, PartStatus> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
