//! The token of every request: a long-lived one, or OAuth's pair, refreshed by one at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{Failure, Hold, wire::Wire};
use crate::{
    edge::{
        clock,
        store::{Holder, Store},
    },
    logic::crm::{
        host::Host,
        token::{self, Freshness, Grant, GrantVerdict, TokenPair},
    },
    settings::{self, Secret},
};

/// Name of the pair among the store's secrets.
const STORED: &str = "amocrm.oauth";
/// Name of the lease that a refresh needs: processes and nodes share one account.
const LEASE: &str = "amocrm.refresh";
/// Longer than a refresh with its repetitions can take.
const LEASE_LENGTH: Duration = Duration::from_secs(90);
/// A lost answer is asked for again with the old refresh token, which still works.
const TRIES: u32 = 3;
/// How long a refusal of the token endpoint is believed without asking again.
const REFUSAL: Duration = Duration::from_secs(600);

/// Two clients in one process (a test, a demo) share the lease's holder: this keeps them apart.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// How requests are signed.
pub(super) enum SignIn {
    /// A long-lived token of a private integration.
    LongLived(Secret),
    /// An OAuth integration.
    OAuth(Arc<OAuth>),
}

/// An OAuth integration and its current pair.
pub(super) struct OAuth {
    client_id: String,
    client_secret: Secret,
    redirect_uri: String,
    store: Store,
    pair: Mutex<Option<TokenPair>>,
    dead: Mutex<Option<(Secret, Failure, Instant)>>,
}

impl SignIn {
    /// From settings; a long-lived token wins. The error says what is missing.
    pub(super) fn new(settings: &settings::Amocrm, store: Store) -> Result<Self, Failure> {
        if !settings.token.is_empty() {
            return Ok(Self::LongLived(settings.token.clone()));
        }
        if settings.client_id.is_empty() || settings.client_secret.is_empty() {
            return Err(Failure::NotConnected(
                "neither token nor client_id and client_secret are set".to_owned(),
            ));
        }
        Ok(Self::OAuth(Arc::new(OAuth {
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            redirect_uri: settings.redirect_uri.clone(),
            store,
            pair: Mutex::new(None),
            dead: Mutex::new(None),
        })))
    }

    /// The token to send. `refused` is one that brought a 401: another is wanted.
    pub(super) async fn token(&self, wire: &Arc<Wire>, refused: Option<&Secret>) -> Result<Secret, Failure> {
        match (self, refused) {
            (Self::LongLived(token), None) => Ok(token.clone()),
            (Self::LongLived(token), Some(_)) => {
                let ended = token::long_lived_end(token).is_some_and(|end| end <= clock::now().timestamp());
                let why = if ended {
                    "the long-lived token has expired; make a new one in amoCRM and put it in [amocrm] token"
                } else {
                    "[amocrm] token was revoked or mistyped; make a new one in amoCRM, or copy it again"
                };
                Err(Failure::SignIn(why.to_owned()))
            }
            (Self::OAuth(oauth), _) => oauth.token(wire, refused).await,
        }
    }
}

impl OAuth {
    /// Where a person grants access.
    pub(super) fn consent_url(&self, host: &Host, state: &str) -> String {
        token::consent_url(host, &self.client_id, state)
    }

    /// Exchanges the code of a consent, and keeps the pair.
    pub(super) async fn exchange(&self, wire: &Wire, code: &Secret) -> Result<(), Failure> {
        let mut current = self.pair.lock().await;
        let pair = self.grant(wire, Grant::Code(code)).await.map_err(|failure| match failure {
            Failure::SignIn(hint) => Failure::SignIn(format!(
                "the code does not fit ({hint}); it works once, for 20 minutes, with the client_secret and redirect_uri \
                 of its own integration: run `perezvon amocrm login` again"
            )),
            other => other,
        })?;
        self.store.keep_secret(STORED, &pair.to_stored()).await?;
        *current = Some(pair);
        Ok(())
    }

    async fn token(self: &Arc<Self>, wire: &Arc<Wire>, refused: Option<&Secret>) -> Result<Secret, Failure> {
        if let Some(pair) = self.pair.lock().await.as_ref().and_then(|pair| usable(pair, refused)) {
            return Ok(pair.access.clone());
        }
        // A task of its own: whoever asked may give up waiting, a refresh must end in the store all the same.
        let (oauth, wire, refused) = (Arc::clone(self), Arc::clone(wire), refused.cloned());
        let renewed = tokio::spawn(async move { oauth.renew(&wire, refused.as_ref()).await });
        renewed
            .await
            .unwrap_or_else(|error| Err(Failure::NotSent(format!("the refresh was stopped: {error}"))))
    }

    /// Held over a refresh on purpose: whoever needs a token meanwhile needs that refresh.
    async fn renew(&self, wire: &Wire, refused: Option<&Secret>) -> Result<Secret, Failure> {
        let mut current = self.pair.lock().await;
        if let Some(pair) = current.as_ref().and_then(|pair| usable(pair, refused)) {
            return Ok(pair.access.clone());
        }
        let stored = self.stored(wire.host()).await?;
        let pair = match self.refresh(wire, refused).await {
            Ok(pair) => pair,
            // Still good for some minutes: no reason to stop calls.
            Err(failure) if refused.is_none() && stored.freshness(now()) == Freshness::Ending => {
                tracing::warn!("the token could not be refreshed early: {failure}");
                stored
            }
            Err(failure) => return Err(failure),
        };
        let access = pair.access.clone();
        *current = Some(pair);
        Ok(access)
    }

    async fn stored(&self, host: &Host) -> Result<TokenPair, Failure> {
        let stored = self.store.secret(STORED).await?.and_then(|stored| TokenPair::from_stored(&stored));
        match stored {
            Some(pair) if pair.account == host.base() => Ok(pair),
            Some(pair) => Err(Failure::SignIn(format!(
                "the kept token is for {}; run `perezvon amocrm login`",
                pair.account
            ))),
            None => Err(Failure::SignIn("nobody has signed in yet; run `perezvon amocrm login`".to_owned())),
        }
    }

    /// Refreshes under the lease, unless another process has just done it.
    async fn refresh(&self, wire: &Wire, refused: Option<&Secret>) -> Result<TokenPair, Failure> {
        let stored = self.stored(wire.host()).await?;
        if usable(&stored, refused).is_some() {
            return Ok(stored);
        }
        let _one = ONE_AT_A_TIME.lock().await;
        let holder = Holder::this_process();
        let mut waited = Duration::ZERO;
        while !self.store.take_lease(LEASE, &holder, LEASE_LENGTH).await? {
            if waited > LEASE_LENGTH {
                return Err(Failure::TryAgain {
                    after: Duration::from_secs(5),
                    why: Hold::Lost("another process has been refreshing the token for too long".to_owned()),
                });
            }
            let step = Duration::from_millis(200);
            tokio::time::sleep(step).await;
            waited += step;
        }
        let refreshed = self.refresh_held(wire, refused).await;
        self.store.drop_lease(LEASE, &holder).await?;
        refreshed
    }

    async fn refresh_held(&self, wire: &Wire, refused: Option<&Secret>) -> Result<TokenPair, Failure> {
        let stored = self.stored(wire.host()).await?;
        if usable(&stored, refused).is_some() {
            return Ok(stored);
        }
        let mut dead = self.dead.lock().await;
        if let Some((token, failure, since)) = dead.as_ref()
            && *token == stored.refresh
            && since.elapsed() < REFUSAL
        {
            return Err(failure.clone());
        }
        let pair = match self.grant(wire, Grant::Refresh(&stored.refresh)).await {
            Err(Failure::SignIn(hint)) => {
                let failure = Failure::SignIn(format!("{hint}; run `perezvon amocrm login`"));
                *dead = Some((stored.refresh, failure.clone(), Instant::now()));
                return Err(failure);
            }
            granted => granted?,
        };
        // Saved before it is used: if we die here, the old refresh token still works.
        self.store.keep_secret(STORED, &pair.to_stored()).await?;
        tracing::info!("amoCRM's token is refreshed");
        Ok(pair)
    }

    /// Asks the token endpoint, again and again when the answer is lost.
    async fn grant(&self, wire: &Wire, grant: Grant<'_>) -> Result<TokenPair, Failure> {
        let body = token::grant_body(&self.client_id, &self.client_secret, &self.redirect_uri, grant);
        // A code is good for one exchange, a refresh token for as long as its successor is not used.
        let tries = if matches!(grant, Grant::Code(_)) { 1 } else { TRIES };
        let mut failure = None;
        for attempt in 0..tries {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_secs(u64::from(attempt))).await;
            }
            match self.grant_once(wire, &body).await {
                Err(again @ (Failure::TryAgain { .. } | Failure::MaybeSent(_) | Failure::NotSent(_))) => {
                    tracing::warn!("the token endpoint: {again}");
                    failure = Some(again);
                }
                done => return done,
            }
        }
        Err(failure.unwrap_or_else(|| Failure::SignIn("the token endpoint was not asked".to_owned())))
    }

    async fn grant_once(&self, wire: &Wire, body: &serde_json::Value) -> Result<TokenPair, Failure> {
        let answer = wire.post_grant(body).await?;
        match token::judge_grant(answer.status, &answer.body, wire.host(), now()) {
            GrantVerdict::Granted(pair) => Ok(pair),
            GrantVerdict::Again(429) => Err(wire.stalled(None)),
            GrantVerdict::Again(status) => {
                Err(Failure::TryAgain { after: Duration::from_secs(2), why: Hold::Overload(status) })
            }
            GrantVerdict::Blocked => Err(wire.silenced()),
            GrantVerdict::Dead(hint) => Err(Failure::SignIn(hint)),
        }
    }
}

/// The pair, when it need not be refreshed.
fn usable<'a>(pair: &'a TokenPair, refused: Option<&Secret>) -> Option<&'a TokenPair> {
    let fits = match refused {
        Some(refused) => pair.access != *refused && pair.freshness(now()) != Freshness::Over,
        None => pair.freshness(now()) == Freshness::Good,
    };
    fits.then_some(pair)
}

fn now() -> i64 {
    clock::now().timestamp()
}
