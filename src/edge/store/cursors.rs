//! How far each reader has come.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, schema::cursors, with_connection};
use crate::edge::clock;

impl Store {
    /// The kept place of a reader.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(with_connection!(self, |connection| {
            cursors::table.find(name).select(cursors::value).first(connection).await.optional()?
        }))
    }

    /// Keeps the place of a reader.
    pub async fn keep_cursor(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let row = (
            cursors::name.eq(name),
            cursors::value.eq(value),
            cursors::updated_at.eq(clock::now().timestamp()),
        );
        with_connection!(self, |connection| {
            diesel::replace_into(cursors::table).values(row).execute(connection).await?
        });
        Ok(())
    }
}
