//! Settings as people look at them: every value in force, secrets hidden, with where each came from.

use serde::Serialize;
use toml::Value;

use super::{
    Settings,
    catalogue::KEYS,
    example::default_of,
    load::{Loaded, Origin},
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
}

/// All values, in the order of the example.
pub fn lines(loaded: &Loaded) -> Vec<Line> {
    let tree = Value::try_from(&loaded.settings).expect("settings are plain TOML");
    let mut lines = Vec::new();
    for key in KEYS {
        if let Some(map) = key.path.strip_suffix(".*") {
            let entries = default_of(&tree, map).and_then(Value::as_table).into_iter().flatten();
            lines.extend(
                entries.map(|(name, value)| line(loaded, format!("{map}.{name}"), Some(value.clone()))),
            );
        } else {
            lines.push(line(loaded, key.path.to_owned(), default_of(&tree, key.path).cloned()));
        }
    }
    lines
}

/// The same for settings whose origins are not known: a running service.
pub fn lines_of(settings: &Settings) -> Vec<Line> {
    lines(&Loaded {
        settings: settings.clone(),
        origins: std::collections::BTreeMap::new(),
        warnings: Vec::new(),
        language: super::Language::En,
    })
}

fn line(loaded: &Loaded, key: String, value: Option<Value>) -> Line {
    let origin = loaded.origins.get(&key).cloned().unwrap_or(Origin::Default);
    Line { key, value, origin }
}
