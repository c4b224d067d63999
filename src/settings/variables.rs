//! `PEREZVON__SECTION__KEY` and `…_FILE` → leaves.

use std::{io, path::Path};

use toml::{Table, Value};

use super::{
    catalogue::{self, Key, Kind},
    load::{Leaf, Leaves, Origin, Reading},
};

/// What a variable of ours begins with.
pub const PREFIX: &str = "PEREZVON__";

/// The variable of a key: `agi.deadline` → `PEREZVON__AGI__DEADLINE`; a `*` stays as `NAME`.
pub fn name_of(path: &str) -> String {
    let parts: Vec<String> = path
        .split('.')
        .map(|part| if part == "*" { "NAME".to_owned() } else { part.to_ascii_uppercase() })
        .collect();
    format!("{PREFIX}{}", parts.join("__"))
}

/// Puts the variables over what the file said.
pub(super) fn take(
    variables: &[(String, String)],
    read: &dyn Fn(&Path) -> io::Result<String>,
    leaves: &mut Leaves,
    reading: &mut Reading,
) {
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    // `EMPLOYEES__101` before `EMPLOYEES__101__NAME`, whatever order the system gave.
    ours.sort();
    for (name, value) in ours {
        let origin = Origin::Variable(name.clone());
        let parts: Vec<&str> = name[PREFIX.len()..].split("__").collect();
        match meant(&parts) {
            Meaning::Key(path, key) => {
                leaves.insert(path, Leaf { value: value_of(key.kind, value), origin });
            }
            Meaning::File(path) => from_file(path, value, origin, read, leaves, reading),
            Meaning::Inside(path, field) => inside(&path, field, value, origin, leaves),
            Meaning::Map(path) => whole_map(path, value, &origin, leaves, reading),
            Meaning::Unknown(path) => reading.unknown(&path, &origin),
        }
    }
}

enum Meaning {
    /// A key.
    Key(Vec<String>, &'static Key),
    /// A file that holds a key's value.
    File(Vec<String>),
    /// A field of an entry: `EMPLOYEES__101__NAME`.
    Inside(Vec<String>, String),
    /// A whole map, as an inline table.
    Map(Vec<String>),
    /// Nothing known.
    Unknown(Vec<String>),
}

fn meant(parts: &[&str]) -> Meaning {
    let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    for split in (1..lower.len()).rev() {
        let Some(key) = catalogue::map_under(&lower[..split]) else { continue };
        let mut path = lower[..split].to_vec();
        return match (key.kind, parts.len() - split) {
            // Columns are `cdr.linkedid`: two parts, lower case.
            (Kind::Text, 2) => {
                path.push(lower[split..].join("."));
                Meaning::Key(path, key)
            }
            (_, 1) => {
                path.push(parts[split].to_owned());
                Meaning::Key(path, key)
            }
            (Kind::Employee | Kind::Trunk, 2) => {
                path.push(parts[split].to_owned());
                Meaning::Inside(path, lower[split + 1].clone())
            }
            _ => Meaning::Unknown(lower),
        };
    }
    if let Some(key) = catalogue::find(&lower) {
        return Meaning::Key(lower, key);
    }
    if catalogue::map_under(&lower).is_some() {
        return Meaning::Map(lower);
    }
    if let Some(stem) = lower.last().and_then(|last| last.strip_suffix("_file")).map(ToOwned::to_owned) {
        let mut path = lower.clone();
        path.pop();
        path.push(stem);
        if catalogue::find(&path).is_some_and(|key| key.kind.may_come_from_file()) {
            return Meaning::File(path);
        }
    }
    Meaning::Unknown(lower)
}

fn from_file(
    path: Vec<String>,
    file: &str,
    origin: Origin,
    read: &dyn Fn(&Path) -> io::Result<String>,
    leaves: &mut Leaves,
    reading: &mut Reading,
) {
    if leaves.get(&path).is_some_and(|leaf| matches!(leaf.origin, Origin::Variable(_))) {
        return reading.fault(&path, &origin, "fault.value_and_file", &[]);
    }
    match read(Path::new(file)) {
        Ok(text) => {
            let value = Value::String(text.trim_end_matches(['\r', '\n']).to_owned());
            leaves.insert(path, Leaf { value, origin });
        }
        Err(error) => {
            let values = [("path", file), ("error", &error.to_string())];
            reading.fault(&path, &origin, "fault.unreadable_file", &values);
        }
    }
}

/// A variable's text as the kind needs it; what does not parse stays text, and is then refused with its key.
fn value_of(kind: Kind, text: &str) -> Value {
    let as_toml =
        || format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    let plain = || Value::String(text.to_owned());
    match kind {
        Kind::Addresses if !text.trim_start().starts_with('[') => Value::Array(
            text.split([',', ' '])
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        ),
        // `6` is a good fraction.
        Kind::Fraction => text.parse().map_or_else(|_| plain(), Value::Float),
        kind if kind.is_text() => plain(),
        _ => as_toml().unwrap_or_else(plain),
    }
}

/// Sets one field of an entry, beside what the file or another variable said of it.
fn inside(path: &[String], field: String, text: &str, origin: Origin, leaves: &mut Leaves) {
    let value = match field.as_str() {
        "user" => value_of(Kind::Number, text),
        "hours" => value_of(Kind::Week, text),
        _ => Value::String(text.to_owned()),
    };
    let mut table = match leaves.remove(path).map(|leaf| leaf.value) {
        Some(Value::Table(table)) => table,
        Some(user @ Value::Integer(_)) => Table::from_iter([("user".to_owned(), user)]),
        _ => Table::new(),
    };
    table.insert(field, value);
    leaves.insert(path.to_vec(), Leaf { value: Value::Table(table), origin });
}

fn whole_map(mut path: Vec<String>, text: &str, origin: &Origin, leaves: &mut Leaves, reading: &mut Reading) {
    match value_of(Kind::Replacements, text) {
        Value::Table(table) => reading.walk(table, &mut path, &|_| origin.clone(), leaves),
        _ => reading.fault(&path, origin, "fault.not_a_map", &[]),
    }
}
