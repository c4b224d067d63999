//! What Asterisk wrote of a scenario's calls: all columns of both tables, and the same through the PBX's SQLite file.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use mysql_async::{Row, consts::ColumnType, prelude::Queryable};
use perezvon::{
    edge::pbx_database::PbxDatabase,
    logic::call::CallRows,
    settings::{Pbx, StoreUrl},
};
use serde_json::Value;

use crate::{ami::Event, lab::Lane};

/// How long Asterisk may take to write what it does at once.
const PATIENCE: Duration = Duration::from_secs(15);
/// Rows of CDR come beside the last of CEL; after so much silence there are no more.
const SILENCE: Duration = Duration::from_millis(300);

/// A row as it stands in the table, column by column.
pub(crate) type Raw = Vec<(String, Value)>;

/// A scenario's rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) cdr: Vec<Raw>,
    pub(crate) cel: Vec<Raw>,
}

impl Rows {
    /// As the product sees them.
    pub(crate) fn call_rows(&self) -> CallRows {
        let table = |rows: &[Raw]| -> Value {
            rows.iter().map(|row| Value::Object(row.iter().cloned().collect())).collect()
        };
        let rows = serde_json::json!({"cdr": table(&self.cdr), "cel": table(&self.cel)});
        serde_json::from_value(rows).unwrap_or_default()
    }

    fn is_complete(&self, channels: &BTreeSet<String>) -> bool {
        let of = |kind: &str, column: &str| -> BTreeSet<String> {
            let rows = self.cel.iter().filter(|row| text(row, "eventtype") == kind);
            rows.map(|row| text(row, column).to_owned()).collect()
        };
        let linkedids: BTreeSet<String> =
            self.cel.iter().map(|row| text(row, "linkedid").to_owned()).collect();
        channels.is_subset(&of("CHAN_END", "uniqueid"))
            && linkedids.is_subset(&of("LINKEDID_END", "linkedid"))
    }
}

/// A column as text, or "".
pub(crate) fn text<'a>(row: &'a Raw, column: &str) -> &'a str {
    row.iter().find(|(name, _)| name == column).and_then(|(_, value)| value.as_str()).unwrap_or_default()
}

/// Waits until Asterisk has written the end of every channel of these events, and gives their rows. `cut`: it was
/// killed, and never will.
pub(crate) async fn of_events(lane: &Lane, events: &[Event], cut: bool) -> Result<Rows, String> {
    let fault = |error: mysql_async::Error| format!("{}: {error}", lane.database);
    let options = mysql_async::Opts::from_url(&lane.database).map_err(|error| error.to_string())?;
    let mut connection = mysql_async::Conn::new(options).await.map_err(fault)?;
    let (ids, channels) = ids(events);
    if ids.is_empty() {
        return Ok(Rows::default());
    }
    let began = Instant::now();
    let (mut last, mut since) = (Rows::default(), Instant::now());
    loop {
        let rows = ask(&mut connection, &ids).await.map_err(fault)?;
        if rows != last {
            (last, since) = (rows, Instant::now());
        }
        let silence = if cut { SILENCE * 5 } else { SILENCE };
        if (cut || last.is_complete(&channels)) && since.elapsed() > silence {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!(
                "{PATIENCE:?} after the last channel CEL does not tell the end of every one of {channels:?}"
            ));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    connection.disconnect().await.map_err(fault)?;
    Ok(last)
}

/// The same calls' rows from the PBX's SQLite file, read by the product.
pub(crate) async fn of_sqlite(
    lane: &Lane,
    like: &CallRows,
    began: DateTime<Utc>,
) -> Result<CallRows, String> {
    let settings = Pbx { database_url: Some(StoreUrl::Sqlite(lane.sqlite.clone())), ..Pbx::default() };
    let database = PbxDatabase::connect(&settings).await.map_err(|error| error.to_string())?;
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = database.rows_of(&like.linkedids(), began).await.map_err(|error| error.to_string())?;
        if (rows.cel.len(), rows.cdr.len()) == (like.cel.len(), like.cdr.len()) {
            return Ok(rows);
        }
        if Instant::now() > until {
            return Err(format!(
                "SQLite has {} CEL and {} CDR rows of them, MariaDB {} and {}",
                rows.cel.len(),
                rows.cdr.len(),
                like.cel.len(),
                like.cdr.len()
            ));
        }
        // Seldom: while it is read, Asterisk cannot write, and does not try again.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Ids of calls and channels that the events name, and the channels that must have an end.
fn ids(events: &[Event]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut ids, mut channels) = (BTreeSet::new(), BTreeSet::new());
    for event in events.iter().filter(|event| event.is("Newchannel")) {
        let id = event.get("Uniqueid");
        ids.extend([id, event.get("Linkedid")].into_iter().filter(|id| !id.is_empty()).map(str::to_owned));
        let channel = event.get("Channel");
        if channel.starts_with("PJSIP/") || channel.starts_with("Local/") {
            channels.insert(id.to_owned());
        }
    }
    (ids, channels)
}

async fn ask(connection: &mut mysql_async::Conn, ids: &BTreeSet<String>) -> mysql_async::Result<Rows> {
    let list: Vec<String> = ids.iter().map(|id| format!("'{}'", id.replace(['\'', '\\'], ""))).collect();
    let list = list.join(",");
    let own = format!("uniqueid IN ({list}) OR linkedid IN ({list})");
    let cdr: Vec<Row> =
        connection.query(format!("SELECT * FROM cdr WHERE {own} ORDER BY calldate, sequence")).await?;
    let cel: Vec<Row> = connection.query(format!("SELECT * FROM cel WHERE {own} ORDER BY id")).await?;
    Ok(Rows { cdr: cdr.iter().map(raw).collect(), cel: cel.iter().map(raw).collect() })
}

fn raw(row: &Row) -> Raw {
    let columns = row.columns_ref().iter().enumerate();
    columns
        .map(|(at, column)| (column.name_str().into_owned(), value(row, at, column.column_type())))
        .collect()
}

/// The text protocol gives every value as text.
fn value(row: &Row, at: usize, kind: ColumnType) -> Value {
    let Some(mysql_async::Value::Bytes(bytes)) = row.as_ref(at) else { return Value::Null };
    let text = String::from_utf8_lossy(bytes).into_owned();
    let is_number = matches!(
        kind,
        ColumnType::MYSQL_TYPE_LONG | ColumnType::MYSQL_TYPE_LONGLONG | ColumnType::MYSQL_TYPE_TINY
    );
    match text.parse::<i64>() {
        Ok(number) if is_number => Value::from(number),
        _ => Value::String(text),
    }
}
