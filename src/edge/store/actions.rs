//! Delivery: what is asked of the CRM, each exactly once.
//!
//! An action is written before its request is sent and marked `sent` in the same moment as its final payload, so that
//! after a crash or a lost answer it is known what may stand in the CRM and by which marks to look for it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Store, StoreError,
    calls::{read_json, time, write_json},
    schema::{actions, calls},
    with_connection,
};
use crate::edge::clock;

/// How far one action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// Not sent.
    Waiting,
    /// Its request may have reached the CRM: the CRM is asked before it is sent again.
    Sent,
    /// The CRM has it.
    Done,
    /// Given up.
    Failed,
}

impl ActionState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Done, Self::Failed];

    /// The word in the store and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One action of one call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredAction {
    /// Key in the store; 0 before it is kept.
    pub id: i64,
    /// Whose.
    pub call_id: String,
    /// Order of sending.
    pub position: i32,
    /// `contact`, `lead`, `call`, `task`, `call_update`.
    pub kind: String,
    /// One action of this name, for ever.
    pub dedupe_key: String,
    /// What is asked, as JSON of [`crate::logic::rules::plan::Action`], or of what was sent.
    pub payload: Value,
    /// How far it is.
    pub state: ActionState,
    /// Why it is in this state, a sentence.
    pub reason: String,
    /// How often its request was sent.
    pub attempts: i32,
    /// When it may be sent, or asked about, next.
    pub next_at: DateTime<Utc>,
    /// What the CRM answered: ids.
    pub result: Value,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = actions)]
struct ActionRow {
    #[diesel(deserialize_as = i64)]
    id: Option<i64>,
    call_id: String,
    position: i32,
    kind: String,
    dedupe_key: String,
    payload: String,
    state: String,
    reason: String,
    attempts: i32,
    next_at: i64,
    result: String,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<ActionRow> for StoredAction {
    type Error = StoreError;

    fn try_from(row: ActionRow) -> Result<Self, StoreError> {
        let state = ActionState::parse(&row.state).ok_or_else(|| StoreError::Unreadable {
            what: format!("the state of action {}", row.dedupe_key),
            error: row.state.clone(),
        })?;
        Ok(Self {
            payload: read_json("the payload of action", &row.dedupe_key, &row.payload)?,
            result: read_json("the result of action", &row.dedupe_key, &row.result)?,
            id: row.id.unwrap_or_default(),
            call_id: row.call_id,
            position: row.position,
            kind: row.kind,
            dedupe_key: row.dedupe_key,
            state,
            reason: row.reason,
            attempts: row.attempts,
            next_at: time(row.next_at),
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
        })
    }
}

fn action_row(action: &StoredAction, now: i64) -> ActionRow {
    ActionRow {
        id: (action.id != 0).then_some(action.id),
        call_id: action.call_id.clone(),
        position: action.position,
        kind: action.kind.clone(),
        dedupe_key: action.dedupe_key.clone(),
        payload: write_json(&action.payload),
        state: action.state.as_str().to_owned(),
        reason: action.reason.clone(),
        attempts: action.attempts,
        next_at: action.next_at.timestamp(),
        result: write_json(&action.result),
        created_at: action.created_at.timestamp(),
        updated_at: now,
    }
}

impl Store {
    /// Actions of one call, in order of sending; the id may be any linkedid.
    pub async fn actions_of(&self, call_id: &str) -> Result<Vec<StoredAction>, StoreError> {
        let key = self.call(call_id).await?.map_or_else(|| call_id.to_owned(), |found| found.id);
        self.actions_of_calls(&[key]).await
    }

    /// Actions of many calls, by their keys, in order of sending within each.
    pub async fn actions_of_calls(&self, keys: &[String]) -> Result<Vec<StoredAction>, StoreError> {
        let rows: Vec<ActionRow> = with_connection!(self, |connection| {
            actions::table
                .filter(actions::call_id.eq_any(keys))
                .select(ActionRow::as_select())
                .order((actions::call_id, actions::position, actions::id))
                .load(connection)
                .await?
        });
        rows.into_iter().map(StoredAction::try_from).collect()
    }

    /// What calls of these clients did, or may have done, of these kinds; newest first, beside its client.
    pub async fn actions_for(
        &self,
        clients: &[String],
        kinds: &[&str],
    ) -> Result<Vec<(String, StoredAction)>, StoreError> {
        let rows: Vec<(Option<String>, ActionRow)> = with_connection!(self, |connection| {
            actions::table
                .inner_join(calls::table.on(calls::id.eq(actions::call_id)))
                .filter(calls::client.eq_any(clients))
                .filter(actions::kind.eq_any(kinds))
                .filter(actions::state.eq_any([ActionState::Sent.as_str(), ActionState::Done.as_str()]))
                .select((calls::client, ActionRow::as_select()))
                .order(actions::id.desc())
                .load(connection)
                .await?
        });
        rows.into_iter()
            .map(|(client, row)| Ok((client.unwrap_or_default(), StoredAction::try_from(row)?)))
            .collect()
    }

    /// Keeps new actions and changes of known ones, by their dedupe keys, all or none.
    pub async fn keep_actions(&self, kept: &[StoredAction]) -> Result<(), StoreError> {
        let now = clock::now().timestamp();
        with_connection!(self, |connection| {
            connection
                .transaction(async |connection| {
                    for action in kept {
                        let row = action_row(action, now);
                        if action.id == 0 {
                            diesel::insert_into(actions::table).values(&row).execute(connection).await?;
                        } else {
                            diesel::update(actions::table.find(action.id))
                                .set(&row)
                                .execute(connection)
                                .await?;
                        }
                    }
                    Ok::<_, StoreError>(())
                })
                .await?;
        });
        Ok(())
    }

    /// Forgets actions that were never sent and that a later plan does without.
    pub async fn drop_actions(&self, ids: &[i64]) -> Result<(), StoreError> {
        with_connection!(self, |connection| {
            diesel::delete(actions::table.filter(actions::id.eq_any(ids))).execute(connection).await?
        });
        Ok(())
    }

    /// Gives what was given up another chance.
    pub(super) async fn retry_actions(&self, call_id: &str) -> Result<(), StoreError> {
        let now = clock::now().timestamp();
        with_connection!(self, |connection| {
            diesel::update(
                actions::table
                    .filter(actions::call_id.eq(call_id))
                    .filter(actions::state.eq(ActionState::Failed.as_str())),
            )
            .set((
                actions::state.eq(ActionState::Waiting.as_str()),
                actions::attempts.eq(0),
                actions::reason.eq(""),
                actions::next_at.eq(now),
                actions::updated_at.eq(now),
            ))
            .execute(connection)
            .await?
        });
        Ok(())
    }
}
