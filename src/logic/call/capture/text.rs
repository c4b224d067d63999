//! Free text: paths, contexts, whatever a dialplan wrote. Ids, dates and common words stay.

use std::collections::{BTreeMap, BTreeSet};

use super::{Disguise, words};
use crate::logic::call::{
    CallRows, extra,
    time::{Written, epoch, system},
};

/// What stands in texts and is neither number nor name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Uniqueids, each with what stands for it (another systemname), longest first.
    ids: Vec<(String, String)>,
    /// Days of the call and their neighbours, `20261120`.
    days: BTreeSet<String>,
    /// Seconds that stand in the uniqueids.
    seconds: BTreeSet<String>,
}

impl Known {
    pub(super) fn of(rows: &CallRows) -> Self {
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        let mut days = BTreeSet::new();
        let mut times: Vec<&str> = Vec::new();
        for row in &rows.cdr {
            ids.extend([row.uniqueid.as_str(), row.linkedid.as_str()]);
            times.push(&row.calldate);
        }
        for row in &rows.cel {
            ids.extend([row.uniqueid.as_str(), row.linkedid.as_str()]);
            ids.extend(extra::other_channels(row));
            times.push(&row.eventtime);
        }
        for time in times.into_iter().filter_map(Written::parse) {
            for day in -1..=1 {
                days.insert((time.rough() + chrono::Duration::days(day)).format("%Y%m%d").to_string());
            }
        }
        ids.retain(|id| epoch(id).is_some());
        let seconds = ids.iter().filter_map(|id| epoch(id)).map(|second| second.to_string()).collect();
        let mut systems: BTreeMap<&str, String> = BTreeMap::new();
        let mut disguised: Vec<(String, String)> = Vec::new();
        for id in ids {
            let name = system(id);
            let count = systems.len();
            let made = systems.entry(name).or_insert_with(|| match name {
                "" => String::new(),
                _ => format!("pbx{}-", words::letters(count)),
            });
            let tail = if name.is_empty() { id } else { &id[name.len() + 1..] };
            disguised.push((id.to_owned(), format!("{made}{tail}")));
        }
        disguised.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        Self { ids: disguised, days, seconds }
    }

    /// The id of a channel or call.
    pub(super) fn id(&self, id: &str) -> Option<&str> {
        self.ids.iter().find(|(own, _)| own == id).map(|(_, made)| made.as_str())
    }

    /// The id that a text begins with.
    fn at(&self, text: &str) -> Option<&(String, String)> {
        let whole = |id: &str| {
            text.strip_prefix(id).is_some_and(|rest| !rest.starts_with(|sign: char| sign.is_ascii_digit()))
        };
        self.ids.iter().find(|(id, _)| whole(id))
    }

    /// Made-up ids, to tell them from numbers.
    pub(super) fn made(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(|(_, made)| made.as_str())
    }

    /// Days and seconds that may stand in a text.
    pub(super) fn times(&self) -> impl Iterator<Item = &str> {
        self.days.iter().chain(&self.seconds).map(String::as_str)
    }
}

/// What a run of digits is by those before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Anything,
    /// A day of the call: a time of day may follow, `20261120-125823`.
    Day,
}

impl Disguise<'_> {
    /// Any text.
    pub(super) fn text(&mut self, text: &str) -> String {
        let (mut out, mut rest, mut before, mut after) = (String::new(), text, ' ', After::Anything);
        while let Some(sign) = rest.chars().next() {
            let known = if before.is_alphanumeric() { None } else { self.known.at(rest) };
            let taken = if let Some((id, made)) = known {
                out.push_str(made);
                after = After::Anything;
                id.len()
            } else if let Some(length) = address(rest).filter(|_| !before.is_ascii_digit()) {
                out.push_str(&self.host(&rest[..length]));
                after = After::Anything;
                length
            } else if let Some(length) = spaced(rest).filter(|_| !before.is_ascii_digit()) {
                out.push_str(&self.spelled(&rest[..length]));
                after = After::Anything;
                length
            } else if sign.is_ascii_digit() {
                let length = rest.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len());
                let (made, now) = self.digits(&rest[..length], after);
                out.push_str(&made);
                after = now;
                length
            } else if sign.is_alphabetic() {
                let length = rest.find(|sign: char| !sign.is_alphabetic()).unwrap_or(rest.len());
                out.push_str(&self.words.word(&rest[..length]));
                after = After::Anything;
                length
            } else {
                out.push(sign);
                if !['-', '_'].contains(&sign) {
                    after = After::Anything;
                }
                sign.len_utf8()
            };
            before = rest[..taken].chars().next_back().unwrap_or(' ');
            rest = &rest[taken..];
        }
        out
    }

    fn digits(&mut self, digits: &str, after: After) -> (String, After) {
        if self.known.days.contains(digits) {
            return (digits.to_owned(), After::Day);
        }
        let of_day = |text: &str| {
            let below =
                |from: usize, limit: u32| text[from..from + 2].parse::<u32>().is_ok_and(|part| part < limit);
            text.len() == 6 && below(0, 24) && below(2, 60) && below(4, 61)
        };
        let joined = digits.len() == 14 && self.known.days.contains(&digits[..8]) && of_day(&digits[8..]);
        if joined || (after == After::Day && of_day(digits)) || self.known.seconds.contains(digits) {
            return (digits.to_owned(), After::Anything);
        }
        (self.numbers.run(digits), After::Anything)
    }

    /// A host's address, from those kept for documentation.
    fn host(&mut self, host: &str) -> String {
        let count = self.hosts.len();
        let made = || {
            if host.starts_with('[') {
                "[2001:db8::1]".to_owned()
            } else {
                format!("192.0.2.{}", count % 250 + 1)
            }
        };
        self.hosts.entry(host.to_owned()).or_insert_with(made).clone()
    }

    /// A number as people and trunks write it, `+7 (916) 123-45-67`; any other text as such.
    pub(super) fn number(&mut self, text: &str) -> String {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let spelled = |sign: char| sign.is_ascii_digit() || "+()- .".contains(sign);
        if digits.len() < super::numbers::SHORTEST || !text.chars().all(spelled) || address(text).is_some() {
            return self.text(text);
        }
        self.spelled(text)
    }

    /// A number with whatever stands between its digits.
    fn spelled(&mut self, text: &str) -> String {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let made = self.numbers.run(&digits);
        let mut made = made.chars();
        text.chars()
            .map(|sign| if sign.is_ascii_digit() { made.next().unwrap_or('0') } else { sign })
            .collect()
    }
}

/// Length of a number that a person wrote in groups, `8 916 123-45-67`, at the beginning of a text. A longer run of digits
/// is a number by itself.
fn spaced(text: &str) -> Option<usize> {
    if !text.starts_with(|sign: char| sign.is_ascii_digit() || sign == '(') {
        return None;
    }
    let end =
        text.find(|sign: char| !(sign.is_ascii_digit() || " ()-.".contains(sign))).unwrap_or(text.len());
    let number = text[..end].trim_end_matches([' ', '(', '-', '.']);
    let groups = || number.split(|sign: char| !sign.is_ascii_digit()).filter(|group| !group.is_empty());
    let digits: usize = groups().map(str::len).sum();
    let short = groups().all(|group| group.len() < super::numbers::SHORTEST);
    (short && groups().count() > 1 && (7..=15).contains(&digits)).then_some(number.len())
}

/// Length of an IP address at the beginning of a text.
fn address(text: &str) -> Option<usize> {
    if text.starts_with('[') {
        let end = text.find(']')?;
        let inside = &text[1..end];
        let is_address =
            inside.contains(':') && inside.chars().all(|sign| sign.is_ascii_hexdigit() || sign == ':');
        return is_address.then_some(end + 1);
    }
    let length = text.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(text.len());
    let candidate = text[..length].trim_end_matches('.');
    let parts: Vec<&str> = candidate.split('.').collect();
    let byte = |part: &&str| part.len() <= 3 && part.parse::<u8>().is_ok();
    (parts.len() == 4 && parts.iter().all(byte)).then_some(candidate.len())
}
