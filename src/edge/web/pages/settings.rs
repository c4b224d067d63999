//! `/settings`: every value in force; read only.

use axum::{Extension, extract::State, http::HeaderMap, response::Response};
use serde::Serialize;
use serde_json::json;

use super::{Eye, Look};
use crate::{
    edge::web::{App, Visitor},
    settings::{shown, variables},
};

#[derive(Serialize)]
struct Section {
    name: String,
    meaning: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    value: Option<String>,
    changed: bool,
    meaning: String,
    variable: String,
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    let eye = Eye { app: &app, language: look.language };
    let mut sections: Vec<Section> = Vec::new();
    for line in shown::lines(&app.settings, &std::collections::BTreeMap::new()) {
        let (section, name) = line.key.split_once('.').unwrap_or(("", &line.key));
        if sections.last().is_none_or(|last| last.name != section) {
            let meaning = eye.say(&format!("set.section.{section}"));
            sections.push(Section { name: section.to_owned(), meaning, lines: Vec::new() });
        }
        let path = line.catalogue_path;
        let shown = Line {
            name: name.to_owned(),
            value: line.value.as_ref().map(ToString::to_string),
            changed: line.changed,
            meaning: eye.say(&format!("set.{path}")),
            variable: variables::name_of(&line.key),
        };
        if let Some(section) = sections.last_mut() {
            section.lines.push(shown);
        }
    }
    super::render(&look, "settings.html", json!({ "page": "settings", "sections": sections }))
}
