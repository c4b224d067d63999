//! Settings as people look at them: every value in force, secrets hidden, with where each came from.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::Value;

use super::{
    Settings,
    catalogue::{KEYS, Key},
    example::default_of,
    load::Origin,
};

/// One value in force.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// `section.key`.
    pub key: String,
    /// The value; secrets as `***`; none when it is not set.
    pub value: Option<Value>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether it differs from the default.
    pub changed: bool,
    /// Its key in the catalogue.
    #[serde(skip)]
    pub catalogue_path: &'static str,
}

/// All values, in the order of the example; `origins` as [`super::load::Loaded::origins`], empty when not known.
pub fn lines(settings: &Settings, origins: &BTreeMap<String, Origin>) -> Vec<Line> {
    let tree = Value::try_from(settings).expect("settings are plain TOML");
    let defaults = Value::try_from(Settings::default()).expect("settings are plain TOML");
    KEYS.iter().flat_map(|key| lines_of(key, &tree, &defaults, origins)).collect()
}

fn lines_of(key: &Key, tree: &Value, defaults: &Value, origins: &BTreeMap<String, Origin>) -> Vec<Line> {
    let one = |path: String, value: Option<&Value>, changed: bool| Line {
        origin: origins.get(&path).cloned().unwrap_or(Origin::Default),
        key: path,
        value: value.cloned(),
        changed,
        catalogue_path: key.path,
    };
    let Some(map) = key.path.strip_suffix(".*") else {
        let value = default_of(tree, key.path);
        return vec![one(key.path.to_owned(), value, value != default_of(defaults, key.path))];
    };
    let entries = default_of(tree, map).and_then(Value::as_table).into_iter().flatten();
    entries.map(|(name, value)| one(format!("{map}.{name}"), Some(value), true)).collect()
}
