//! The last look: nothing of the original may be left.

use std::collections::BTreeSet;

use super::{Disguise, numbers, words};
use crate::{logic::call::CallRows, settings::Settings};

impl Disguise<'_> {
    /// The column that would still show something of the original.
    pub(super) fn leak(&self, rows: &CallRows, company: &Settings) -> Option<String> {
        let numbers: Vec<&str> = self.numbers.originals().collect();
        let own = self.asterisks_words();
        let names: Vec<String> = self
            .words
            .originals()
            .chain(self.endpoints.keys().map(String::as_str))
            .flat_map(|name| name.split(|sign: char| !sign.is_alphabetic()))
            .filter(|word| !words::is_common(word))
            .map(str::to_lowercase)
            .filter(|word| !own.contains(word))
            .collect();
        let shows = |text: &str| {
            let shown = self.without_ids(text);
            let is_in = |run: &&str| windows(run).any(|five| shown.contains(five));
            let lower = shown.to_lowercase();
            let words = || lower.split(|sign: char| !sign.is_alphabetic());
            numbers.iter().any(is_in) || words().any(|word| names.iter().any(|name| name == word))
        };
        let columns =
            rows.cdr.iter().map(serde_json::to_value).chain(rows.cel.iter().map(serde_json::to_value));
        for row in columns {
            let Ok(serde_json::Value::Object(row)) = row else { return Some("a row".to_owned()) };
            let texts = row.iter().filter_map(|(column, value)| Some((column, value.as_str()?)));
            if let Some((column, _)) = texts.into_iter().find(|(_, text)| shows(text)) {
                return Some(column.clone());
            }
        }
        let keys =
            company.trunks.keys().chain(company.employees.keys()).chain(company.numbers.mobiles.keys());
        let patterns = company.numbers.replacements.iter().flat_map(|one| [&one.pattern, &one.replace]);
        keys.chain(patterns).any(|text| shows(text)).then(|| "the settings".to_owned())
    }

    /// Words of columns that only Asterisk writes.
    fn asterisks_words(&self) -> BTreeSet<String> {
        let of_cel = self.rows.cel.iter().flat_map(|row| [&row.eventtype, &row.appname]);
        let of_cdr = self.rows.cdr.iter().flat_map(|row| [&row.lastapp, &row.disposition]);
        let words = of_cel.chain(of_cdr).flat_map(|text| text.split(|sign: char| !sign.is_alphabetic()));
        words.map(str::to_lowercase).collect()
    }

    /// A text without what may look like a number and is none.
    fn without_ids(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for known in self.known.made().chain(self.known.times()) {
            text = text.replace(known, " ");
        }
        let mut out = String::new();
        for piece in text.split_inclusive(['-', '_', ';', ',', '"', '/']) {
            let body = piece.trim_end_matches(['-', '_', ';', ',', '"', '/']);
            let counter = body.len() == 8 && body.bytes().all(|byte| byte.is_ascii_hexdigit());
            let time = body.len() == 6 && body.bytes().all(|byte| byte.is_ascii_digit());
            if !(out.ends_with('-') && counter || out.ends_with(" -") && time) {
                out.push_str(body);
            }
            out.push_str(&piece[body.len()..]);
        }
        out
    }
}

fn windows(run: &str) -> impl Iterator<Item = &str> {
    let last = run.len().saturating_sub(numbers::SHORTEST);
    (0..=last).map(|from| &run[from..from + numbers::SHORTEST])
}
