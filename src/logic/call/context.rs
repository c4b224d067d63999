//! What a company's settings say about who is inside.

use std::collections::BTreeSet;

use crate::settings::Settings;

/// What the fold must know beside the rows.
#[derive(Debug, Clone)]
pub struct Context {
    /// Extensions of `[employees]`.
    pub employees: BTreeSet<String>,
    /// Keys of `[trunks]`: endpoint names or DIDs.
    pub trunks: BTreeSet<String>,
    /// Zone of `calldate` and `eventtime` where the rows themselves do not tell.
    pub timezone: Option<chrono_tz::Tz>,
}

impl Context {
    /// Takes what the fold needs out of the settings; the error names the setting that does not parse.
    pub fn from_settings(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            employees: settings.employees.keys().cloned().collect(),
            trunks: settings.trunks.keys().cloned().collect(),
            timezone: settings.pbx.timezone,
        })
    }
}
