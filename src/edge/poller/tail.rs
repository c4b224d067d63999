//! How far a table with a growing key was read.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// How long a missing key is looked for: it was given out to an insert that others could not see yet.
const HOLD: Duration = Duration::from_secs(10);

/// A longer run of missing keys is no insert under way but a purge or another server's share.
const LONGEST_GAP: i64 = 64;

/// So many missing keys are asked for at once.
const MOST_GAPS: usize = 200;

/// After keys were reused, so many rows are read again.
const REREAD: i64 = 2_000;

/// The place in one table: what was read, what is missing, and where the oldest open call began.
#[derive(Debug, Default)]
pub(super) struct Tail {
    top: i64,
    gaps: BTreeMap<i64, Instant>,
    open: HashMap<String, (i64, Instant)>,
}

impl Tail {
    pub(super) fn at(key: i64) -> Self {
        Self { top: key, ..Self::default() }
    }

    /// The last key read.
    pub(super) fn top(&self) -> i64 {
        self.top
    }

    /// Takes note of a row of the call `id`.
    pub(super) fn saw(&mut self, key: i64, id: &str, now: Instant) {
        if key > self.top {
            let missing = self.top + 1..key;
            // The first rows of a table may begin anywhere.
            if self.top > 0 && key - self.top <= LONGEST_GAP {
                self.gaps.extend(missing.map(|key| (key, now)));
            }
            self.top = key;
        } else {
            self.gaps.remove(&key);
        }
        let (first, _) = self.open.entry(id.to_owned()).or_insert((key, now));
        *first = key.min(*first);
    }

    /// Keys to look for once more.
    pub(super) fn missing(&mut self, now: Instant) -> Vec<i64> {
        self.gaps.retain(|_, since| now.duration_since(*since) < HOLD);
        self.gaps.keys().rev().take(MOST_GAPS).copied().collect()
    }

    /// The calls of these ids are stored.
    pub(super) fn done<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) {
        for id in ids {
            self.open.remove(id);
        }
    }

    /// Forgets calls that never ended.
    pub(super) fn forget(&mut self, longest: Duration, now: Instant) {
        self.open.retain(|_, (_, since)| now.duration_since(*since) < longest);
    }

    /// The greatest key fell: newest rows were deleted (or the table was made anew) and their keys are given out again.
    pub(super) fn fell(&mut self, newest: i64) {
        if newest < self.top {
            self.top = (newest - REREAD).max(0);
            self.gaps.clear();
            self.open.retain(|_, (first, _)| *first <= newest);
        }
    }

    /// Where a restart begins.
    pub(super) fn floor(&self) -> i64 {
        let oldest = self.open.values().map(|(first, _)| first - 1).min().unwrap_or(self.top);
        let gap = self.gaps.keys().next().map_or(self.top, |first| first - 1);
        oldest.min(gap).min(self.top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_looked_at_until_it_fills_or_grows_old() {
        let now = Instant::now();
        let mut tail = Tail::at(10);
        tail.saw(11, "a", now);
        tail.saw(14, "a", now);
        tail.done(["a"]);
        assert_eq!((tail.missing(now), tail.floor()), (vec![13, 12], 11));
        tail.saw(12, "a", now);
        tail.done(["a"]);
        assert_eq!((tail.missing(now), tail.floor()), (vec![13], 12));
        assert_eq!((tail.missing(now + HOLD), tail.floor()), (vec![], 14));
    }

    #[test]
    fn a_restart_begins_at_the_oldest_open_call() {
        let now = Instant::now();
        let mut tail = Tail::at(100);
        for (key, id) in [(101, "long"), (102, "short"), (103, "long"), (104, "short")] {
            tail.saw(key, id, now);
        }
        tail.done(["short"]);
        assert_eq!((tail.top(), tail.floor()), (104, 100));
        tail.done(["long"]);
        assert_eq!(tail.floor(), 104);
    }

    #[test]
    fn reused_keys_are_read_again() {
        let mut tail = Tail::at(5_000);
        tail.fell(5_000);
        assert_eq!(tail.top(), 5_000);
        tail.fell(4_990);
        assert_eq!(tail.top(), 2_990);
        tail.fell(7);
        assert_eq!(tail.top(), 0);
    }
}
