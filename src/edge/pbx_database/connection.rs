//! One connection to MySQL or SQLite that can only read.

use std::time::Duration;

use diesel::{
    QueryableByName,
    mysql::Mysql,
    sql_query,
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use diesel_async::{
    AsyncConnection, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection,
    sync_connection_wrapper::SyncConnectionWrapper,
};

use super::PbxError;
use crate::settings::StoreUrl;

/// How long a server may take to accept us.
const CONNECT: Duration = Duration::from_secs(5);

/// Asterisk's session zone, so that TIMESTAMP columns read as Asterisk wrote them; and no writing, even by mistake.
const MYSQL_SETUP: &str =
    "SET time_zone = @@global.time_zone; SET SESSION TRANSACTION READ ONLY, ISOLATION LEVEL READ COMMITTED";

/// Asterisk's writer gives up on a locked file after milliseconds, so we are the ones who wait.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON";

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Mysql,
    Sqlite,
}

impl Engine {
    /// An identifier, quoted; a table may be `base.table`.
    pub(super) fn quoted(self, name: &str) -> String {
        let quote = if self == Self::Mysql { '`' } else { '"' };
        name.split('.').map(|part| format!("{quote}{part}{quote}")).collect::<Vec<_>>().join(".")
    }

    /// An expression as text.
    pub(super) fn text(self, expression: &str) -> String {
        match self {
            Self::Mysql => format!("CAST({expression} AS CHAR)"),
            Self::Sqlite => format!("CAST({expression} AS TEXT)"),
        }
    }
}

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
}

/// A statement with its values.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Query {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    pub(super) fn text(mut self, value: impl Into<String>) -> Self {
        self.values.push(Value::Text(value.into()));
        self
    }

    pub(super) fn number(mut self, value: i64) -> Self {
        self.values.push(Value::Number(value));
        self
    }
}

/// A live connection.
pub(super) enum Connection {
    Mysql(Box<AsyncMysqlConnection>),
    Sqlite(SyncConnectionWrapper<diesel::SqliteConnection>),
}

/// Binds the values and loads rows; the same words for both engines.
macro_rules! load {
    ($query:expr, $engine:ty, $connection:expr) => {{
        let mut query = sql_query($query.sql.as_str()).into_boxed::<$engine>();
        for value in &$query.values {
            query = match value {
                Value::Text(text) => query.bind::<Text, _>(text.clone()),
                Value::Number(number) => query.bind::<BigInt, _>(*number),
            };
        }
        query.load($connection).await
    }};
}

impl Connection {
    /// Connects, for reading only.
    pub(super) async fn open(url: &StoreUrl) -> Result<Self, PbxError> {
        let failed = |why: String| PbxError::Unreachable { url: url.to_string(), why };
        let connecting = async {
            match url {
                StoreUrl::Mysql(url) => {
                    let mut connection =
                        AsyncMysqlConnection::establish(url).await.map_err(|e| e.to_string())?;
                    connection.batch_execute(MYSQL_SETUP).await.map_err(|e| e.to_string())?;
                    Ok(Self::Mysql(Box::new(connection)))
                }
                StoreUrl::Sqlite(path) => {
                    let mut connection =
                        SyncConnectionWrapper::establish(&read_only(&path.to_string_lossy()))
                            .await
                            .map_err(|e| e.to_string())?;
                    connection.batch_execute(SQLITE_SETUP).await.map_err(|e| e.to_string())?;
                    Ok(Self::Sqlite(connection))
                }
            }
        };
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(connected) => connected.map_err(failed),
            Err(_) => Err(failed(format!("no answer within {} s", CONNECT.as_secs()))),
        }
    }

    /// Rows of a statement.
    pub(super) async fn load<T>(&mut self, query: &Query) -> diesel::QueryResult<Vec<T>>
    where
        T: QueryableByName<Mysql> + QueryableByName<Sqlite> + Send + 'static,
    {
        match self {
            Self::Mysql(connection) => load!(query, Mysql, &mut **connection),
            Self::Sqlite(connection) => load!(query, Sqlite, connection),
        }
    }
}

/// SQLite's URI of a file that must exist and is not written.
fn read_only(path: &str) -> String {
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?mode=ro")
}
