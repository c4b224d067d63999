//! A disguised call as a fixture of the tests: `tests/calls/*/NAME.json`.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Capture;
use crate::settings::Settings;

/// A column with nothing in it. A quote within a value has a backslash before it, so this is a column always.
static EMPTY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""[a-z_]+":(?:""|null),?"#).expect("it is a pattern"));

impl Capture {
    /// The fixture, with a `truth` that a person has to fill in; `how` tells him so. `name` names the scenario,
    /// `asterisk` is its version, empty when unknown.
    pub fn fixture(&self, name: &str, asterisk: &str, how: &str) -> String {
        let mut parts: Vec<(&str, String)> = vec![
            ("scenario", written(name)),
            ("asterisk", written(asterisk)),
            ("intent", written("")),
            ("tz", written(&self.settings.pbx.timezone.map(|zone| zone.name()))),
        ];
        let settings = self.special_settings();
        if !settings.is_empty() {
            parts.push(("settings", Value::Object(settings).to_string()));
        }
        parts.push(("truth", self.truth(how)));
        let told = match self.told.as_slice() {
            [call] => written(call),
            calls => written(calls),
        };
        parts.push(("told", told));
        parts.push(("cdr", list(self.rows.cdr.iter().map(row))));
        parts.push(("cel", list(self.rows.cel.iter().map(row))));
        parts.push(("queue_log", "[]".to_owned()));
        let parts: Vec<String> =
            parts.into_iter().map(|(key, value)| format!(" \"{key}\": {value}")).collect();
        format!("{{\n{}\n}}\n", parts.join(",\n"))
    }

    /// What is to be filled in, with the numbers as they stand in the rows.
    fn truth(&self, how: &str) -> String {
        let digits = |number: &Option<String>| {
            number.as_deref().unwrap_or_default().trim_start_matches('+').to_owned()
        };
        let call = self.told.first();
        let client = call.map(|call| digits(&call.client)).unwrap_or_default();
        let did = call.and_then(|call| call.did.clone());
        let lines = [
            ("comment", written(how)),
            ("direction", written("")),
            ("client", written(&client)),
            ("did", written(&did)),
            ("result", written("")),
            ("asked", "[]".to_owned()),
            ("talked", "[]".to_owned()),
            ("talk", "[]".to_owned()),
            ("talk_seconds", "0".to_owned()),
        ];
        let lines: Vec<String> =
            lines.into_iter().map(|(key, value)| format!("  \"{key}\": {value}")).collect();
        format!("{{\n{}\n }}", lines.join(",\n"))
    }

    /// Settings that are not the defaults, in the form of `perezvon.toml`.
    fn special_settings(&self) -> Map<String, Value> {
        let (own, usual) = (&self.settings, Settings::default());
        let mut settings = Map::new();
        if own.numbers != usual.numbers {
            settings.insert("numbers".to_owned(), json!(own.numbers));
        }
        let people = own.employees.keys().map(|extension| (extension.clone(), json!(1)));
        if !own.employees.is_empty() {
            settings.insert("employees".to_owned(), people.collect());
        }
        if !own.trunks.is_empty() {
            settings.insert("trunks".to_owned(), json!(own.trunks));
        }
        if let Some(zone) = own.pbx.timezone {
            settings.insert("pbx".to_owned(), json!({ "timezone": zone }));
        }
        settings
    }
}

fn written<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys only")
}

/// A row on a line, without empty columns.
fn row<T: Serialize>(row: &T) -> String {
    EMPTY.replace_all(&written(row), "").replace(",}", "}")
}

fn list(rows: impl Iterator<Item = String>) -> String {
    let rows: Vec<String> = rows.map(|row| format!("  {row}")).collect();
    if rows.is_empty() { "[]".to_owned() } else { format!("[\n{}\n ]", rows.join(",\n")) }
}
