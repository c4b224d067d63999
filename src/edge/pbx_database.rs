//! Asterisk's CDR and CEL tables, read only.
//!
//! Names and keys differ from PBX to PBX, so [`schema`](PbxDatabase::schema) looks at the tables first and every
//! statement is built from what it found. One connection, made when it is needed and dropped after any failure:
//! a database that comes back is simply used again.

mod catalogue;
mod connection;
mod gathered;
mod names;
mod schema;
mod select;
mod tail;
mod times;
mod whole;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryableByName, mysql::Mysql, sqlite::Sqlite};
use tokio::sync::Mutex;

use connection::{Connection, Engine, Query};
use select::{Ask, Kind, RawCdr, RawCel};
use times::Zone;

use crate::{
    logic::call::{CdrRow, CelRow, digits},
    settings::{self, StoreUrl},
};

pub use schema::{Remark, Schema, Table};
pub use tail::Newest;

/// Why Asterisk's tables could not be read; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PbxError {
    /// `[pbx] database_url` is not set.
    #[error(
        "[pbx] database_url is not set: write mysql://user:password@host/asteriskcdrdb or sqlite:/var/log/asterisk/master.db"
    )]
    NotSet,
    /// No connection.
    #[error(
        "Asterisk's database {url} does not answer: {why}; check [pbx] database_url, that the server runs, and that the \
         account may SELECT from there"
    )]
    Unreachable {
        /// Its address without the password.
        url: String,
        /// As the driver says.
        why: String,
    },
    /// An answer took too long.
    #[error("Asterisk's database gave no answer within {} s; is it overloaded, or does an index lack (perezvon check)?", .0.as_secs())]
    Slow(Duration),
    /// A statement failed.
    #[error(
        "Asterisk's database refused a question: {0}; does the account have SELECT on the CDR and CEL tables?"
    )]
    Refused(#[from] diesel::result::Error),
    /// The CDR table is absent.
    #[error(
        "Asterisk's database has no table {table}: set [pbx] cdr_table, or give the account SELECT on it"
    )]
    NoTable {
        /// The name looked for.
        table: String,
    },
    /// The CDR table cannot be used.
    #[error(
        "table {table} lacks {columns}: if they have other names there, write them in [pbx] column_names, for example cdr.calldate = \"start\""
    )]
    NoColumn {
        /// Its name.
        table: String,
        /// By our names.
        columns: String,
    },
    /// `column_names` names a column that the table does not have.
    #[error(
        "[pbx] column_names: {key} = \"{column}\", but table {table} has no such column; did you mean \"{nearest}\"?"
    )]
    NoSuchColumn {
        /// The table.
        table: String,
        /// The key in the settings.
        key: String,
        /// Its value.
        column: String,
        /// The column most like it.
        nearest: String,
    },
    /// `column_names` has a key that is no column of ours.
    #[error("[pbx] column_names: there is no column {name}; did you mean {nearest}?")]
    UnknownName {
        /// The key in the settings.
        name: String,
        /// The one most like it.
        nearest: String,
    },
    /// A name that must not stand in a statement.
    #[error(
        "[pbx]: \"{name}\" cannot be a name of a table or column: letters, digits, _, - and $ only, at most 64"
    )]
    BadName {
        /// As written.
        name: String,
    },
}

impl PbxError {
    /// Whether only a change of the settings or of the tables helps.
    pub fn is_settings(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Slow(_) | Self::Refused(_))
    }
}

/// How long an answer is waited for, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a zone that was found out is believed: clocks change twice a year.
const ZONE_KEPT: Duration = Duration::from_secs(60);

/// Asterisk's database. Connects when first asked.
pub struct PbxDatabase {
    settings: settings::Pbx,
    url: StoreUrl,
    patience: Duration,
    live: Mutex<Option<Live>>,
}

struct Live {
    connection: Connection,
    schema: Arc<Schema>,
    zone: Option<(Zone, Instant)>,
}

impl PbxDatabase {
    /// Takes the settings; no connection yet, so a service can start while the database is down.
    pub fn new(settings: &settings::Pbx) -> Result<Self, PbxError> {
        let url = settings.database_url.clone().ok_or(PbxError::NotSet)?;
        Ok(Self { settings: settings.clone(), url, patience: PATIENCE, live: Mutex::new(None) })
    }

    /// Connects and looks at the tables.
    pub async fn connect(settings: &settings::Pbx) -> Result<Self, PbxError> {
        let database = Self::new(settings)?;
        database.schema().await?;
        Ok(database)
    }

    /// The same, waiting so long for each answer.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// `[pbx]` as it was given.
    pub fn settings(&self) -> &settings::Pbx {
        &self.settings
    }

    /// What the tables offer; looked at once per connection.
    pub async fn schema(&self) -> Result<Arc<Schema>, PbxError> {
        let mut slot = self.live.lock().await;
        Ok(self.alive(&mut slot).await?.schema.clone())
    }

    /// Drops the connection and what was found, so that the next question looks at the tables again.
    pub async fn forget(&self) {
        *self.live.lock().await = None;
    }

    fn engine(&self) -> Engine {
        match self.url {
            StoreUrl::Mysql(_) => Engine::Mysql,
            StoreUrl::Sqlite(_) => Engine::Sqlite,
        }
    }

    async fn alive<'a>(&self, slot: &'a mut Option<Live>) -> Result<&'a mut Live, PbxError> {
        if slot.is_none() {
            let looking = async {
                let mut connection = Connection::open(&self.url).await?;
                let schema = Schema::find(&mut connection, self.engine(), &self.settings).await?;
                Ok(Live { connection, schema: Arc::new(schema), zone: None })
            };
            *slot = Some(in_time(self.patience, looking).await?);
        }
        Ok(slot.as_mut().expect("just made"))
    }

    /// Loads rows; a connection that failed is not asked twice.
    async fn load<T>(&self, query: &Query) -> Result<Vec<T>, PbxError>
    where
        T: QueryableByName<Mysql> + QueryableByName<Sqlite> + Send + 'static,
    {
        let mut slot = self.live.lock().await;
        self.alive(&mut slot).await?;
        // Taken out while it works: a caller that stops waiting leaves no half-read answer behind.
        let mut live = slot.take().expect("just made");
        let rows = in_time(self.patience, async { Ok(live.connection.load(query).await?) }).await?;
        *slot = Some(live);
        Ok(rows)
    }

    /// A row as the rest of us may see it: without what was pressed, unless the settings ask for it.
    fn cel_row(&self, raw: RawCel) -> CelRow {
        let (_, mut row) = raw.into_row();
        digits::hide_in_cel(&mut row, self.settings.ivr_digits);
        row
    }

    /// The same for a leg, with its key.
    fn cdr_row(&self, raw: RawCdr) -> (i64, CdrRow) {
        let (key, mut row) = raw.into_row();
        digits::hide_in_cdr(&mut row, self.settings.ivr_digits);
        (key, row)
    }

    fn ask<'a>(&self, schema: &'a Schema, kind: Kind) -> Option<Ask<'a>> {
        let table = match kind {
            Kind::Cdr => &schema.cdr,
            Kind::Cel => schema.cel.as_ref()?,
        };
        Some(Ask { engine: self.engine(), table, kind })
    }

    /// How far the tables' clock is ahead of UTC at that instant.
    pub async fn ahead_of_utc(&self, at: DateTime<Utc>) -> Result<TimeDelta, PbxError> {
        Ok(self.zone().await?.local(at) - at.naive_utc())
    }

    /// The zone of the tables' times: as set, else as the newest rows say, else UTC.
    async fn zone(&self) -> Result<Zone, PbxError> {
        if let Some(zone) = self.settings.timezone {
            return Ok(Zone::Named(zone));
        }
        let schema = self.schema().await?;
        if let Some(Live { zone: Some((zone, since)), .. }) = &*self.live.lock().await
            && since.elapsed() < ZONE_KEPT
        {
            return Ok(*zone);
        }
        let mut found = None;
        for kind in [Kind::Cel, Kind::Cdr] {
            let Some(ask) = self.ask(&schema, kind) else { continue };
            let newest: Vec<select::KeyTime> = self.load(&ask.newest_times(50)).await?;
            let rows = newest.iter().filter_map(|row| Some((row.time.as_deref()?, row.uniqueid.as_deref()?)));
            found = found.or_else(|| Zone::of_rows(rows));
        }
        let zone = found.unwrap_or(Zone::East(0));
        if let Some(live) = &mut *self.live.lock().await {
            live.zone = Some((zone, Instant::now()));
        }
        Ok(zone)
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, PbxError>>,
) -> Result<T, PbxError> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(PbxError::Slow(patience)),
    }
}
