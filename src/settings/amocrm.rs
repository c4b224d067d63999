//! `[amocrm]`: the account, and how to sign in.

use serde::{Deserialize, Serialize};

use super::{Secret, Span};

/// `[amocrm]`: a long-lived token, or an OAuth integration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amocrm {
    /// `https://company.amocrm.ru` or `https://company.kommo.com`; empty means not connected.
    pub base_url: String,
    /// Long-lived token of a private integration.
    pub token: Secret,
    /// OAuth: integration id.
    pub client_id: String,
    /// OAuth: secret key.
    pub client_secret: Secret,
    /// OAuth: the redirect URI exactly as registered.
    pub redirect_uri: String,
    /// Over everything the service sends; the account's limit is 7.
    pub requests_per_second: f64,
    /// One request's limit.
    pub timeout: Span,
    /// How often changed contacts, companies and leads are asked for.
    pub sync_interval: Span,
    /// Last part of `/amocrm/webhook/{secret}`; empty means webhooks are refused.
    pub webhook_secret: Secret,
}

impl Default for Amocrm {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            token: Secret::default(),
            client_id: String::new(),
            client_secret: Secret::default(),
            redirect_uri: String::new(),
            requests_per_second: 6.0,
            timeout: Span::secs(20),
            sync_interval: Span::secs(60),
            webhook_secret: Secret::default(),
        }
    }
}
