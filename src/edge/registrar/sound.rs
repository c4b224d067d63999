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
        store::StoredCall,
    },
    logic::call::{Call, RecordingState},
    settings::Language,
};

/// A conversion that goes on whoever waits for it.
pub(super) type Conversion = Shared<BoxFuture<'static, Result<Mp3, Reason>>>;

/// What becomes of a call's recording in this round.
#[derive(Debug)]
pub(super) enum Sound {
    /// It can be heard here.
    Link(String),
    /// There is nothing to hear; said when that is a pity.
    Without(Option<String>),
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
            let reason = match self.parts.language {
                Language::Ru => "запись разговора переводится в MP3",
                Language::En => "the recording is being turned into MP3",
            };
            return Sound::Later { reason: reason.to_owned(), at: clock::now() + TimeDelta::seconds(5) };
        };
        lock(&self.conversions).remove(&stored.id);
        match converted {
            Ok(_) => {
                let expires = self.parts.library.expiry(call.started_at);
                Sound::Link(self.parts.library.link(&stored.id, expires))
            }
            Err(reason) => self.without(call, &reason),
        }
    }

    /// Waits on while the file may still come, else goes without.
    fn without(&self, call: &Call, reason: &Reason) -> Sound {
        let now = clock::now();
        let until = call.ended_at + self.parts.settings.recordings.wait.chrono();
        let mendable = reason.retryable() && now < until;
        let reason = reason.say(self.parts.language);
        if mendable {
            let waits = match self.parts.language {
                Language::Ru => format!("ждёт запись разговора до {}: {reason}", until.format("%T UTC")),
                Language::En => format!("waits for the recording until {}: {reason}", until.format("%T UTC")),
            };
            return Sound::Later { reason: waits, at: (now + TimeDelta::seconds(2)).min(until) };
        }
        Sound::Without(Some(match self.parts.language {
            Language::Ru => format!("без записи разговора: {reason}"),
            Language::En => format!("without the recording: {reason}"),
        }))
    }

    /// The running conversion of a call, or a new one; the lanes are woken when it is done.
    fn conversion(self: &Arc<Self>, stored: &StoredCall) -> Conversion {
        let mut conversions = lock(&self.conversions);
        if let Some(running) = conversions.get(&stored.id) {
            return running.clone();
        }
        let registrar = Arc::clone(self);
        let call = Call { id: stored.id.clone(), ..stored.call.clone() };
        let task = tokio::spawn(async move {
            let converted = registrar.parts.library.convert(&call, &tags(&call)).await;
            registrar.wake_lanes();
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
