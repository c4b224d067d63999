//! What changed since the last time.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    Directory,
    sync::{Place, Stream},
    walk::is_last,
};
use crate::{
    edge::{
        amocrm::{Failure, Hold},
        clock,
    },
    logic::{
        crm::{
            read,
            request::{Request, Urgency},
        },
        directory::EntityKind,
        phone::Phone,
    },
};

/// A change may show up in lists a little late, seconds.
const OVERLAP: i64 = 30;
/// The most cards that one page makes us doubt.
const MOST_DOUBTS: usize = 100;

/// Of a stream: one reader at a time; how many readings have begun, and which of them was the last to end well.
#[derive(Debug, Default)]
pub(super) struct Turn {
    lock: Mutex<()>,
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Directory {
    /// Reads, now, all that changed in the CRM since the last sync (contacts, companies, open leads). Callers that come
    /// while one runs share the next one. Gives [`Self::complete_until`] after it, none before the first full sync.
    pub async fn catch_up(&self, urgency: Urgency) -> Result<Option<DateTime<Utc>>, Failure> {
        if !self.has_walked() {
            return Ok(self.complete_until());
        }
        let (began, arrived) = (clock::now(), self.readings());
        // Leads first: a contact that tells its leads finds them here.
        for stream in Stream::ALL.into_iter().rev() {
            self.follow(stream, &arrived, urgency).await?;
        }
        self.complete_until.store(began.timestamp_millis(), Ordering::Release);
        metrics::gauge!("perezvon_directory_synced_timestamp_seconds").set(began.timestamp() as f64);
        Ok(self.complete_until())
    }

    /// The same for some clients, before contacts or leads are created for them, so that one made by hand seconds ago is
    /// not doubled: a stranger may have come as a contact or a company, a known one may have got a lead. Gives whether it
    /// was possible: not before the first full sync.
    pub async fn catch_up_on(&self, phones: &[&Phone], urgency: Urgency) -> Result<bool, Failure> {
        if !self.has_walked() {
            return Ok(false);
        }
        let (mut read, arrived) = (BTreeSet::new(), self.readings());
        loop {
            let wanted = phones.iter().flat_map(|phone| match self.find(phone) {
                None => [Stream::Contacts, Stream::Companies],
                Some(known) => [Stream::Leads, Stream::of(known.kind)],
            });
            let now: BTreeSet<Stream> = wanted.filter(|stream| !read.contains(stream)).collect();
            if now.is_empty() {
                return Ok(true);
            }
            if now.contains(&Stream::Leads) {
                self.follow(Stream::Leads, &arrived, urgency).await?;
            }
            let cards = now.iter().filter(|stream| **stream != Stream::Leads);
            try_join_all(cards.map(|stream| self.follow(*stream, &arrived, urgency))).await?;
            read.extend(now);
        }
    }

    /// How many readings of each stream have begun.
    fn readings(&self) -> [u64; 3] {
        self.turns.each_ref().map(|turn| turn.begun.load(Ordering::Acquire))
    }

    /// Everything of a stream that changed since its place; a reading that began after we arrived does as well.
    async fn follow(&self, stream: Stream, arrived: &[u64; 3], urgency: Urgency) -> Result<(), Failure> {
        let turn = &self.turns[stream as usize];
        let _lock = turn.lock.lock().await;
        if turn.ended.load(Ordering::Acquire) > arrived[stream as usize] {
            return Ok(());
        }
        let number = turn.begun.fetch_add(1, Ordering::AcqRel) + 1;
        self.read_on(stream, urgency).await?;
        turn.ended.store(number, Ordering::Release);
        Ok(())
    }

    /// The next page begins at the last time seen instead of being numbered: an item that changes meanwhile moves to
    /// the end, and shifts nothing past us.
    async fn read_on(&self, stream: Stream, urgency: Urgency) -> Result<(), Failure> {
        let Some(Place::Following(place)) = self.places().get(&stream).cloned() else { return Ok(()) };
        let (mut from, mut page, mut limit, mut newest) = (place - OVERLAP, 1u64, 250u64, place);
        loop {
            let request = Request::get(format!("/api/v4/{}", stream.word()))
                .with("filter[updated_at][from]", from)
                .with("order[updated_at]", "asc")
                .with("page", page)
                .with("limit", limit)
                .with("with", if stream == Stream::Leads { "contacts" } else { "leads" });
            let reply = match self.amocrm()?.send(request, urgency).await {
                Err(Failure::TryAgain { why: Hold::Overload(_), .. }) if limit > 50 => {
                    (page, limit) = (1, 50);
                    continue;
                }
                reply => reply?,
            };
            let items = read::embedded(&reply.body, stream.word());
            let times: Vec<i64> = items
                .iter()
                .filter_map(|item| i64::try_from(read::number(&item["updated_at"])?).ok())
                .collect();
            if times.iter().any(|time| *time < from) {
                tracing::warn!(
                    "amoCRM ignores the filter by time of change: the slow round and webhooks must do"
                );
                break;
            }
            self.take_in(stream, items, urgency).await?;
            let last = times.iter().copied().max().unwrap_or(from);
            newest = newest.max(last);
            if is_last(items.len(), limit, &reply.body) {
                break;
            }
            (from, page) = if last > from { (last, 1) } else { (from, page + 1) };
        }
        self.keep_place(stream, Place::Following(newest)).await
    }

    async fn take_in(&self, stream: Stream, items: &[Value], urgency: Urgency) -> Result<(), Failure> {
        let kind = match stream {
            Stream::Contacts => EntityKind::Contact,
            Stream::Companies => EntityKind::Company,
            Stream::Leads => {
                self.apply_leads(items.iter().filter_map(read::lead).collect()).await;
                return Ok(());
            }
        };
        let applied =
            self.apply_cards(items.iter().filter_map(|item| read::entity(kind, item)).collect()).await;
        let doubts = applied.doubts.into_iter().filter(|doubt| doubt.0 == kind).map(|doubt| doubt.1);
        self.reread_cards(kind, doubts.take(MOST_DOUBTS), urgency).await
    }
}
