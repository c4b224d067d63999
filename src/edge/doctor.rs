//! `perezvon check`: each part looked at, each line with what to do.
//!
//! Changes nothing that lasts: it reads Asterisk's tables, logs in to AMI and out, asks the CRM who we are, and writes one short-lived
//! file into the folder of MP3.

mod ami;
mod crm;
mod machine;
mod pbx;
mod ports;

use serde::Serialize;

use super::status::Health;
use crate::{
    settings::{Language, load::Loaded},
    text::{knows, say},
};

/// One line of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `settings`, `store`, `pbx`, `dialplan`, `ami`, `agi`, `http`, `amocrm`, `employees`, `recordings`.
    pub part: &'static str,
    /// How it is.
    pub health: Health,
    /// What was seen.
    pub text: String,
    /// What to do; empty when nothing is to be done.
    pub advice: String,
}

/// Looks at everything, in the order of a call's way; each finding is told as soon as it is known.
pub async fn examine(loaded: &Loaded, told: &mut (dyn FnMut(&Finding) + Send)) -> Vec<Finding> {
    let mut notes = Notes { language: loaded.language, findings: Vec::new(), told };
    for warning in &loaded.warnings {
        notes.write("settings", Health::Warning, warning.to_string(), String::new());
    }
    if loaded.warnings.is_empty() {
        notes.ok("settings", "check.settings", &[]);
    }
    let store = machine::store(&loaded.settings, &mut notes).await;
    pbx::tables(&loaded.settings, &mut notes).await;
    ami::manager(&loaded.settings, &mut notes).await;
    ports::agi(&loaded.settings, &mut notes).await;
    ports::http(&loaded.settings, &mut notes).await;
    crm::account(&loaded.settings, store, &mut notes).await;
    machine::recordings(&loaded.settings, &mut notes);
    notes.findings
}

/// Collects findings in the user's language. The advice of `check.x` stands under `check.x.do`.
struct Notes<'a> {
    language: Language,
    findings: Vec<Finding>,
    told: &'a mut (dyn FnMut(&Finding) + Send),
}

impl Notes<'_> {
    fn ok(&mut self, part: &'static str, key: &str, values: &[(&str, &str)]) {
        self.note(part, Health::Ok, key, values);
    }

    fn off(&mut self, part: &'static str, key: &str, values: &[(&str, &str)]) {
        self.note(part, Health::Off, key, values);
    }

    fn warn(&mut self, part: &'static str, key: &str, values: &[(&str, &str)]) {
        self.note(part, Health::Warning, key, values);
    }

    fn fault(&mut self, part: &'static str, key: &str, values: &[(&str, &str)]) {
        self.note(part, Health::Fault, key, values);
    }

    fn note(&mut self, part: &'static str, health: Health, key: &str, values: &[(&str, &str)]) {
        let advice = format!("{key}.do");
        let advice = if knows(&advice) { say(self.language, &advice, values) } else { String::new() };
        self.write(part, health, say(self.language, key, values), advice);
    }

    fn write(&mut self, part: &'static str, health: Health, text: String, advice: String) {
        let finding = Finding { part, health, text, advice };
        (self.told)(&finding);
        self.findings.push(finding);
    }
}
