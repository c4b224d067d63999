//! New rows → finished calls → the store.
//!
//! Rows are written when a leg ENDS, so nothing here trusts `calldate`. What a table offers decides how it is read:
//!
//! | table | how | cost |
//! |---|---|---|
//! | `cel` with a growing key (FreePBX, SQLite) | rows after the last key; gaps are looked at again for some seconds | new rows |
//! | `cdr` with a growing key (SQLite, some vendors) | the same | new rows |
//! | `cdr` without one (FreePBX) | by the channels of a call that CEL saw end; beneath it sweeps over the time, with a set of rows seen | calls of the window |
//!
//! A poll comes after `[pbx] poll_interval` at the latest, and sooner on a sign: AMI tells of a hang-up, or, cheaply asked
//! several times a second while AMI does not, the greatest keys have moved. Signs are gathered first, so that a storm of
//! them is a few polls, and none is needed: with all of them wrong, calls come with the ordinary poll.
//!
//! [`OpenCalls`](crate::logic::call::OpenCalls) says when a call is complete; all its rows are then read once more, so that what was missed, doubled or
//! late does not matter. The place in the tables is kept at the oldest call still open, and storing a call twice changes
//! nothing: a restart at any instant neither loses nor doubles.

mod awaited;
mod intake;
mod place;
mod sweeps;
mod tail;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    hangups::Hangups,
    metrics as counters,
    pbx_database::{PbxDatabase, PbxError},
    recordings::Library,
    status::{Board, Health},
    store::{Store, StoreError},
};
use crate::logic::call::Context;

use intake::Intake;

/// The longest wait after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a round did not end well.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Pbx(#[from] PbxError),
    #[error("finished calls wait for the store: {0}")]
    Store(#[from] StoreError),
}

/// How often the greatest keys are looked at while AMI does not tell of hang-ups.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// And while it does: it may be wrong.
const LOOK_BESIDE_AMI: Duration = Duration::from_secs(1);
/// After a sign, rows of the same moment are still being written.
const GATHER: Duration = Duration::from_millis(50);
/// Between two polls on signs; a poll that took longer is followed by a rest as long as it.
const BETWEEN: Duration = Duration::from_millis(150);

/// What the poller works with, and where calls go once they are understood.
pub struct Parts {
    /// Asterisk's tables.
    pub database: PbxDatabase,
    /// Calls, and the place in the tables.
    pub store: Store,
    /// What folding needs to know of the company.
    pub context: Arc<Context>,
    /// Recordings.
    pub library: Arc<Library>,
    /// Where it says how it is, as part `pbx`.
    pub board: Arc<Board>,
    /// Notified when a call was stored.
    pub wake: Arc<Notify>,
    /// What AMI tells.
    pub hangups: Arc<Hangups>,
}

/// Why a poll begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// None: it is time.
    Time,
    /// A channel hung up.
    Hangup,
    /// Rows came.
    Rows,
}

impl Sign {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Hangup => "hangup",
            Self::Rows => "rows",
        }
    }
}

/// Polls until told to stop. Never fails: a database that is down is asked again, slower and slower.
pub async fn run(parts: Parts, stop: CancellationToken) {
    let (board, hangups) = (Arc::clone(&parts.board), Arc::clone(&parts.hangups));
    let mut intake = Intake::new(parts);
    let mut failures = 0;
    loop {
        let began = Instant::now();
        // A round that is cut short was kept nowhere: the next start reads the same rows again.
        let Some(round) = stop.run_until_cancelled(intake.round()).await else { return };
        let resting = async {
            match round {
                Ok(pause) => {
                    failures = 0;
                    board.say("pbx", Health::Ok, intake.describe());
                    let sign = rest(&intake, &hangups, began, pause).await;
                    metrics::counter!(counters::POLL_SIGNS, "sign" => sign.as_str()).increment(1);
                }
                Err(trouble) => {
                    board.say("pbx", Health::Fault, trouble.to_string());
                    failures += 1;
                    let pause = Duration::from_millis(500).saturating_mul(1 << failures.min(8));
                    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
                }
            }
        };
        if stop.run_until_cancelled(resting).await.is_none() {
            return;
        }
    }
}

/// Waits for a sign after a poll that began at `began`, at most so long.
async fn rest(intake: &Intake, hangups: &Hangups, began: Instant, pause: Duration) -> Sign {
    let ended = Instant::now();
    let until = ended + pause;
    loop {
        let every = if hangups.since().is_some() { LOOK_BESIDE_AMI } else { LOOK_EVERY };
        let look = until.min(Instant::now() + every);
        let sign = tokio::select! {
            () = hangups.heard() => Sign::Hangup,
            () = tokio::time::sleep_until(look.into()) => {
                if look == until {
                    return Sign::Time;
                }
                if !intake.is_behind().await {
                    continue;
                }
                Sign::Rows
            }
        };
        tokio::time::sleep_until(after_sign(Instant::now(), began, ended).min(until).into()).await;
        return sign;
    }
}

/// When to poll on a sign, after a poll that began and ended then.
fn after_sign(now: Instant, began: Instant, ended: Instant) -> Instant {
    (now + GATHER).max(began + BETWEEN).max(ended + (ended - began))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls of ten seconds in which a sign comes every millisecond, and how long they worked.
    fn storm(poll: Duration) -> (u32, Duration) {
        let start = Instant::now();
        let (mut now, mut polls) = (start, 0);
        while now < start + Duration::from_secs(10) {
            let (began, ended) = (now, now + poll);
            polls += 1;
            now = after_sign(ended + Duration::from_millis(1), began, ended);
        }
        (polls, poll * polls)
    }

    #[test]
    fn a_storm_of_signs_is_a_few_polls() {
        assert_eq!(storm(Duration::from_millis(2)).0, 67);
        for poll in [1, 20, 100, 400, 2_000] {
            let (polls, worked) = storm(Duration::from_millis(poll));
            assert!(
                polls <= 67 && worked <= Duration::from_millis(5_000 + poll),
                "{poll} ms: {polls} {worked:?}"
            );
        }
    }
}
