//! From the hang-up to the CRM: how long a call takes until its note, with the recording, stands there.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use perezvon::logic::call::Call;
use tokio::task::JoinHandle;

use crate::{ami::Event, service::Service};

/// What the product wants to keep to, at the 95th percentile.
const GOAL: Duration = Duration::from_secs(2);

/// Looks at the CRM often enough to see when a note came.
pub(crate) struct Watch {
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    note: Instant,
    recording: Option<Instant>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Begins to look.
    pub(crate) fn start(service: &Arc<Service>) -> Self {
        let seen = Arc::<Mutex<BTreeMap<String, Seen>>>::default();
        let (service, into) = (Arc::clone(service), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                look(&service, &into);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Self { seen, task }
    }

    /// From the end of the call's last channel to its note, with a recording when it has one.
    pub(crate) fn of(&self, call: &Call, events: &[Event]) -> Option<Duration> {
        let own = |event: &&Event| {
            event.is("Hangup") && call.linkedids.iter().any(|id| id == event.get("Linkedid"))
        };
        let ended = events.iter().filter(own).map(|event| event.at).max()?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = call.linkedids.iter().find_map(|id| seen.get(&format!("perezvon-{id}")))?;
        Some(seen.recording.unwrap_or(seen.note).saturating_duration_since(ended))
    }
}

fn look(service: &Service, into: &Mutex<BTreeMap<String, Seen>>) {
    let now = Instant::now();
    let notes = service.sandbox.calls();
    let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
    for note in notes {
        let one = seen.entry(note.uniq).or_insert(Seen { note: now, recording: None });
        if !note.link.is_empty() {
            one.recording.get_or_insert(now);
        }
    }
}

/// All measures of a run.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Mutex<Vec<(Duration, String)>>);

impl Latencies {
    pub(crate) fn add(&self, took: Duration, whose: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((took, whose.to_owned()));
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort();
        let Some((longest, whose)) = all.last() else {
            return f.write_str("latency: no call was registered");
        };
        // The smallest that is not exceeded by so many of a hundred.
        let at = |percent: usize| all[(all.len() * percent).div_ceil(100).max(1) - 1].0.as_secs_f64();
        let (median, most) = (at(50), at(95));
        write!(
            f,
            "latency from hang-up to note and recording in the CRM: {} calls, median {median:.2} s, 95th percentile \
             {most:.2} s (goal {} s: {}), longest {:.2} s ({whose})",
            all.len(),
            GOAL.as_secs(),
            if most <= GOAL.as_secs_f64() { "kept" } else { "missed" },
            longest.as_secs_f64(),
        )
    }
}
