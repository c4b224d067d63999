//! Two lanes: calls that just ended, and all the others; neither waits for the other.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Registrar, Stop, hold::Gate, lock};
use crate::{
    edge::{
        clock,
        store::{Age, StoreError, StoredCall},
    },
    logic::crm::request::Urgency,
};

/// A call that ended so long ago is live: somebody may be waiting to see it.
const LIVE: TimeDelta = TimeDelta::minutes(10);
/// A round in progress gets so long after the order to stop.
const DRAIN: Duration = Duration::from_secs(4);
/// How often the store is asked for due calls when nobody woke us: another process may have put some there.
const TICK: Duration = Duration::from_secs(3);

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Calls of the last minutes.
    Live,
    /// Older ones: backfill, and what waited long.
    Background,
}

impl Lane {
    /// Whose turn it is under amoCRM's limit.
    pub(super) fn urgency(self) -> Urgency {
        match self {
            Self::Live => Urgency::Live,
            Self::Background => Urgency::Background,
        }
    }

    /// Its calls.
    fn age(self) -> Age {
        let since = clock::now() - LIVE;
        match self {
            Self::Live => Age::Since(since),
            Self::Background => Age::Before(since),
        }
    }

    /// Calls of one round.
    fn size(self) -> u32 {
        match self {
            Self::Live => 50,
            Self::Background => 250,
        }
    }

    fn wake(self, registrar: &Registrar) -> &Notify {
        match self {
            Self::Live => &registrar.live,
            Self::Background => &registrar.background,
        }
    }
}

/// Clients in hand; given back when dropped.
struct Busy<'a>(&'a Registrar, Vec<String>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut busy = lock(&self.0.busy);
        for name in &self.1 {
            busy.remove(name);
        }
    }
}

impl Registrar {
    /// Delivers the calls of one lane until told to stop.
    pub(super) async fn run_lane(self: &Arc<Self>, lane: Lane, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let turn = self.turn(lane);
            tokio::pin!(turn);
            let pause = tokio::select! {
                pause = &mut turn => pause,
                () = stop.cancelled() => {
                    // What is cut off here is settled at the next start, as after a crash.
                    let _ = tokio::time::timeout(DRAIN, turn).await;
                    return;
                }
            };
            if pause.is_zero() {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = lane.wake(self).notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One round, when there is something to do; how long to rest after it.
    async fn turn(self: &Arc<Self>, lane: Lane) -> Duration {
        if !self.holds_lease() {
            return Duration::from_millis(500);
        }
        let limit = match self.gate() {
            Gate::Open => lane.size(),
            Gate::Probe => 1,
            Gate::Closed { until, why } => {
                if let Err(error) = self.wait_all(lane, &why, until).await {
                    return self.store_failed(&error);
                }
                return (until - clock::now()).to_std().unwrap_or_default().min(TICK);
            }
        };
        let ended = match self.take_due(lane, limit).await {
            Ok(taken) if taken.0.is_empty() && taken.2 => Ok(Duration::from_millis(200)),
            Ok(taken) if taken.0.is_empty() => self.rest(lane).await,
            Ok((calls, _busy, _)) => self.deliver(lane, calls).await.map(|()| Duration::ZERO),
            Err(error) => Err(error.into()),
        };
        self.end_probe();
        match ended {
            Ok(pause) => pause,
            Err(Stop::Store(error)) => self.store_failed(&error),
            Err(Stop::LeaseLost | Stop::Hold(_)) => Duration::from_millis(500),
        }
    }

    /// Due calls whose clients nobody has in hand; and whether some are due but in hand.
    async fn take_due(
        &self,
        lane: Lane,
        limit: u32,
    ) -> Result<(Vec<StoredCall>, Busy<'_>, bool), StoreError> {
        let now = clock::now();
        let due = self.parts.store.due_calls(lane.age(), now, limit).await?;
        let found = due.len();
        let mut busy = lock(&self.busy);
        let free: Vec<StoredCall> = due.into_iter().filter(|call| !busy.contains(name(call))).collect();
        let names: Vec<String> = free.iter().map(|call| name(call).to_owned()).collect();
        busy.extend(names.iter().cloned());
        drop(busy);
        let in_hand = free.len() < found;
        Ok((free, Busy(self, names), in_hand))
    }

    /// While the CRM does not take anything: what is not sent at all is skipped, the rest waits with the reason.
    async fn wait_all(
        self: &Arc<Self>,
        lane: Lane,
        why: &str,
        until: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), StoreError> {
        let (calls, _busy, _) = self.take_due(lane, lane.size()).await?;
        if calls.is_empty() {
            return Ok(());
        }
        self.skip_unsent(lane, calls).await?;
        self.parts.store.hold_calls(why, until).await
    }

    /// How long nothing will be due.
    async fn rest(&self, lane: Lane) -> Result<Duration, Stop> {
        let next = self.parts.store.next_due(lane.age()).await?;
        let wait = next.map_or(TICK, |at| (at - clock::now()).to_std().unwrap_or_default());
        Ok(wait.clamp(Duration::from_millis(50), TICK))
    }

    fn store_failed(&self, error: &StoreError) -> Duration {
        self.store_fails(error);
        Duration::from_secs(5)
    }
}

/// What calls of one client have in common.
fn name(call: &StoredCall) -> &str {
    call.call.client.as_deref().unwrap_or(&call.id)
}
