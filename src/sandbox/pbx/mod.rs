//! A pretend PBX: writes CDR and CEL rows and WAV files of believable calls, and asks FastAGI as Asterisk would.
//!
//! Calls are shapes that a real Asterisk wrote (`shape`), played with other people and times (`play`).
//! Tables are those of cdr_sqlite3_custom and cel_sqlite3_custom.

mod dice;
mod line;
mod play;
mod recorder;
mod shape;
mod table;
mod voice;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use dice::Dice;
use play::{Counters, Played};
use shape::{Deck, Shape};
use table::Tables;

/// The wall clock of the pretend PBX, as in its rows.
pub const ZONE: chrono_tz::Tz = chrono_tz::Europe::Moscow;

/// Between two calls, seconds of the PBX: a busy morning.
const GAP: (f64, f64) = (8.0, 60.0);

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
    /// Who calls and is called; strangers when there are none.
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
    /// Its tables could not be made or filled.
    #[error("the pretend PBX cannot write its tables: {0}")]
    Database(String),
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
    /// Makes the folder and its empty tables, for a service that looks at them before the first call.
    pub async fn prepare(folder: &Path) -> Result<(), PbxError> {
        tokio::fs::create_dir_all(folder.join("monitor")).await?;
        Tables::open(&folder.join("master.db")).await.map(drop)
    }

    /// Makes the folder and its tables, then starts calling.
    pub async fn start(
        options: Options,
        events: mpsc::Sender<PbxEvent>,
        stop: CancellationToken,
    ) -> Result<Self, PbxError> {
        Self::prepare(&options.folder).await?;
        let recordings = options.folder.join("monitor");
        let database = options.folder.join("master.db");
        let tables = Arc::new(Tables::open(&database).await?);
        let options = Arc::new(Options { speed: options.speed.max(0.1), ..options });
        let running = tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = morning(options, tables, events) => {}
            }
        });
        Ok(Self { database, recordings, running })
    }

    /// Waits until the last call has ended, or it was stopped.
    pub async fn ended(self) {
        // A panic in there was reported already.
        let _ = self.running.await;
    }
}

/// Calls one after another, several at a time; dropped when stopped, and all calls with it.
async fn morning(options: Arc<Options>, tables: Arc<Tables>, events: mpsc::Sender<PbxEvent>) {
    let shapes = shape::all();
    let mut deck = Deck::new(&shapes, options.seed);
    let shapes: Vec<Arc<Shape>> = shapes.into_iter().map(|(_, shape)| Arc::new(shape)).collect();
    let mut dice = Dice::new(options.seed ^ 1);
    let mut counters = Counters { unique: 1, channel: 1, sequence: 1 };
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..options.calls.unwrap_or(usize::MAX) {
        if number > 0 {
            let gap = dice.between(GAP.0, GAP.1) / options.speed;
            tokio::time::sleep(Duration::from_secs_f64(gap)).await;
        }
        let shape = shapes[deck.draw()].clone();
        let played = Played {
            options: options.clone(),
            tables: tables.clone(),
            counters,
            dice: Dice::new(dice.next()),
            shape: shape.clone(),
        };
        counters.unique += shape.ids.len();
        counters.channel += shape.channels;
        counters.sequence += shape.cdr().count();
        calls.spawn(played.run(events.clone()));
        while let Some(done) = calls.try_join_next() {
            complain(done);
        }
    }
    while let Some(done) = calls.join_next().await {
        complain(done);
    }
}

fn complain(done: Result<Result<(), PbxError>, tokio::task::JoinError>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("{error}"),
        Err(error) => tracing::error!("the pretend PBX dropped a call: {error}"),
    }
}
