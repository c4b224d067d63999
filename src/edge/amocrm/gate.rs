//! Who may send now: the [`Pace`] with a queue before it, the most urgent first.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{Failure, Hold};
use crate::logic::crm::{
    pace::{Pace, Ticket, Wait},
    request::Urgency,
};

/// A pause longer than this is told to the caller at once instead of being waited for.
const WORTH_WAITING: Duration = Duration::from_secs(5);

/// The one way out to amoCRM.
pub(super) struct Gate {
    began: Instant,
    state: Mutex<State>,
    moved: Notify,
}

struct State {
    pace: Pace,
    queue: BTreeSet<(Urgency, u64)>,
    next: u64,
}

/// A place in the queue; leaving it (sent, failed, or nobody waits any more) lets the next one look.
struct Place<'a> {
    gate: &'a Gate,
    key: (Urgency, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.state().queue.remove(&self.key);
        self.gate.moved.notify_waiters();
    }
}

/// Leave to send one request; dropped when its answer is there, or nobody waits for it.
pub(super) struct Passage<'a> {
    gate: &'a Gate,
    ticket: Ticket,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let now = self.gate.now();
        self.gate.state().pace.landed(self.ticket, now);
        self.gate.moved.notify_waiters();
    }
}

enum Turn {
    Go(Ticket),
    Later(Option<Duration>),
    Refused(Failure),
}

impl Gate {
    pub(super) fn new(per_second: f64) -> Self {
        let state = State { pace: Pace::new(per_second), queue: BTreeSet::new(), next: 0 };
        Self { began: Instant::now(), state: Mutex::new(state), moved: Notify::new() }
    }

    /// Waits for its turn. Fails at once while a block or a long pause lasts.
    pub(super) async fn pass(&self, urgency: Urgency) -> Result<Passage<'_>, Failure> {
        let place = self.stand_in_line(urgency);
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            match self.turn(place.key) {
                Turn::Go(ticket) => return Ok(Passage { gate: self, ticket }),
                Turn::Refused(failure) => return Err(failure),
                Turn::Later(None) => moved.await,
                // A timeout is the usual end of this wait: then it is our turn.
                Turn::Later(Some(wait)) => drop(tokio::time::timeout(wait, moved).await),
            }
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().queue.len()
    }

    /// A 429 came; gives the pause.
    pub(super) fn stall(&self, told: Option<Duration>) -> Duration {
        let now = self.now();
        let pause = self.state().pace.stall(now, told);
        self.moved.notify_waiters();
        pause
    }

    /// A block page came; gives the silence.
    pub(super) fn silence(&self) -> Duration {
        let now = self.now();
        let silence = self.state().pace.silence(now);
        self.moved.notify_waiters();
        silence
    }

    /// An ordinary answer came.
    pub(super) fn answered(&self) {
        self.state().pace.answered();
    }

    fn stand_in_line(&self, urgency: Urgency) -> Place<'_> {
        let mut state = self.state();
        let key = (urgency, state.next);
        state.next += 1;
        state.queue.insert(key);
        Place { gate: self, key }
    }

    fn turn(&self, key: (Urgency, u64)) -> Turn {
        let now = self.now();
        let mut state = self.state();
        if state.queue.first() != Some(&key) {
            // Whoever is behind needs at least as much room, so only the first one tries.
            return Turn::Later(None);
        }
        match state.pace.take(now, key.0) {
            Ok(ticket) => Turn::Go(ticket),
            Err(Wait::Silenced(until)) => Turn::Refused(Failure::Blocked { after: until - now }),
            Err(Wait::Stalled(until)) if until - now > WORTH_WAITING => {
                Turn::Refused(Failure::TryAgain { after: until - now, why: Hold::RateLimit })
            }
            Err(Wait::Stalled(until) | Wait::Window(until)) => {
                Turn::Later(Some(until - now + Duration::from_millis(1)))
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_ringing_phone_overtakes_everybody_in_line() {
        let gate = Arc::new(Gate::new(1.0));
        drop(gate.pass(Urgency::Background).await.unwrap());
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for urgency in [Urgency::Background, Urgency::Live, Urgency::Ringing] {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                drop(gate.pass(urgency).await.unwrap());
                order.lock().unwrap().push(urgency);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [Urgency::Ringing, Urgency::Live, Urgency::Background]);
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_nobody_back() {
        let gate = Gate::new(10.0);
        for _ in 0..10 {
            drop(gate.pass(Urgency::Ringing).await.unwrap());
        }
        assert!(tokio::time::timeout(Duration::from_millis(5), gate.pass(Urgency::Ringing)).await.is_err());
        tokio::time::timeout(Duration::from_secs(3), gate.pass(Urgency::Background))
            .await
            .unwrap()
            .map(drop)
            .unwrap();
    }

    #[tokio::test]
    async fn a_long_pause_and_a_block_are_told_at_once() {
        let gate = Gate::new(6.0);
        gate.stall(Some(Duration::from_secs(300)));
        assert!(matches!(gate.pass(Urgency::Ringing).await, Err(Failure::TryAgain { .. })));
        gate.silence();
        assert!(matches!(gate.pass(Urgency::Ringing).await, Err(Failure::Blocked { .. })));
    }
}
