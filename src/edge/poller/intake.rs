//! One round: read what is new, see which calls are complete, store them.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Parts, Trouble,
    awaited::Awaited,
    place::{CdrReading, Reading},
    tail::Tail,
};
use crate::{
    edge::{
        clock, metrics as counters,
        pbx_database::{Newest, PbxError},
        store::Put,
    },
    logic::call::{self, Call, CallRows, OpenCalls},
};

/// After new rows a call may be complete so soon, though the next poll is later.
const SOON: Duration = OpenCalls::SETTLE.saturating_add(Duration::from_millis(20));
/// Between two looks for the CDR rows of a call that has none.
const AGAIN: Duration = Duration::from_millis(300);
/// So often a call without any CDR row is looked at again before CEL alone must do.
const TRIES: u32 = 3;
/// As many rows as one question brings.
const PAGE: usize = 500;
/// A call that ended so lately: AMI's word of it is remembered.
const LATELY: TimeDelta = TimeDelta::seconds(60);
/// So many calls in a row must end untold by AMI before it is doubted.
const UNTOLD: u32 = 3;
/// Between two looks for rows and calls that can be forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// A complete call on its way to the store.
struct Settling {
    due: Instant,
    tries: u32,
    rows: CallRows,
}

/// The poller's state; all of it can be made again from the store and the tables.
pub(super) struct Intake {
    pub(super) parts: Parts,
    open: OpenCalls,
    settling: Vec<Settling>,
    awaited: Awaited,
    /// Calls in a row of whose end AMI did not tell.
    untold: u32,
    reading: Option<Reading>,
    /// When this process began to poll, in whole seconds as the tables have them.
    pub(super) started: DateTime<Utc>,
    next_read: Instant,
    /// When calls whose end was among the last new rows are complete.
    settled: Option<Instant>,
    next_tidy: Instant,
}

impl Intake {
    pub(super) fn new(parts: Parts) -> Self {
        let settings = parts.database.settings();
        let open = OpenCalls::new(settings.quiet.0, settings.max_call.0);
        let now = Instant::now();
        let started = clock::now();
        let started = DateTime::from_timestamp(started.timestamp(), 0).unwrap_or(started);
        Self {
            parts,
            open,
            settling: Vec::new(),
            awaited: Awaited::default(),
            untold: 0,
            reading: None,
            started,
            next_read: now,
            settled: None,
            next_tidy: now,
        }
    }

    /// A sentence for the board.
    pub(super) fn describe(&self) -> String {
        let how = match &self.reading {
            None => return "looks at the tables".to_owned(),
            Some(Reading { cel: Some(_), cdr: CdrReading::Key(_), .. }) => "CEL and CDR by key",
            Some(Reading { cel: Some(_), cdr: CdrReading::Sweeps(_), .. }) => {
                "CEL by key, CDR by channel and time"
            }
            Some(Reading { cel: None, cdr: CdrReading::Key(_), .. }) => "CDR by key, no CEL: less detail",
            Some(Reading { cel: None, cdr: CdrReading::Sweeps(_), .. }) => "CDR by time, no CEL: less detail",
        };
        format!("reads {how}; {} calls in progress", self.open.len())
    }

    /// Reads, stores; gives the time until there is something to do again.
    pub(super) async fn round(&mut self) -> Result<Duration, Trouble> {
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.begin().await?,
        };
        let done = self.work(&mut reading).await;
        self.reading = Some(reading);
        if done.is_err() {
            self.parts.database.forget().await;
        }
        done?;
        let now = Instant::now();
        let due = self.settling.iter().map(|settling| settling.due).fold(self.next_read, Instant::min);
        Ok(due.saturating_duration_since(now))
    }

    async fn work(&mut self, reading: &mut Reading) -> Result<(), Trouble> {
        let interval = self.parts.database.settings().poll_interval.0;
        let started = Instant::now();
        self.next_read = started + interval;
        self.awaited.expect(self.parts.hangups.take(), started);
        if !self.read(reading).await? {
            self.settled = Some(Instant::now() + SOON);
        }
        self.settled = self.settled.filter(|settled| *settled > Instant::now());
        self.next_read = self.settled.map_or(self.next_read, |settled| self.next_read.min(settled));
        if reading.cel.is_some() {
            self.awaited.looked(started);
            self.awaited.forget(started);
            self.next_read = self.awaited.next().map_or(self.next_read, |next| self.next_read.min(next));
        }
        metrics::counter!(counters::POLLS).increment(1);
        metrics::histogram!(counters::POLL_SECONDS).record(started.elapsed().as_secs_f64());
        self.collect();
        self.store_due(reading).await?;
        self.keep(reading).await?;
        self.tidy(reading).await
    }

    /// Gives whether nothing was new.
    async fn read(&mut self, reading: &mut Reading) -> Result<bool, Trouble> {
        let mut idle = true;
        if reading.cel.is_some() && self.parts.database.schema().await?.cel.is_none() {
            return Err(PbxError::NoTable { table: self.parts.database.settings().cel_table.clone() }.into());
        }
        if let Some(tail) = &mut reading.cel {
            idle &= self.read_cel(tail).await?;
        }
        match &mut reading.cdr {
            CdrReading::Key(tail) => idle &= self.read_cdr(tail).await?,
            CdrReading::Sweeps(sweeps) => {
                let cdr = sweeps.read(&self.parts.database).await?;
                count("cdr", cdr.len());
                idle &= cdr.is_empty();
                self.open.push(CallRows { cdr, cel: Vec::new() }, clock::now());
            }
        }
        if idle {
            let Newest { cel, cdr } = self.parts.database.newest().await?;
            if let (Some(tail), Some(newest)) = (&mut reading.cel, cel) {
                tail.fell(newest);
            }
            if let (CdrReading::Key(tail), Some(newest)) = (&mut reading.cdr, cdr) {
                tail.fell(newest);
            }
        }
        Ok(idle)
    }

    /// Gives whether nothing was new.
    async fn read_cel(&mut self, tail: &mut Tail) -> Result<bool, Trouble> {
        let mut idle = true;
        let mut rows = self.parts.database.cel_with(&tail.missing(Instant::now())).await?;
        loop {
            let new = self.parts.database.cel_after(tail.top()).await?;
            let more = new.len() == PAGE;
            rows.extend(new);
            idle &= rows.is_empty();
            count("cel", rows.len());
            let now = Instant::now();
            for row in &rows {
                tail.saw(row.id, &row.linkedid, now);
                self.awaited.saw(row, now);
            }
            self.open.push(CallRows { cel: std::mem::take(&mut rows), cdr: Vec::new() }, clock::now());
            if !more {
                return Ok(idle);
            }
            self.collect();
        }
    }

    async fn read_cdr(&mut self, tail: &mut Tail) -> Result<bool, Trouble> {
        let mut idle = true;
        let mut rows = self.parts.database.cdr_with(&tail.missing(Instant::now())).await?;
        loop {
            let new = self.parts.database.cdr_after(tail.top()).await?;
            let more = new.len() == PAGE;
            rows.extend(new);
            idle &= rows.is_empty();
            count("cdr", rows.len());
            rows.iter().for_each(|(key, row)| tail.saw(*key, &row.uniqueid, Instant::now()));
            let cdr = std::mem::take(&mut rows).into_iter().map(|(_, row)| row).collect();
            self.open.push(CallRows { cdr, cel: Vec::new() }, clock::now());
            if !more {
                return Ok(idle);
            }
            self.collect();
        }
    }

    /// Takes complete calls out of the open ones; a call that comes again with more rows replaces itself.
    fn collect(&mut self) {
        for rows in self.open.finished(clock::now()) {
            match self.settling.iter_mut().find(|settling| same_call(&settling.rows, &rows)) {
                Some(settling) => settling.rows = rows,
                None => self.settling.push(Settling { due: Instant::now(), tries: 0, rows }),
            }
        }
    }

    async fn store_due(&mut self, reading: &mut Reading) -> Result<(), Trouble> {
        while let Some(at) = self.settling.iter().position(|settling| settling.due <= Instant::now()) {
            let rows = self.settling[at].rows.clone();
            let whole = self.parts.database.completed(rows.clone()).await?;
            if whole.cel.len() > rows.cel.len() && !call::is_complete(&whole) {
                // More had happened than we knew, and the call goes on.
                self.open.push(whole, clock::now());
                self.settling.swap_remove(at);
                continue;
            }
            let settling = &mut self.settling[at];
            settling.tries += 1;
            if whole.cdr.is_empty() && settling.tries < TRIES {
                settling.due = Instant::now() + AGAIN;
                continue;
            }
            self.store(&whole, reading).await?;
            self.settling.swap_remove(at);
        }
        Ok(())
    }

    async fn store(&mut self, whole: &CallRows, reading: &mut Reading) -> Result<(), Trouble> {
        for rows in call::group(whole.clone()) {
            // Asterisk's tables may have been tidied since the call was stored.
            let rows = self.parts.store.with_known_rows(rows).await?;
            let Some(mut call) = call::fold(&rows, &self.parts.context) else { continue };
            if call.ended_at < reading.begun {
                continue;
            }
            self.weigh_ami(&call, &rows);
            self.parts.library.probe_call(&mut call).await;
            let put = self.parts.store.put_call(&call, &rows).await?;
            tracing::debug!(call = call.id, outcome = ?call.outcome, ?put, "a call has ended");
            if put != Put::Same {
                let outcome =
                    serde_json::to_value(call.outcome).ok().and_then(|word| word.as_str().map(str::to_owned));
                metrics::counter!(counters::CALLS, "outcome" => outcome.unwrap_or_default()).increment(1);
                self.parts.wake.notify_one();
            }
        }
        if let Some(tail) = &mut reading.cel {
            tail.done(whole.cel.iter().map(|row| row.linkedid.as_str()));
        }
        match &mut reading.cdr {
            CdrReading::Key(tail) => tail.done(whole.cdr.iter().map(|row| row.uniqueid.as_str())),
            CdrReading::Sweeps(sweeps) => sweeps.done(&self.parts.store, &whole.cdr).await?,
        }
        Ok(())
    }

    /// Whether AMI told of a call's end; when it never does, it must not be relied on.
    fn weigh_ami(&mut self, call: &Call, rows: &CallRows) {
        let Some(since) = self.parts.hangups.since() else { return };
        if call.ended_at < since.max(clock::now() - LATELY) {
            return;
        }
        let ids = rows.cel.iter().map(|row| &row.uniqueid).chain(rows.cdr.iter().map(|row| &row.uniqueid));
        let told = { ids }.any(|id| self.awaited.was_told(id));
        self.untold = if told { 0 } else { self.untold + 1 };
        if self.untold >= UNTOLD {
            self.untold = 0;
            self.parts.hangups.doubt();
        }
    }

    /// Whether there are rows that were not read; not known, and so no, while the tables do not answer.
    pub(super) async fn is_behind(&self) -> bool {
        let Some(reading) = &self.reading else { return false };
        self.parts.database.newest().await.is_ok_and(|newest| reading.is_behind(newest))
    }

    async fn tidy(&mut self, reading: &mut Reading) -> Result<(), Trouble> {
        let now = Instant::now();
        if now < self.next_tidy {
            return Ok(());
        }
        self.next_tidy = now + TIDY_EVERY;
        let longest = self.parts.database.settings().max_call.0 * 2;
        if let Some(tail) = &mut reading.cel {
            tail.forget(longest, now);
        }
        match &mut reading.cdr {
            CdrReading::Key(tail) => tail.forget(longest, now),
            CdrReading::Sweeps(sweeps) => sweeps.forget(&self.parts.store).await?,
        }
        // CEL may have been switched on, or an index made.
        self.parts.database.forget().await;
        if reading.cel.is_none() && self.parts.database.schema().await?.cel.is_some() {
            *reading = self.begin().await?;
        }
        Ok(())
    }
}

fn count(table: &'static str, rows: usize) {
    metrics::counter!(counters::ROWS, "table" => table).increment(rows as u64);
}

fn same_call(a: &CallRows, b: &CallRows) -> bool {
    let ids = |rows: &CallRows| {
        let cel = rows.cel.iter().map(|row| &row.linkedid);
        let cdr = rows.cdr.iter().flat_map(|row| [&row.linkedid, &row.uniqueid]);
        cel.chain(cdr).filter(|id| !id.is_empty()).cloned().collect::<std::collections::BTreeSet<_>>()
    };
    !ids(a).is_disjoint(&ids(b))
}
