//! The commented example: every key with its meaning, default and variable, from the catalogue and `Default`.

use std::fmt::Write;

use toml::{Table, Value};

use super::{
    Language, Settings,
    catalogue::{KEYS, Key},
    variables,
};
use crate::text::say;

/// The whole example. A line `#key = value` is a default to uncomment; `#: key = value` an example.
pub fn example(language: Language) -> String {
    let mut out = String::new();
    comment(&mut out, &say(language, "example.head", &[]));
    let defaults = Value::try_from(Settings::default()).expect("settings are plain TOML");
    let mut section = String::new();
    let all: Vec<&Key> = KEYS.iter().collect();
    for (index, key) in all.iter().enumerate() {
        let (head, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if head != section {
            head.clone_into(&mut section);
            out.push('\n');
            let text = format!("set.section.{head}");
            if crate::text::knows(&text) {
                comment(&mut out, &say(language, &text, &[]));
            }
            let _ = writeln!(out, "[{head}]");
        } else if index > 0 {
            out.push('\n');
        }
        one(&mut out, language, key, name, default_of(&defaults, key.path));
    }
    out
}

fn one(out: &mut String, language: Language, key: &Key, name: &str, default: Option<&Value>) {
    comment(out, &say(language, &format!("set.{}", key.path), &[]));
    comment(out, &variable(language, key));
    match default {
        Some(value) => {
            let _ = writeln!(out, "#{name} = {value}");
        }
        None if name != "*" => comment(out, &say(language, "example.no_default", &[])),
        None => {}
    }
    let is_map = name == "*";
    if is_map {
        let _ = writeln!(out, "#: {}", key.example);
    } else if !key.example.is_empty() {
        let _ = writeln!(out, "#: {name} = {}", key.example);
    }
}

fn variable(language: Language, key: &Key) -> String {
    let name = variables::name_of(key.path);
    if key.kind.may_come_from_file() {
        say(language, "example.variable_or_file", &[("name", &name)])
    } else {
        name
    }
}

/// The default of a key; none for keys that are absent by default and for `*`.
pub fn default_of<'a>(defaults: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(defaults, |value, name| value.as_table().and_then(|table: &Table| table.get(name)))
}

/// Comment lines of at most about a hundred letters.
fn comment(out: &mut String, text: &str) {
    for paragraph in text.split("\\n") {
        let mut line = String::from("#");
        for word in paragraph.split_whitespace() {
            if line.chars().count() + word.chars().count() > 100 {
                let _ = writeln!(out, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(out, "{line}");
    }
}
