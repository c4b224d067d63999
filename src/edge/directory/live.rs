//! Asking amoCRM about one number while a caller hears ringing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::Directory;
use crate::{
    edge::amocrm::Failure,
    logic::{
        crm::{
            read::{self, Entity},
            request::{Request, Urgency},
        },
        directory::{EntityKind, Known},
        phone::Phone,
    },
};

/// The most numbers remembered as unknown.
const MOST_UNKNOWN: usize = 10_000;
/// amoCRM compares the last ten digits, and so do people who type numbers in ten ways.
const LAST: usize = 10;

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

type Flight = Shared<BoxFuture<'static, Result<Option<Known>, Failure>>>;

/// Questions on their way, and numbers that nobody has.
pub(super) struct Live {
    unknown_ttl: Duration,
    unknown: Mutex<HashMap<u64, Instant>>,
    flights: Mutex<HashMap<u64, Flight>>,
}

impl Live {
    pub(super) fn new(unknown_ttl: Duration) -> Self {
        Self { unknown_ttl, unknown: Mutex::default(), flights: Mutex::default() }
    }

    /// A card has these numbers now.
    pub(super) fn no_longer_unknown(&self, phones: &[u64]) {
        let mut unknown = self.unknown();
        for phone in phones {
            unknown.remove(phone);
        }
    }

    fn is_unknown(&self, number: u64) -> bool {
        self.unknown().get(&number).is_some_and(|since| since.elapsed() < self.unknown_ttl)
    }

    fn remember_unknown(&self, number: u64) {
        let mut unknown = self.unknown();
        if unknown.len() >= MOST_UNKNOWN {
            unknown.retain(|_, since| since.elapsed() < self.unknown_ttl);
        }
        if unknown.len() < MOST_UNKNOWN {
            unknown.insert(number, Instant::now());
        }
    }

    fn unknown(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<u64, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Asks amoCRM, as urgent as a ringing phone; waits no longer than `budget`. One question a number at a time.
    /// "Nobody" is remembered for `[agi] unknown_ttl`; whatever is found is kept.
    pub async fn lookup_live(&self, phone: &Phone, budget: Duration) -> Result<Option<Known>, LookupFailure> {
        if self.live.is_unknown(phone.number()) {
            return Ok(None);
        }
        self.lookup_again(phone, budget).await
    }

    /// As [`Self::lookup_live`], but never answers from what it remembers as unknown: to ask before something
    /// is created.
    pub async fn lookup_again(
        &self,
        phone: &Phone,
        budget: Duration,
    ) -> Result<Option<Known>, LookupFailure> {
        let flight = self.flight(phone)?;
        match tokio::time::timeout(budget, flight).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(LookupFailure::Timeout),
        }
    }

    /// The question about this number that is on its way, or a new one, in a task of its own: it goes on when
    /// nobody waits any more, so that the next call of the number finds the answer.
    fn flight(&self, phone: &Phone) -> Result<Flight, Failure> {
        self.amocrm()?;
        let me = self.me.upgrade().ok_or_else(|| Failure::NotConnected("the service stops".to_owned()))?;
        let number = phone.number();
        let mut flights = self.live.flights();
        if let Some(flight) = flights.get(&number) {
            return Ok(flight.clone());
        }
        let task = tokio::spawn(async move {
            let answer = me.ask(number).await;
            me.live.flights().remove(&number);
            answer
        });
        let flight = task
            .map(|joined| joined.unwrap_or_else(|error| Err(Failure::NotSent(error.to_string()))))
            .boxed()
            .shared();
        flights.insert(number, flight.clone());
        Ok(flight)
    }

    async fn ask(&self, number: u64) -> Result<Option<Known>, Failure> {
        let began = Instant::now();
        let (contacts, companies) =
            tokio::join!(self.search(EntityKind::Contact, number), self.search(EntityKind::Company, number));
        let mut entities = contacts?;
        entities.extend(companies?);
        if entities.is_empty() {
            self.live.remember_unknown(number);
        } else {
            let leads = entities.iter().flat_map(|entity| entity.leads.clone().unwrap_or_default());
            // The newest are open, if any are; one batch must do while the phone rings.
            let mut leads: Vec<u64> = leads.collect();
            leads.sort_unstable_by(|one, other| other.cmp(one));
            leads.dedup();
            leads.truncate(50);
            self.apply_cards(entities).await;
            self.reread_leads(leads, Urgency::Ringing).await?;
        }
        metrics::histogram!("perezvon_directory_live_lookup_seconds").record(began.elapsed());
        Ok(self.index().find(number))
    }

    /// Cards that really have the number: `query` looks into every field, and finds strangers.
    async fn search(&self, kind: EntityKind, number: u64) -> Result<Vec<Entity>, Failure> {
        let digits = number.to_string();
        let last = &digits[digits.len().saturating_sub(LAST)..];
        let request = Request::get(format!("/api/v4/{}", kind.plural()))
            .with("query", last)
            .with("with", "leads")
            .with("limit", 50);
        let reply = self.amocrm()?.send(request, Urgency::Ringing).await?;
        let entities =
            read::embedded(&reply.body, kind.plural()).iter().filter_map(|item| read::entity(kind, item));
        Ok(entities
            .filter(|entity| {
                !entity.deleted && entity.phones.iter().any(|typed| self.numbers(typed).contains(&number))
            })
            .collect())
    }
}
