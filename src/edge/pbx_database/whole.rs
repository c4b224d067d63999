//! Whole calls: of a period, or those that some ids belong to.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::{
    PbxDatabase, PbxError, Schema,
    connection::{Engine, Query},
    gathered::{Gathered, Ids},
    select::{Ask, KeyTime, Kind, PAGE, RawCdr, RawCel},
    times::{self, Zone},
};
use crate::logic::call::{self, CallRows, CdrRow, CelRow};

/// Clocks drift, rows of one second come in any order, and an hour is lived twice in autumn.
const SLACK: TimeDelta = TimeDelta::minutes(65);

/// How many rounds of "who shares a channel with whom" are asked; real calls need three.
const ROUNDS: usize = 8;

/// Below so many keys a search stops: reading them is cheaper.
const NEAR: i64 = 64;

/// Part of a table that holds all rows of a period: times of a table without a key, keys of one with.
#[derive(Debug, Clone, Copy)]
enum Range {
    Times(NaiveDateTime, NaiveDateTime),
    Keys(i64, i64),
}

impl PbxDatabase {
    /// Whole calls of which any row falls into the period, also those that began before it or ended after it, and
    /// some neighbours; who wants the calls that began in it looks at their `started_at`. Reads at most
    /// `[pbx] max_call` around the period; for long periods ask day by day.
    pub async fn calls_between(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CallRows>, PbxError> {
        let zone = self.zone().await?;
        let (from, to) = (from - SLACK, to + SLACK);
        let wide = self.settings.max_call.chrono();
        let mut rows =
            CallRows { cdr: self.cdr_between(zone, from - wide, to + wide).await?, cel: Vec::new() };
        rows.cel = self.cel_between(zone, from, to).await?;
        let (first, last) = (zone.local(from), zone.local(to));
        let inside = |time: &str| zone.read(time).is_none_or(|time| time >= first && time < last);
        let mut whole = CallRows::default();
        for rows in call::group(rows) {
            let touches = rows.cdr.iter().any(|row| inside(&row.calldate)) || !rows.cel.is_empty();
            if !touches {
                continue;
            }
            let rows = if cut(&rows) { self.rows_around(rows).await? } else { rows };
            whole.cdr.extend(rows.cdr);
            whole.cel.extend(rows.cel);
        }
        Ok(call::group(whole))
    }

    /// All rows of a call that seems complete. Where indexes make it cheap everything is read again; else CDR, and
    /// CEL when some of it is not there.
    pub async fn completed(&self, rows: CallRows) -> Result<CallRows, PbxError> {
        let schema = self.schema().await?;
        let cheap =
            schema.cel.as_ref().is_some_and(|cel| cel.is_indexed("linkedid") && cel.is_indexed("uniqueid"));
        if cheap || rows.cel.is_empty() || cut(&rows) {
            return self.rows_around(rows).await;
        }
        let mut ids = Ids::default();
        ids.learn(&rows);
        let Some(around) = ids.began() else { return Ok(rows) };
        let mut all = Gathered::default();
        all.take(rows);
        // Always: after a restart CEL is read again from the oldest open call, and CDR is not.
        self.gather_cdr(&schema, self.zone().await?, around, &ids, &mut all).await?;
        Ok(all.rows)
    }

    /// All rows of the calls that these rows belong to.
    pub async fn rows_around(&self, rows: CallRows) -> Result<CallRows, PbxError> {
        let mut ids = Ids::default();
        ids.learn(&rows);
        let Some(around) = ids.began() else { return Ok(rows) };
        self.closure(ids, around, rows).await
    }

    /// All rows of the call that has this linkedid or uniqueid; none when there is no such call. An id without the second
    /// a channel began in leads to no call.
    pub async fn call_of(&self, id: &str) -> Result<Option<CallRows>, PbxError> {
        let Some(began) = times::began(id) else { return Ok(None) };
        let rows = self.rows_of(&[id.to_owned()], began).await?;
        let is_its = |rows: &CallRows| {
            let of_cel = rows.cel.iter().flat_map(|row| [&row.linkedid, &row.uniqueid]);
            let of_cdr = rows.cdr.iter().flat_map(|row| [&row.linkedid, &row.uniqueid]);
            of_cel.chain(of_cdr).any(|own| own == id)
        };
        Ok(call::group(rows).into_iter().find(is_its))
    }

    /// All rows of these calls, and of the calls they share a channel with. `began`: when the call began, or before.
    pub async fn rows_of(&self, linkedids: &[String], began: DateTime<Utc>) -> Result<CallRows, PbxError> {
        let mut ids = Ids::default();
        ids.linkedids.extend(linkedids.iter().cloned());
        ids.uniqueids.extend(linkedids.iter().cloned());
        self.closure(ids, began, CallRows::default()).await
    }

    /// Asks for rows of known ids until no new id turns up.
    async fn closure(
        &self,
        mut ids: Ids,
        mut around: DateTime<Utc>,
        known: CallRows,
    ) -> Result<CallRows, PbxError> {
        let schema = self.schema().await?;
        let zone = self.zone().await?;
        let mut asked = Ids::default();
        let mut rows = Gathered::default();
        rows.take(known);
        for _ in 0..ROUNDS {
            let linkedids: Vec<String> = ids.linkedids.difference(&asked.linkedids).cloned().collect();
            let uniqueids: Vec<String> = ids.uniqueids.difference(&asked.uniqueids).cloned().collect();
            if linkedids.is_empty() && uniqueids.is_empty() {
                break;
            }
            for (column, some) in [("linkedid", &linkedids), ("uniqueid", &uniqueids)] {
                if let Some(ask) = self.ask(&schema, Kind::Cel) {
                    for query in self.narrow(ask, zone, around, column, some).await? {
                        let found: Vec<RawCel> = self.load(&query).await?;
                        let cel = found.into_iter().map(|row| self.cel_row(row)).collect();
                        rows.take(CallRows { cel, cdr: Vec::new() });
                    }
                }
            }
            asked.linkedids.extend(linkedids);
            asked.uniqueids.extend(uniqueids);
            ids.learn(&rows.rows);
            around = ids.began().map_or(around, |began| began.min(around));
            if ids.linkedids == asked.linkedids && ids.uniqueids == asked.uniqueids {
                self.gather_cdr(&schema, zone, around, &ids, &mut rows).await?;
                ids.learn(&rows.rows);
            }
        }
        Ok(rows.rows)
    }

    /// CDR of the call: by its channels; by linkedid only where CEL did not tell the channels.
    async fn gather_cdr(
        &self,
        schema: &Schema,
        zone: Zone,
        around: DateTime<Utc>,
        ids: &Ids,
        rows: &mut Gathered,
    ) -> Result<(), PbxError> {
        let Some(ask) = self.ask(schema, Kind::Cdr) else { return Ok(()) };
        let by_linkedid = ask.table.column("linkedid").is_some()
            && (rows.rows.cel.is_empty() || ask.table.is_indexed("linkedid") || ask.table.key.is_some());
        let mut questions = vec![("uniqueid", &ids.uniqueids)];
        if by_linkedid {
            questions.push(("linkedid", &ids.linkedids));
        }
        for (column, some) in questions {
            let some: Vec<String> = some.iter().cloned().collect();
            for query in self.narrow(ask, zone, around, column, &some).await? {
                let found: Vec<RawCdr> = self.load(&query).await?;
                let cdr = found.into_iter().map(|row| self.cdr_row(row).1).collect();
                rows.take(CallRows { cdr, cel: Vec::new() });
            }
        }
        Ok(())
    }

    /// Statements for rows with such ids, limited to the call's time where no index helps.
    async fn narrow(
        &self,
        ask: Ask<'_>,
        zone: Zone,
        around: DateTime<Utc>,
        column: &str,
        ids: &[String],
    ) -> Result<Vec<Query>, PbxError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let pieces = if ask.table.is_indexed(column) {
            vec![Piece::default()]
        } else {
            let wide = self.settings.max_call.chrono() + SLACK;
            pieces(ask, self.range(ask, zone, around - SLACK, around + wide).await?)
        };
        let of = |piece: &Piece, some: &[String]| {
            let limit =
                if piece.condition.is_empty() { String::new() } else { format!("{} AND ", piece.condition) };
            let query = ask.rows(&format!("WHERE {limit}{}", ask.among(column, some.len())));
            let query = piece.values.iter().fold(query, |query, value| query.text(value));
            some.iter().fold(query, |query, id| query.text(id))
        };
        Ok(pieces.iter().flat_map(|piece| ids.chunks(200).map(move |some| of(piece, some))).collect())
    }

    async fn cdr_between(
        &self,
        zone: Zone,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CdrRow>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) = self.ask(&schema, Kind::Cdr) else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        for query in pages(ask, self.range(ask, zone, from, to).await?) {
            let found: Vec<RawCdr> = self.load(&query).await?;
            rows.extend(found.into_iter().map(|row| self.cdr_row(row).1));
        }
        Ok(rows)
    }

    async fn cel_between(
        &self,
        zone: Zone,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CelRow>, PbxError> {
        let schema = self.schema().await?;
        let Some(ask) = self.ask(&schema, Kind::Cel) else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        for query in pages(ask, self.range(ask, zone, from, to).await?) {
            let found: Vec<RawCel> = self.load(&query).await?;
            rows.extend(found.into_iter().map(|row| self.cel_row(row)));
        }
        Ok(rows)
    }

    /// The part of a table that holds all rows of a period.
    async fn range(
        &self,
        ask: Ask<'_>,
        zone: Zone,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Range, PbxError> {
        let (from, to) = (zone.local(from), zone.local(to));
        if ask.table.key.is_none() || ask.table.is_indexed(ask.kind.time()) {
            return Ok(Range::Times(from, to));
        }
        // A CDR row is written when its channel is gone, at most a longest call after the leg ended.
        let late = if ask.kind == Kind::Cdr { self.settings.max_call.chrono() } else { TimeDelta::zero() };
        Ok(Range::Keys(
            self.key_at(ask, zone, from - late).await?,
            self.key_at(ask, zone, to + late).await? + NEAR,
        ))
    }

    /// A key with no row of that time or later before it, found by halving.
    async fn key_at(&self, ask: Ask<'_>, zone: Zone, time: NaiveDateTime) -> Result<i64, PbxError> {
        let key = ask.key();
        let ends: Vec<KeyTime> = self.load(&ask.times(&format!("ORDER BY {key} LIMIT 1"))).await?;
        let newest: Vec<KeyTime> = self.load(&ask.times(&format!("ORDER BY {key} DESC LIMIT 1"))).await?;
        let (Some(first), Some(last)) = (ends.first(), newest.first()) else { return Ok(0) };
        let (mut low, mut high) = (first.key() - 1, last.key() + 1);
        while high - low > NEAR {
            let middle = low + (high - low) / 2;
            let question = format!("WHERE {key} >= ? AND {key} < ? ORDER BY {key} LIMIT 1");
            let found: Vec<KeyTime> = self.load(&ask.times(&question).number(middle).number(high)).await?;
            match found.first() {
                Some(row) if ended_at(row, zone).is_none_or(|end| end < time) => low = row.key(),
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

fn ended_at(row: &KeyTime, zone: Zone) -> Option<NaiveDateTime> {
    zone.read(row.time.as_deref()?).map(|time| time + TimeDelta::seconds(row.length()))
}

/// A condition and its values.
#[derive(Debug, Default)]
struct Piece {
    condition: String,
    values: Vec<String>,
}

/// A range in pieces, so that none locks a file for long: SQLite's writer gives up after a millisecond.
fn pieces(ask: Ask<'_>, range: Range) -> Vec<Piece> {
    let step = if ask.engine == Engine::Sqlite { PAGE } else { 10 * PAGE };
    match range {
        Range::Times(from, to) => {
            let time = ask.column(ask.kind.time());
            let condition = format!("{time} >= ? AND {time} < ?");
            vec![Piece { condition, values: vec![times::write(from), times::write(to)] }]
        }
        Range::Keys(low, high) => {
            let key = ask.key();
            let of = |at: i64| format!("{key} > {at} AND {key} <= {}", (at + step).min(high));
            let step = usize::try_from(step).unwrap_or(1);
            (low..high).step_by(step).map(|at| Piece { condition: of(at), values: Vec::new() }).collect()
        }
    }
}

/// Statements that read a whole range.
fn pages(ask: Ask<'_>, range: Range) -> Vec<Query> {
    let order = if ask.table.key.is_some() { format!(" ORDER BY {}", ask.key()) } else { String::new() };
    let of = |piece: Piece| {
        let query = ask.rows(&format!("WHERE {}{order}", piece.condition));
        piece.values.iter().fold(query, |query, value| query.text(value))
    };
    pieces(ask, range).into_iter().map(of).collect()
}

/// Whether rows of a period lack their beginning or their end. Without CEL there is nothing to miss: CDR was read widely.
fn cut(rows: &CallRows) -> bool {
    let begun = |id: &str| rows.cel.iter().any(|row| row.uniqueid == id && row.eventtype == "CHAN_START");
    let beginning = rows.cel.iter().any(|row| !begun(&row.uniqueid) || !begun(&row.linkedid));
    !rows.cel.is_empty() && (beginning || !call::is_complete(rows))
}
