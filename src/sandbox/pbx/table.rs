//! `master.db` as cdr_sqlite3_custom and cel_sqlite3_custom make and fill it.

use std::path::Path;

use diesel::{sql_query, sql_types::Text, sqlite::Sqlite};
use diesel_async::{
    AsyncConnection, RunQueryDsl, SimpleAsyncConnection, sync_connection_wrapper::SyncConnectionWrapper,
};
use tokio::sync::Mutex;

use super::{PbxError, shape};

/// The pretend PBX's writer.
pub(super) struct Tables(Mutex<SyncConnectionWrapper<diesel::SqliteConnection>>);

impl Tables {
    pub(super) async fn open(path: &Path) -> Result<Self, PbxError> {
        let failed = |error: &dyn std::fmt::Display| PbxError::Database(error.to_string());
        let mut connection = SyncConnectionWrapper::establish(&path.to_string_lossy())
            .await
            .map_err(|error| failed(&error))?;
        let columns = |names: &[&str]| names.join(", ");
        let sql = format!(
            "PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF; \
             CREATE TABLE IF NOT EXISTS cdr (AcctId INTEGER PRIMARY KEY, calldate, duration, billsec, amaflags, sequence, {}); \
             CREATE TABLE IF NOT EXISTS cel (AcctId INTEGER PRIMARY KEY, eventtime, amaflags, {});",
            columns(&shape::CDR),
            columns(&shape::CEL),
        );
        connection.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        Ok(Self(Mutex::new(connection)))
    }

    pub(super) async fn add(
        &self,
        table: &str,
        columns: &[&str],
        values: Vec<String>,
    ) -> Result<(), PbxError> {
        let marks = vec!["?"; columns.len()].join(", ");
        let mut query = sql_query(format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", ")))
            .into_boxed::<Sqlite>();
        for value in values {
            query = query.bind::<Text, _>(value);
        }
        let mut connection = self.0.lock().await;
        query.execute(&mut *connection).await.map_err(|error| PbxError::Database(error.to_string()))?;
        Ok(())
    }
}
