//! What a company's settings say about who is inside.

use std::collections::BTreeSet;

use crate::{
    logic::phone::{Phone, Phones},
    settings::Settings,
};

/// What the fold must know beside the rows.
#[derive(Debug, Clone)]
pub struct Context {
    /// Spelling of numbers, which of them are extensions, employees' mobiles.
    pub phones: Phones,
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
            phones: Phones::new(&settings.numbers)?,
            employees: settings.employees.keys().cloned().collect(),
            trunks: settings.trunks.keys().cloned().collect(),
            timezone: settings.pbx.timezone,
        })
    }

    /// Whether this is an extension: one of `[employees]`, or what `[numbers] internal` matches.
    pub(super) fn is_extension(&self, number: &str) -> bool {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        self.employees.contains(number) || (digits && self.phones.is_internal(number))
    }

    /// A number of the world: not ours, neither extension nor hidden.
    pub(super) fn outside(&self, number: &str) -> Option<Phone> {
        self.phones.canonical(number).filter(|phone| {
            let ours = |trunk: &String| self.phones.canonical(trunk).is_some_and(|own| own == *phone);
            !self.trunks.iter().any(ours)
        })
    }

    /// A number of the world that is no employee's mobile.
    pub(super) fn client(&self, number: &str) -> Option<Phone> {
        self.outside(number).filter(|phone| self.phones.employee_of(phone).is_none())
    }
}
