//! What is wrong with a template, and where.

use minijinja::{Error, ErrorKind};

use crate::{settings::Language, text::say};

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not Jinja; minijinja's words.
    Syntax(String),
    /// No call has such a field.
    UnknownName {
        /// As written.
        name: String,
        /// The field most like it.
        near: Option<&'static str>,
    },
    /// There is no such filter or test.
    UnknownFilter {
        /// As written.
        name: String,
        /// The filter most like it.
        near: Option<&'static str>,
    },
    /// It did not end in time.
    Endless,
    /// It writes more than [`super::OUTPUT`].
    LongOutput,
    /// It is longer than [`super::SOURCE`].
    LongSource,
    /// It failed; minijinja's words.
    Failed(String),
}

/// One fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// In letters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl Fault {
    /// Of the template as a whole.
    pub(super) const fn whole(problem: Problem) -> Self {
        Self { line: 1, column: 1, problem }
    }

    /// At a byte of the source.
    pub(super) fn at(source: &str, byte: usize, problem: Problem) -> Self {
        let before = source.get(..byte).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, problem }
    }

    pub(super) fn of(error: &Error, source: &str) -> Self {
        let words = || error.detail().unwrap_or("").to_owned();
        let problem = match error.kind() {
            ErrorKind::SyntaxError | ErrorKind::BadEscape => Problem::Syntax(words()),
            ErrorKind::OutOfFuel => Problem::Endless,
            ErrorKind::UnknownFilter | ErrorKind::UnknownTest => {
                // "filter dat is unknown"
                let name = words().split(' ').nth(1).unwrap_or_default().to_owned();
                Problem::UnknownFilter { near: super::filters::nearest(&name), name }
            }
            kind => match error.detail() {
                Some(words) => Problem::Failed(format!("{kind}: {words}")),
                None => Problem::Failed(kind.to_string()),
            },
        };
        match error.range() {
            Some(range) => Self::at(source, range.start, problem),
            None => Self { line: error.line().unwrap_or(1), column: 1, problem },
        }
    }

    /// A sentence for people: the place and what is wrong there.
    pub fn say(&self, language: Language) -> String {
        let (line, column) = (self.line.to_string(), self.column.to_string());
        let (key, near, detail) = match &self.problem {
            Problem::Syntax(words) => ("template.fault.syntax", None, words.as_str()),
            Problem::UnknownName { name, near } => ("template.fault.name", Some(near), name.as_str()),
            Problem::UnknownFilter { name, near } => ("template.fault.filter", Some(near), name.as_str()),
            Problem::Endless => ("template.fault.endless", None, ""),
            Problem::LongOutput => ("template.fault.output", None, ""),
            Problem::LongSource => ("template.fault.source", None, ""),
            Problem::Failed(words) => ("template.fault.failed", None, words.as_str()),
        };
        let what = say(language, key, &[("detail", detail)]);
        let near = match near.copied().flatten() {
            Some(near) => say(language, "template.fault.near", &[("near", near)]),
            None if near.is_some() => say(language, "template.fault.all", &[]),
            None => String::new(),
        };
        say(
            language,
            "template.fault",
            &[("line", &line), ("column", &column), ("what", &what), ("near", &near)],
        )
        .trim_end()
        .to_owned()
    }
}
