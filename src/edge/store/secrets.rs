//! Tokens and keys that are made at run time.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, schema::secrets, with_connection};
use crate::{edge::clock, settings::Secret};

impl Store {
    /// A kept secret.
    pub async fn secret(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let value: Option<String> = with_connection!(self, |connection| {
            secrets::table.find(name).select(secrets::value).first(connection).await.optional()?
        });
        Ok(value.map(Secret::new))
    }

    /// Keeps a secret, in place of the one before.
    pub async fn keep_secret(&self, name: &str, value: &Secret) -> Result<(), StoreError> {
        let row = (
            secrets::name.eq(name),
            secrets::value.eq(value.expose()),
            secrets::updated_at.eq(clock::now().timestamp()),
        );
        with_connection!(self, |connection| {
            diesel::replace_into(secrets::table).values(row).execute(connection).await?
        });
        Ok(())
    }
}
