//! Names as old desk phones and careless dialplans can take them.

/// Letters, digits, blanks and `.`, `-`, `_`, `+`, `№`; anything else becomes one blank.
pub(super) fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        let combining = ('\u{300}'..='\u{36f}').contains(&letter);
        if letter.is_alphanumeric() || combining || matches!(letter, '.' | '-' | '_' | '+' | '№') {
            out.push(letter);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Russian and its neighbours in Latin letters; what has none is left out.
pub(crate) fn transliterated(name: &str) -> String {
    let mut out = String::with_capacity(name.len() * 2);
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_ascii() {
            out.push(letter);
            continue;
        }
        let small = letter.to_lowercase().next().unwrap_or(letter);
        let latin = latin(small);
        if small == letter {
            out.push_str(latin);
        } else if letters.peek().is_some_and(|next| next.is_uppercase()) {
            out.push_str(&latin.to_ascii_uppercase());
        } else {
            let mut first = latin.chars();
            out.extend(first.next().map(|first| first.to_ascii_uppercase()));
            out.push_str(first.as_str());
        }
    }
    out
}

/// As passports and signs mostly write it (BGN/PCGN without marks).
const fn latin(letter: char) -> &'static str {
    match letter {
        'а' | 'ә' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' | 'ғ' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' | 'є' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' | 'ы' => "y",
        'к' | 'қ' => "k",
        'л' => "l",
        'м' => "m",
        'н' | 'ң' => "n",
        'о' | 'ө' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ў' | 'ұ' | 'ү' => "u",
        'ф' => "f",
        'х' => "kh",
        'һ' => "h",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ю' => "yu",
        'я' => "ya",
        'ї' => "yi",
        '№' => "N",
        '—' | '–' => "-",
        '«' | '»' | '„' | '“' | '”' | '\u{a0}' => " ",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn russian_names_become_latin() {
        for (name, latin) in [
            ("Щербакова Юлия", "Shcherbakova Yuliya"),
            ("ООО ЧАЙКА", "OOO CHAYKA"),
            ("Объездной проезд", "Obezdnoy proezd"),
            ("Їжакевич Ґанна", "Yizhakevich Ganna"),
            ("Smith 101", "Smith 101"),
            ("日本", ""),
        ] {
            assert_eq!(transliterated(name), latin);
        }
    }

    #[test]
    fn only_harmless_characters_are_left() {
        assert_eq!(plain("«Ромашка», (ООО) №1 A-b_c.d+e"), "Ромашка ООО №1 A-b_c.d+e");
        assert_eq!(plain("И\u{306}ван\u{202e}"), "И\u{306}ван");
        assert_eq!(plain("\n\t"), "");
    }
}
