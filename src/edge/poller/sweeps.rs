//! Reading a CDR table that has no key: windows over `calldate`, and a set of the rows seen.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::{
    edge::{
        clock,
        pbx_database::{PbxDatabase, PbxError},
        store::{Store, StoreError},
    },
    logic::call::CdrRow,
};

/// Finds rows soon: legs that began lately.
const LATELY: TimeDelta = TimeDelta::minutes(15);
/// Finds rows of long calls: legs that ended since the last time, and so much before.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// How often that is.
const LONG_EVERY: Duration = Duration::from_secs(60);
/// How often a whole day is compared with what was seen.
const DAY_EVERY: Duration = Duration::from_secs(3600);
/// How often legs that began lately are asked for while CEL tells when calls end.
const LATELY_WITH_CEL: Duration = Duration::from_secs(5);
/// The server rests so many times as long as it worked for a sweep: a table without an index on the time is a scan.
const REST: u32 = 20;

/// What was read, and when what is to be read again.
#[derive(Debug)]
pub(super) struct Sweeps {
    seen: HashMap<String, i64>,
    max_call: TimeDelta,
    lately_every: Duration,
    swept: DateTime<Utc>,
    begun: DateTime<Utc>,
    next_lately: Instant,
    next_long: Instant,
    next_day: Instant,
}

impl Sweeps {
    /// `begun`: legs that ended before are history. `swept`: when the last sweep before this start was.
    pub(super) async fn load(
        store: &Store,
        max_call: TimeDelta,
        every: Duration,
        cel: bool,
        begun: DateTime<Utc>,
        swept: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let seen = store.seen_rows_since(clock::now() - kept(max_call)).await?.into_iter().collect();
        let now = Instant::now();
        Ok(Self {
            seen,
            max_call,
            lately_every: if cel { every.max(LATELY_WITH_CEL) } else { every },
            swept,
            begun,
            next_lately: now,
            next_long: now,
            next_day: now + DAY_EVERY,
        })
    }

    /// When all was read last; what a restart begins with.
    pub(super) fn swept(&self) -> DateTime<Utc> {
        self.swept
    }

    /// Rows not seen before.
    pub(super) async fn read(&mut self, database: &PbxDatabase) -> Result<Vec<CdrRow>, PbxError> {
        let now = clock::now();
        let started = Instant::now();
        let rest = |every: Duration| Instant::now() + every.max(started.elapsed() * REST);
        let rows = if started >= self.next_day {
            let rows = database.cdr_since(now - TimeDelta::days(1), Some(self.begun)).await?;
            self.next_day = rest(DAY_EVERY);
            rows
        } else if started >= self.next_long {
            let ended = (self.swept - OVERLAP).max(self.begun);
            let rows = database.cdr_since(self.swept.min(now) - self.max_call, Some(ended)).await?;
            self.swept = now;
            self.next_long = rest(LONG_EVERY);
            rows
        } else if started >= self.next_lately {
            let rows = database.cdr_since(now - LATELY, Some(self.begun)).await?;
            self.next_lately = rest(self.lately_every);
            rows
        } else {
            return Ok(Vec::new());
        };
        Ok(rows.into_iter().filter(|row| self.note(row, now)).collect())
    }

    /// Whether a row is new; it is not from now on.
    fn note(&mut self, row: &CdrRow, now: DateTime<Utc>) -> bool {
        self.seen.insert(fingerprint(row), now.timestamp()).is_none()
    }

    /// The rows' call is stored: they are never new again.
    pub(super) async fn done(&mut self, store: &Store, rows: &[CdrRow]) -> Result<(), StoreError> {
        let now = clock::now();
        let fingerprints: Vec<String> = rows.iter().map(fingerprint).collect();
        store.keep_seen_rows(&fingerprints, now).await?;
        self.seen.extend(fingerprints.into_iter().map(|one| (one, now.timestamp())));
        Ok(())
    }

    /// Forgets rows that no window reaches any more.
    pub(super) async fn forget(&mut self, store: &Store) -> Result<(), StoreError> {
        let before = clock::now() - kept(self.max_call);
        self.seen.retain(|_, seen| *seen >= before.timestamp());
        store.forget_seen_rows(before).await
    }
}

/// No window reaches further back.
fn kept(max_call: TimeDelta) -> TimeDelta {
    max_call + max_call + TimeDelta::days(2)
}

/// Several rows share a uniqueid, and old tables have no sequence.
fn fingerprint(row: &CdrRow) -> String {
    let sequence = row.sequence.map(|number| number.to_string()).unwrap_or_default();
    let mut sum = Sha256::new();
    for part in [
        &row.uniqueid,
        &sequence,
        &row.calldate,
        &row.channel,
        &row.dstchannel,
        &row.lastapp,
        &row.disposition,
    ] {
        sum.update(part.as_bytes());
        sum.update([0]);
    }
    sum.update(row.duration.to_le_bytes());
    sum.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
