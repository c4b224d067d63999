//! CEL rows with their times in UTC and in order.

use chrono::{DateTime, Utc};

use super::{
    CelRow, extra,
    time::{Clock, Written, born, epoch},
};

/// A CEL row at its moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    /// UTC.
    pub at: DateTime<Utc>,
    /// The row.
    pub row: &'a CelRow,
}

impl<'a> Event<'a> {
    /// A field of the row's JSON.
    pub(super) fn extra(&self, key: &str) -> Option<&'a str> {
        extra::field(&self.row.extra, key)
    }

    /// Whether the row is of this type.
    pub(super) fn is(&self, eventtype: &str) -> bool {
        self.row.eventtype == eventtype
    }
}

/// All rows that have a time, in the order things happened.
pub(super) fn events<'a>(cel: &'a [CelRow], clock: &Clock) -> Vec<Event<'a>> {
    let mut rows: Vec<&CelRow> = cel.iter().collect();
    rows.sort_by(|left, right| key(left).cmp(&key(right)));
    let numbered = rows.iter().all(|row| row.id != 0);
    let mut latest: Option<i64> = None;
    let mut events: Vec<Event<'_>> = Vec::with_capacity(rows.len());
    for row in rows {
        // Numbered rows come in the order they happened, so the time of one bounds the next.
        let floor = epoch(&row.uniqueid).max(latest.filter(|_| numbered));
        let written = Written::parse(&row.eventtime);
        let Some(at) = written.map(|time| clock.utc(time, floor)).or_else(|| start_without_time(row)) else {
            continue;
        };
        latest = latest.max(Some(at.timestamp()));
        events.push(Event { at, row });
    }
    events.sort_by(|left, right| (left.at, key(left.row)).cmp(&(right.at, key(right.row))));
    events
}

/// A channel begins at the second its uniqueid names.
fn start_without_time(row: &CelRow) -> Option<DateTime<Utc>> {
    (row.eventtype == "CHAN_START").then(|| born(&row.uniqueid)).flatten()
}

/// Order of rows within a second: insertion, else what can only come first.
fn key(row: &CelRow) -> impl Ord + '_ {
    let rank = match row.eventtype.as_str() {
        "CHAN_START" => 0,
        "APP_START" => 1,
        "ANSWER" => 2,
        "BRIDGE_EXIT" => 3,
        "BRIDGE_ENTER" => 4,
        "HANGUP" => 6,
        "CHAN_END" => 7,
        "LINKEDID_END" => 8,
        _ => 5,
    };
    let written = if row.id == 0 { row.eventtime.as_str() } else { "" };
    (row.id, written, rank, &row.uniqueid, &row.appname, &row.extra, &row.channame)
}
