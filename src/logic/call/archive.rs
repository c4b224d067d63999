//! Rows with the moment they were read, and those of calls already handed out, kept for latecomers.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use chrono::{DateTime, Utc};

use super::{
    CallRows, CdrRow, CelRow,
    group::{cdr_keys, cel_keys},
    name,
};

/// A row and when it was read.
#[derive(Debug, Clone)]
struct Arrived<Row> {
    row: Row,
    at: DateTime<Utc>,
    handed_out: bool,
}

/// Rows read so far; slots of rows taken away are empty until [`Arrivals::compact`].
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    cel: Vec<Option<Arrived<CelRow>>>,
    cdr: Vec<Option<Arrived<CdrRow>>>,
}

impl Arrivals {
    pub(super) fn of(rows: CallRows, at: DateTime<Utc>) -> Self {
        let handed_out = false;
        Self {
            cel: rows.cel.into_iter().map(|row| Some(Arrived { row, at, handed_out })).collect(),
            cdr: rows.cdr.into_iter().map(|row| Some(Arrived { row, at, handed_out })).collect(),
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.cel.extend(other.cel);
        self.cdr.extend(other.cdr);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cel.iter().all(Option::is_none) && self.cdr.iter().all(Option::is_none)
    }

    pub(super) fn cel(&self) -> Vec<&CelRow> {
        self.cel.iter().flatten().map(|arrived| &arrived.row).collect()
    }

    pub(super) fn cdr(&self) -> Vec<&CdrRow> {
        self.cdr.iter().flatten().map(|arrived| &arrived.row).collect()
    }

    /// The rows at these places; call it only while no slot is empty.
    pub(super) fn copy(&self, cel: &[usize], cdr: &[usize]) -> CallRows {
        let of_cel = cel.iter().filter_map(|row| self.cel[*row].as_ref());
        let of_cdr = cdr.iter().filter_map(|row| self.cdr[*row].as_ref());
        CallRows {
            cel: of_cel.map(|arrived| arrived.row.clone()).collect(),
            cdr: of_cdr.map(|arrived| arrived.row.clone()).collect(),
        }
    }

    /// When the newest of these was read, and whether any was not handed out yet.
    pub(super) fn newest(&self, cel: &[usize], cdr: &[usize]) -> (DateTime<Utc>, bool) {
        let of_cel = cel.iter().filter_map(|row| self.cel[*row].as_ref()).map(|row| (row.at, row.handed_out));
        let of_cdr = cdr.iter().filter_map(|row| self.cdr[*row].as_ref()).map(|row| (row.at, row.handed_out));
        of_cel.chain(of_cdr).fold((DateTime::UNIX_EPOCH, false), |(newest, fresh), (at, handed_out)| {
            (newest.max(at), fresh || !handed_out)
        })
    }

    /// Takes the rows at these places out.
    pub(super) fn take(&mut self, cel: &[usize], cdr: &[usize]) -> Self {
        Self {
            cel: cel.iter().map(|row| self.cel[*row].take()).collect(),
            cdr: cdr.iter().map(|row| self.cdr[*row].take()).collect(),
        }
    }

    /// Closes the gaps that [`Arrivals::take`] left.
    pub(super) fn compact(&mut self) {
        self.cel.retain(Option::is_some);
        self.cdr.retain(Option::is_some);
    }

    /// All rows, from now on known to have been handed out.
    pub(super) fn hand_out(&mut self) -> CallRows {
        self.cel.iter_mut().flatten().for_each(|row| row.handed_out = true);
        self.cdr.iter_mut().flatten().for_each(|row| row.handed_out = true);
        let mut rows = CallRows {
            cel: self.cel().into_iter().cloned().collect(),
            cdr: self.cdr().into_iter().cloned().collect(),
        };
        rows.tidy();
        rows
    }
}

/// Calls handed out, to be found again by any id or channel name of theirs.
#[derive(Debug, Default)]
pub(super) struct Archive {
    kept: BTreeMap<u64, (DateTime<Utc>, Arrivals)>,
    by_key: HashMap<String, u64>,
    next: u64,
    /// Fingerprints of all rows here and in progress.
    seen: HashSet<u64>,
}

impl Archive {
    /// Those of the rows that were not read before.
    pub(super) fn unseen(&mut self, mut rows: CallRows) -> CallRows {
        rows.cel.retain(|row| self.seen.insert(fingerprint(row)));
        rows.cdr.retain(|row| self.seen.insert(fingerprint(row)));
        rows
    }

    /// Keeps a call until `until`.
    pub(super) fn keep(&mut self, rows: Arrivals, until: DateTime<Utc>) {
        let place = self.next;
        self.next += 1;
        for key in keys(&rows) {
            self.by_key.insert(key, place);
        }
        self.kept.insert(place, (until, rows));
    }

    /// Takes a call out again.
    pub(super) fn take(&mut self, key: &str) -> Option<Arrivals> {
        let place = self.by_key.get(key)?;
        self.kept.remove(place).map(|(_, rows)| rows)
    }

    /// Lets go of calls that nothing more is expected for.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) {
        let old: Vec<u64> =
            self.kept.iter().filter(|(_, (until, _))| *until <= now).map(|(place, _)| *place).collect();
        for (_, rows) in old.iter().filter_map(|place| self.kept.remove(place)) {
            rows.cel().into_iter().for_each(|row| {
                self.seen.remove(&fingerprint(row));
            });
            rows.cdr().into_iter().for_each(|row| {
                self.seen.remove(&fingerprint(row));
            });
        }
        if !old.is_empty() {
            self.by_key.retain(|_, place| self.kept.contains_key(place));
        }
    }
}

fn keys(rows: &Arrivals) -> impl Iterator<Item = String> {
    let cel: Vec<String> = rows.cel().into_iter().flat_map(keys_of_cel).collect();
    let cdr: Vec<String> = rows.cdr().into_iter().flat_map(keys_of_cdr).collect();
    cel.into_iter().chain(cdr)
}

/// Whatever may tie this row to a call.
pub(super) fn keys_of_cel(row: &CelRow) -> Vec<String> {
    let peers = row.peer.split(',').chain([row.channame.as_str()]).filter(|name| name::is_unique(name));
    cel_keys(row).chain(peers.map(name::pair)).map(str::to_owned).collect()
}

/// The same for a leg.
pub(super) fn keys_of_cdr(row: &CdrRow) -> Vec<String> {
    let names =
        [row.channel.as_str(), row.dstchannel.as_str()].into_iter().filter(|name| name::is_unique(name));
    cdr_keys(row).chain(names.map(name::pair)).map(str::to_owned).collect()
}

fn fingerprint(row: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}
