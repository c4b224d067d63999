//! The service's own state: calls, deliveries, directory, cursors, secrets.
//!
//! One set of queries for SQLite and MySQL: [`with_connection!`] expands a query once for each engine, as
//! released Diesel has no asynchronous `MultiConnection`. Rules for queries: only types both engines have;
//! ids by natural key (no RETURNING on MySQL); never ask for a second connection while holding one, since the
//! SQLite pool holds exactly one (that is what serialises its writers).

mod actions;
mod calls;
mod cursors;
mod directory;
mod due;
mod intake;
mod leases;
mod requests;
pub mod schema;
mod secrets;
mod seen_rows;

pub use actions::{ActionState, StoredAction};
pub use calls::{CallFilter, CallState, Put, StoredCall};
pub use directory::DirectoryChanges;
pub use due::{Age, Turn};
pub use leases::Holder;
pub use requests::StoredRequest;

use std::time::Duration;

use diesel_async::{
    AsyncMigrationHarness, AsyncMysqlConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, deadpool},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures::FutureExt;

use crate::settings::StoreUrl;

const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const MYSQL_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/mysql");

const WAIT: Duration = Duration::from_secs(10);

type SqliteConnection = SyncConnectionWrapper<diesel::SqliteConnection>;
pub(crate) type SqlitePool = deadpool::Pool<SqliteConnection>;
pub(crate) type MysqlPool = deadpool::Pool<AsyncMysqlConnection>;

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, or out of connections.
    #[error(
        "the store does not answer: {0}; check [store] url, that the server runs, and the account's rights"
    )]
    Unreachable(String),
    /// A query failed: a full disk, a lost connection, a missing table.
    #[error("the store refused a query: {0}")]
    Query(#[from] diesel::result::Error),
    /// Tables could not be made or changed.
    #[error("the store's tables could not be brought up to date: {0}; the account needs CREATE and ALTER")]
    Migration(String),
    /// A row holds what this version cannot read.
    #[error("the store holds {what} that this version cannot read: {error}")]
    Unreadable {
        /// Which row.
        what: String,
        /// What is wrong with it.
        error: String,
    },
}

impl From<deadpool::PoolError> for StoreError {
    fn from(error: deadpool::PoolError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// A pool of connections to the one database that holds our state; cheap to clone.
#[derive(Clone)]
pub enum Store {
    /// Embedded.
    Sqlite(SqlitePool),
    /// MariaDB or another engine of that protocol.
    Mysql(MysqlPool),
}

/// Expands `$body` once for each engine with `$connection` bound to a live connection; gives its value.
macro_rules! with_connection {
    ($store:expr, |$connection:ident| $body:expr) => {
        match $store {
            $crate::edge::store::Store::Sqlite(pool) => {
                let mut guard = pool.get().await.map_err($crate::edge::store::StoreError::from)?;
                let $connection = &mut *guard;
                $body
            }
            $crate::edge::store::Store::Mysql(pool) => {
                let mut guard = pool.get().await.map_err($crate::edge::store::StoreError::from)?;
                let $connection = &mut *guard;
                $body
            }
        }
    };
}
pub(crate) use with_connection;

impl Store {
    /// Connects, and makes or updates the tables. Needs a multi-thread runtime.
    pub async fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let store = Self::connect(url)?;
        store.migrate().await?;
        Ok(store)
    }

    /// For commands that only look: a SQLite file that is not there yet is not made (whoever looks is often not
    /// the user that the service runs as, which could not write to it later); an empty store in memory does.
    pub async fn open_to_look(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) if !path.exists() => {
                Self::open(&StoreUrl::Sqlite(":memory:".into())).await
            }
            _ => Self::open(url).await,
        }
    }

    /// A pool, without touching tables.
    pub fn connect(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => Ok(Self::Sqlite(sqlite_pool(&path.to_string_lossy())?)),
            StoreUrl::Mysql(url) => Ok(Self::Mysql(mysql_pool(url)?)),
        }
    }

    /// Brings the tables up to date; safe to repeat.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let wrong =
            |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
        match self {
            Self::Sqlite(pool) => {
                let connection = pool.get().await?;
                let mut harness = AsyncMigrationHarness::new(connection);
                harness.run_pending_migrations(SQLITE_MIGRATIONS).map_err(wrong)?;
            }
            Self::Mysql(pool) => {
                let connection = pool.get().await?;
                let mut harness = AsyncMigrationHarness::new(connection);
                harness.run_pending_migrations(MYSQL_MIGRATIONS).map_err(wrong)?;
            }
        }
        Ok(())
    }
}

/// A pool that waits ten seconds for a connection, then says so.
macro_rules! pool {
    ($manager:expr, $size:expr) => {
        deadpool::Pool::builder($manager)
            .max_size($size)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .runtime(::deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unreachable(error.to_string()))
    };
}

fn sqlite_pool(path: &str) -> Result<SqlitePool, StoreError> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(|path| {
        async move {
            let mut connection = <SqliteConnection as diesel_async::AsyncConnection>::establish(path).await?;
            connection
                .batch_execute(
                    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
                )
                .await
                .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok(connection)
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config(path, config);
    pool!(manager, 1)
}

fn mysql_pool(url: &str) -> Result<MysqlPool, StoreError> {
    let manager = AsyncDieselConnectionManager::<AsyncMysqlConnection>::new(url);
    pool!(manager, 8)
}
