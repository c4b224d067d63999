//! `[http]`, `[admin]`, `[agi]`: what the service listens on, and who may speak to it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Secret, Span};

/// `[http]`: pages, recordings, webhooks, API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port; 8573 because Asterisk itself often sits on 8088.
    pub listen: SocketAddr,
    /// How browsers of the staff reach us, `https://pbx.example.ru`; recording links begin with it.
    /// Empty means `http://` + `listen`.
    pub public_url: String,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8573)),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// `[admin]`: the admin pages. Without a password they open from the machine itself only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Login name.
    pub username: String,
    /// Password; empty means "loopback only".
    pub password: Secret,
}

impl Default for Admin {
    fn default() -> Self {
        Self { username: "admin".to_owned(), password: Secret::default() }
    }
}

/// `[agi]`: the FastAGI server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agi {
    /// Whether to listen at all.
    pub enabled: bool,
    /// Address and port; 4573 is what Asterisk takes when the URL names none.
    pub listen: SocketAddr,
    /// The longest a caller may wait for us; `?budget=` in the URL can only lower it.
    pub deadline: Span,
    /// Sessions at once; one more gets a quick, empty, valid answer.
    pub max_sessions: usize,
    /// Latin letters in `CRM_NAME`, for desk phones without Cyrillic.
    pub transliterate: bool,
    /// How long "nobody in the CRM has this number" is remembered.
    pub unknown_ttl: Span,
    /// Asterisk's hosts, which may ask over FastAGI and `GET /route`; this machine always may. Empty: FastAGI answers
    /// whoever reaches its port, `GET /route` only this machine.
    pub allow: Vec<IpAddr>,
}

impl Default for Agi {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 4573)),
            deadline: Span::millis(300),
            max_sessions: 1024,
            transliterate: false,
            unknown_ttl: Span::secs(60),
            allow: Vec::new(),
        }
    }
}

impl Agi {
    /// Whether FastAGI answers this address.
    pub fn may_ask(&self, from: IpAddr) -> bool {
        self.allow.is_empty() || self.is_own(from)
    }

    /// Whether this is one of Asterisk's hosts or this machine.
    pub fn is_own(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from.is_loopback() || self.allow.iter().any(|allowed| allowed.to_canonical() == from)
    }
}
