//! A call waits for its recording, but not for ever, and never keeps other calls waiting.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{Registrar, lock};
use crate::{
    edge::{
        clock,
        recordings::{Mp3, Reason, Tags},
        status::Health,
        store::StoredCall,
    },
    logic::call::{Call, RecordingState},
    settings::Language,
};

/// The least that a call waits for a person to mend the machine (a full disk, a folder of another owner): a call
/// that stands in the CRM without its recording cannot get it later.
const MENDING: TimeDelta = TimeDelta::hours(1);

/// Asterisk closes files moments after the call: so long after its end they are looked at again and again.
const CLOSING: TimeDelta = TimeDelta::seconds(6);
/// How often.
const LOOK_AGAIN: Duration = Duration::from_millis(150);
/// A conversion that goes on whoever waits for it.
pub(super) type Conversion = Shared<BoxFuture<'static, Result<Mp3, Reason>>>;

/// What becomes of a call's recording in this round.
#[derive(Debug)]
pub(super) enum Sound {
    /// It can be heard here.
    Link(String),
    /// There is nothing to hear; said when that is a pity.
    Without(Option<String>),
    /// Its MP3 is being made, which takes long.
    Converting,
    /// It may come yet.
    Later {
        /// What is waited for.
        reason: String,
        /// When to look again.
        at: DateTime<Utc>,
    },
}

impl Registrar {
    /// Converts the call's recording, waiting at most `patience` for it.
    pub(super) async fn sound(self: &Arc<Self>, stored: &StoredCall, patience: Duration) -> Sound {
        let call = &stored.call;
        let hopeful = call.recordings.iter().any(|recording| recording.state != RecordingState::Empty);
        if !call.talked() || !hopeful {
            return Sound::Without(None);
        }
        let conversion = self.conversion(stored);
        let Ok(converted) = tokio::time::timeout(patience, conversion).await else {
            return Sound::Converting;
        };
        lock(&self.conversions).remove(&stored.id);
        match converted {
            Ok(_) => {
                self.parts.board.say("recordings", Health::Ok, "become MP3");
                let expires = self.parts.library.expiry(call.started_at);
                Sound::Link(self.parts.library.link(&stored.id, expires))
            }
            Err(reason) => self.without(call, &reason),
        }
    }

    /// Waits on while the file may still come or a person may mend the machine, else goes without.
    fn without(&self, call: &Call, reason: &Reason) -> Sound {
        let now = clock::now();
        let wait = waits_at_most(reason, self.parts.settings.recordings.wait.chrono());
        let until = wait.map(|wait| call.ended_at + wait);
        let again = TimeDelta::seconds(if reason.passes() { 2 } else { 15 });
        if for_a_person(reason) {
            self.parts.board.say("recordings", Health::Fault, reason.to_string());
        }
        let reason = reason.say(self.parts.language);
        if let Some(until) = until.filter(|until| now < *until) {
            let waits = match self.parts.language {
                Language::Ru => format!("ждёт запись разговора до {}: {reason}", until.format("%T UTC")),
                Language::En => format!("waits for the recording until {}: {reason}", until.format("%T UTC")),
            };
            return Sound::Later { reason: waits, at: (now + again).min(until) };
        }
        Sound::Without(Some(match self.parts.language {
            Language::Ru => format!("без записи разговора: {reason}"),
            Language::En => format!("without the recording: {reason}"),
        }))
    }

    /// The running conversion of a call, or a new one; when it is done the call is due.
    fn conversion(self: &Arc<Self>, stored: &StoredCall) -> Conversion {
        let mut conversions = lock(&self.conversions);
        if let Some(running) = conversions.get(&stored.id) {
            return running.clone();
        }
        let registrar = Arc::clone(self);
        let call = Call { id: stored.id.clone(), ..stored.call.clone() };
        let task = tokio::spawn(async move {
            let converted = registrar.convert(&call).await;
            registrar.hurry(&[call.id]).await;
            converted
        });
        let conversion: Conversion = task
            .map(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
            .boxed()
            .shared();
        conversions.insert(stored.id.clone(), conversion.clone());
        conversion
    }
}

impl Registrar {
    /// The MP3 of a call; a file that Asterisk is about to close is waited for.
    async fn convert(&self, call: &Call) -> Result<Mp3, Reason> {
        let tags = tags(call);
        loop {
            match self.parts.library.convert(call, &tags).await {
                Err(reason) if reason.passes() && clock::now() < call.ended_at + CLOSING => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                converted => return converted,
            }
        }
    }

    /// Of calls that were just told to wait, those whose conversion ended meanwhile.
    pub(super) fn converted_meanwhile<'a>(&self, ids: impl Iterator<Item = &'a String>) -> Vec<String> {
        let conversions = lock(&self.conversions);
        let ended = |id: &&String| {
            let running = conversions.get(*id);
            running.is_some_and(|running| running.clone().now_or_never().is_some())
        };
        ids.filter(ended).cloned().collect()
    }

    /// These calls are due now.
    pub(super) async fn hurry(&self, ids: &[String]) {
        if let Err(error) = self.parts.store.hurry_calls(ids).await {
            tracing::warn!(%error, "calls wait longer than they must");
        }
        self.wake_lanes();
    }
}

/// Whether the machine is at fault, not the file.
fn for_a_person(reason: &Reason) -> bool {
    reason.retryable() && !reason.passes()
}

/// How long after its end a call waits for its recording; none when waiting cannot help.
fn waits_at_most(reason: &Reason, wait: TimeDelta) -> Option<TimeDelta> {
    reason.retryable().then(|| if for_a_person(reason) { wait.max(MENDING) } else { wait })
}

fn tags(call: &Call) -> Tags {
    let talked: Vec<&str> = call
        .conversations
        .iter()
        .filter(|one| one.accepted_at.is_some())
        .map(|one| one.party.as_str())
        .collect();
    Tags {
        title: call.client.clone().unwrap_or_default(),
        artist: talked.join(", "),
        album: call.did.clone().or_else(|| call.trunk.clone()).unwrap_or_default(),
        at: Some(call.started_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(reason: Reason) -> Option<i64> {
        waits_at_most(&reason, TimeDelta::minutes(1)).map(|wait| wait.num_minutes())
    }

    #[test]
    fn a_full_disk_is_waited_for_longer_than_a_file_that_is_late() {
        let path = || "a.wav".to_owned();
        assert_eq!(waits(Reason::Missing { path: path() }), Some(1));
        assert_eq!(waits(Reason::DiskFull { folder: "mp3".to_owned() }), Some(60));
        assert_eq!(
            waits(Reason::Unwritable { folder: "mp3".to_owned(), why: "denied".to_owned() }),
            Some(60)
        );
        assert_eq!(waits(Reason::Unreadable { path: path(), why: "denied".to_owned() }), Some(60));
        assert_eq!(waits(Reason::Unusable { path: path(), why: "noise".to_owned() }), None);
    }
}
