//! When Asterisk was started anew, and which calls died with the process before.
//!
//! A uniqueid is the second a channel began and its number since Asterisk's start (`[systemname-]second.number`, Asterisk
//! 1.8 to 22). After a start the numbers begin at 0 again, so a channel with a small number that began later than one
//! with a greater number belongs to a new process, and whatever the old one left open will never be ended.
//!
//! Nobody may be hung up by a mistake here, so a start is believed only of channels of the same systemname, only when its
//! number is one of the very first, and not when channels numbered on from the old ones still come (several Asterisks
//! that write into one table without a systemname). A call that wrote a row after the start is alive.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    CallRows, CelRow,
    name::Name,
    time::{by_number, epoch, system},
};

/// A later number is no proof of a start: the first channels may have been missed, but so may another Asterisk.
const FIRST: u64 = 9;
/// Asterisk needs longer than this from its death to the next call, in seconds.
const DEAD_FOR: i64 = 2;
/// So many channels may have begun without a row of theirs being known.
const UNSEEN: u64 = 50;

/// Channels by the second they began in.
#[derive(Debug, Clone, Copy)]
struct Second {
    least: u64,
    greatest: u64,
    channels: u64,
    /// Least key of a row that tells of them; 0 when the table has none.
    row: i64,
    noticed: DateTime<Utc>,
}

/// A start of Asterisk.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Channels that began before this second are of an older process.
    at: i64,
    /// Key of its first row; none when it was told otherwise.
    row: Option<i64>,
    noticed: DateTime<Utc>,
}

/// Starts of the Asterisks that write into a table.
#[derive(Debug, Default)]
pub struct Restarts {
    seconds: BTreeMap<String, BTreeMap<i64, Second>>,
    told: BTreeMap<String, Start>,
}

impl Restarts {
    /// Learns from rows, in any order; the same row twice does no harm. `now` is when they were read.
    pub fn note<'a>(&mut self, rows: impl Iterator<Item = &'a CelRow>, now: DateTime<Utc>) {
        for row in rows.filter(|row| row.eventtype == "CHAN_START") {
            let Some(at) = epoch(&row.uniqueid) else { continue };
            let (_, number, _) = by_number(&row.uniqueid);
            let fresh = Second { least: number, greatest: number, channels: 0, row: row.id, noticed: now };
            let seconds = self.seconds.entry(system(&row.uniqueid).to_owned()).or_default();
            let second = seconds.entry(at).or_insert(fresh);
            second.least = second.least.min(number);
            second.greatest = second.greatest.max(number);
            second.channels += 1;
            second.row = second.row.min(row.id);
        }
    }

    /// Asterisk itself said that it was started at `at` (AMI). `system` is its systemname, empty without one.
    pub fn told(&mut self, system: &str, at: DateTime<Utc>, now: DateTime<Utc>) {
        let start = Start { at: at.timestamp(), row: None, noticed: now };
        self.told.insert(system.to_owned(), start);
    }

    /// Forgets channels that began before.
    pub fn forget(&mut self, before: DateTime<Utc>) {
        for seconds in self.seconds.values_mut() {
            *seconds = seconds.split_off(&before.timestamp());
        }
        self.seconds.retain(|_, seconds| !seconds.is_empty());
    }

    /// Whether every channel of this call that has no end died with its Asterisk: since when that is known.
    pub fn cut_off(&self, call: &CallRows) -> Option<DateTime<Utc>> {
        let last_row = call.cel.iter().map(|row| row.id).max()?;
        let mut noticed = None;
        for uniqueid in open_channels(call) {
            let started = self.last_start(system(uniqueid))?;
            let alive = started.row.is_some_and(|row| row != 0 && row < last_row);
            if alive || epoch(uniqueid)? >= started.at {
                return None;
            }
            noticed = noticed.max(Some(started.noticed));
        }
        noticed
    }

    fn last_start(&self, system: &str) -> Option<Start> {
        let seen = self.seconds.get(system).and_then(seen_start);
        let told = self.told.get(system).copied();
        seen.into_iter().chain(told).max_by_key(|start| start.at)
    }
}

/// The last start that the numbers show; none when they show two processes at once.
fn seen_start(seconds: &BTreeMap<i64, Second>) -> Option<Start> {
    let mut start = None;
    let (mut last, mut top): (i64, Option<u64>) = (i64::MIN, None);
    // Greatest number before the start, and how many channels since.
    let (mut before, mut since) = (0, 0);
    for (at, second) in seconds {
        let again = top.is_some_and(|top| second.least <= top);
        if again && second.least <= FIRST && last + DEAD_FOR <= *at {
            start = Some(Start { at: *at, row: Some(second.row), noticed: second.noticed });
            (before, since, top) = (top.unwrap_or_default(), second.channels, Some(second.greatest));
        } else {
            since += second.channels;
            if start.is_some() && second.greatest > before && second.greatest > FIRST + since + UNSEEN {
                return None;
            }
            top = top.max(Some(second.greatest));
        }
        last = *at;
    }
    start
}

/// Channels of parties that have no end.
fn open_channels(call: &CallRows) -> HashSet<&str> {
    let ended: HashSet<&str> = call
        .cel
        .iter()
        .filter(|row| row.eventtype == "CHAN_END" || row.eventtype == "HANGUP")
        .map(|row| row.uniqueid.as_str())
        .collect();
    let parties = call.cel.iter().filter(|row| !Name::parse(&row.channame).is_technical());
    parties.map(|row| row.uniqueid.as_str()).filter(|uniqueid| !ended.contains(uniqueid)).collect()
}
