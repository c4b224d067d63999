//! The CRM as a whole does not take anything: everybody waits, one call probes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Registrar, lock};
use crate::{
    edge::{amocrm::Failure, clock, status::Health},
    logic::retry::Waits,
};

/// Nothing is sent until then.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    until: DateTime<Utc>,
    why: String,
    failures: u32,
    probing: bool,
}

/// Whether a lane may send.
#[derive(Debug)]
pub(super) enum Gate {
    /// All that is due.
    Open,
    /// One call, to see whether the CRM is back.
    Probe,
    /// Nothing.
    Closed {
        /// Until then.
        until: DateTime<Utc>,
        /// For this reason.
        why: String,
    },
}

/// Whether a failure says something about the CRM as a whole, and not about the one request.
pub(super) fn concerns_all(failure: &Failure) -> bool {
    !matches!(failure, Failure::MaybeSent(_) | Failure::Refused { .. } | Failure::Forbidden(_))
}

fn pause(failure: &Failure, failures: u32, waits: Waits) -> Duration {
    let most = |seconds| waits.endless(failures, Duration::from_secs(seconds));
    match failure {
        Failure::TryAgain { after, .. } | Failure::Blocked { after } => (*after).max(Duration::from_secs(1)),
        Failure::Unpaid => most(300),
        Failure::SignIn(_) | Failure::NotConnected(_) => most(60),
        _ => most(30),
    }
}

impl Registrar {
    /// Asked before a lane takes calls; who gets [`Gate::Probe`] must end with `hold`, `lift` or `end_probe`.
    pub(super) fn gate(&self) -> Gate {
        let now = clock::now();
        match &mut *lock(&self.hold) {
            None => Gate::Open,
            Some(hold) if hold.until <= now && !hold.probing => {
                hold.probing = true;
                Gate::Probe
            }
            Some(hold) => {
                Gate::Closed { until: hold.until.max(now + TimeDelta::seconds(1)), why: hold.why.clone() }
            }
        }
    }

    /// The CRM failed: until when nothing is sent, and why.
    pub(super) fn hold(&self, failure: &Failure) -> (DateTime<Utc>, String) {
        let mut held = lock(&self.hold);
        let failures = held.as_ref().map_or(0, |hold| hold.failures) + 1;
        let pause = TimeDelta::from_std(pause(failure, failures, self.waits)).unwrap_or(TimeDelta::hours(1));
        let (until, why) = (clock::now() + pause, failure.to_string());
        *held = Some(Hold { until, why: why.clone(), failures, probing: false });
        drop(held);
        self.parts.board.say("delivery", Health::Warning, format!("calls wait: {why}"));
        (until, why)
    }

    /// The CRM answered.
    pub(super) fn lift(&self) {
        if lock(&self.hold).take().is_some() {
            self.parts.board.say("delivery", Health::Ok, "delivers");
            self.wake_lanes();
        }
    }

    /// A probe that sent nothing: the next call probes.
    pub(super) fn end_probe(&self) {
        if let Some(hold) = &mut *lock(&self.hold) {
            hold.probing = false;
        }
    }
}
