//! `perezvon.toml` and the environment become one typed tree, or every fault at once, each with its key.
//!
//! Each section is a small struct in a file of its own; `Default` is the only place of defaults.
//! Durations are written as `"300ms"`, `"5s"`, `"2h"`.

mod amocrm;
mod asterisk;
mod base;
pub mod catalogue;
mod company;
mod cross_check;
mod cross_check_hours;
pub mod example;
mod faults;
pub mod hours;
mod listen;
pub mod load;
mod recordings;
mod secret;
pub mod shown;
mod span;
mod store;
pub mod variables;
mod zone;

use serde::{Deserialize, Serialize};

pub use amocrm::Amocrm;
pub use asterisk::{Ami, Pbx};
pub use base::{Base, PerDirection, Tasks};
pub use company::{Employee, Numbers, Replacement, Trunk};
pub use hours::Hours;
pub use listen::{Admin, Agi, Http};
pub use recordings::{Bitrate, Recordings};
pub use secret::Secret;
pub use span::Span;
pub use store::StoreUrl;

use std::collections::BTreeMap;

/// Language of what users read; logs and the API stay English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Russian.
    Ru,
    /// English.
    En,
}

/// `[ui]`: how the product speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ui {
    /// `ru` or `en`; absent means the locale of the process (`LC_ALL`, `LC_MESSAGES`, `LANG`), else English.
    pub language: Option<Language>,
}

/// `[store]`: where the service keeps its own state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:PATH` or `mysql://user:password@host/database`.
    pub url: StoreUrl,
}

/// Everything a company can set. Read once, then shared behind an `Arc`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Language of pages and messages.
    pub ui: Ui,
    /// The service's own state.
    pub store: Store,
    /// The web server.
    pub http: Http,
    /// Who may open the admin pages.
    pub admin: Admin,
    /// The FastAGI server.
    pub agi: Agi,
    /// Asterisk's manager interface.
    pub ami: Ami,
    /// Asterisk's CDR and CEL tables.
    pub pbx: Pbx,
    /// Spelling of phone numbers.
    pub numbers: Numbers,
    /// WAV in, MP3 out.
    pub recordings: Recordings,
    /// The CRM account.
    pub amocrm: Amocrm,
    /// Extension → CRM user.
    pub employees: BTreeMap<String, Employee>,
    /// Trunk (endpoint name or DID) → what it is.
    pub trunks: BTreeMap<String, Trunk>,
    /// When the company works.
    pub hours: Hours,
    /// What a finished call does in the CRM.
    pub base: Base,
    /// The task for a missed call.
    pub tasks: Tasks,
}

impl Settings {
    /// Language of pages and messages: as set, else the locale's.
    pub fn language(&self) -> Language {
        self.ui.language.unwrap_or_else(|| Language::of_locale(|name| std::env::var(name).ok()))
    }

    /// The company's time zone: of `[hours]`, else the PBX's, else this machine's.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.hours.timezone.or(self.pbx.timezone).unwrap_or_else(zone::of_this_machine)
    }
}
