//! The catalogue of what templates may say: the one source of `perezvon settings fields`, of "did you mean", and of
//! the test that every call's [`Values`](super::Values) hold these fields and no others.

use serde::Serialize;

use super::{Shape, render, samples};
use crate::settings::{Language, catalogue::most_like};
use crate::text::say;

/// What kind of value a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Switch,
    /// A point in time, shown in the company's zone; see the filters `date` and `time`.
    Moment,
    /// Several: `{% for one in … %}`, or `…|map(attribute="name")|join(", ")`.
    List,
}

impl FieldKind {
    /// Key of its name in the texts.
    pub const fn text_key(self) -> &'static str {
        match self {
            Self::Text => "template.kind.text",
            Self::Number => "template.kind.number",
            Self::Switch => "template.kind.switch",
            Self::Moment => "template.kind.moment",
            Self::List => "template.kind.list",
        }
    }
}

/// One field. What it means is said in `text/`, under `template.field.` + its name.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// As templates write it.
    pub name: &'static str,
    /// What it is.
    pub kind: FieldKind,
}

const fn field(name: &'static str, kind: FieldKind) -> Field {
    Field { name, kind }
}

/// All fields.
pub const FIELDS: &[Field] = &[
    field("phone", FieldKind::Text),
    field("client.phone", FieldKind::Text),
    field("client.phone_pretty", FieldKind::Text),
    field("client.phone_national", FieldKind::Text),
    field("client.known", FieldKind::Switch),
    field("client.name", FieldKind::Text),
    field("client.kind", FieldKind::Text),
    field("client.id", FieldKind::Number),
    field("client.responsible", FieldKind::Number),
    field("client.open_leads", FieldKind::Number),
    field("contact.id", FieldKind::Number),
    field("contact.name", FieldKind::Text),
    field("company.id", FieldKind::Number),
    field("company.name", FieldKind::Text),
    field("lead.id", FieldKind::Number),
    field("lead.pipeline", FieldKind::Number),
    field("lead.status", FieldKind::Number),
    field("lead.responsible", FieldKind::Number),
    field("call.id", FieldKind::Text),
    field("call.direction", FieldKind::Text),
    field("call.kind", FieldKind::Text),
    field("call.outcome", FieldKind::Text),
    field("call.missed_at", FieldKind::Text),
    field("call.lost_after", FieldKind::Text),
    field("call.menu", FieldKind::Text),
    field("call.started_at", FieldKind::Moment),
    field("call.answered_at", FieldKind::Moment),
    field("call.ended_at", FieldKind::Moment),
    field("call.talk_seconds", FieldKind::Number),
    field("call.wait_seconds", FieldKind::Number),
    field("did", FieldKind::Text),
    field("trunk.id", FieldKind::Text),
    field("trunk.name", FieldKind::Text),
    field("employee.extension", FieldKind::Text),
    field("employee.name", FieldKind::Text),
    field("employee.user", FieldKind::Number),
    field("employees", FieldKind::List),
    field("conversations", FieldKind::List),
    field("working_time", FieldKind::Switch),
    field("recording.link", FieldKind::Text),
];

/// What each item of `employees` and `conversations` holds.
pub const ITEM_FIELDS: &[&str] =
    &["extension", "name", "user", "number", "talked", "talk_seconds", "started_at", "ended_at"];

/// Whether a name, as a template uses it, is a field or the group of some.
pub fn is_known(name: &str) -> bool {
    FIELDS.iter().any(|field| {
        field.name == name || field.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The field most like a name that is none.
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = || FIELDS.iter().map(|field| field.name);
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let moved = |wanted: &str| names().find(|known| last(known) == wanted);
    most_like(name, names()).or_else(|| moved(name.rsplit('.').next().unwrap_or(name)))
}

/// One line of `perezvon settings fields`.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// As templates write it; for a filter, a template that uses it.
    pub name: &'static str,
    /// Absent for filters.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<FieldKind>,
    /// What it gives for an example of a call.
    pub example: String,
    /// In the language asked for.
    pub meaning: String,
}

/// All fields, each with what it is in an example.
pub fn explained(language: Language) -> Vec<Explained> {
    let explain = |field: &Field| {
        let name = field.name;
        // Lists show who is in them.
        let template = match field.kind {
            FieldKind::List => format!("{{{{ {name}|map(attribute=\"extension\")|join(\", \") }}}}"),
            _ => format!("{{{{ {name} }}}}"),
        };
        Explained {
            name,
            kind: Some(field.kind),
            example: example(&template),
            meaning: say(language, &format!("template.field.{name}"), &[]),
        }
    };
    FIELDS.iter().map(explain).collect()
}

/// All filters of our own, each with an example and its result.
pub fn filters_explained(language: Language) -> Vec<Explained> {
    let explain = |(name, template): &(&'static str, &'static str)| Explained {
        name: template,
        kind: None,
        example: example(template),
        meaning: say(language, &format!("template.filter.{name}"), &[]),
    };
    super::filters::EXAMPLES.iter().map(explain).collect()
}

/// Filters of Jinja that templates may use beside ours.
pub const fn jinja_filters() -> &'static [&'static str] {
    super::filters::BORROWED
}

/// What a template gives for the first example that it says anything of.
fn example(template: &str) -> String {
    let mut texts = samples().iter().filter_map(|values| render(template, Shape::Line, values).ok());
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}
