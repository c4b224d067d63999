//! Real calls of `tests/calls`, moved to another time.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::logic::call::CallRows;
use regex::{Captures, Regex};
use serde_json::Value;

/// All fixtures: where they come from, and their rows as they were written.
pub(crate) fn fixtures() -> Vec<(String, CallRows)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls");
    let mut all = Vec::new();
    for pbx in ["asterisk-16", "asterisk-22", "freepbx-17"] {
        for entry in std::fs::read_dir(root.join(pbx)).unwrap() {
            let path = entry.unwrap().path();
            // Beside each fixture stands the call that the fold's own tests expect.
            if path.to_string_lossy().ends_with(".call.json") {
                continue;
            }
            let name = format!("{pbx}/{}", path.file_stem().unwrap().to_string_lossy());
            let fixture: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let rows: CallRows =
                serde_json::from_value(serde_json::json!({ "cdr": fixture["cdr"], "cel": fixture["cel"] }))
                    .unwrap();
            all.push((name, rows));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

pub(crate) fn fixture(name: &str, start: DateTime<Utc>) -> CallRows {
    let (_, rows) = fixtures().into_iter().find(|(other, _)| other == name).expect("a fixture of that name");
    moved(&rows, start)
}

/// The same rows at another time; Moscow time on the wall.
pub(crate) fn moved(rows: &CallRows, start: DateTime<Utc>) -> CallRows {
    let first = rows.cel.iter().filter_map(|row| epoch(&row.linkedid)).min();
    let shift = start.timestamp()
        - first.or_else(|| rows.cdr.iter().filter_map(|row| epoch(&row.uniqueid)).min()).unwrap();
    static IDS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b1795\d{6}\.\d+").unwrap());
    static TIMES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^2026-11-\d\d \d\d:\d\d:\d\d").unwrap());
    let move_text = |text: &str| {
        let text = IDS.replace_all(text, |found: &Captures<'_>| {
            let (second, counter) = found[0].split_once('.').unwrap();
            format!("{}.{counter}", second.parse::<i64>().unwrap() + shift)
        });
        let text = TIMES.replace(&text, |found: &Captures<'_>| {
            let time = chrono::NaiveDateTime::parse_from_str(&found[0], "%Y-%m-%d %H:%M:%S").unwrap();
            (time + TimeDelta::seconds(shift)).format("%Y-%m-%d %H:%M:%S").to_string()
        });
        text.into_owned()
    };
    let mut value = serde_json::to_value(rows).unwrap();
    for row in value.as_object_mut().unwrap().values_mut().flat_map(|rows| rows.as_array_mut().unwrap()) {
        for text in row.as_object_mut().unwrap().values_mut() {
            if let Value::String(old) = text {
                *text = Value::String(move_text(old));
            }
        }
    }
    serde_json::from_value(value).unwrap()
}

fn epoch(id: &str) -> Option<i64> {
    id.split('.').next()?.parse().ok()
}
