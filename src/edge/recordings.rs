//! Recording paths → sound files → one MP3 a call, on blocking threads; signed links.
//!
//! * [`finding`] leads from what Asterisk wrote to a file inside `[recordings] source`, and nowhere else.
//! * [`converting`] makes the MP3 and keeps the folder of them.
//! * [`link`] signs addresses.
//! * [`reason`] says why there is no MP3, and what to do.

mod converting;
mod finding;
mod link;
mod reason;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{converting::Shelf, finding::Source, link::Signer};
pub use self::{converting::convert_file, link::BadLink, reason::Reason};
pub use crate::logic::sound::mp3::Tags;
use crate::{
    edge::{
        clock,
        store::{Store, StoreError},
    },
    logic::call::{Call, Detail, Recording, RecordingState},
    settings::{Secret, Settings, Span},
};

const LINK_KEY: &str = "link_key";
/// Somebody may be waiting for the recording of a call that ended so lately.
const LIVE: TimeDelta = TimeDelta::minutes(10);
const BETWEEN_CLEANUPS: Duration = Duration::from_secs(3600);

/// What a look at a recording found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// Length of the sound; 0 when there is none, or it cannot be read ([`Library::convert`] says why).
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

/// Asterisk's recordings and our MP3 of them. Shared behind an `Arc`.
pub struct Library {
    source: Arc<Source>,
    shelf: Arc<Shelf>,
    signer: Signer,
    public_url: String,
    wait: Span,
    link_lifetime: Span,
    keep: Span,
    /// For calls that just ended: as many as cores.
    live_workers: Semaphore,
    /// For the others: one fewer than the cores, so that a backfill leaves one to the phones.
    workers: Semaphore,
}

impl Library {
    /// A library whose link key is known. Reads `[recordings]` and `[http]`; an empty key is replaced by
    /// `link_secret`, else by a random one that ends with the process.
    pub fn new(settings: &Settings, link_key: Secret) -> Self {
        let recordings = &settings.recordings;
        let key = [link_key, recordings.link_secret.clone()].into_iter().find(|key| !key.is_empty());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            source: Arc::new(Source::new(recordings.source.clone())),
            shelf: Arc::new(Shelf::new(recordings.mp3_folder.clone(), recordings.bitrate)),
            signer: Signer::new(&key.unwrap_or_else(random_key)),
            public_url: public_url(settings),
            wait: recordings.wait,
            link_lifetime: recordings.link_lifetime,
            keep: recordings.keep,
            live_workers: Semaphore::new(cores),
            workers: Semaphore::new(cores.saturating_sub(1).max(1)),
        }
    }

    /// As [`Library::new`], with the key from the settings, else from the store, else made and kept there.
    pub async fn open(settings: &Settings, store: &Store) -> Result<Self, StoreError> {
        if !settings.recordings.link_secret.is_empty() {
            return Ok(Self::new(settings, settings.recordings.link_secret.clone()));
        }
        if store.secret(LINK_KEY).await?.is_none() {
            store.keep_secret(LINK_KEY, &random_key()).await?;
        }
        // Read back: another node may have made its own at the same moment, and the last one stands.
        let key = store.secret(LINK_KEY).await?.unwrap_or_else(random_key);
        Ok(Self::new(settings, key))
    }

    /// Looks at one recording of a call that may go on; `started_at` of its call helps to find a bare file name.
    /// Blocks on the disk, and for a third of a second when the file has just been written.
    pub fn probe(&self, recording: &Recording, started_at: DateTime<Utc>) -> Probed {
        self.source.probe(&recording.path, started_at, None)
    }

    /// Fills length and state of all recordings of a call that may hold a talk (those not already `Empty`).
    pub async fn probe_call(&self, call: &mut Call) {
        let (source, recordings) = (Arc::clone(&self.source), call.recordings.clone());
        let (started_at, over) = (call.started_at, over(call));
        let probing = tokio::task::spawn_blocking(move || {
            let mut recordings = recordings;
            for recording in recordings.iter_mut().filter(|one| one.state != RecordingState::Empty) {
                let probed = source.probe(&recording.path, started_at, over);
                (recording.seconds, recording.state) = (probed.seconds, probed.state);
            }
            recordings
        });
        match probing.await {
            Ok(recordings) => call.recordings = recordings,
            Err(error) => warn!(call = call.id, %error, "could not look at the recordings"),
        }
    }

    /// Makes the call's one MP3, or finds it made already. Waits for a free worker (a call that just ended never for
    /// those of a backfill), not for growing files.
    ///
    /// Several recordings are joined as [`crate::logic::sound::joining`] says. Until `[recordings] wait` after the
    /// call's end, a recording that is missing or growing is a [`Reason`] of its own even when others are ready;
    /// later, what is ready makes the MP3.
    pub async fn convert(&self, call: &Call, tags: &Tags) -> Result<Mp3, Reason> {
        let past = clock::now() - call.ended_at;
        let all = past < self.wait.chrono();
        let workers = if past < LIVE { &self.live_workers } else { &self.workers };
        let _worker = workers.acquire().await.map_err(|_| Reason::Stopping)?;
        let (source, shelf) = (Arc::clone(&self.source), Arc::clone(&self.shelf));
        let (id, call, tags) = (call.id.clone(), call.clone(), tags.clone());
        let span = tracing::Span::current();
        let working =
            tokio::task::spawn_blocking(move || span.in_scope(|| shelf.convert(&source, &call, &tags, all)));
        working.await.unwrap_or_else(|error| {
            warn!(call = id, %error, "the conversion broke off");
            Err(Reason::Unusable { path: id, why: "the decoder failed on it".to_owned() })
        })
    }

    /// The finished MP3 of a call, if there is one.
    pub fn finished(&self, call_id: &str) -> Option<PathBuf> {
        Some(self.shelf.place(call_id)).filter(|file| file.is_file())
    }

    /// The signed address of a call's MP3, whether it exists yet or not; the same for the same arguments.
    pub fn link(&self, call_id: &str, expires: Option<DateTime<Utc>>) -> String {
        let (url, call) = (&self.public_url, link::safe_name(call_id));
        format!("{url}/recordings/{call}/{}.mp3", self.signer.sign(call_id, expires))
    }

    /// When a link of a call that began then should expire, after `[recordings] link_lifetime`; none is never.
    pub fn expiry(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.link_lifetime.0.is_zero() { None } else { Some(from + self.link_lifetime.chrono()) }
    }

    /// Whether a link opens now.
    pub fn verify(&self, call_id: &str, signature: &str, now: DateTime<Utc>) -> Result<(), BadLink> {
        self.signer.verify(call_id, signature, now)
    }

    /// Every hour until told to stop: removes what a killed conversion left, and MP3 older than
    /// `[recordings] keep` when that is not 0.
    pub async fn run_cleanup(&self, stop: CancellationToken) {
        loop {
            let shelf = Arc::clone(&self.shelf);
            let now = SystemTime::from(clock::now());
            let keep = Some(self.keep.0).filter(|keep| !keep.is_zero());
            match tokio::task::spawn_blocking(move || shelf.clean(now, keep)).await {
                Ok(0) => {}
                Ok(removed) => info!(removed, "removed old MP3"),
                Err(error) => warn!(%error, "the cleanup of old MP3 broke off"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BETWEEN_CLEANUPS) => {}
            }
        }
    }
}

/// How long ago the last channel of a call was gone; none when CEL did not say so.
fn over(call: &Call) -> Option<Duration> {
    let past = (clock::now() - call.ended_at).to_std().unwrap_or_default();
    (call.detail == Detail::Full).then_some(past)
}

fn random_key() -> Secret {
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

fn public_url(settings: &Settings) -> String {
    let set = settings.http.public_url.trim_end_matches('/');
    if !set.is_empty() {
        return set.to_owned();
    }
    let mut listen = settings.http.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{listen}")
}
