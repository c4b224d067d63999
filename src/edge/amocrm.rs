//! One HTTP client for amoCRM: token, pace and answers in one place.

mod gate;
mod sign_in;
mod wire;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

use self::{sign_in::SignIn, wire::Wire};
use super::{
    status::{Board, Health},
    store::{Store, StoreError},
};
use crate::{
    logic::crm::{
        answer::{ValidationError, Verdict},
        host::Host,
        read::{self, Account, Pipeline, User},
        request::{Method, Request, Urgency},
        token,
    },
    settings::{self, Secret},
};

/// How long a read waits before it is sent again after a 5xx or a lost answer.
const SOON: Duration = Duration::from_secs(2);
/// The most pages of users and pipelines.
const MOST_PAGES: u32 = 40;

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
    #[error("amoCRM does not let us in: {0}")]
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
    wire: Arc<Wire>,
    sign_in: SignIn,
    board: Arc<Board>,
}

impl Amocrm {
    /// Ready to send; nothing is sent yet. [`Failure::NotConnected`] when settings name no account.
    pub fn new(settings: &settings::Amocrm, store: Store, board: Arc<Board>) -> Result<Arc<Self>, Failure> {
        let host = Host::parse(&settings.base_url).map_err(Failure::NotConnected)?;
        let sign_in = SignIn::new(settings, store)?;
        let wire = Arc::new(Wire::new(host, settings.requests_per_second, settings.timeout.0)?);
        Ok(Arc::new(Self { wire, sign_in, board }))
    }

    /// Sends one request when the pace allows; token, refresh, classification inside. Never sent twice,
    /// except after a 401 (which carried nothing out).
    pub async fn send(&self, request: Request, urgency: Urgency) -> Result<Reply, Failure> {
        let sent = self.sent(&request, urgency).await;
        self.tell_board(&sent);
        sent
    }

    async fn sent(&self, request: &Request, urgency: Urgency) -> Result<Reply, Failure> {
        let mut refused: Option<Secret> = None;
        loop {
            let token = self.sign_in.token(&self.wire, refused.as_ref()).await?;
            let (status, verdict) = self.wire.ask(request, &token, urgency).await?;
            match verdict {
                Verdict::SignIn(_) if refused.is_none() => refused = Some(token),
                verdict => return self.concluded(request.method, status, verdict),
            }
        }
    }

    fn concluded(&self, method: Method, status: u16, verdict: Verdict) -> Result<Reply, Failure> {
        let unclear = |why: Hold| match method {
            Method::Get => Failure::TryAgain { after: SOON, why },
            _ => Failure::MaybeSent(why.to_string()),
        };
        Err(match verdict {
            Verdict::Done(body) => return Ok(Reply { status, body }),
            Verdict::Empty => return Ok(Reply { status, body: Value::Null }),
            Verdict::Pause(told) => self.wire.stalled(told),
            Verdict::SignIn(why) => Failure::SignIn(why),
            Verdict::Unpaid => Failure::Unpaid,
            Verdict::Forbidden(why) => Failure::Forbidden(why),
            Verdict::Blocked => self.wire.silenced(),
            Verdict::Moved(to) => Failure::NotConnected(format!("the account's address leads to {to}")),
            Verdict::Refused { detail, errors } => Failure::Refused { status, detail, errors },
            Verdict::Overload => unclear(Hold::Overload(status)),
            Verdict::NoJson => unclear(Hold::Lost("a page came instead of JSON".to_owned())),
        })
    }

    fn tell_board(&self, sent: &Result<Reply, Failure>) {
        let (health, text) = match sent {
            // A refusal or a missing right is an answer: the connection works.
            Ok(_) | Err(Failure::Refused { .. } | Failure::Forbidden(_)) => {
                (Health::Ok, format!("{} answers", self.wire.host().base()))
            }
            Err(Failure::Store(_)) => return,
            Err(failure @ (Failure::SignIn(_) | Failure::Blocked { .. })) => {
                (Health::Fault, failure.to_string())
            }
            Err(failure @ (Failure::Unpaid | Failure::NotConnected(_))) => {
                (Health::Fault, failure.to_string())
            }
            Err(failure) => (Health::Warning, failure.to_string()),
        };
        self.board.say("amocrm", health, text);
    }

    /// The account's address, `https://company.amocrm.ru`: for links to cards.
    pub fn base_url(&self) -> &str {
        self.wire.host().base()
    }

    /// How many requests wait for their turn.
    pub fn waiting(&self) -> usize {
        self.wire.waiting()
    }

    /// The account: the cheapest proof that the token works.
    pub async fn account(&self) -> Result<Account, Failure> {
        let reply = self.send(Request::get("/api/v4/account"), Urgency::Person).await?;
        read::account(&reply.body).ok_or_else(|| unreadable("account"))
    }

    /// All users; needs an administrator's token.
    pub async fn users(&self) -> Result<Vec<User>, Failure> {
        let items = self.list("/api/v4/users", "users").await?;
        Ok(items.iter().filter_map(read::user).collect())
    }

    /// All pipelines with their statuses.
    pub async fn pipelines(&self) -> Result<Vec<Pipeline>, Failure> {
        let reply = self.send(Request::get("/api/v4/leads/pipelines"), Urgency::Person).await?;
        Ok(read::embedded(&reply.body, "pipelines").iter().filter_map(read::pipeline).collect())
    }

    async fn list(&self, path: &str, name: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let request = Request::get(path).with("page", page).with("limit", 250);
            let reply = self.send(request, Urgency::Person).await?;
            let items = read::embedded(&reply.body, name);
            all.extend_from_slice(items);
            if items.is_empty() || !read::has_next(&reply.body) {
                break;
            }
        }
        Ok(all)
    }

    /// Whether this is an OAuth integration, which a person signs in with `perezvon amocrm login`.
    pub fn is_oauth(&self) -> bool {
        matches!(self.sign_in, SignIn::OAuth(_))
    }

    /// When a long-lived token ends; none for OAuth, whose tokens renew themselves, and for unreadable tokens.
    pub fn token_ends(&self) -> Option<DateTime<Utc>> {
        match &self.sign_in {
            SignIn::LongLived(token) => DateTime::from_timestamp(token::long_lived_end(token)?, 0),
            SignIn::OAuth(_) => None,
        }
    }

    /// Where a person grants access to an OAuth integration; `state` comes back in the redirect.
    pub fn consent_url(&self, state: &str) -> Option<String> {
        match &self.sign_in {
            SignIn::OAuth(oauth) => Some(oauth.consent_url(self.wire.host(), state)),
            SignIn::LongLived(_) => None,
        }
    }

    /// Exchanges the code of a consent for a pair of tokens and keeps it. `pasted` is a bare code or the whole
    /// address of the redirect; a redirect for another account, or with another `state`, is refused.
    pub async fn exchange_code(&self, pasted: &str, state: Option<&str>) -> Result<(), Failure> {
        let SignIn::OAuth(oauth) = &self.sign_in else {
            return Err(Failure::NotConnected(
                "a long-lived token is set, which needs no sign-in".to_owned(),
            ));
        };
        let consent = token::consent(pasted).map_err(Failure::SignIn)?;
        if let (Some(sent), Some(came)) = (state, consent.state.as_deref())
            && sent != came
        {
            return Err(Failure::SignIn("the address belongs to another sign-in: begin anew".to_owned()));
        }
        if let Some(referer) = &consent.referer {
            let granted = Host::from_referer(referer, self.wire.host()).map_err(Failure::SignIn)?;
            if granted != *self.wire.host() {
                return Err(Failure::SignIn(format!("access was granted to {}", granted.base())));
            }
        }
        oauth.exchange(&self.wire, &consent.code).await
    }
}

fn unreadable(what: &str) -> Failure {
    let why = Hold::Lost(format!("the {what} cannot be read from it"));
    Failure::TryAgain { after: SOON, why }
}
