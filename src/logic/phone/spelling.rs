//! What people and trunks write around a number: schemes, labels, separators, letters, extension tails.

/// Digits from here on are a whole number: letters behind it are a tail, not a part of it.
const WHOLE: usize = 7;
/// More is no number, whatever it is.
const LONGEST: usize = 32;

/// Bare digits with a leading `+` when it stood there; none when there is no number in it, or a feature code.
pub(super) fn digits(raw: &str) -> Option<String> {
    let text = inside_the_address(raw.trim());
    let mut out = String::with_capacity(16);
    // Where letters of a vanity number begin, in `out`.
    let mut letters_at = None;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        let count = out.trim_start_matches('+').len();
        match letter {
            '0'..='9' if count == 0 && before.is_alphabetic() => return None,
            '0'..='9' => out.push(letter),
            '+' if out.is_empty() => out.push('+'),
            '*' | '#' if count == 0 => return None,
            ';' => break,
            '+' | '*' | '#' | ',' | '/' if count >= WHOLE => break,
            _ if letter.is_alphabetic() && count > 0 => match keypad(letter) {
                Some(digit) if letters_at.is_some() || begins_a_vanity_word(&text[at..], count) => {
                    letters_at.get_or_insert(out.len());
                    out.push(digit);
                }
                _ => break,
            },
            _ => {}
        }
        before = letter;
        if count > LONGEST {
            return None;
        }
    }
    if let Some(at) = letters_at
        && !(10..=15).contains(&out.trim_start_matches('+').len())
    {
        out.truncate(at);
    }
    (!out.trim_start_matches('+').is_empty()).then_some(out)
}

/// `"Name" <sip:NUMBER@host;params>` → `NUMBER`.
fn inside_the_address(text: &str) -> &str {
    let text = match (text.find('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open + 1 < close => &text[open + 1..close],
        _ => text,
    };
    let text = ["sip:", "sips:", "tel:", "callto:"]
        .iter()
        .find_map(|scheme| {
            let head = text.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
        })
        .unwrap_or(text);
    text.split_once('@').map_or(text, |(user, _)| user)
}

/// `FLOWERS` in `8-800-FLOWERS`, but not `ext 5` and not one stray letter.
fn begins_a_vanity_word(rest: &str, count: usize) -> bool {
    let word = rest.chars().take_while(char::is_ascii_alphabetic).count();
    let tail =
        rest.get(..3).is_some_and(|head| ["ext", "dob"].iter().any(|mark| head.eq_ignore_ascii_case(mark)));
    count < WHOLE && word >= 3 && !tail
}

/// The key that carries a Latin letter.
fn keypad(letter: char) -> Option<char> {
    Some(match letter.to_ascii_uppercase() {
        'A'..='C' => '2',
        'D'..='F' => '3',
        'G'..='I' => '4',
        'J'..='L' => '5',
        'M'..='O' => '6',
        'P'..='S' => '7',
        'T'..='V' => '8',
        'W'..='Z' => '9',
        _ => return None,
    })
}
