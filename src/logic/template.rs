//! What a company writes into settings → the text that goes to the CRM: minijinja over a call.
//!
//! * [`fields`] is the catalogue of what a template may say; `perezvon settings fields` prints it.
//! * [`Values`] are these fields of one call.
//! * A field that the call does not have renders empty, also chained (`{{ trunk.name or "Сайт" }}`). A name that no
//!   call ever has is a slip: [`check`] finds it when settings are read.
//! * A template that fails at run time leaves its own field out, and says why ([`Fault`]).
//!
//! Nothing is escaped (the CRM takes plain text), control characters are taken out, no file can be included, and a
//! template ends after [`FUEL`] steps or [`OUTPUT`] bytes. That bounds time and text, not memory on purpose: who may
//! write settings is trusted not to double a string forty times.

mod fault;
pub mod fields;
mod filters;
mod sample;
mod scan;
mod values;

use std::{borrow::Cow, collections::BTreeSet, io, sync::LazyLock};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, value::ValueKind};

pub use fault::{Fault, Problem};
pub use sample::samples;
pub use values::Values;

/// Steps of one template; the default texts take about ten.
pub const FUEL: u64 = 20_000;
/// Bytes that a template may write.
pub const OUTPUT: usize = 64 * 1024;
/// Bytes that a template may have.
pub const SOURCE: usize = 16 * 1024;
/// Letters of a [`Shape::Line`]: as long as names and fields of the CRM may be.
pub const LINE: usize = 255;
/// Letters of a [`Shape::Text`].
pub const TEXT: usize = 10_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// What the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A name, a tag, a field: one line of at most [`LINE`] letters.
    Line,
    /// A note or task: lines stay, at most [`TEXT`] letters.
    Text,
}

/// The text of a template for a call; empty when it says nothing of it.
///
/// A template without `{{` and `{%` may still write `{phone}`, as before templates were Jinja.
pub fn render(source: &str, shape: Shape, values: &Values) -> Result<String, Fault> {
    let source = modern(source);
    if !has_tags(&source) {
        return Ok(clean(&source, shape));
    }
    too_long(&source)?;
    let template = ENVIRONMENT.template_from_str(&source).map_err(|error| Fault::of(&error, &source))?;
    let mut out = Bounded::default();
    match template.render_captured_to(values.0.clone(), &mut out) {
        Ok(_) => Ok(clean(&String::from_utf8_lossy(&out.text), shape)),
        Err(_) if out.full => Err(Fault::whole(Problem::LongOutput)),
        Err(error) => Err(Fault::of(&error, &source)),
    }
}

/// Whether a condition holds: an expression (`call.talk_seconds < 10`), or a template whose text is neither empty nor
/// `false`, `0` or `no`.
pub fn holds(source: &str, values: &Values) -> Result<bool, Fault> {
    if has_tags(source) {
        let text = render(source, Shape::Line, values)?;
        return Ok(!["", "false", "0", "no", "нет"].contains(&text.to_lowercase().as_str()));
    }
    too_long(source)?;
    let expression = ENVIRONMENT.compile_expression(source).map_err(|error| Fault::of(&error, source))?;
    let value = expression.eval(values.0.clone()).map_err(|error| Fault::of(&error, source))?;
    Ok(value.is_true())
}

/// What is wrong with a template, whatever the call: syntax, names and filters that do not exist.
pub fn check(source: &str) -> Vec<Fault> {
    let source = modern(source);
    if !has_tags(&source) {
        return Vec::new();
    }
    if let Err(fault) = too_long(&source) {
        return vec![fault];
    }
    let template = match ENVIRONMENT.template_from_str(&source) {
        Ok(template) => template,
        Err(error) => return vec![Fault::of(&error, &source)],
    };
    let used = scan::used(&source);
    let names: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
    let wrong = names.iter().filter(|name| !fields::is_known(name));
    let unknown = wrong.map(|name| {
        let problem = Problem::UnknownName { name: name.clone(), near: fields::nearest(name) };
        let at = used.names.iter().find(|(_, found)| found == name).map_or(0, |(at, _)| *at);
        Fault::at(&source, at, problem)
    });
    let filters = used.filters.iter().filter(|(_, name)| !filters::has_filter(name)).map(|(at, name)| {
        let near = filters::nearest(name);
        Fault::at(&source, *at, Problem::UnknownFilter { name: name.clone(), near })
    });
    let tests = used.tests.iter().filter(|(_, name)| !filters::has_test(name)).map(|(at, name)| {
        let near = None;
        Fault::at(&source, *at, Problem::UnknownFilter { name: name.clone(), near })
    });
    let mut faults: Vec<Fault> = unknown.chain(filters).chain(tests).collect();
    faults.sort_by_key(|fault| (fault.line, fault.column));
    if faults.is_empty() {
        // Whatever else fails with every call there is, fails with the example.
        faults.extend(samples().iter().find_map(|values| render(&source, Shape::Text, values).err()));
    }
    faults
}

/// As [`check`], for a condition.
pub fn check_condition(source: &str) -> Vec<Fault> {
    if has_tags(source) {
        return check(source);
    }
    if source.trim().is_empty() {
        return Vec::new();
    }
    // Whole lines before it would move the places that faults name.
    let mut faults = check(&format!("{{{{{source}\n}}}}"));
    faults
        .iter_mut()
        .filter(|fault| fault.line == 1)
        .for_each(|fault| fault.column -= 2.min(fault.column - 1));
    faults
}

fn has_tags(source: &str) -> bool {
    source.contains("{{") || source.contains("{%")
}

/// `{phone}` of templates that were written before they were Jinja.
fn modern(source: &str) -> Cow<'_, str> {
    if !has_tags(source) && source.contains("{phone}") {
        return source.replace("{phone}", "{{ phone }}").into();
    }
    source.into()
}

fn too_long(source: &str) -> Result<(), Fault> {
    if source.len() > SOURCE { Err(Fault::whole(Problem::LongSource)) } else { Ok(()) }
}

fn environment() -> Environment<'static> {
    // Nothing that comes with minijinja is offered unless it is listed: no function makes numbers, no include.
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_formatter(|out, _, value| {
        if value.is_none() || value.is_undefined() {
            return Ok(());
        }
        // As settings write it, not as Python does.
        let value = match value.kind() {
            ValueKind::Bool => Cow::Borrowed(if value.is_true() { "true" } else { "false" }),
            _ => Cow::Owned(value.to_string()),
        };
        write!(out, "{value}").map_err(|_| minijinja::Error::from(ErrorKind::WriteFailure))
    });
    filters::add_to(&mut environment);
    environment
}

/// Text that stops growing at [`OUTPUT`].
#[derive(Default)]
struct Bounded {
    text: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > OUTPUT {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// No control characters, no marks that turn the direction of writing; spaces as people mean them; not too long.
fn clean(text: &str, shape: Shape) -> String {
    let most = if shape == Shape::Line { LINE } else { TEXT };
    let lines = text.split(['\n', '\u{2028}', '\u{2029}']).map(|line| {
        let line: String = line
            .chars()
            .map(|letter| if matches!(letter, '\t' | '\r' | '\u{85}') { ' ' } else { letter })
            .filter(|letter| !letter.is_control() && !turns_the_writing(*letter))
            .collect();
        if shape == Shape::Line {
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        } else {
            line.trim_end().to_owned()
        }
    });
    let joined = match shape {
        Shape::Line => lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "),
        Shape::Text => lines.collect::<Vec<_>>().join("\n").trim().to_owned(),
    };
    match joined.char_indices().nth(most) {
        Some(_) => {
            let end = joined.char_indices().nth(most - 1).map_or(0, |(at, _)| at);
            format!("{}…", joined[..end].trim_end())
        }
        None => joined,
    }
}

/// Marks that make a text look like another one.
const fn turns_the_writing(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_clean_and_no_longer_than_the_crm_takes() {
        let line = |text: &str| clean(text, Shape::Line);
        assert_eq!(line("  Иван\t\u{7}\r\nПетров \u{202e} "), "Иван Петров");
        assert_eq!(clean("одна \r\n\n  две\u{0}\n", Shape::Text), "одна\n\n  две");
        let long = line(&"щ".repeat(300));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LINE, true));
        assert_eq!(line(&"щ".repeat(LINE)).chars().count(), LINE);
    }
}
