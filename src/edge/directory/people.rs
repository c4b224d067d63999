//! Users and pipelines: few, kept whole.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::Directory;
use crate::{
    edge::{
        amocrm::Failure,
        store::{Store, StoreError},
    },
    logic::crm::read::{Pipeline, User},
};

/// Where they are kept among the cursors.
const KEPT: &str = "directory.people";
/// How often they are read again.
const OFTEN: Duration = Duration::from_secs(600);

/// Users and pipelines, as last read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct People {
    users: Vec<User>,
    pipelines: Vec<Pipeline>,
    #[serde(skip)]
    read_at: Option<Instant>,
}

impl People {
    pub(super) async fn load(store: &Store) -> Result<Self, StoreError> {
        let kept = store.cursor(KEPT).await?;
        Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default())
    }
}

impl Directory {
    /// Whether a user may be made responsible: known and active, or users could not be read yet.
    pub fn user_is_active(&self, user: u64) -> bool {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        people.users.is_empty() || people.users.iter().any(|known| known.id == user && known.active)
    }

    /// A user by id.
    pub fn user(&self, user: u64) -> Option<User> {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        people.users.iter().find(|known| known.id == user).cloned()
    }

    /// All users, as last read.
    pub fn users(&self) -> Vec<User> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).users.clone()
    }

    /// All pipelines, as last read.
    pub fn pipelines(&self) -> Vec<Pipeline> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).pipelines.clone()
    }

    /// Reads users and pipelines again, unless that was done minutes ago.
    pub(super) async fn refresh_people(&self) -> Result<(), Failure> {
        let read_at = self.people.read().unwrap_or_else(PoisonError::into_inner).read_at;
        if read_at.is_some_and(|read_at| read_at.elapsed() < OFTEN) {
            return Ok(());
        }
        self.read_people().await
    }

    /// Reads users and pipelines now: somebody was refused as responsible, or settings changed.
    pub async fn read_people(&self) -> Result<(), Failure> {
        let amocrm = self.amocrm()?;
        let pipelines = amocrm.pipelines().await?;
        let users = match amocrm.users().await {
            Ok(users) => users,
            // Only administrators may list users; everything else works without.
            Err(failure @ (Failure::Forbidden(_) | Failure::Refused { .. })) => {
                tracing::warn!("users cannot be read, all count as active: {failure}");
                Vec::new()
            }
            Err(failure) => return Err(failure),
        };
        let people = People { users, pipelines, read_at: Some(Instant::now()) };
        let kept = serde_json::to_string(&people).unwrap_or_default();
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = people;
        if let Some(store) = &self.store {
            store.keep_cursor(KEPT, &kept).await?;
        }
        Ok(())
    }
}
