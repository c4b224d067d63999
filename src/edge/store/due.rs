//! Which calls are due, and what becomes of them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::{
    CallState, Store, StoreError, StoredCall,
    calls::{CallRow, time, write_json},
    schema::calls,
    with_connection,
};
use crate::{edge::clock, logic::rules::plan::Plan};

/// Calls that ended since a moment, or before it.
#[derive(Debug, Clone, Copy)]
pub enum Age {
    /// At that moment or later.
    Since(DateTime<Utc>),
    /// Earlier.
    Before(DateTime<Utc>),
}

impl Age {
    /// Of `ended_at`: from, and before.
    fn bounds(self) -> (i64, i64) {
        match self {
            Self::Since(at) => (at.timestamp(), i64::MAX),
            Self::Before(at) => (i64::MIN, at.timestamp()),
        }
    }
}

/// A call's next state, as the registrar decided it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Key in the store.
    pub id: String,
    /// Of the rows that were judged: when new rows came meanwhile, nothing is written and the call stays due.
    pub fingerprint: String,
    /// What a person sees now.
    pub state: CallState,
    /// Why.
    pub reason: String,
    /// When to look again.
    pub next_at: Option<DateTime<Utc>>,
    /// What the rules decided; none keeps what is there.
    pub plan: Option<Plan>,
}

impl Store {
    /// Waiting calls whose time has come, oldest first.
    pub async fn due_calls(
        &self,
        age: Age,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<StoredCall>, StoreError> {
        let (from, to) = age.bounds();
        let rows: Vec<CallRow> = with_connection!(self, |connection| {
            calls::table
                .filter(calls::state.eq(CallState::Waiting.as_str()))
                .filter(calls::next_at.le(now.timestamp()))
                .filter(calls::ended_at.ge(from).and(calls::ended_at.lt(to)))
                .select(CallRow::as_select())
                .order((calls::started_at, calls::id))
                .limit(i64::from(limit))
                .load(connection)
                .await?
        });
        rows.into_iter().map(StoredCall::try_from).collect()
    }

    /// When the next waiting call is to be looked at.
    pub async fn next_due(&self, age: Age) -> Result<Option<DateTime<Utc>>, StoreError> {
        let (from, to) = age.bounds();
        let at: Option<i64> = with_connection!(self, |connection| {
            calls::table
                .filter(calls::state.eq(CallState::Waiting.as_str()))
                .filter(calls::ended_at.ge(from).and(calls::ended_at.lt(to)))
                .select(diesel::dsl::min(calls::next_at))
                .first(connection)
                .await?
        });
        Ok(at.map(time))
    }

    /// Writes the next states of calls, all or none.
    pub async fn turn_calls(&self, turns: &[Turn]) -> Result<(), StoreError> {
        let now = clock::now().timestamp();
        with_connection!(self, |connection| {
            connection
                .transaction(async |connection| {
                    for turn in turns {
                        let target =
                            calls::table.find(&turn.id).filter(calls::fingerprint.eq(&turn.fingerprint));
                        diesel::update(target)
                            .set((
                                calls::state.eq(turn.state.as_str()),
                                calls::reason.eq(&turn.reason),
                                calls::next_at.eq(turn.next_at.map(|at| at.timestamp())),
                                turn.plan.as_ref().map(|plan| calls::plan_json.eq(write_json(plan))),
                                calls::updated_at.eq(now),
                            ))
                            .execute(connection)
                            .await?;
                    }
                    Ok::<_, StoreError>(())
                })
                .await?;
        });
        Ok(())
    }

    /// Every waiting call that is due before `until` waits until then, for this reason.
    pub async fn hold_calls(&self, reason: &str, until: DateTime<Utc>) -> Result<(), StoreError> {
        with_connection!(self, |connection| {
            let due = calls::table
                .filter(calls::state.eq(CallState::Waiting.as_str()))
                .filter(calls::next_at.lt(until.timestamp()));
            diesel::update(due)
                .set((calls::reason.eq(reason), calls::next_at.eq(until.timestamp())))
                .execute(connection)
                .await?
        });
        Ok(())
    }

    /// What these calls waited for has come: those that wait are due now.
    pub async fn hurry_calls(&self, ids: &[String]) -> Result<(), StoreError> {
        let now = clock::now().timestamp();
        with_connection!(self, |connection| {
            let later = calls::table
                .filter(calls::id.eq_any(ids))
                .filter(calls::state.eq(CallState::Waiting.as_str()))
                .filter(calls::next_at.gt(now));
            diesel::update(later).set(calls::next_at.eq(now)).execute(connection).await?
        });
        Ok(())
    }

    /// Makes a call due now, whatever its state; `false` when there is no such call.
    ///
    /// What already stands in the CRM stays: only what is missing is sent again.
    pub async fn retry_call(&self, id: &str) -> Result<bool, StoreError> {
        let Some(found) = self.call(id).await? else {
            return Ok(false);
        };
        let now = clock::now().timestamp();
        with_connection!(self, |connection| {
            diesel::update(calls::table.find(&found.id))
                .set((
                    calls::state.eq(CallState::Waiting.as_str()),
                    calls::reason.eq(""),
                    calls::next_at.eq(now),
                    calls::updated_at.eq(now),
                ))
                .execute(connection)
                .await?
        });
        self.retry_actions(&found.id).await?;
        Ok(true)
    }
}
