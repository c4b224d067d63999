//! Planned actions → amoCRM, each exactly once.
//!
//! ```text
//! due calls ─▶ settle doubts ─▶ recordings ─▶ plan ─▶ contacts, leads ─▶ call notes ─▶ tasks ─▶ next states
//!              (ask the CRM)                  (keep actions)   (mark `sent`, send, mark `done`)
//! ```
//!
//! * An action is kept in the store before anything is sent, and marked `sent` before its request leaves. After a
//!   crash or a lost answer the CRM is asked by our marks whether it happened ([`doubt`]).
//! * Calls of one number go one after the other: within a round ([`round`]), between the two lanes ([`lane`]), and
//!   between nodes, of which one delivers (a lease).
//! * A live call goes at once; everything that is due together shares requests. An old call waits behind live ones only
//!   in amoCRM's pace, never the other way round.
//! * When the CRM as a whole fails (network, token, payment, limit), all calls wait with that reason and one of them
//!   tries it again ([`hold`]).

mod answers;
mod ask;
mod change;
mod client;
mod doubt;
mod hold;
mod items;
mod job;
mod lane;
mod round;
mod sound;
mod work;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    amocrm::{Amocrm, Failure},
    clock,
    directory::Directory,
    recordings::Library,
    status::{Board, Health},
    store::{Holder, Store, StoreError},
};
use crate::{
    logic::{phone::Phones, retry::Waits},
    settings::{Language, Settings},
};

/// The lease of the one node that delivers.
pub const LEASE: &str = "delivery";

const LEASE_LENGTH: Duration = Duration::from_secs(30);
const LEASE_RENEWAL: Duration = Duration::from_secs(10);
const LEASE_RETRY: Duration = Duration::from_secs(2);

/// What the registrar works with.
pub struct Parts {
    /// What the company has set.
    pub settings: Arc<Settings>,
    /// Calls and actions.
    pub store: Store,
    /// The CRM; none while it is not connected: calls wait.
    pub amocrm: Option<Arc<Amocrm>>,
    /// Who has which number.
    pub directory: Arc<Directory>,
    /// Recordings.
    pub library: Arc<Library>,
    /// Spelling of numbers.
    pub phones: Arc<Phones>,
    /// Where it says how it is, as part `delivery`.
    pub board: Arc<Board>,
    /// Of reasons that people read.
    pub language: Language,
}

/// Carries finished calls from the store into the CRM.
pub struct Registrar {
    parts: Parts,
    waits: Waits,
    hold: Mutex<Option<hold::Hold>>,
    /// Clients whose calls a lane has in hand.
    busy: Mutex<HashSet<String>>,
    conversions: Mutex<HashMap<String, sound::Conversion>>,
    /// Milliseconds since 1970 until which nobody else delivers.
    lease_until: AtomicI64,
    /// The board says that the store fails.
    store_ails: AtomicBool,
    /// Answers lost in a row.
    losses: AtomicU32,
    live: Notify,
    background: Notify,
}

/// Why a round ends early.
#[derive(Debug)]
enum Stop {
    /// The CRM as a whole does not take anything now.
    Hold(Failure),
    /// Our own store failed.
    Store(StoreError),
    /// Another node may deliver by now.
    LeaseLost,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A lock that a panic elsewhere does not spoil.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registrar {
    /// Ready to run.
    pub fn new(parts: Parts) -> Arc<Self> {
        Self::with_waits(parts, Waits::default())
    }

    /// Ready to run, in another hurry.
    pub fn with_waits(parts: Parts, waits: Waits) -> Arc<Self> {
        Arc::new(Self {
            parts,
            waits,
            hold: Mutex::default(),
            busy: Mutex::default(),
            conversions: Mutex::default(),
            lease_until: AtomicI64::new(0),
            store_ails: AtomicBool::new(false),
            losses: AtomicU32::new(0),
            live: Notify::new(),
            background: Notify::new(),
        })
    }

    /// Delivers until told to stop; looks at once when `wake` is notified, else when the next call is due. Of several
    /// nodes on one store, one delivers.
    pub async fn run(self: Arc<Self>, wake: Arc<Notify>, stop: CancellationToken) {
        let holder = Holder::this_process();
        let pass_on = async {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = wake.notified() => self.wake_lanes(),
                }
            }
        };
        tokio::join!(
            self.keep_lease(&holder, &stop),
            pass_on,
            self.run_lane(lane::Lane::Live, &stop),
            self.run_lane(lane::Lane::Background, &stop),
        );
        if let Err(error) = self.parts.store.drop_lease(LEASE, &holder).await {
            tracing::warn!(%error, "the delivery lease stays until it runs out");
        }
    }

    /// Both lanes look for due calls now.
    fn wake_lanes(&self) {
        self.live.notify_one();
        self.background.notify_one();
    }

    /// Whether this node still is the one that delivers.
    fn holds_lease(&self) -> bool {
        self.lease_until.load(Ordering::Acquire) > clock::now().timestamp_millis()
    }

    async fn keep_lease(&self, holder: &Holder, stop: &CancellationToken) {
        loop {
            // Counted from before the question, so that ours ends before the table's does.
            let asked = clock::now();
            let pause = match self.parts.store.take_lease(LEASE, holder, LEASE_LENGTH).await {
                Ok(true) => {
                    let ours = TimeDelta::from_std(LEASE_LENGTH - Duration::from_secs(2)).unwrap_or_default();
                    if self.lease_until.swap((asked + ours).timestamp_millis(), Ordering::AcqRel) == 0 {
                        self.say_ready();
                        self.wake_lanes();
                    }
                    // A renewal writes, as a full disk lets nobody do.
                    self.store_works();
                    LEASE_RENEWAL
                }
                Ok(false) => {
                    self.lease_until.store(0, Ordering::Release);
                    self.parts.board.say("delivery", Health::Ok, "another node delivers");
                    LEASE_RETRY
                }
                Err(error) => {
                    self.store_fails(&error);
                    LEASE_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn store_fails(&self, error: &StoreError) {
        self.store_ails.store(true, Ordering::Release);
        self.parts.board.say("delivery", Health::Fault, error.to_string());
    }

    /// The store did what it was asked: takes back what [`Self::store_fails`] said.
    fn store_works(&self) {
        if lock(&self.hold).is_none() && self.store_ails.swap(false, Ordering::AcqRel) {
            self.say_ready();
        }
    }

    fn say_ready(&self) {
        match self.parts.amocrm {
            Some(_) => self.parts.board.say("delivery", Health::Ok, "delivers"),
            None => self.parts.board.say(
                "delivery",
                Health::Warning,
                "calls wait: amoCRM is not connected; set [amocrm] base_url and token",
            ),
        }
    }
}
