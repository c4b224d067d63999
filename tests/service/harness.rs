//! What service tests share.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel_async::SimpleAsyncConnection as _;
use perezvon::{edge::store::Store, settings::StoreUrl};

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A fresh store, with what must live as long as it.
pub(crate) struct FreshStore {
    /// `sqlite` or `mysql`, for messages.
    pub(crate) engine: &'static str,
    /// Its address, for a second process.
    pub(crate) url: StoreUrl,
    /// Open and migrated.
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
}

/// A fresh store on SQLite and, when `PEREZVON_TEST_MYSQL` is set, one on MariaDB.
pub(crate) async fn stores() -> Vec<FreshStore> {
    let mut stores = vec![sqlite_store().await];
    if let Some(url) = fresh_mysql_database().await {
        let store = Store::open(&url).await.expect("MariaDB store opens");
        stores.push(FreshStore { engine: "mysql", url, store, _folder: tempfile::tempdir().unwrap() });
    }
    stores
}

/// A fresh store on SQLite.
pub(crate) async fn sqlite_store() -> FreshStore {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("perezvon.db"));
    let store = Store::open(&url).await.expect("SQLite store opens");
    FreshStore { engine: "sqlite", url, store, _folder: folder }
}

/// A new empty database on the test server; none when `PEREZVON_TEST_MYSQL` is not set.
pub(crate) async fn fresh_mysql_database() -> Option<StoreUrl> {
    let server = std::env::var("PEREZVON_TEST_MYSQL").ok()?;
    let name = format!("t{}_{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
    let mut connection = <diesel_async::AsyncMysqlConnection as diesel_async::AsyncConnection>::establish(
        &format!("{server}/mysql"),
    )
    .await
    .expect("the server in PEREZVON_TEST_MYSQL answers");
    connection
        .batch_execute(&format!(
            "DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4"
        ))
        .await
        .expect("may create databases");
    Some(StoreUrl::Mysql(format!("{server}/{name}")))
}
