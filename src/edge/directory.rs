//! The directory kept fresh from amoCRM, and live look-ups while a caller waits.
//!
//! Memory answers; the store only makes a restart quick. Freshness comes from four sides: a full walk at the first
//! start, then whatever changed since (`updated_at`, with an overlap), webhooks, and a slow walk over everything that
//! heals what the others missed (deletions, merges, cards that no list named as changed).

mod apply;
mod follow;
mod live;
mod people;
mod sync;
mod walk;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::AtomicI64,
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use self::{
    follow::Turn,
    live::Live,
    people::People,
    sync::{Places, Round},
};
use super::{
    amocrm::{Amocrm, Failure},
    status::{Board, Health},
    store::{DirectoryChanges, Store, StoreError},
};
use crate::{
    logic::{
        crm::webhook::Changed,
        directory::{Counts, EntityKind, Index, Known, Listed},
        phone::{Phone, Phones},
    },
    settings::Settings,
};

pub use live::LookupFailure;
pub use sync::Progress;

/// Rows read from the store at once: a start must not need twice the memory.
const PAGE: u32 = 5000;
/// The most ids that webhooks may queue; the next sync finds the rest.
const MOST_QUEUED: usize = 20_000;

/// The local mirror of the CRM: phone number → contact or company, responsible, open leads.
pub struct Directory {
    me: Weak<Self>,
    index: RwLock<Index>,
    people: RwLock<People>,
    live: Live,
    amocrm: Option<Arc<Amocrm>>,
    store: Option<Store>,
    phones: Option<Arc<Phones>>,
    board: Arc<Board>,
    sync_interval: Duration,
    places: Mutex<Places>,
    round: Mutex<Round>,
    /// What webhooks named.
    queued: Mutex<Changed>,
    hooked: Notify,
    turns: [Turn; 3],
    /// Unix milliseconds; 0 means never.
    complete_until: AtomicI64,
}

impl Directory {
    /// Reads what the store holds. Without `amocrm` it stays what it is.
    pub async fn open(
        settings: &Settings,
        store: Store,
        amocrm: Option<Arc<Amocrm>>,
        phones: Arc<Phones>,
        board: Arc<Board>,
    ) -> Result<Arc<Self>, StoreError> {
        let mut directory = Self::bare(board);
        directory.live = Live::new(settings.agi.unknown_ttl.0);
        directory.sync_interval = settings.amocrm.sync_interval.0.max(Duration::from_secs(1));
        directory.phones = Some(phones);
        directory.amocrm = amocrm;
        directory.store = Some(store);
        directory.load().await?;
        Ok(directory.shared())
    }

    /// In memory only, connected to nothing: for tests.
    pub fn empty() -> Arc<Self> {
        Self::bare(Arc::default()).shared()
    }

    fn bare(board: Arc<Board>) -> Self {
        Self {
            me: Weak::new(),
            index: RwLock::default(),
            people: RwLock::default(),
            live: Live::new(Duration::from_secs(60)),
            amocrm: None,
            store: None,
            phones: None,
            board,
            sync_interval: Duration::from_secs(60),
            places: Mutex::default(),
            round: Mutex::default(),
            queued: Mutex::default(),
            hooked: Notify::new(),
            turns: <[Turn; 3]>::default(),
            complete_until: AtomicI64::new(0),
        }
    }

    fn shared(self) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { me: me.clone(), ..self })
    }

    async fn load(&mut self) -> Result<(), StoreError> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        sync::forget_other_account(&store, self.amocrm.as_deref()).await?;
        self.places = Mutex::new(sync::kept_places(&store).await?);
        let index = self.index.get_mut().unwrap_or_else(PoisonError::into_inner);
        for kind in [EntityKind::Contact, EntityKind::Company] {
            let mut after = 0;
            loop {
                let cards = store.directory_cards(kind, after, PAGE).await?;
                let Some(last) = cards.last() else { break };
                after = last.id;
                for card in &cards {
                    index.put(card);
                }
            }
        }
        let mut after = 0;
        loop {
            let leads = store.directory_leads(after, PAGE).await?;
            let Some((last, _)) = leads.last() else { break };
            after = last.id;
            for (lead, owners) in &leads {
                index.put_lead(lead, Some(owners));
            }
        }
        let people = People::load(&store).await?;
        *self.people.get_mut().unwrap_or_else(PoisonError::into_inner) = people;
        Ok(())
    }

    /// The one to whom the number belongs, from memory; the rule that chooses among several stands in
    /// [`crate::logic::directory`]. Microseconds.
    pub fn find(&self, phone: &Phone) -> Option<Known> {
        self.index().find(phone.number())
    }

    /// Everybody with the number, best first.
    pub fn all(&self, phone: &Phone) -> Vec<Known> {
        self.index().all(phone.number())
    }

    /// One contact or company, from memory.
    pub fn find_by_id(&self, kind: EntityKind, id: u64) -> Option<Known> {
        self.index().get((kind, id))
    }

    /// Keeps what is now known, in memory at once, then in the store: after something was created or read.
    /// Replaces the entity's phones and leads.
    pub async fn learn(&self, known: Known) {
        let changes = self.take_known(&known);
        self.keep(changes).await;
    }

    fn take_known(&self, known: &Known) -> DirectoryChanges {
        let listed = Listed::from(known);
        let owner = listed.owner();
        let mut index = self.index_mut();
        let mut changes = DirectoryChanges::default();
        if index.put(&listed) {
            changes.cards.push(listed);
        }
        let mut touched = Vec::new();
        for lead in &known.leads {
            let mut owners = index.lead(lead.id).map(|(_, owners)| owners).unwrap_or_default();
            if !owners.contains(&owner) {
                owners.push(owner);
            }
            if index.put_lead(lead, Some(&owners)) {
                touched.push(lead.id);
            }
        }
        let ids: Vec<u64> = known.leads.iter().map(|lead| lead.id).collect();
        touched.extend(index.set_leads(owner, &ids));
        changes.leads.extend(touched.into_iter().filter_map(|id| index.lead(id)));
        drop(index);
        self.live.no_longer_unknown(&Listed::from(known).phones);
        changes
    }

    /// Drops an entity that the CRM no longer has (a 204 on its id).
    pub async fn forget(&self, kind: EntityKind, id: u64) {
        if self.index_mut().remove((kind, id)) {
            let changes = DirectoryChanges { gone_cards: vec![(kind, id)], ..DirectoryChanges::default() };
            self.keep(changes).await;
        }
    }

    /// What webhooks named: read again soon. Never blocks.
    pub fn hear(&self, changed: Changed) {
        if changed.is_empty() {
            return;
        }
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        if queued.len() < MOST_QUEUED {
            queued.join(changed);
        }
        drop(queued);
        self.hooked.notify_one();
    }

    /// Up to when the directory holds everything the CRM held: who is not in it was not in the CRM then.
    /// None before the first full sync.
    pub fn complete_until(&self) -> Option<DateTime<Utc>> {
        match self.complete_until.load(std::sync::atomic::Ordering::Acquire) {
            0 => None,
            milliseconds => DateTime::from_timestamp_millis(milliseconds),
        }
    }

    /// How much it holds.
    pub fn counts(&self) -> Counts {
        self.index().counts()
    }

    /// Writes to the store; memory is right even when that fails, and the next sync mends the store.
    async fn keep(&self, changes: DirectoryChanges) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.keep_directory(&changes).await {
            self.board.say(
                "directory",
                Health::Warning,
                format!("changes are not kept over a restart: {error}"),
            );
        }
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn queued(&self) -> MutexGuard<'_, Changed> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn amocrm(&self) -> Result<&Arc<Amocrm>, Failure> {
        self.amocrm.as_ref().ok_or_else(|| Failure::NotConnected("the directory has no account".to_owned()))
    }
}
