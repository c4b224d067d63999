//! CDR rows already taken, for tables without a key.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, schema::seen_rows, with_connection};

impl Store {
    /// Fingerprints of rows taken at that time or later.
    pub async fn seen_rows_since(&self, since: DateTime<Utc>) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(with_connection!(self, |connection| {
            seen_rows::table
                .filter(seen_rows::seen_at.ge(since.timestamp()))
                .select((seen_rows::fingerprint, seen_rows::seen_at))
                .load(connection)
                .await?
        }))
    }

    /// Keeps fingerprints of rows whose call is in the store; safe to repeat.
    pub async fn keep_seen_rows(&self, fingerprints: &[String], at: DateTime<Utc>) -> Result<(), StoreError> {
        with_connection!(self, |connection| {
            for one in fingerprints {
                let row = (seen_rows::fingerprint.eq(one), seen_rows::seen_at.eq(at.timestamp()));
                diesel::replace_into(seen_rows::table).values(row).execute(connection).await?;
            }
        });
        Ok(())
    }

    /// Forgets rows taken before that time.
    pub async fn forget_seen_rows(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        with_connection!(self, |connection| {
            diesel::delete(seen_rows::table.filter(seen_rows::seen_at.lt(before.timestamp())))
                .execute(connection)
                .await?
        });
        Ok(())
    }
}
