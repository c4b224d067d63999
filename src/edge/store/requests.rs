//! What was sent to the CRM for a call, and what it answered, for `explain`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde::Serialize;

use super::{Store, StoreError, schema::requests, with_connection};

/// Bodies and answers longer than this are cut: a batch of 250 is kept once for each of its calls.
const LONGEST: usize = 4_000;

/// One request and its answer. Never holds a token: those are not part of a [`crate::logic::crm::request::Request`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredRequest {
    /// For which call.
    pub call_id: String,
    /// For which action; none for questions.
    pub action_id: Option<i64>,
    /// When, UTC.
    pub sent_at: DateTime<Utc>,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// JSON that was sent: of a batch, this call's part; cut when long.
    pub body: String,
    /// HTTP status; 0 when no answer came.
    pub status: u16,
    /// The answer: of a batch, this call's part where it can be told; cut when long.
    pub answer: String,
    /// How long it took.
    pub took_ms: u32,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = requests)]
struct RequestRow {
    call_id: String,
    action_id: Option<i64>,
    sent_at_ms: i64,
    method: String,
    path: String,
    body: String,
    status: i32,
    answer: String,
    took_ms: i32,
}

impl Store {
    /// Requests sent for a call, in order of time; the id may be any linkedid.
    pub async fn requests_of(&self, call_id: &str) -> Result<Vec<StoredRequest>, StoreError> {
        let key = self.call(call_id).await?.map_or_else(|| call_id.to_owned(), |found| found.id);
        let rows: Vec<RequestRow> = with_connection!(self, |connection| {
            requests::table
                .filter(requests::call_id.eq(&key))
                .select(RequestRow::as_select())
                .order(requests::id)
                .load(connection)
                .await?
        });
        Ok(rows.into_iter().map(StoredRequest::from).collect())
    }

    /// Keeps what was sent, all or none.
    pub async fn keep_requests(&self, sent: &[StoredRequest]) -> Result<(), StoreError> {
        let rows: Vec<RequestRow> = sent.iter().map(RequestRow::from).collect();
        with_connection!(self, |connection| {
            connection
                .transaction(async |connection| {
                    for row in &rows {
                        diesel::insert_into(requests::table).values(row).execute(connection).await?;
                    }
                    Ok::<_, StoreError>(())
                })
                .await?;
        });
        Ok(())
    }
}

impl From<RequestRow> for StoredRequest {
    fn from(row: RequestRow) -> Self {
        Self {
            call_id: row.call_id,
            action_id: row.action_id,
            sent_at: DateTime::from_timestamp_millis(row.sent_at_ms).unwrap_or_default(),
            method: row.method,
            path: row.path,
            body: row.body,
            status: u16::try_from(row.status).unwrap_or_default(),
            answer: row.answer,
            took_ms: u32::try_from(row.took_ms).unwrap_or_default(),
        }
    }
}

impl From<&StoredRequest> for RequestRow {
    fn from(request: &StoredRequest) -> Self {
        Self {
            call_id: request.call_id.clone(),
            action_id: request.action_id,
            sent_at_ms: request.sent_at.timestamp_millis(),
            method: request.method.clone(),
            path: request.path.clone(),
            body: cut(&request.body),
            status: i32::from(request.status),
            answer: cut(&request.answer),
            took_ms: i32::try_from(request.took_ms).unwrap_or(i32::MAX),
        }
    }
}

/// At most [`LONGEST`] bytes, whole characters.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}
