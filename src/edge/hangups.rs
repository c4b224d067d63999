//! What AMI tells the poller: channels that are gone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::clock;

/// More need not be remembered between two polls: whatever woke it, a poll reads all that is new.
const MOST: usize = 10_000;

/// Hang-ups that were heard of and not looked for yet, and whether they can be relied on.
#[derive(Debug, Default)]
pub struct Hangups {
    state: Mutex<State>,
    heard: Notify,
    doubted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Since when Asterisk tells of each; none while nobody listens.
    since: Option<DateTime<Utc>>,
    /// Calls ended of which nothing was told.
    mute: bool,
    /// Uniqueids.
    gone: Vec<String>,
}

impl Hangups {
    /// From now on each is told.
    pub fn listen(&self) {
        let mut state = self.state();
        (state.since, state.mute) = (Some(clock::now()), false);
    }

    /// Nobody listens any more.
    pub fn leave(&self) {
        self.state().since = None;
    }

    /// The channel with this uniqueid is gone. Gives whether that takes a doubt away.
    pub fn tell(&self, uniqueid: String) -> bool {
        let mut state = self.state();
        if state.gone.len() < MOST {
            state.gone.push(uniqueid);
        }
        let doubted = std::mem::take(&mut state.mute);
        drop(state);
        self.heard.notify_one();
        doubted
    }

    /// Waits for a hang-up that was not taken yet.
    pub async fn heard(&self) {
        self.heard.notified().await;
    }

    /// Uniqueids that were told since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state().gone)
    }

    /// Since when every hang-up is told; none when that cannot be relied on.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        let state = self.state();
        state.since.filter(|_| !state.mute)
    }

    /// Calls ended, and nothing was told.
    pub fn doubt(&self) {
        self.state().mute = true;
        self.doubted.notify_one();
    }

    /// Waits for a doubt.
    pub async fn doubted(&self) {
        self.doubted.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
