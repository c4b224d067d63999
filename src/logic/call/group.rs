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
    let calls = call_of_each(&rows.cel.iter().collect::<Vec<_>>(), &rows.cdr.iter().collect::<Vec<_>>());
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
pub(super) fn call_of_each(cel: &[&CelRow], cdr: &[&CdrRow]) -> Vec<usize> {
    let mut joined = Joined::new(cel.len() + cdr.len());
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (index, row) in cel.iter().enumerate() {
        for key in cel_keys(row) {
            join(&mut joined, &mut first, key, index);
        }
    }
    for (index, row) in cdr.iter().enumerate() {
        for key in cdr_keys(row) {
            join(&mut joined, &mut first, key, cel.len() + index);
        }
    }
    for (one, other) in sighting::same_channel(cel, cdr) {
        joined.join(one, other);
    }
    (0..cel.len() + cdr.len()).map(|index| joined.root(index)).collect()
}

/// Ids that only rows of the same call have: linkedids, channels, bridges. In a holding bridge wait clients who never meet:
/// a parking lot keeps one bridge for all of them (Asterisk 16 and 22).
pub(super) fn cel_keys(row: &CelRow) -> impl Iterator<Item = &str> {
    let waiting = extra::field(&row.extra, "bridge_technology") == Some("holding_bridge");
    let bridges = ["bridge_id", "bridge1_id", "bridge2_id"].into_iter().filter(move |_| !waiting);
    let named = bridges.filter_map(|key| extra::field(&row.extra, key)).chain(extra::other_channels(row));
    [row.linkedid.as_str(), row.uniqueid.as_str()].into_iter().chain(named).filter(|key| !key.is_empty())
}

/// The same for a leg.
pub(super) fn cdr_keys(row: &CdrRow) -> impl Iterator<Item = &str> {
    [row.linkedid.as_str(), row.uniqueid.as_str()].into_iter().filter(|key| !key.is_empty())
}

fn join<'a>(joined: &mut Joined, first: &mut HashMap<&'a str, usize>, key: &'a str, index: usize) {
    let other = *first.entry(key).or_insert(index);
    joined.join(other, index);
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
