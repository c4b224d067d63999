//! Signed cookies and form tokens. The key is made once and kept in the store; a new password ends all sessions.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{App, access::Tries};
use crate::{edge::clock, settings::Secret};

const COOKIE: &str = "perezvon";
const KEY: &str = "session_key";
const LIFETIME_SECONDS: i64 = 7 * 24 * 3600;

/// A cookie as it came: when it ends, and the signature of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    until: i64,
    salt: String,
    signature: String,
}

impl Session {
    /// The session cookie of a request.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = cookie(headers, COOKIE)?;
        let mut parts = value.split('.');
        let until = parts.next()?.parse().ok()?;
        let (salt, signature) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { until, salt, signature })
    }

    /// Ties forms to this session.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.until, self.salt)
    }
}

/// A cookie of a request.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}

/// What the doors of the pages need: the signing key and the count of wrong passwords.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    key: Arc<OnceLock<Secret>>,
    tries: Tries,
}

impl Doors {
    /// Whether one more password may be tried from there.
    pub(super) fn may_try(&self, from: Option<IpAddr>) -> bool {
        self.tries.allows(from)
    }

    /// A password from there was wrong.
    pub(super) fn failed(&self, from: Option<IpAddr>) {
        self.tries.count(from);
    }

    /// Whether a session is ours and has not ended.
    pub(super) async fn opens(&self, app: &App, session: &Session) -> bool {
        let expected = self.sign(app, &format!("session {}", session.id())).await;
        let ours = bool::from(expected.as_bytes().ct_eq(session.signature.as_bytes()));
        ours && clock::now().timestamp() < session.until
    }

    /// A `Set-Cookie` value that begins a session.
    pub(super) async fn begin(&self, app: &App, secure: bool) -> String {
        let until = clock::now().timestamp() + LIFETIME_SECONDS;
        let salt = BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 9]>());
        let signature = self.sign(app, &format!("session {until}.{salt}")).await;
        let secure = if secure { "; Secure" } else { "" };
        format!(
            "{COOKIE}={until}.{salt}.{signature}; Path=/; Max-Age={LIFETIME_SECONDS}; HttpOnly; SameSite=Lax{secure}"
        )
    }

    /// A `Set-Cookie` value that ends the session in the browser.
    pub(super) fn end() -> String {
        format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
    }

    /// The token that a visitor's forms carry.
    pub(super) async fn form_token(&self, app: &App, visitor: &str) -> String {
        self.sign(app, &format!("form {visitor}")).await
    }

    async fn sign(&self, app: &App, text: &str) -> String {
        let key = self.key(app).await;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("any key length fits");
        mac.update(app.settings.admin.password.expose().as_bytes());
        mac.update(b"\0");
        mac.update(text.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// The key of the store; when the store does not answer, one of this process, so that pages still open
    /// and can say that the store does not answer.
    async fn key(&self, app: &App) -> Secret {
        if let Some(key) = self.key.get() {
            return key.clone();
        }
        let fresh = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>()));
        let key = match app.store.secret(KEY).await {
            Ok(Some(kept)) => kept,
            Ok(None) => {
                if let Err(error) = app.store.keep_secret(KEY, &fresh).await {
                    tracing::warn!("sessions will end with this process: {error}");
                }
                fresh
            }
            Err(error) => {
                tracing::warn!("sessions will end with this process: {error}");
                fresh
            }
        };
        self.key.get_or_init(|| key).clone()
    }
}
