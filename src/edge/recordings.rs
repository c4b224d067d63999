//! Recording paths → WAV files → MP3 files, on blocking threads; signed links.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::{
    edge::store::{Store, StoreError},
    logic::call::{Call, Recording, RecordingState},
    settings::{Secret, Settings},
};

pub use crate::logic::sound::mp3::Tags;

/// What a look at a recording found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// Length of the sound; 0 when there is none.
    pub seconds: f64,
    /// Whether it can be converted.
    pub state: RecordingState,
    /// The file, when it exists inside `[recordings] source`.
    pub file: Option<PathBuf>,
}

/// A finished MP3.
#[derive(Debug, Clone, PartialEq)]
pub struct Mp3 {
    /// The file under `[recordings] mp3_folder`.
    pub file: PathBuf,
    /// Length of the sound.
    pub seconds: f64,
    /// Size of the file.
    pub bytes: u64,
}

/// Why there is no MP3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The call has no recording that holds a talk.
    #[error("the call was not recorded")]
    NotRecorded,
}

impl Reason {
    /// Whether the same request can succeed later without anybody's help or after the admin mended the machine.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// Why a link does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Not signed with our key, or changed.
    #[error("the link was changed")]
    Changed,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// Asterisk's recordings and our MP3 of them. Shared behind an `Arc`.
pub struct Library {}

impl Library {
    /// A library whose link key is known. Reads `[recordings]`, `[http] public_url`, `[pbx] timezone`.
    pub fn new(settings: &Settings, link_key: Secret) -> Self {
        let _ = (settings, link_key);
        Self {}
    }

    /// As [`Library::new`], with the key from the settings, else from the store, else made and kept there.
    pub async fn open(settings: &Settings, store: &Store) -> Result<Self, StoreError> {
        let _ = store;
        Ok(Self::new(settings, Secret::default()))
    }

    /// Looks at one recording; `started_at` of its call helps to find a bare file name. Blocks on the disk.
    pub fn probe(&self, recording: &Recording, started_at: DateTime<Utc>) -> Probed {
        let _ = (recording, started_at);
        Probed { seconds: 0.0, state: RecordingState::Missing, file: None }
    }

    /// Fills length and state of all recordings of a call that may hold a talk (those not already `Empty`).
    pub async fn probe_call(&self, call: &mut Call) {
        let _ = call;
    }

    /// Makes the call's one MP3, or finds it made already. Waits for a free worker, not for growing files.
    pub async fn convert(&self, call: &Call, tags: &Tags) -> Result<Mp3, Reason> {
        let _ = (call, tags);
        Err(Reason::NotRecorded)
    }

    /// The finished MP3 of a call, if there is one.
    pub fn finished(&self, call_id: &str) -> Option<PathBuf> {
        let _ = call_id;
        None
    }

    /// The signed address of a call's MP3, whether it exists yet or not; the same for the same arguments.
    pub fn link(&self, call_id: &str, expires: Option<DateTime<Utc>>) -> String {
        let _ = (call_id, expires);
        String::new()
    }

    /// When a link of a call that began then should expire, after `[recordings] link_lifetime`; none is never.
    pub fn expiry(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let _ = from;
        None
    }

    /// Whether a link opens now.
    pub fn verify(&self, call_id: &str, signature: &str, now: DateTime<Utc>) -> Result<(), BadLink> {
        let _ = (call_id, signature, now);
        Err(BadLink::Changed)
    }

    /// Deletes MP3 older than `[recordings] keep`, once an hour until told to stop; returns at once when `keep` is 0.
    pub async fn run_cleanup(&self, stop: tokio_util::sync::CancellationToken) {
        let _ = stop;
    }
}
