//! What Asterisk asks: its environment, and the question in it.

use std::{borrow::Cow, ops::Range, time::Duration};

use crate::logic::lines::text_of;

/// The `agi_…` lines, raw bytes of whatever encoding the trunk delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    text: Vec<u8>,
    /// Where each name and value lie in `text`.
    lines: Vec<(Range<usize>, Range<usize>)>,
}

impl Environment {
    /// Adds a line.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len();
        let middle = start + name.len();
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        self.lines.push((start..middle, middle..self.text.len()));
    }

    /// The bytes of a variable, the last one when it came twice.
    pub fn bytes_of(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.lines.iter().rev().find(|(at, _)| &self.text[at.clone()] == name.as_bytes())?;
        Some(&self.text[value.clone()])
    }

    /// A variable as text (UTF-8, else Latin-1); none when it is absent or empty or `unknown`, Asterisk's word for that.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = text_of(self.bytes_of(name)?.trim_ascii());
        (!text.is_empty() && text != "unknown").then_some(text)
    }

    /// Whether nothing has come yet.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Number of lines.
    pub(super) const fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Number of bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// Who is asked about, and how long the caller may wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The caller's number, any spelling; none when it is hidden.
    pub phone: Option<String>,
    /// The company number that was dialled.
    pub did: Option<String>,
    /// The caller's patience as the dialplan knows it; only ever lowers ours.
    pub budget: Option<Duration>,
    /// `/name`: who it is, not whose phone should ring.
    pub name_only: bool,
    /// Asterisk's id of the channel, for the log.
    pub channel: Option<String>,
}

impl Question {
    /// Reads path and query of the URL; what they do not say comes from the channel.
    pub fn of(environment: &Environment) -> Self {
        let script = environment.text("agi_network_script").unwrap_or_default();
        let (path, query) = script.split_once('?').unwrap_or((&script, ""));
        let question = Self::of_query(query);
        Self {
            phone: question.phone.or_else(|| environment.text("agi_callerid")),
            did: question.did.or_else(|| environment.text("agi_dnid")),
            budget: question.budget,
            name_only: path.trim_matches('/') == "name",
            channel: environment.text("agi_uniqueid"),
        }
    }

    /// `phone=…&did=…&budget=…`, percent-encoded or not; a plus is a plus.
    pub fn of_query(query: &str) -> Self {
        let mut question = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decoded(value);
            let value = value.trim();
            match key {
                _ if value.is_empty() => {}
                "phone" => question.phone = Some(value.to_owned()),
                "did" => question.did = Some(value.to_owned()),
                "budget" => question.budget = value.parse().ok().map(Duration::from_millis),
                _ => {}
            }
        }
        question
    }
}

/// `%2B7` → `+7`; a percent sign that begins no code stays.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = (*first == b'%').then(|| behind.get(..2)).flatten().and_then(|code| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(code[0])? * 16 + digit(code[1])?).ok()
        });
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(text_of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(lines: &[(&str, &str)]) -> Question {
        let mut environment = Environment::default();
        for (name, value) in lines {
            environment.push(name.as_bytes(), value.as_bytes());
        }
        Question::of(&environment)
    }

    #[test]
    fn the_query_comes_before_the_channel() {
        let asked = question(&[
            ("agi_network_script", "route?phone=%2B7%20916%201234567&did=74951234567&budget=150"),
            ("agi_callerid", "101"),
            ("agi_dnid", "102"),
            ("agi_uniqueid", "1795167864.29"),
        ]);
        assert_eq!(asked.phone.as_deref(), Some("+7 916 1234567"));
        assert_eq!(asked.did.as_deref(), Some("74951234567"));
        assert_eq!(asked.budget, Some(Duration::from_millis(150)));
        assert_eq!(asked.channel.as_deref(), Some("1795167864.29"));
        assert!(!asked.name_only);
    }

    #[test]
    fn a_url_without_a_path_asks_about_the_channel() {
        let asked = question(&[("agi_callerid", "79161234567"), ("agi_dnid", "unknown")]);
        assert_eq!((asked.phone.as_deref(), asked.did), (Some("79161234567"), None));
    }

    #[test]
    fn a_hidden_number_is_none_however_it_is_written() {
        for script in ["route", "route?phone=", "route?phone", "/route?phone=&x=%"] {
            assert_eq!(question(&[("agi_network_script", script), ("agi_callerid", "unknown")]).phone, None);
        }
    }

    #[test]
    fn the_name_path_asks_for_the_name_only() {
        for script in ["name", "/name", "name/", "name?phone=1"] {
            assert!(question(&[("agi_network_script", script)]).name_only, "{script}");
        }
        assert!(!question(&[("agi_network_script", "names")]).name_only);
    }

    #[test]
    fn a_plus_and_a_broken_code_stay_as_they_are() {
        assert_eq!(Question::of_query("phone=+7916&did=1%2").did.as_deref(), Some("1%2"));
        assert_eq!(Question::of_query("phone=+7916").phone.as_deref(), Some("+7916"));
        assert_eq!(Question::of_query("budget=-5&budget=x").budget, None);
        assert_eq!(Question::of_query("phone=%ff%D0%98").phone.as_deref(), Some("ÿÐ\u{98}"));
    }
}
