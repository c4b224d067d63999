//! Where names, filters and tests stand in a template: minijinja says which names it uses, but not where.

/// Each with the byte where it begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Fields, `trunk.name`.
    pub(super) names: Vec<(usize, String)>,
    /// What stands after `|`, or after `{% filter`.
    pub(super) filters: Vec<(usize, String)>,
    /// What stands after `is`.
    pub(super) tests: Vec<(usize, String)>,
}

/// Reads the inside of the tags; texts, comments and `{% raw %}` are passed over.
pub(super) fn used(source: &str) -> Used {
    let mut used = Used::default();
    let mut at = 0;
    while let Some(open) = source[at..].find('{').map(|found| at + found) {
        let end = match source.as_bytes().get(open + 1) {
            Some(b'#') => source[open..].find("#}").map(|found| open + found + 2),
            Some(b'{') => Some(inside(source, open + 2, "}}", &mut used)),
            Some(b'%') => {
                let block = source[open + 2..].trim_start_matches(['-', '+', ' ']);
                let raw = block.starts_with("raw").then(|| source[open..].find("endraw")).flatten();
                Some(raw.map_or_else(|| inside(source, open + 2, "%}", &mut used), |found| open + found))
            }
            _ => Some(open + 1),
        };
        match end {
            Some(end) => at = end,
            None => break,
        }
    }
    used
}

/// One tag from behind its opening; gives the place behind its end.
fn inside(source: &str, from: usize, close: &str, used: &mut Used) -> usize {
    let mut at = from;
    let mut before = "";
    while let Some(letter) = source[at..].chars().next() {
        if source[at..].starts_with(close) {
            return at + close.len();
        }
        if letter == '"' || letter == '\'' {
            at = behind_text(source, at, letter);
            before = "text";
        } else if letter.is_alphabetic() || letter == '_' {
            let rest = &source[at..];
            let part = |letter: char| letter.is_alphanumeric() || letter == '_';
            let path = |letter: char| part(letter) || letter == '.';
            let word = &rest[..rest.find(|letter| !part(letter)).unwrap_or(rest.len())];
            let whole = rest[..rest.find(|letter| !path(letter)).unwrap_or(rest.len())].trim_end_matches('.');
            match before {
                "|" | "filter" => used.filters.push((at, word.to_owned())),
                "is" | "is not" if word != "not" => used.tests.push((at, word.to_owned())),
                "." => {}
                _ => used.names.push((at, whole.to_owned())),
            }
            let is_filter_block = word == "filter" && before.is_empty();
            before = match (before, word) {
                ("is", "not") => "is not",
                (_, "is") => "is",
                _ if is_filter_block => "filter",
                _ => "word",
            };
            at += if before == "word" && !matches!(word, "is" | "not") {
                whole.len().max(word.len())
            } else {
                word.len()
            };
        } else {
            if !letter.is_whitespace() && letter != '-' {
                before = match letter {
                    '|' => "|",
                    '.' => ".",
                    _ => "sign",
                };
            }
            at += letter.len_utf8();
        }
    }
    source.len()
}

/// Behind the closing quote.
fn behind_text(source: &str, from: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in source[from + 1..].char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return from + 1 + at + 1,
            _ => {}
        }
    }
    source.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(found: &[(usize, String)]) -> Vec<&str> {
        found.iter().map(|(_, word)| word.as_str()).collect()
    }

    #[test]
    fn names_filters_and_tests_are_found_where_they_stand() {
        let source = "Ж {{ trunk.name|upper or 'a|b is c' }}{# x|y #}{% if did is not defined %}{{did | trim|d(phone)}}{% endif %}";
        let used = used(source);
        assert_eq!(words(&used.filters), ["upper", "trim", "d"]);
        assert_eq!(words(&used.tests), ["defined"]);
        for name in ["trunk.name", "did", "phone"] {
            let (at, _) = used.names.iter().find(|(_, found)| found == name).expect(name);
            assert!(source[*at..].starts_with(name), "{name}");
        }
    }

    #[test]
    fn raw_blocks_filter_blocks_and_half_a_tag_do_no_harm() {
        let used = used("{% raw %}{{ a|b }}{% endraw %}{%- filter upper -%}{{ did|lower }}{% endfilter %}{");
        assert_eq!(words(&used.filters), ["upper", "lower"]);
        assert!(!words(&used.names).contains(&"a"));
        for half in ["{{", "{{ 'a", "{%", "{#", "{{ a|", "{", "{{ \"\\"] {
            let _ = super::used(half);
        }
    }
}
