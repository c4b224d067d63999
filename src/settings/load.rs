//! Settings from a file and the environment, or every fault at once.
//!
//! File and variables become one list of leaves (path, value, origin); each leaf is looked up in the
//! catalogue and read alone, so that one wrong value hides no other; then the whole is read and its parts are
//! compared with each other.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Language, Settings,
    catalogue::{self, Kind},
    cross_check,
    hours::OwnHours,
    variables,
};
use crate::text::say;

pub use super::faults::{Fault, Faults, Origin};

/// One value that somebody set.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Path → value; a path's parts may hold dots (`column_names` has `cdr.linkedid`).
pub(super) type Leaves = BTreeMap<Vec<String>, Leaf>;

/// Settings, with where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to run with.
    pub settings: Settings,
    /// Path (joined with dots) → origin, for all that is not default.
    pub origins: BTreeMap<String, Origin>,
    /// What works, but somebody should look at.
    pub warnings: Vec<Fault>,
    /// Language of messages.
    pub language: Language,
}

/// What is read from outside: passed in, so that tests need no file and no process environment.
pub struct Sources<'a> {
    /// The settings file: name and text; none means defaults.
    pub file: Option<(PathBuf, String)>,
    /// All variables.
    pub variables: Vec<(String, String)>,
    /// Reads the file that a `…_FILE` variable names.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Settings from a file (none: defaults) and the process's environment.
pub fn load(path: Option<&Path>) -> Result<Settings, Faults> {
    let loaded = load_with_origins(path)?;
    for warning in &loaded.warnings {
        tracing::warn!("settings: {warning}");
    }
    Ok(loaded.settings)
}

/// The same, with where each value came from and what is doubtful.
pub fn load_with_origins(path: Option<&Path>) -> Result<Loaded, Faults> {
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let file = match path {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| unreadable(path, &error, language_of(&variables, None)))?;
            Some((path.to_owned(), text))
        }
    };
    load_from(Sources { file, variables, read: &|path| std::fs::read_to_string(path) })
}

fn unreadable(path: &Path, error: &io::Error, language: Language) -> Faults {
    let values = [("path", path.to_string_lossy()), ("error", error.to_string().into())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_ref()));
    Faults { heading: say(language, "fault.unreadable_file", &values), all: Vec::new() }
}

/// Settings from what is given.
pub fn load_from(sources: Sources<'_>) -> Result<Loaded, Faults> {
    let mut reading = Reading { language: language_asked(&sources), faults: Vec::new() };
    let mut leaves = Leaves::new();
    if let Some((path, text)) = &sources.file {
        reading.take_file(path, text, &mut leaves);
    }
    variables::take(&sources.variables, sources.read, &mut leaves, &mut reading);
    reading.language =
        language_of(&sources.variables, leaves.get(["ui", "language"].map(str::to_owned).as_slice()));
    let language = reading.language;
    leaves.retain(|path, leaf| reading.leaf_is_good(path, leaf));
    let settings = reading.whole(&leaves);
    let checked = cross_check::check(&settings, &leaves, language);
    reading.faults.extend(checked.faults);
    if reading.faults.is_empty() {
        let origins = leaves.into_iter().map(|(path, leaf)| (path.join("."), leaf.origin)).collect();
        return Ok(Loaded { settings, origins, warnings: checked.warnings, language });
    }
    let count = reading.faults.len().to_string();
    Err(Faults { heading: say(language, "fault.heading", &[("n", &count)]), all: reading.faults })
}

/// The language for what is wrong before the values are known: as variable or file ask for.
fn language_asked(sources: &Sources<'_>) -> Language {
    let variable = sources.variables.iter().find(|(name, _)| name == "PEREZVON__UI__LANGUAGE");
    let in_file = || {
        let table = sources.file.as_ref()?.1.parse::<Table>().ok()?;
        Language::parse(table.get("ui")?.get("language")?.as_str()?)
    };
    variable
        .and_then(|(_, value)| Language::parse(value))
        .or_else(in_file)
        .unwrap_or_else(|| language_of(&sources.variables, None))
}

/// The language of messages: as set, else the locale's.
fn language_of(variables: &[(String, String)], set: Option<&Leaf>) -> Language {
    set.and_then(|leaf| leaf.value.as_str()).and_then(Language::parse).unwrap_or_else(|| {
        Language::of_locale(|name| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        })
    })
}

/// One run of reading: collects what is wrong.
pub(super) struct Reading {
    pub(super) language: Language,
    pub(super) faults: Vec<Fault>,
}

impl Reading {
    /// Notes a fault.
    pub(super) fn fault(&mut self, path: &[String], place: &Origin, text: &str, values: &[(&str, &str)]) {
        let text = say(self.language, text, values);
        self.faults.push(Fault { key: path.join("."), place: place.clone(), text });
    }

    /// A key that does not exist, with the nearest that does.
    pub(super) fn unknown(&mut self, path: &[String], place: &Origin) {
        match catalogue::nearest(&path.join(".")) {
            Some(near) => self.fault(path, place, "fault.unknown_near", &[("near", &near)]),
            None => self.fault(path, place, "fault.unknown", &[]),
        }
    }

    fn take_file(&mut self, path: &Path, text: &str, leaves: &mut Leaves) {
        let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
        match text.parse::<Table>() {
            Ok(table) => {
                let lines = lines(text);
                let origin = |place: &[String]| {
                    let line = (1..=place.len()).rev().find_map(|n| lines.get(&place[..n])).copied();
                    Origin::File(path.to_owned(), line.unwrap_or(1))
                };
                self.walk(table, &mut Vec::new(), &origin, leaves);
            }
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(span.start));
                let origin = Origin::File(path.to_owned(), line);
                self.fault(&[], &origin, "fault.syntax", &[("error", error.message())]);
            }
        }
    }

    /// Takes the leaves of a table; a key that is neither leaf nor section is unknown.
    pub(super) fn walk(
        &mut self,
        table: Table,
        place: &mut Vec<String>,
        origin: &dyn Fn(&[String]) -> Origin,
        leaves: &mut Leaves,
    ) {
        for (name, value) in table {
            place.push(name);
            match value {
                value if catalogue::find(place).is_some() && !is_dotted_column(place, &value) => {
                    leaves.insert(place.clone(), Leaf { value, origin: origin(place) });
                }
                Value::Table(table) if is_dotted_column(place, &Value::Boolean(false)) => {
                    columns(table, place, origin, leaves);
                }
                Value::Table(inner) if catalogue::is_section(place) => {
                    self.walk(inner, place, origin, leaves);
                }
                _ if catalogue::is_section(place) => {
                    self.fault(place, &origin(place), "fault.not_a_section", &[]);
                }
                _ => self.unknown(place, &origin(place)),
            }
            place.pop();
        }
    }

    /// Reads one leaf alone; false, with a fault noted, when it is wrong.
    fn leaf_is_good(&mut self, path: &[String], leaf: &Leaf) -> bool {
        let Err(error) = Settings::deserialize(nested(path, leaf.value.clone())) else {
            return self.table_is_known(path, leaf);
        };
        let Some(key) = catalogue::find(path) else {
            return false;
        };
        let expected = say(self.language, key.kind.text_key(), &[]);
        let own_words = match (key.kind, leaf.value.as_str()) {
            (Kind::Database, Some(url)) if url.starts_with("mysql://") || url.starts_with("mariadb://") => {
                format!("; {}", say(self.language, "fault.bare_password", &[]))
            }
            // Its parser says more than the kind does.
            (Kind::Replacements | Kind::Week | Kind::Days | Kind::Workdays, _) => {
                format!(" ({})", error.message().trim())
            }
            (Kind::Employee, _) => wrong_hours(&leaf.value).unwrap_or_default(),
            _ => String::new(),
        };
        let values = [("expected", expected.as_str()), ("detail", own_words.as_str())];
        self.fault(path, &leaf.origin, "fault.wrong_kind", &values);
        false
    }

    /// Names inside `employees.101 = { … }`, which its reader does not check.
    fn table_is_known(&mut self, path: &[String], leaf: &Leaf) -> bool {
        let (Some(table), Some(Kind::Employee)) =
            (leaf.value.as_table(), catalogue::find(path).map(|key| key.kind))
        else {
            return true;
        };
        let mut good = true;
        for name in table.keys().filter(|name| !["user", "name", "hours"].contains(&name.as_str())) {
            let path = [path, std::slice::from_ref(name)].concat();
            self.fault(&path, &leaf.origin, "fault.unknown_near", &[("near", "user, name, hours")]);
            good = false;
        }
        good
    }

    /// All good leaves together; each was read alone before, so this cannot fail any more.
    fn whole(&mut self, leaves: &Leaves) -> Settings {
        let mut table = Table::new();
        for (path, leaf) in leaves {
            put(&mut table, path, leaf.value.clone());
        }
        Settings::deserialize(Value::Table(table)).unwrap_or_else(|error| {
            self.fault(&[], &Origin::Default, "fault.syntax", &[("error", error.message())]);
            Settings::default()
        })
    }
}

/// `cdr.linkedid = "x"` without quotes is a table in TOML; people mean a column's name.
fn is_dotted_column(place: &[String], value: &Value) -> bool {
    !value.is_str() && place.len() == 3 && place[0] == "pbx" && place[1] == "column_names"
}

fn columns(table: Table, place: &[String], origin: &dyn Fn(&[String]) -> Origin, leaves: &mut Leaves) {
    for (column, value) in table {
        let mut path = place.to_vec();
        let origin = origin(&[&path[..], std::slice::from_ref(&column)].concat());
        if let Some(name) = path.last_mut() {
            *name = format!("{name}.{column}");
        }
        leaves.insert(path, Leaf { value, origin });
    }
}

/// What cannot be read in an employee's `hours`.
fn wrong_hours(employee: &Value) -> Option<String> {
    let hours = employee.as_table()?.get("hours")?;
    let error = OwnHours::deserialize(hours.clone()).err()?;
    Some(format!(" (hours: {})", error.message().trim()))
}

/// A table with one leaf.
fn nested(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |inner, name| Value::Table(Table::from_iter([(name.clone(), inner)])))
}

fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            table.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Path → line of every key of a file that parses.
fn lines(text: &str) -> BTreeMap<Vec<String>, usize> {
    let mut lines = BTreeMap::new();
    if let Ok(table) = toml::de::DeTable::parse(text) {
        lines_of(text, table.get_ref(), &mut Vec::new(), &mut lines);
    }
    lines
}

fn lines_of(
    text: &str,
    table: &toml::de::DeTable<'_>,
    place: &mut Vec<String>,
    lines: &mut BTreeMap<Vec<String>, usize>,
) {
    for (name, value) in table {
        place.push(name.get_ref().to_string());
        lines.insert(place.clone(), text[..name.span().start].matches('\n').count() + 1);
        if let toml::de::DeValue::Table(inner) = value.get_ref() {
            lines_of(text, inner, place, lines);
        }
        place.pop();
    }
}
