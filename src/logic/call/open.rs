//! Calls that have not ended yet.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CallRows, CelRow, Restarts,
    archive::{Archive, Arrivals, keys_of_cdr, keys_of_cel},
    group::call_of_each,
    name::Name,
    time::{born, by_number},
};

/// Whether Asterisk has said all about these rows of one call: `LINKEDID_END` for every linkedid and the end of every
/// channel (a pick-up or parking merges two linkedids and ends one of them long before its channel).
/// Rows without CEL are never known to be complete: CDR rows of a call come one by one.
pub fn is_complete(rows: &CallRows) -> bool {
    let ended: HashSet<&str> = rows
        .cel
        .iter()
        .filter(|row| row.eventtype == "LINKEDID_END")
        .map(|row| row.linkedid.as_str())
        .collect();
    let mut linkedids =
        rows.cel.iter().map(|row| row.linkedid.as_str()).filter(|linkedid| !linkedid.is_empty());
    !ended.is_empty() && linkedids.all(|linkedid| ended.contains(linkedid)) && channels_ended(rows)
}

/// Every channel has an end, or the table is not told of ends at all.
fn channels_ended(rows: &CallRows) -> bool {
    let of_type = |types: &[&str]| -> HashSet<&str> {
        let rows = rows.cel.iter().filter(|row| types.contains(&row.eventtype.as_str()));
        rows.map(|row| row.uniqueid.as_str()).collect()
    };
    let ended = of_type(&["CHAN_END", "HANGUP"]);
    if ended.is_empty() {
        return rows.cel.iter().any(|row| row.eventtype == "LINKEDID_END");
    }
    let party = |row: &&CelRow| !Name::parse(&row.channame).is_technical();
    rows.cel.iter().filter(party).all(|row| ended.contains(row.uniqueid.as_str()))
}

/// Rows of calls in progress; knows when one is complete. In memory only.
///
/// A row for a call that was handed out already opens that call again: all its rows are handed out once more.
/// Calls are remembered for [`OpenCalls::KEPT`], those without CEL for `max_call`; later rows come out alone, so the
/// caller reads the other rows of their linkedids from Asterisk's tables before it folds.
///
/// Calls that died with their Asterisk are handed out [`OpenCalls::DEAD`] after its next start is noticed.
#[derive(Debug)]
pub struct OpenCalls {
    quiet: Duration,
    max_call: Duration,
    rows: Arrivals,
    archive: Archive,
    restarts: Restarts,
    /// Rows since the last grouping.
    stale: bool,
    calls: Vec<Progress>,
}

/// What is known of one call's rows without folding them.
#[derive(Debug)]
struct Progress {
    id: String,
    cel: Vec<usize>,
    cdr: Vec<usize>,
    newest: DateTime<Utc>,
    end: End,
    /// Since when its Asterisk is known to have died.
    cut_off: Option<DateTime<Utc>>,
    /// Has rows that were not handed out yet.
    fresh: bool,
}

/// What Asterisk has said of a call's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// [`is_complete`].
    Told,
    /// Every channel ended but some linkedid did not, or there are only CDR rows.
    Likely,
    /// Channels live, or Asterisk died.
    Unknown,
}

impl OpenCalls {
    /// How long a finished call's rows are kept for latecomers.
    pub const KEPT: Duration = Duration::from_secs(600);

    /// CDR and CEL are written side by side: the last leg may come this much after the last event.
    pub const SETTLE: Duration = Duration::from_millis(200);

    /// How long a call stays open after its Asterisk seems to have been started anew: a sign of life refutes it.
    pub const DEAD: Duration = Duration::from_secs(30);

    /// `quiet`: silence after which a call whose channels all ended is closed without an end event (and a call without
    /// CEL after its last row); `max_call`: silence after which any call is closed.
    pub fn new(quiet: Duration, max_call: Duration) -> Self {
        let (rows, archive) = (Arrivals::default(), Archive::default());
        let restarts = Restarts::default();
        Self { quiet, max_call, rows, archive, restarts, stale: false, calls: Vec::new() }
    }

    /// Takes rows as they were read, in any order, any number of times.
    pub fn push(&mut self, rows: CallRows, now: DateTime<Utc>) {
        let new = self.archive.unseen(rows);
        self.stale |= !new.is_empty();
        self.restarts.note(new.cel.iter(), now);
        for keys in new.cel.iter().map(keys_of_cel).chain(new.cdr.iter().map(keys_of_cdr)) {
            keys.iter().filter_map(|key| self.archive.take(key)).for_each(|kept| self.rows.extend(kept));
        }
        self.rows.extend(Arrivals::of(new, now));
    }

    /// Asterisk said when it was started: what it had left open before has ended. `system` is its systemname, empty
    /// without one.
    pub fn asterisk_started(&mut self, system: &str, at: DateTime<Utc>, now: DateTime<Utc>) {
        self.restarts.told(system, at, now);
        self.stale = true;
    }

    /// Calls that are complete now, each once, in order of their ids.
    pub fn finished(&mut self, now: DateTime<Utc>) -> Vec<CallRows> {
        if self.stale {
            self.regroup();
        }
        let (mut done, open): (Vec<Progress>, Vec<Progress>) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition(|call| !call.fresh || self.is_finished(call, now));
        self.calls = open;
        done.sort_by(|left, right| by_number(&left.id).cmp(&by_number(&right.id)));
        let mut finished = Vec::new();
        for call in &done {
            let mut rows = self.rows.take(&call.cel, &call.cdr);
            if call.fresh {
                finished.push(rows.hand_out());
            }
            let kept = if call.cel.is_empty() { self.max_call.max(Self::KEPT) } else { Self::KEPT };
            self.archive.keep(rows, call.newest + kept);
        }
        if !done.is_empty() {
            self.rows.compact();
            self.regroup();
        }
        self.archive.forget(now);
        self.restarts.forget(now - self.max_call - Self::KEPT);
        finished
    }

    /// When the oldest call that is still open began (UTC, from its uniqueid): what a restart must read again.
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        let cel = self.rows.cel().into_iter().map(|row| (&row.linkedid, &row.uniqueid));
        let cdr = self.rows.cdr().into_iter().map(|row| (&row.linkedid, &row.uniqueid));
        cel.chain(cdr).filter_map(|(linkedid, uniqueid)| born(linkedid).or_else(|| born(uniqueid))).min()
    }

    /// Calls in progress.
    pub fn len(&self) -> usize {
        call_of_each(&self.rows.cel(), &self.rows.cdr()).into_iter().collect::<HashSet<_>>().len()
    }

    /// Whether no call is in progress.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn regroup(&mut self) {
        self.stale = false;
        let (cel, cdr) = (self.rows.cel(), self.rows.cdr());
        let mut groups: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for (index, group) in call_of_each(&cel, &cdr).into_iter().enumerate() {
            let (of_cel, of_cdr) = groups.entry(group).or_default();
            match index.checked_sub(cel.len()) {
                None => of_cel.push(index),
                Some(index) => of_cdr.push(index),
            }
        }
        self.calls = groups.into_values().map(|(cel, cdr)| self.progress(cel, cdr)).collect();
    }

    fn progress(&self, cel: Vec<usize>, cdr: Vec<usize>) -> Progress {
        let rows = self.rows.copy(&cel, &cdr);
        let end = match (rows.cel.is_empty(), is_complete(&rows)) {
            (false, true) => End::Told,
            (true, _) => End::Likely,
            (false, false) if has_ends(&rows) && channels_ended(&rows) => End::Likely,
            (false, false) => End::Unknown,
        };
        let id = rows.linkedids().into_iter().next().unwrap_or_default();
        let cut_off = if end == End::Unknown { self.restarts.cut_off(&rows) } else { None };
        let (newest, fresh) = self.rows.newest(&cel, &cdr);
        Progress { id, newest, end, cut_off, fresh, cel, cdr }
    }

    fn is_finished(&self, call: &Progress, now: DateTime<Utc>) -> bool {
        let silence = (now - call.newest).to_std().unwrap_or_default();
        let enough = match call.end {
            End::Told => Self::SETTLE.min(self.quiet),
            End::Likely => self.quiet,
            End::Unknown => self.max_call,
        };
        let dead = |noticed: DateTime<Utc>| {
            now - noticed.max(call.newest) >= TimeDelta::from_std(Self::DEAD).unwrap_or_default()
        };
        silence >= enough || call.cut_off.is_some_and(dead)
    }
}

fn has_ends(rows: &CallRows) -> bool {
    rows.cel.iter().any(|row| row.eventtype == "CHAN_END" || row.eventtype == "HANGUP")
}
