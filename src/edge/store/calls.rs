//! Finished calls: the story, and in which state its delivery is.
//!
//! A call is kept under the id it was first seen with, also when later rows merge it with another one: actions,
//! marks in the CRM and MP3 files hang on that id. [`Store::call`] finds it by any of its linkedids.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Store, StoreError,
    schema::{call_linkedids, calls},
    with_connection,
};
use crate::logic::{
    call::{Call, CallRows},
    rules::plan::Plan,
};

/// In what state a person sees a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Not in the CRM yet: the reason says for what it waits, `next_at` until when.
    Waiting,
    /// Stands in the CRM.
    Registered,
    /// Not sent: the reason names the rule.
    Skipped,
    /// Given up: the reason says why; [`Store::retry_call`] tries again.
    Failed,
}

impl CallState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Registered, Self::Skipped, Self::Failed];

    /// The word in the store and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Registered => "registered",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What became of [`Store::put_call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Not seen before.
    New,
    /// Known, with other rows: the story is updated and delivered again (what stands in the CRM is changed, not doubled).
    Changed,
    /// Nothing new.
    Same,
}

/// A call with its delivery.
#[derive(Debug, Clone, Serialize)]
pub struct StoredCall {
    /// Key in the store; one of the call's linkedids.
    pub id: String,
    /// The story.
    pub call: Call,
    /// What Asterisk wrote.
    pub rows: CallRows,
    /// What a person sees.
    pub state: CallState,
    /// Why it is in this state, a sentence; empty when there is nothing to say.
    pub reason: String,
    /// When it is looked at next; none means at once, or never when it is done.
    pub next_at: Option<DateTime<Utc>>,
    /// What the rules decided; none before they were asked.
    pub plan: Option<Plan>,
    /// Sum of the rows, to see that they changed.
    pub fingerprint: String,
    /// When it came here.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which calls; newest first.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Began then or later.
    pub from: Option<DateTime<Utc>>,
    /// Began before.
    pub to: Option<DateTime<Utc>>,
    /// In this state only.
    pub state: Option<CallState>,
    /// Digits that the client's number contains.
    pub phone: Option<String>,
    /// At most so many; none means 100.
    pub limit: Option<u32>,
    /// Id of the last call of the page before: only older ones.
    pub before: Option<String>,
}

const DEFAULT_LIMIT: u32 = 100;

/// The columns of `calls`, as they stand.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = calls)]
pub(super) struct CallRow {
    pub(super) id: String,
    pub(super) started_at: i64,
    pub(super) ended_at: i64,
    pub(super) direction: String,
    pub(super) client: Option<String>,
    pub(super) outcome: String,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) next_at: Option<i64>,
    pub(super) fingerprint: String,
    pub(super) call_json: String,
    pub(super) rows_json: String,
    pub(super) plan_json: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// Reads JSON of a row; the error names the row.
pub(super) fn read_json<T: DeserializeOwned>(what: &str, id: &str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::Unreadable { what: format!("{what} {id}"), error: error.to_string() })
}

/// Writes JSON of our own types.
pub(super) fn write_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys only")
}

/// Unix seconds → time.
pub(super) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

impl TryFrom<CallRow> for StoredCall {
    type Error = StoreError;

    fn try_from(row: CallRow) -> Result<Self, StoreError> {
        let state = CallState::parse(&row.state).ok_or_else(|| StoreError::Unreadable {
            what: format!("the state of call {}", row.id),
            error: row.state.clone(),
        })?;
        let plan = match row.plan_json.as_str() {
            "" => None,
            json => Some(read_json("the plan of call", &row.id, json)?),
        };
        Ok(Self {
            call: read_json("call", &row.id, &row.call_json)?,
            rows: read_json("the rows of call", &row.id, &row.rows_json)?,
            state,
            reason: row.reason,
            next_at: row.next_at.map(time),
            plan,
            fingerprint: row.fingerprint,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            id: row.id,
        })
    }
}

impl Store {
    /// A call by any of its linkedids.
    pub async fn call(&self, id: &str) -> Result<Option<StoredCall>, StoreError> {
        let row: Option<CallRow> = with_connection!(self, |connection| {
            let key: Option<String> = call_linkedids::table
                .find(id)
                .select(call_linkedids::call_id)
                .first(connection)
                .await
                .optional()?;
            let key = key.unwrap_or_else(|| id.to_owned());
            calls::table.find(key).select(CallRow::as_select()).first(connection).await.optional()?
        });
        row.map(StoredCall::try_from).transpose()
    }

    /// Calls, newest first.
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<StoredCall>, StoreError> {
        let rows: Vec<CallRow> = with_connection!(self, |connection| {
            let mut query = calls::table.select(CallRow::as_select()).into_boxed();
            if let Some(from) = filter.from {
                query = query.filter(calls::started_at.ge(from.timestamp()));
            }
            if let Some(to) = filter.to {
                query = query.filter(calls::started_at.lt(to.timestamp()));
            }
            if let Some(state) = filter.state {
                query = query.filter(calls::state.eq(state.as_str()));
            }
            if let Some(digits) = &filter.phone {
                let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
                query = query.filter(calls::client.like(format!("%{digits}%")));
            }
            if let Some(before) = &filter.before {
                let at: Option<i64> =
                    calls::table.find(before).select(calls::started_at).first(connection).await.optional()?;
                if let Some(at) = at {
                    let older = calls::started_at.lt(at);
                    query =
                        query.filter(older.or(calls::started_at.eq(at).and(calls::id.lt(before.clone()))));
                }
            }
            query
                .order((calls::started_at.desc(), calls::id.desc()))
                .limit(i64::from(filter.limit.unwrap_or(DEFAULT_LIMIT)))
                .load(connection)
                .await?
        });
        rows.into_iter().map(StoredCall::try_from).collect()
    }

    /// How many calls are in each state; states without a call are there, too.
    pub async fn count_calls_by_state(&self) -> Result<BTreeMap<CallState, u64>, StoreError> {
        let counted: Vec<(String, i64)> = with_connection!(self, |connection| {
            calls::table
                .group_by(calls::state)
                .select((calls::state, diesel::dsl::count_star()))
                .load(connection)
                .await?
        });
        let mut counts: BTreeMap<_, _> = CallState::ALL.into_iter().map(|state| (state, 0)).collect();
        for (word, count) in counted {
            if let Some(state) = CallState::parse(&word) {
                counts.insert(state, u64::try_from(count).unwrap_or_default());
            }
        }
        Ok(counts)
    }

    /// States and reasons of these calls, by any of their linkedids.
    pub async fn states_of(
        &self,
        ids: &[String],
    ) -> Result<BTreeMap<String, (CallState, String)>, StoreError> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(500) {
            let rows: Vec<(String, String, String)> = with_connection!(self, |connection| {
                call_linkedids::table
                    .inner_join(calls::table.on(calls::id.eq(call_linkedids::call_id)))
                    .filter(call_linkedids::linkedid.eq_any(ids))
                    .select((call_linkedids::linkedid, calls::state, calls::reason))
                    .load(connection)
                    .await?
            });
            for (id, state, reason) in rows {
                if let Some(state) = CallState::parse(&state) {
                    found.insert(id, (state, reason));
                }
            }
        }
        Ok(found)
    }
}
