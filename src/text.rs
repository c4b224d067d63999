//! What users read, in Russian and English: one table a language, `key = text`.
//!
//! In a text, `{name}` is a value and `{n|звонок|звонка|звонков}` the word that fits the number `n`
//! (English has two forms). A line that begins with a space goes on with the text before it.

use std::{collections::HashMap, sync::LazyLock};

use crate::settings::Language;

static RU: LazyLock<HashMap<&str, String>> = LazyLock::new(|| parse(include_str!("text/ru.txt")));
static EN: LazyLock<HashMap<&str, String>> = LazyLock::new(|| parse(include_str!("text/en.txt")));

/// A text with its values put in; a key that is in no table comes back as it is.
pub fn say(language: Language, key: &str, values: &[(&str, &str)]) -> String {
    match table(language).get(key) {
        Some(text) => fill(language, text, values),
        None => key.to_owned(),
    }
}

/// Whether the tables know a key.
pub fn knows(key: &str) -> bool {
    EN.contains_key(key)
}

impl Language {
    /// The language of a locale: `LC_ALL`, else `LC_MESSAGES`, else `LANG`, as `variable` gives them; English
    /// when none says Russian.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()))
            .unwrap_or_default();
        if locale.to_ascii_lowercase().starts_with("ru") { Self::Ru } else { Self::En }
    }

    /// `ru` or `en`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::En => "en",
        }
    }

    /// The language named so.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ru" => Some(Self::Ru),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

fn table(language: Language) -> &'static HashMap<&'static str, String> {
    match language {
        Language::Ru => &RU,
        Language::En => &EN,
    }
}

fn parse(text: &'static str) -> HashMap<&'static str, String> {
    let mut table: HashMap<&str, String> = HashMap::new();
    let mut last = "";
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let Some(more) = line.strip_prefix(' ') {
            let entry = table.entry(last).or_default();
            entry.push(' ');
            entry.push_str(more.trim());
        } else if let Some((key, text)) = line.split_once('=') {
            last = key.trim();
            table.insert(last, text.trim().to_owned());
        }
    }
    table
}

fn fill(language: Language, text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((place, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let mut forms = place.split('|');
        let name = forms.next().unwrap_or_default();
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let forms: Vec<&str> = forms.collect();
        match value {
            Some(value) if forms.is_empty() => out.push_str(value),
            Some(value) => out.push_str(word(language, value.parse().unwrap_or(0), &forms)),
            // Not ours: `{phone}` of a template that the text speaks about.
            None => {
                out.push('{');
                out.push_str(place);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The form of a word after a number: Russian has three (1, 2, 5), English two.
pub(crate) fn word<'a>(language: Language, n: u64, forms: &[&'a str]) -> &'a str {
    let index = match language {
        Language::En => usize::from(n != 1),
        Language::Ru => match (n % 10, n % 100) {
            (1, tens) if tens != 11 => 0,
            (2..=4, tens) if !(12..=14).contains(&tens) => 1,
            _ => 2,
        },
    };
    forms.get(index).or_else(|| forms.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn both_languages_have_every_key_with_the_same_values() {
        let keys = |table: &HashMap<&'static str, String>| table.keys().copied().collect::<BTreeSet<_>>();
        assert_eq!(keys(&RU), keys(&EN));
        let names = |text: &str| {
            text.split('{')
                .skip(1)
                .filter_map(|part| part.split_once('}'))
                .map(|(place, _)| place.split('|').next().unwrap_or_default().to_owned())
                .filter(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'))
                .collect::<BTreeSet<_>>()
        };
        for (key, text) in EN.iter() {
            assert_eq!(names(text), names(&RU[key]), "{key}");
        }
    }

    #[test]
    fn no_key_is_unused() {
        let mut sources = String::new();
        read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
        let unused: Vec<_> = EN
            .keys()
            .filter(|key| {
                // A family (`state.waiting`) is used when its stem stands somewhere as `"state."` or `"state.{`.
                let stems = key.match_indices('.').map(|(dot, _)| &key[..=dot]);
                let family = |stem: &str| {
                    ["\"", "{"].iter().any(|end| sources.contains(&format!("\"{stem}{end}")))
                        || sources.contains(&format!("'{stem}'"))
                };
                !sources.contains(&format!("\"{key}\""))
                    && !sources.contains(&format!("'{key}'"))
                    && !stems.into_iter().any(family)
                    // Advice of the doctor's stands under the key of its finding.
                    && !key.ends_with(".do")
                    && !key.starts_with("set.")
            })
            .collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    fn read_all(folder: &Path, sources: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_all(&path, sources);
            } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "html") {
                sources.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn russian_words_follow_their_number() {
        let forms = ["звонок", "звонка", "звонков"];
        let said: Vec<_> =
            [1, 2, 5, 11, 12, 21, 22, 111].map(|n| word(Language::Ru, n, &forms)).into_iter().collect();
        assert_eq!(
            said,
            ["звонок", "звонка", "звонков", "звонков", "звонков", "звонок", "звонка", "звонков"]
        );
    }

    #[test]
    fn the_locale_chooses_the_language() {
        let locale = |wanted: &'static str, value: &'static str| {
            Language::of_locale(move |name| (name == wanted).then(|| value.to_owned()))
        };
        assert_eq!(locale("LANG", "ru_RU.UTF-8"), Language::Ru);
        assert_eq!(locale("LC_ALL", "C"), Language::En);
        assert_eq!(locale("NONE", ""), Language::En);
    }
}
