//! Staying fresh: the first full walk, then what changed, what webhooks name, and a slow round over everything.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Directory, walk::Walk};
use crate::{
    edge::{
        amocrm::{Amocrm, Failure},
        clock,
        status::Health,
        store::{Store, StoreError},
    },
    logic::{
        crm::{request::Urgency, webhook::Changed},
        directory::EntityKind,
    },
};

/// Which account the kept directory is of.
const ACCOUNT: &str = "directory.account";
/// Clocks differ, and a walk takes time: after it, changes are asked for from this long before it began.
const BEFORE_WALK: i64 = 600;
/// A burst of webhooks is read in one go.
const BURST: Duration = Duration::from_millis(300);
/// The slow round comes by everything about once in this time.
const ROUND: Duration = Duration::from_secs(24 * 3600);
const LONGEST_STEP: Duration = Duration::from_secs(3600);
/// Tries of one page before a walk gives up for this time.
const TRIES: u32 = 10;

/// What is read in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stream {
    Contacts,
    Companies,
    Leads,
}

impl Stream {
    pub(super) const ALL: [Self; 3] = [Self::Contacts, Self::Companies, Self::Leads];

    pub(super) const fn of(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Contact => Self::Contacts,
            EntityKind::Company => Self::Companies,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Companies => "companies",
            Self::Leads => "leads",
        }
    }

    fn cursor(self) -> String {
        format!("directory.{}", self.word())
    }
}

/// How far a stream has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// In the first walk.
    Walking(Walk),
    /// Everything changed up to this Unix second has been read.
    Following(i64),
}

/// In memory, since each node keeps its own directory; the store's copy is where the next start begins.
pub(super) type Places = BTreeMap<Stream, Place>;

/// How a full walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// `contacts`, `companies`, `leads`.
    pub what: &'static str,
    /// Read so far, of this kind.
    pub read: u64,
}

/// Where the slow round is.
#[derive(Debug)]
pub(super) struct Round {
    cards: BTreeMap<EntityKind, Walk>,
    leads_after: u64,
    stepped: Instant,
}

impl Default for Round {
    fn default() -> Self {
        Self { cards: BTreeMap::new(), leads_after: 0, stepped: Instant::now() }
    }
}

/// Empties what is kept of another account than the one in the settings.
pub(super) async fn forget_other_account(store: &Store, amocrm: Option<&Amocrm>) -> Result<(), StoreError> {
    let Some(amocrm) = amocrm else { return Ok(()) };
    let kept = store.cursor(ACCOUNT).await?;
    if kept.as_deref() == Some(amocrm.base_url()) {
        return Ok(());
    }
    if kept.is_some() {
        tracing::warn!("the directory is of another account: it is read anew");
    }
    store.clear_directory().await?;
    for stream in Stream::ALL {
        store.keep_cursor(&stream.cursor(), "").await?;
    }
    store.keep_cursor(ACCOUNT, amocrm.base_url()).await
}

/// Places kept by the run before. Read before the cards, so that no card is older than its place.
pub(super) async fn kept_places(store: &Store) -> Result<Places, StoreError> {
    let mut places = Places::new();
    for stream in Stream::ALL {
        let kept = store.cursor(&stream.cursor()).await?;
        if let Some(place) = kept.and_then(|kept| serde_json::from_str(&kept).ok()) {
            places.insert(stream, place);
        }
    }
    Ok(places)
}

impl Directory {
    /// Keeps the directory fresh until `stop`: full sync at the first start, then changes, webhooks and
    /// deletions; says how it goes on the board as `directory`.
    pub async fn run_sync(self: Arc<Self>, stop: CancellationToken) {
        if self.amocrm.is_none() {
            self.board.say("directory", Health::Off, "no account is set");
            return stop.cancelled().await;
        }
        let work = async {
            tokio::join!(self.follow_changes(), self.follow_webhooks());
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn follow_changes(&self) {
        loop {
            let wait = match self.cycle().await {
                Ok(()) => {
                    self.board.say("directory", Health::Ok, self.summary());
                    self.sync_interval
                }
                Err(failure) => {
                    self.board.say("directory", Health::Warning, format!("not fresh: {failure}"));
                    match failure {
                        Failure::TryAgain { after, .. } | Failure::Blocked { after } => after,
                        _ => self.sync_interval,
                    }
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn cycle(&self) -> Result<(), Failure> {
        self.refresh_people().await?;
        if !self.has_walked() {
            let tell = |progress: Progress| {
                let text = format!("first sync: {} {}", progress.read, progress.what);
                self.board.say("directory", Health::Ok, text);
            };
            self.walk(&tell).await?;
        }
        self.catch_up(Urgency::Background).await?;
        self.slow_round().await
    }

    async fn follow_webhooks(&self) {
        loop {
            self.hooked.notified().await;
            tokio::time::sleep(BURST).await;
            let changed = std::mem::take(&mut *self.queued());
            if let Err(failure) = self.read_changed(changed.clone()).await {
                tracing::warn!("what a webhook named could not be read: {failure}");
                tokio::time::sleep(Duration::from_secs(5)).await;
                self.hear(changed);
            }
        }
    }

    async fn read_changed(&self, changed: Changed) -> Result<(), Failure> {
        self.reread_leads(changed.leads, Urgency::Background).await?;
        self.reread_cards(EntityKind::Contact, changed.contacts, Urgency::Background).await?;
        self.reread_cards(EntityKind::Company, changed.companies, Urgency::Background).await
    }

    /// Reads everything anew, telling how it goes: `perezvon directory sync`.
    pub async fn sync_now(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<(), Failure> {
        self.read_people().await?;
        self.places().clear();
        self.walk(tell).await?;
        let mut after = 0;
        while let Some(last) = self.check_leads(after, Urgency::Background).await? {
            after = last;
        }
        self.catch_up(Urgency::Background).await.map(drop)
    }

    /// The full walk, from wherever it stopped.
    async fn walk(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<(), Failure> {
        for stream in Stream::ALL {
            let mut read = 0;
            let mut tries = 0;
            loop {
                let place = self.places().get(&stream).cloned();
                let walk = match place {
                    Some(Place::Following(_)) => break,
                    Some(Place::Walking(walk)) => walk,
                    None => Walk::from_start(clock::now().timestamp()),
                };
                let step = match stream {
                    Stream::Contacts => {
                        self.walk_cards(EntityKind::Contact, &walk, Urgency::Background).await
                    }
                    Stream::Companies => {
                        self.walk_cards(EntityKind::Company, &walk, Urgency::Background).await
                    }
                    Stream::Leads => self.walk_leads(&walk, Urgency::Background).await,
                };
                let step = match step {
                    Err(Failure::TryAgain { after, .. }) if tries < TRIES => {
                        tries += 1;
                        tokio::time::sleep(after).await;
                        continue;
                    }
                    step => step?,
                };
                tries = 0;
                read += step.items;
                tell(Progress { what: stream.word(), read });
                let next = step.next.map_or(Place::Following(walk.began - BEFORE_WALK), Place::Walking);
                self.keep_place(stream, next).await?;
            }
        }
        Ok(())
    }

    /// One step of the round over everything, when it is time for one.
    async fn slow_round(&self) -> Result<(), Failure> {
        let counts = self.counts();
        let pages = (counts.contacts / 250 + counts.leads / 50).max(1);
        let step = (ROUND / u32::try_from(pages).unwrap_or(u32::MAX)).min(LONGEST_STEP);
        let due = {
            let mut round = self.round();
            let due = round.stepped.elapsed() >= step;
            if due {
                round.stepped = Instant::now();
            }
            due
        };
        if due { self.step_round().await } else { Ok(()) }
    }

    /// A page of contacts, a page of companies, a batch of open leads: what is gone is noticed.
    pub async fn step_round(&self) -> Result<(), Failure> {
        for kind in [EntityKind::Contact, EntityKind::Company] {
            let walk = self.round().cards.remove(&kind).unwrap_or(Walk::from_start(0));
            let step = self.walk_cards(kind, &walk, Urgency::Background).await?;
            if let Some(next) = step.next {
                self.round().cards.insert(kind, next);
            }
        }
        let after = self.round().leads_after;
        let last = self.check_leads(after, Urgency::Background).await?;
        self.round().leads_after = last.unwrap_or(0);
        Ok(())
    }

    /// Whether every stream has been walked through once.
    pub fn has_walked(&self) -> bool {
        let places = self.places();
        Stream::ALL.iter().all(|stream| matches!(places.get(stream), Some(Place::Following(_))))
    }

    pub(super) async fn keep_place(&self, stream: Stream, place: Place) -> Result<(), Failure> {
        let unchanged = self.places().insert(stream, place.clone()).as_ref() == Some(&place);
        let Some(store) = self.store.as_ref().filter(|_| !unchanged) else { return Ok(()) };
        let kept = serde_json::to_string(&place).unwrap_or_default();
        Ok(store.keep_cursor(&stream.cursor(), &kept).await?)
    }

    fn summary(&self) -> String {
        let counts = self.counts();
        let (contacts, companies, leads) = (counts.contacts, counts.companies, counts.leads);
        format!("{contacts} contacts, {companies} companies, {leads} open leads")
    }

    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
