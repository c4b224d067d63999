//! `perezvon settings fields`: what templates may say.

use serde::Serialize;

use crate::{
    cli::CliError,
    logic::template::fields::{Explained, explained, filters_explained, jinja_filters},
    settings::Language,
    text::say,
};

/// Longer examples are cut in the table.
const WIDEST: usize = 34;

/// What `--json` prints.
#[derive(Serialize)]
struct Catalogue {
    fields: Vec<Explained>,
    filters: Vec<Explained>,
    jinja_filters: &'static [&'static str],
}

/// Prints the catalogue.
pub(super) fn print(language: Language, json: bool) -> Result<(), CliError> {
    let catalogue = Catalogue {
        fields: explained(language),
        filters: filters_explained(language),
        jinja_filters: jinja_filters(),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&catalogue)?);
        return Ok(());
    }
    let head = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| say(language, &format!("template.head.{name}"), &[])).collect()
    };
    let mut fields = vec![head(&["field", "kind", "example", "meaning"])];
    for field in &catalogue.fields {
        let kind = field.kind.map(|kind| say(language, kind.text_key(), &[])).unwrap_or_default();
        fields.push(vec![field.name.to_owned(), kind, cut(&field.example), field.meaning.clone()]);
    }
    let mut filters = vec![head(&["filter", "example", "meaning"])];
    for filter in &catalogue.filters {
        filters.push(vec![filter.name.to_owned(), cut(&filter.example), filter.meaning.clone()]);
    }
    let hint = [
        ("field", "{{ client.name }}"),
        ("other", "{{ trunk.name or \"Сайт\" }}"),
        ("filters", &catalogue.jinja_filters.join(", ")),
    ];
    println!("{}\n{}\n{}", table(&fields), table(&filters), say(language, "template.hint", &hint));
    Ok(())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Columns as wide as their longest cell.
fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}
