//! Calls that have not ended yet.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{CallRows, group};

/// Whether Asterisk has said all about these rows of one call: `LINKEDID_END` for every linkedid, or every channel ended.
/// Rows without any CEL are complete when nothing came for a while; that is the caller's to judge ([`OpenCalls`] does).
pub fn is_complete(rows: &CallRows) -> bool {
    let _ = rows;
    false
}

/// Rows of calls in progress; knows when one is complete. In memory only.
///
/// A row for a call that was handed out already opens that call again: all its rows are handed out once more.
/// Calls are remembered for [`OpenCalls::KEPT`]; later rows come out alone, so the caller reads the other rows
/// of their linkedids from Asterisk's table before it folds.
#[derive(Debug)]
pub struct OpenCalls {
    quiet: Duration,
    max_call: Duration,
    rows: CallRows,
}

impl OpenCalls {
    /// How long a finished call's rows are kept for latecomers.
    pub const KEPT: Duration = Duration::from_secs(600);

    /// `quiet`: silence after which a call whose channels all ended is closed without an end event (and a call without
    /// CEL after its last row); `max_call`: silence after which any call is closed.
    pub fn new(quiet: Duration, max_call: Duration) -> Self {
        Self { quiet, max_call, rows: CallRows::default() }
    }

    /// Takes rows as they were read, in any order, any number of times.
    pub fn push(&mut self, rows: CallRows, now: DateTime<Utc>) {
        let _ = (now, self.quiet, self.max_call);
        self.rows.cdr.extend(rows.cdr);
        self.rows.cel.extend(rows.cel);
    }

    /// Calls that are complete now, each once, in order of their ids.
    pub fn finished(&mut self, now: DateTime<Utc>) -> Vec<CallRows> {
        let _ = now;
        group(std::mem::take(&mut self.rows))
    }

    /// When the oldest call that is still open began (UTC, from its uniqueid): what a restart must read again.
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        None
    }

    /// Calls in progress.
    pub fn len(&self) -> usize {
        group(self.rows.clone()).len()
    }

    /// Whether no call is in progress.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
