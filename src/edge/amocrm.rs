//! One HTTP client for amoCRM: token, pace and answers in one place.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    status::Board,
    store::{Store, StoreError},
};
use crate::{
    logic::crm::{
        answer::ValidationError,
        read::{Account, Pipeline, User},
        request::{Request, Urgency},
    },
    settings,
};

/// What amoCRM answered to a request that it carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// 200, 201, 202 or 204.
    pub status: u16,
    /// The JSON; `Null` when there was none (204: nothing found, nothing to say).
    pub body: Value,
}

impl Reply {
    /// Whether the server had nothing to say: an empty list, an entity that does not exist.
    pub fn is_empty(&self) -> bool {
        self.body.is_null()
    }
}

/// Why a request must wait; it was certainly not carried out, or it was a read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// 429, or a pause that an earlier 429 began.
    #[error("amoCRM's request limit is used up")]
    RateLimit,
    /// A 5xx to a read; a 504 asks for smaller pages.
    #[error("amoCRM is overloaded (HTTP {0})")]
    Overload(u16),
    /// A read whose answer did not come, or was no JSON.
    #[error("amoCRM's answer did not come: {0}")]
    Lost(String),
}

/// Why a request brought no reply.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Settings name no account, or one that must not be trusted.
    #[error("amoCRM is not connected: {0}; set [amocrm] base_url and token")]
    NotConnected(String),
    /// A write whose answer was lost, or was a 5xx: it may have happened. Reads never end so.
    #[error("amoCRM's answer was lost, the change may have happened: {0}")]
    MaybeSent(String),
    /// It certainly did not reach amoCRM: no name, no route, no TLS.
    #[error("amoCRM cannot be reached: {0}; check the network, DNS and [amocrm] base_url")]
    NotSent(String),
    /// Certainly not carried out (or a read): send it again, not before `after`.
    #[error("{why}; next try in {} s", after.as_secs_f32().ceil())]
    TryAgain {
        /// How long to wait.
        after: Duration,
        /// What it waits for.
        why: Hold,
    },
    /// The token is expired, revoked or missing: a person must act.
    #[error("amoCRM does not accept our token: {0}; make a new one, or run `perezvon amocrm login`")]
    SignIn(String),
    /// 403 page of the gateway: this address is blocked; only amoCRM's support lifts it early.
    #[error("amoCRM blocks this IP address; next try in {} s; if it stays, write to amoCRM's support", after.as_secs())]
    Blocked {
        /// How long nothing is sent.
        after: Duration,
    },
    /// 402: the subscription is over.
    #[error("amoCRM's subscription is not paid")]
    Unpaid,
    /// 403 as JSON: the user who gave the token lacks a right.
    #[error("amoCRM denies it: {0}; let an administrator grant the token")]
    Forbidden(String),
    /// 4xx: sending the same again brings the same.
    #[error("amoCRM refused (HTTP {status}): {detail}{}", listed(errors))]
    Refused {
        /// 400, 404, 405, 422, …
        status: u16,
        /// amoCRM's words.
        detail: String,
        /// Which field of which item.
        errors: Vec<ValidationError>,
    },
    /// Our own store failed before anything was sent.
    #[error("{0}")]
    Store(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

fn listed(errors: &[ValidationError]) -> String {
    errors.iter().map(|error| format!("; {}: {} ({})", error.path, error.detail, error.code)).collect()
}

/// A connection to one account. All requests of the process go through one of these: it keeps the pace.
pub struct Amocrm {
    _board: Arc<Board>,
}

impl Amocrm {
    /// Ready to send; nothing is sent yet. [`Failure::NotConnected`] when settings name no account.
    pub fn new(settings: &settings::Amocrm, store: Store, board: Arc<Board>) -> Result<Arc<Self>, Failure> {
        let _ = (settings, store);
        Ok(Arc::new(Self { _board: board }))
    }

    /// Sends one request when the pace allows; token, refresh, classification inside. Never sent twice,
    /// except after a 401 (which carried nothing out).
    pub async fn send(&self, request: Request, urgency: Urgency) -> Result<Reply, Failure> {
        let _ = (request, urgency);
        Err(Failure::NotConnected("not yet".to_owned()))
    }

    /// The account: the cheapest proof that the token works.
    pub async fn account(&self) -> Result<Account, Failure> {
        Err(Failure::NotConnected("not yet".to_owned()))
    }

    /// All users; needs an administrator's token.
    pub async fn users(&self) -> Result<Vec<User>, Failure> {
        Err(Failure::NotConnected("not yet".to_owned()))
    }

    /// All pipelines with their statuses.
    pub async fn pipelines(&self) -> Result<Vec<Pipeline>, Failure> {
        Err(Failure::NotConnected("not yet".to_owned()))
    }
}
