//! Walking over everything, page by page in order of id: the first sync, and the slow round that finds what is gone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Directory;
use crate::{
    edge::amocrm::{Failure, Hold},
    logic::{
        crm::{
            read::{self, LOST, Pipeline, WON},
            request::{Request, Urgency},
        },
        directory::EntityKind,
    },
};

/// The longest page amoCRM gives.
const LONG: u64 = 250;
/// What it still gives when the long one ends in a 504.
const SHORT: u64 = 50;
/// Pairs of pipeline and status in one address.
const STATUSES: usize = 25;
/// The most missing cards that one page makes us ask for: an empty answer by mistake must not start a storm.
const MOST_DOUBTS: usize = 100;

/// How far a walk has come; kept, so that a restart goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walk {
    /// The next page.
    page: u64,
    /// The last id of the page before.
    after: u64,
    limit: u64,
    /// Leads: which chunk of statuses.
    chunk: usize,
    /// Unix seconds when it began: changes since then are not surely seen.
    pub(super) began: i64,
}

impl Walk {
    pub(super) const fn from_start(now: i64) -> Self {
        Self { page: 1, after: 0, limit: LONG, chunk: 0, began: now }
    }

    /// The same place in shorter pages.
    const fn shortened(&self) -> Option<Self> {
        if self.limit == SHORT {
            return None;
        }
        Some(Self { page: (self.page - 1) * (LONG / SHORT) + 1, limit: SHORT, ..*self })
    }
}

/// One page of a walk.
#[derive(Debug)]
pub(super) struct Step {
    /// Items on it.
    pub(super) items: u64,
    /// Where to go on; none when this was the last.
    pub(super) next: Option<Walk>,
}

impl Directory {
    /// One page of cards: taken in, and those of ours that should stand on it but do not are asked for by id.
    pub(super) async fn walk_cards(
        &self,
        kind: EntityKind,
        walk: &Walk,
        urgency: Urgency,
    ) -> Result<Step, Failure> {
        let request = Request::get(format!("/api/v4/{}", kind.plural()))
            .with("page", walk.page)
            .with("limit", walk.limit)
            .with("order[id]", "asc");
        let reply = match self.amocrm()?.send(request, urgency).await {
            Err(failure) => return shorter(walk, failure),
            Ok(reply) => reply,
        };
        let items = read::embedded(&reply.body, kind.plural());
        let entities: Vec<_> = items.iter().filter_map(|item| read::entity(kind, item)).collect();
        let ids: Vec<u64> = entities.iter().map(|entity| entity.id).collect();
        let last_page = is_last(items.len(), walk.limit, &reply.body);
        let next = (!last_page).then(|| Walk {
            page: walk.page + 1,
            after: ids.last().copied().unwrap_or(walk.after),
            ..walk.clone()
        });
        let gone = self.missing(kind, walk.after, &ids, last_page);
        let applied = self.apply_cards(entities).await;
        let doubts = applied.doubts.into_iter().filter(|doubt| doubt.0 == kind).map(|doubt| doubt.1);
        let doubts: BTreeSet<u64> = doubts.chain(gone).take(MOST_DOUBTS).collect();
        self.reread_cards(kind, doubts, urgency).await?;
        Ok(Step { items: ids.len() as u64, next })
    }

    /// Cards of ours between the last id of the page before and the last of this one that are not on it. They may
    /// only have moved to a page already read, when something before them was deleted: so they are doubts.
    fn missing(&self, kind: EntityKind, after: u64, ids: &[u64], last_page: bool) -> Vec<u64> {
        let in_order = ids.is_sorted() && ids.first().is_none_or(|first| *first > after);
        if !in_order {
            // The server does not sort: nothing follows from an absence.
            return Vec::new();
        }
        let to = if last_page { u64::MAX } else { ids.last().copied().unwrap_or(after) };
        let ours = self.index().ids(kind, after.saturating_add(1), to);
        ours.into_iter().filter(|id| ids.binary_search(id).is_err()).take(MOST_DOUBTS).collect()
    }

    /// One page of open leads. Only open statuses are asked for, as far as pipelines are known.
    pub(super) async fn walk_leads(&self, walk: &Walk, urgency: Urgency) -> Result<Step, Failure> {
        let statuses = open_statuses(&self.pipelines());
        let chunk: &[(u64, u64)] = statuses.chunks(STATUSES).nth(walk.chunk).unwrap_or(&[]);
        let mut request = Request::get("/api/v4/leads")
            .with("page", walk.page)
            .with("limit", walk.limit)
            .with("order[id]", "asc")
            .with("with", "contacts");
        for (place, (pipeline, status)) in chunk.iter().enumerate() {
            request = request
                .with(format!("filter[statuses][{place}][pipeline_id]"), pipeline)
                .with(format!("filter[statuses][{place}][status_id]"), status);
        }
        let reply = match self.amocrm()?.send(request, urgency).await {
            Err(failure) => return shorter(walk, failure),
            Ok(reply) => reply,
        };
        let items = read::embedded(&reply.body, "leads");
        let leads: Vec<_> = items.iter().filter_map(read::lead).collect();
        let filtered = leads
            .iter()
            .all(|lead| chunk.is_empty() || chunk.contains(&(lead.lead.pipeline, lead.lead.status)));
        let count = leads.len() as u64;
        self.apply_leads(leads).await;
        let more_chunks = filtered && (walk.chunk + 1) * STATUSES < statuses.len();
        let next = if !is_last(items.len(), walk.limit, &reply.body) {
            Some(Walk { page: walk.page + 1, ..walk.clone() })
        } else if more_chunks {
            Some(Walk { page: 1, chunk: walk.chunk + 1, ..walk.clone() })
        } else {
            None
        };
        Ok(Step { items: count, next })
    }

    /// Looks whether the next few of our open leads are still there and open; gives where to go on.
    pub(super) async fn check_leads(&self, after: u64, urgency: Urgency) -> Result<Option<u64>, Failure> {
        let ids = self.index().lead_ids(after, SHORT as usize);
        let last = ids.last().copied();
        self.reread_leads(ids, urgency).await?;
        Ok(last)
    }
}

/// A page is the last when it is short and promises no next one, or empty whatever was promised.
pub(super) fn is_last(items: usize, limit: u64, body: &serde_json::Value) -> bool {
    items == 0 || (items as u64) < limit && !read::has_next(body)
}

/// After a 5xx to a long page: the same place in shorter ones.
fn shorter(walk: &Walk, failure: Failure) -> Result<Step, Failure> {
    match (&failure, walk.shortened()) {
        (Failure::TryAgain { why: Hold::Overload(_), .. }, Some(shortened)) => {
            Ok(Step { items: 0, next: Some(shortened) })
        }
        _ => Err(failure),
    }
}

fn open_statuses(pipelines: &[Pipeline]) -> Vec<(u64, u64)> {
    let of = |pipeline: &Pipeline| {
        let id = pipeline.id;
        let open =
            pipeline.statuses.iter().map(|status| status.id).filter(|status| !matches!(*status, WON | LOST));
        open.map(move |status| (id, status)).collect::<Vec<_>>()
    };
    pipelines.iter().flat_map(of).collect()
}
