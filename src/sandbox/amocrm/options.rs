//! What the pretend account is like when it starts.

use std::time::Duration;

use crate::settings::Language;

/// The account at its start, and the pace of its clockwork. `Default` suits tests: three users, two pipelines,
/// nobody in the contacts, limits off.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names of the users; the first is the administrator who granted the token.
    pub users: Vec<String>,
    /// How many contacts and companies are made up at the start.
    pub seed_contacts: usize,
    /// The same seed makes the same names, numbers and chances.
    pub seed: u64,
    /// Account's name in addresses, as in `subdomain.amocrm.ru`.
    pub subdomain: String,
    /// Time zone the account reports (IANA name).
    pub timezone: String,
    /// Request limits.
    pub limits: Limits,
    /// The one registered integration.
    pub integration: Integration,
    /// Life of an authorization code.
    pub code_life: Duration,
    /// Life of an access token.
    pub access_life: Duration,
    /// Life of a refresh token.
    pub refresh_life: Duration,
    /// How many times faster than in life webhooks are repeated: at 300 the five minutes take a second.
    pub hook_speed: u32,
    /// Language of the pages until the reader chooses.
    pub language: Language,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: ["Анна Смирнова", "Борис Кузнецов", "Вера Павлова"].map(String::from).to_vec(),
            seed_contacts: 0,
            seed: 1,
            subdomain: "sandbox".into(),
            timezone: "Europe/Moscow".into(),
            limits: Limits::off(),
            integration: Integration::default(),
            code_life: Duration::from_secs(20 * 60),
            access_life: Duration::from_secs(24 * 3600),
            refresh_life: Duration::from_secs(90 * 24 * 3600),
            hook_speed: 1,
            language: Language::Ru,
        }
    }
}

/// The registered integration: what `perezvon amocrm login` is set up with.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Integration id.
    pub client_id: String,
    /// Secret key.
    pub client_secret: String,
    /// Where the consent page sends the browser.
    pub redirect_uri: String,
}

impl Default for Integration {
    fn default() -> Self {
        Self {
            client_id: "5a9d0b1c-0000-4000-8000-000000000001".into(),
            client_secret: "sandbox-secret-key".into(),
            redirect_uri: "http://127.0.0.1:8573/amocrm/oauth".into(),
        }
    }
}

/// Request limits (reference 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests a second of one integration from one address; none means no limit.
    pub per_second: Option<u32>,
    /// Requests a second of the whole account.
    pub per_account: Option<u32>,
    /// What the 429 body says in `retry_after`, seconds.
    pub retry_after: u32,
    /// 429 as a gateway's HTML page instead of JSON.
    pub html: bool,
    /// After so many refusals within [`Limits::block_window`] the address is blocked: 403 on everything.
    pub block_after: u32,
    /// Over how long refusals are counted.
    pub block_window: Duration,
    /// How long the address stays blocked (in life: until support helps).
    pub block_length: Duration,
}

impl Limits {
    /// No limits.
    pub fn off() -> Self {
        Self { per_second: None, per_account: None, ..Self::real() }
    }

    /// As amoCRM's: 7 a second, 50 for the account; the block lasts a minute instead of for ever.
    pub fn real() -> Self {
        Self {
            per_second: Some(7),
            per_account: Some(50),
            retry_after: 1,
            html: false,
            block_after: 10,
            block_window: Duration::from_secs(60),
            block_length: Duration::from_secs(60),
        }
    }
}
