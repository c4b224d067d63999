//! What is new since last time.

use chrono::{DateTime, Utc};

use super::{
    PbxDatabase, PbxError,
    connection::Engine,
    select::{Ask, KeyFound, Kind, PAGE, RawCdr, RawCel},
    times,
};
use crate::logic::call::{CdrRow, CelRow};

/// Greatest keys of the tables; none where a table is absent or has no key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Newest {
    /// Of `cdr`; 0 when it is empty.
    pub cdr: Option<i64>,
    /// Of `cel`; 0 when it is empty.
    pub cel: Option<i64>,
}

impl PbxDatabase {
    /// Greatest keys of both tables, at a cost that does not grow with them.
    pub async fn newest(&self) -> Result<Newest, PbxError> {
        Ok(Newest { cdr: self.newest_key(Kind::Cdr).await?, cel: self.newest_key(Kind::Cel).await? })
    }

    async fn newest_key(&self, kind: Kind) -> Result<Option<i64>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) = self.ask(&schema, kind).filter(|ask| ask.table.key.is_some()) else {
            return Ok(None);
        };
        let found: Vec<KeyFound> = self.load(&ask.newest_key()).await?;
        Ok(Some(found.first().and_then(KeyFound::key).unwrap_or(0)))
    }

    /// Rows of `cel` after a key, in order, at most 500; empty without CEL.
    pub async fn cel_after(&self, key: i64) -> Result<Vec<CelRow>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) = self.ask(&schema, Kind::Cel) else { return Ok(Vec::new()) };
        let rows: Vec<RawCel> = self.load(&ask.rows(&after(ask)).number(key)).await?;
        Ok(rows.into_iter().map(|row| self.cel_row(row)).collect())
    }

    /// Rows of `cdr` after a key, in order, at most 500, each with its key; empty without a key.
    pub async fn cdr_after(&self, key: i64) -> Result<Vec<(i64, CdrRow)>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) = self.ask(&schema, Kind::Cdr).filter(|ask| ask.table.key.is_some()) else {
            return Ok(Vec::new());
        };
        let rows: Vec<RawCdr> = self.load(&ask.rows(&after(ask)).number(key)).await?;
        Ok(rows.into_iter().map(|row| self.cdr_row(row)).collect())
    }

    /// Rows with these keys: ids are given out before their rows can be seen, so a gap may fill later.
    pub async fn cel_with(&self, keys: &[i64]) -> Result<Vec<CelRow>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) = self.ask(&schema, Kind::Cel).filter(|_| !keys.is_empty()) else {
            return Ok(Vec::new());
        };
        let rows: Vec<RawCel> = self.load(&ask.rows(&with_keys(ask, keys))).await?;
        Ok(rows.into_iter().map(|row| self.cel_row(row)).collect())
    }

    /// As [`PbxDatabase::cel_with`], of `cdr`.
    pub async fn cdr_with(&self, keys: &[i64]) -> Result<Vec<(i64, CdrRow)>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) =
            self.ask(&schema, Kind::Cdr).filter(|ask| !keys.is_empty() && ask.table.key.is_some())
        else {
            return Ok(Vec::new());
        };
        let rows: Vec<RawCdr> = self.load(&ask.rows(&with_keys(ask, keys))).await?;
        Ok(rows.into_iter().map(|row| self.cdr_row(row)).collect())
    }

    /// For a `cdr` without a key: rows of legs that began at or after `since` and, when told, ended at or after `ended`.
    /// Cheap with an index on the time: the cost is that of the window.
    pub async fn cdr_since(
        &self,
        since: DateTime<Utc>,
        ended: Option<DateTime<Utc>>,
    ) -> Result<Vec<CdrRow>, PbxError> {
        let schema = self.schema().await?;
        let zone = self.zone().await?;
        let Some(ask) = self.ask(&schema, Kind::Cdr) else { return Ok(Vec::new()) };
        let time = ask.column("calldate");
        let mut condition = format!("WHERE {time} >= ?");
        if ended.is_some() {
            condition.push_str(&match ask.engine {
                Engine::Mysql => format!(" AND {time} + INTERVAL {} SECOND >= ?", ask.column("duration")),
                Engine::Sqlite => {
                    format!(" AND datetime({time}, {} || ' seconds') >= ?", ask.column("duration"))
                }
            });
        }
        let query = ask.rows(&condition).text(times::write(zone.local(since)));
        let query = ended.into_iter().fold(query, |query, ended| query.text(times::write(zone.local(ended))));
        let rows: Vec<RawCdr> = self.load(&query).await?;
        Ok(rows.into_iter().map(|row| self.cdr_row(row).1).collect())
    }
}

fn after(ask: Ask<'_>) -> String {
    format!("WHERE {key} > ? ORDER BY {key} LIMIT {PAGE}", key = ask.key())
}

fn with_keys(ask: Ask<'_>, keys: &[i64]) -> String {
    let list: Vec<String> = keys.iter().map(i64::to_string).collect();
    format!("WHERE {} IN ({})", ask.key(), list.join(", "))
}
