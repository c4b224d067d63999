//! What several questions found: ids that lead to further rows, and rows, each once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use super::times;
use crate::logic::call::{CallRows, CdrRow};

/// Ids of channels and calls.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) linkedids: BTreeSet<String>,
    pub(super) uniqueids: BTreeSet<String>,
}

impl Ids {
    pub(super) fn learn(&mut self, rows: &CallRows) {
        for row in &rows.cdr {
            self.add(&row.uniqueid, &row.linkedid);
        }
        for row in &rows.cel {
            self.add(&row.uniqueid, &row.linkedid);
            self.learn_extra(&row.extra);
        }
    }

    fn add(&mut self, uniqueid: &str, linkedid: &str) {
        let ids = [(uniqueid, &mut self.uniqueids), (linkedid, &mut self.linkedids)];
        for (id, set) in ids.into_iter().filter(|(id, _)| !id.is_empty()) {
            if !set.contains(id) {
                set.insert(id.to_owned());
            }
        }
    }

    /// Transfers and pick-ups name the other call's channels in their JSON.
    fn learn_extra(&mut self, extra: &str) {
        if !extra.contains("uniqueid") {
            return;
        }
        let Ok(named) = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(extra) else { return };
        for (_, value) in named.iter().filter(|(name, _)| name.ends_with("uniqueid")) {
            if let Some(id) = value.as_str().filter(|id| times::began(id).is_some()) {
                self.uniqueids.insert(id.to_owned());
            }
        }
    }

    /// When the oldest of them began.
    pub(super) fn began(&self) -> Option<DateTime<Utc>> {
        self.linkedids.iter().chain(&self.uniqueids).filter_map(|id| times::began(id)).min()
    }
}

/// Rows from several questions, each once.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) rows: CallRows,
    cel: HashSet<i64>,
    cdr: HashSet<CdrRow>,
}

impl Gathered {
    pub(super) fn take(&mut self, rows: CallRows) {
        self.rows.cel.extend(rows.cel.into_iter().filter(|row| self.cel.insert(row.id)));
        self.rows.cdr.extend(rows.cdr.into_iter().filter(|row| self.cdr.insert(row.clone())));
    }
}
