//! Filters and tests of templates: those of Jinja that cannot grow without bounds, and our own for times and numbers.

use std::{fmt::Write, sync::Arc};

use chrono::{
    DateTime,
    format::{Item, StrftimeItems},
};
use chrono_tz::Tz;
use minijinja::{
    Environment, Error, ErrorKind, Value, filters, tests,
    value::{Object, ObjectRepr, Rest},
};

use crate::{
    logic::{phone::Phone, rules::route::transliterated},
    settings::{Language, catalogue::most_like},
    text::word,
};

/// Our own filters: name and a template that shows what it does.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("date", "{{ call.started_at|date }}"),
    ("time", "{{ call.started_at|time }}"),
    ("datetime", "{{ call.started_at|datetime(\"%d.%m %H:%M:%S\") }}"),
    ("duration", "{{ call.talk_seconds|duration }}"),
    ("plural", "{{ client.open_leads }} {{ client.open_leads|plural(\"сделка\", \"сделки\", \"сделок\") }}"),
    ("phone", "{{ did|phone }}"),
    ("digits", "{{ client.phone|digits }}"),
    ("translit", "{{ client.name|translit }}"),
    ("cut", "{{ client.name|cut(6) }}"),
];

/// Jinja's own filters that are offered.
pub(super) const BORROWED: &[&str] = &[
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
];

/// Jinja's own tests that are offered.
const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "startingwith",
    "endingwith",
    "in",
    "eq",
    "equalto",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "odd",
    "even",
    "divisibleby",
    "true",
    "false",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
];

/// Whether there is such a filter.
pub(super) fn has_filter(name: &str) -> bool {
    names().any(|known| known == name)
}

/// Whether there is such a test.
pub(super) fn has_test(name: &str) -> bool {
    TESTS.contains(&name)
}

/// The filter most like a name that is none.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    most_like(name, names())
}

fn names() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(name, _)| *name).chain(BORROWED.iter().copied())
}

pub(super) fn add_to(environment: &mut Environment<'static>) {
    borrow_filters(environment);
    borrow_tests(environment);
    environment.add_filter("date", |value: &Value, form: Option<String>| moment(value, form, "%d.%m.%Y"));
    environment.add_filter("time", |value: &Value, form: Option<String>| moment(value, form, "%H:%M"));
    environment
        .add_filter("datetime", |value: &Value, form: Option<String>| moment(value, form, "%d.%m.%Y %H:%M"));
    environment.add_filter("duration", duration);
    environment.add_filter("plural", plural);
    environment.add_filter("phone", pretty);
    environment.add_filter("digits", |text: &Value| {
        shown(text).chars().filter(char::is_ascii_digit).collect::<String>()
    });
    environment.add_filter("translit", |text: &Value| transliterated(&shown(text)));
    environment.add_filter("cut", cut);
}

fn borrow_filters(environment: &mut Environment<'static>) {
    macro_rules! borrow {
        ($($name:literal = $filter:ident),*) => { $(environment.add_filter($name, filters::$filter);)* };
    }
    borrow!(
        "abs" = abs,
        "capitalize" = capitalize,
        "count" = length,
        "d" = default,
        "default" = default,
        "first" = first,
        "float" = float,
        "int" = int,
        "join" = join,
        "last" = last,
        "length" = length,
        "list" = list,
        "lower" = lower,
        "map" = map,
        "max" = max,
        "min" = min,
        "reject" = reject,
        "rejectattr" = rejectattr,
        "replace" = replace,
        "reverse" = reverse,
        "round" = round,
        "select" = select,
        "selectattr" = selectattr,
        "sort" = sort,
        "split" = split,
        "string" = string,
        "sum" = sum,
        "title" = title,
        "trim" = trim,
        "unique" = unique,
        "upper" = upper
    );
}

fn borrow_tests(environment: &mut Environment<'static>) {
    macro_rules! borrow {
        ($($($name:literal)* = $test:ident),*) => { $($(environment.add_test($name, tests::$test);)*)* };
    }
    borrow!(
        "defined" = is_defined,
        "undefined" = is_undefined,
        "none" = is_none,
        "string" = is_string,
        "number" = is_number,
        "startingwith" = is_startingwith,
        "endingwith" = is_endingwith,
        "in" = is_in,
        "eq" "equalto" "==" = is_eq,
        "ne" "!=" = is_ne,
        "lt" "<" = is_lt,
        "le" "<=" = is_le,
        "gt" ">" = is_gt,
        "ge" ">=" = is_ge,
        "odd" = is_odd,
        "even" = is_even,
        "divisibleby" = is_divisibleby,
        "true" = is_true,
        "false" = is_false
    );
}

/// A point in time as templates have it.
#[derive(Debug)]
pub(super) struct Moment(pub(super) DateTime<Tz>);

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.format("%d.%m.%Y %H:%M"))
    }
}

fn wrong(words: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, words.into())
}

/// The text of a value; of none, an empty one.
fn shown(value: &Value) -> String {
    if value.is_none() || value.is_undefined() { String::new() } else { value.to_string() }
}

/// `{{ call.started_at|time("%H:%M") }}`: the letters of strftime.
fn moment(value: &Value, form: Option<String>, usual: &str) -> Result<String, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(String::new());
    }
    let Some(Moment(at)) = value.downcast_object_ref::<Moment>() else {
        return Err(wrong(format!("{value} is no point in time")));
    };
    let form = form.as_deref().unwrap_or(usual);
    let items: Vec<Item<'_>> = StrftimeItems::new(form).collect();
    let mut out = String::new();
    if items.contains(&Item::Error) || write!(out, "{}", at.format_with_items(items.iter())).is_err() {
        return Err(wrong(format!("{form:?} is no form of time; write for example \"%d.%m.%Y %H:%M\"")));
    }
    Ok(out)
}

/// `65` → `1:05`.
fn duration(value: &Value) -> Result<String, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(String::new());
    }
    let seconds = value.as_i64().ok_or_else(|| wrong(format!("{value} is no number of seconds")))?.max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    })
}

/// The form of a word after a number: three forms as in Russian, two as in English.
fn plural(value: &Value, forms: Rest<String>) -> Result<String, Error> {
    let n = if value.is_undefined() {
        0
    } else {
        value.as_i64().ok_or_else(|| wrong("plural needs a number"))?
    };
    let language = if forms.len() > 2 { Language::Ru } else { Language::En };
    let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
    Ok(word(language, n.unsigned_abs(), &forms).to_owned())
}

/// `74951234567` → `+7 495 123-45-67`; what is no whole number stays as it is.
fn pretty(value: &Value) -> String {
    let text = shown(value);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let phone = Phone::from_canonical(&format!("+{digits}"));
    phone.and_then(|phone| phone.pretty()).unwrap_or(text)
}

/// The first letters of a text.
fn cut(value: &Value, letters: usize) -> String {
    let text = shown(value);
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn what_is_listed_is_there_and_nothing_else() {
        let environment = {
            let mut environment = Environment::empty();
            add_to(&mut environment);
            environment
        };
        for name in names() {
            let source = format!("{{{{ x|{name} }}}}");
            let failed = environment.render_str(&source, ()).err();
            let unknown = failed.is_some_and(|error| error.kind() == ErrorKind::UnknownFilter);
            assert!(!unknown, "{name}");
        }
        for name in TESTS.iter().filter(|name| name.chars().all(char::is_alphabetic)) {
            let source = format!("{{{{ x is {name} }}}}");
            let failed = environment.render_str(&source, ()).err();
            assert!(!failed.is_some_and(|error| error.kind() == ErrorKind::UnknownTest), "{name}");
        }
    }
}
