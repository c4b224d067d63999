//! Rows of many calls in, rows of one call each out.
//!
//! Rows belong together when they share a linkedid, a channel, a bridge or, where a table has no linkedid, a channel's
//! name at one time: names start again from zero when Asterisk restarts.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    CdrRow, CelRow, extra, sighting,
    time::{Written, by_number},
};

/// Rows of one call, or of many before they are grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallRows {
    /// Rows of `cdr`, in any order.
    pub cdr: Vec<CdrRow>,
    /// Rows of `cel`, in any order.
    pub cel: Vec<CelRow>,
}

impl CallRows {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.cdr.is_empty() && self.cel.is_empty()
    }

    /// All linkedids in it, smallest first, compared as numbers. A row of a table without linkedids counts with
    /// its uniqueid.
    pub fn linkedids(&self) -> Vec<String> {
        let cel = self.cel.iter().map(|row| id_of(&row.linkedid, &row.uniqueid));
        let cdr = self.cdr.iter().map(|row| id_of(&row.linkedid, &row.uniqueid));
        let mut ids: Vec<&str> = cel.chain(cdr).filter(|id| !id.is_empty()).collect();
        ids.sort_unstable_by_key(|id| by_number(id));
        ids.dedup();
        ids.into_iter().map(str::to_owned).collect()
    }

    /// Drops what is there twice and sorts by time.
    pub(super) fn tidy(&mut self) {
        let mut seen = HashSet::new();
        self.cdr.retain(|row| seen.insert(row.clone()));
        let mut seen = HashSet::new();
        self.cel.retain(|row| seen.insert(row.clone()));
        self.cdr.sort_by(|left, right| cdr_order(left).cmp(&cdr_order(right)));
        self.cel.sort_by(|left, right| cel_order(left).cmp(&cel_order(right)));
    }
}

fn id_of<'a>(linkedid: &'a str, uniqueid: &'a str) -> &'a str {
    if linkedid.is_empty() { uniqueid } else { linkedid }
}

fn cdr_order(row: &CdrRow) -> impl Ord + '_ {
    (
        &row.calldate,
        row.sequence,
        &row.uniqueid,
        &row.channel,
        &row.dstchannel,
        row.duration,
        &row.disposition,
    )
}

fn cel_order(row: &CelRow) -> impl Ord + '_ {
    (row.id, &row.eventtime, &row.uniqueid, &row.eventtype, &row.channame, &row.appname, &row.extra)
}

/// Joins rows into calls by the channels they share, drops duplicates; no row is in two calls.
/// Calls come in order of their ids, rows in order of time.
pub fn group(rows: CallRows) -> Vec<CallRows> {
    let calls = call_of_each(&rows);
    let mut groups: BTreeMap<usize, CallRows> = BTreeMap::new();
    let cel_count = rows.cel.len();
    for (row, call) in rows.cel.into_iter().zip(&calls) {
        groups.entry(*call).or_default().cel.push(row);
    }
    for (row, call) in rows.cdr.into_iter().zip(&calls[cel_count..]) {
        groups.entry(*call).or_default().cdr.push(row);
    }
    let mut groups: Vec<CallRows> = groups.into_values().collect();
    groups.iter_mut().for_each(CallRows::tidy);
    groups.sort_by_cached_key(|group| {
        let id = group.linkedids().into_iter().next().unwrap_or_default();
        let (epoch, counter, text) = by_number(&id);
        (epoch, counter, text.to_owned())
    });
    groups
}

/// A label for every row, first `cel`'s, then `cdr`'s: rows with the same label are of one call.
pub(super) fn call_of_each(rows: &CallRows) -> Vec<usize> {
    let mut joined = Joined::new(rows.cel.len() + rows.cdr.len());
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (index, row) in rows.cel.iter().enumerate() {
        let bridge = extra::field(&row.extra, "bridge_id");
        let bridges =
            ["bridge1_id", "bridge2_id"].into_iter().filter_map(|key| extra::field(&row.extra, key));
        let own = [row.linkedid.as_str(), row.uniqueid.as_str()];
        for key in own.into_iter().chain(bridge).chain(bridges).chain(extra::other_channels(row)) {
            join(&mut joined, &mut first, key, index);
        }
    }
    let cel = rows.cel.len();
    for (index, row) in rows.cdr.iter().enumerate() {
        for key in [row.linkedid.as_str(), row.uniqueid.as_str()] {
            join(&mut joined, &mut first, key, cel + index);
        }
    }
    for (one, other) in sighting::same_channel(rows) {
        joined.join(one, other);
    }
    (0..rows.cel.len() + rows.cdr.len()).map(|index| joined.root(index)).collect()
}

fn join<'a>(joined: &mut Joined, first: &mut HashMap<&'a str, usize>, key: &'a str, index: usize) {
    if !key.is_empty() {
        let other = *first.entry(key).or_insert(index);
        joined.join(other, index);
    }
}

/// Sets that only ever grow together.
struct Joined(Vec<usize>);

impl Joined {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        // The smaller index stays, so that labels do not depend on the order of joins.
        self.0[one.max(other)] = one.min(other);
    }
}

/// When a row was written by the wall clock, for comparing rows of one PBX with each other.
pub(super) fn rough(text: &str) -> Option<chrono::NaiveDateTime> {
    Written::parse(text).map(|time| time.rough())
}
