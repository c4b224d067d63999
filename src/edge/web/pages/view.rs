//! Calls as people read them: local time, names, words of their language.

use std::fmt::Display;

use chrono::{DateTime, Local, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::{
    edge::{store::StoredCall, web::App},
    logic::{
        call::{Call, Direction, MissedAt, Outcome, RecordingState},
        directory::Known,
        phone::Phone,
    },
    settings::Language,
    text::say,
};

/// How one visitor sees things.
pub(in crate::edge::web) struct Eye<'a> {
    /// Names and settings.
    pub(super) app: &'a App,
    /// Language of words.
    pub(super) language: Language,
}

/// The client of a call.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::edge::web) struct Client {
    /// The number, readable; empty when hidden or internal.
    pub(super) phone: String,
    /// The name in the CRM; empty when unknown.
    pub(super) name: String,
    /// The card in the CRM; empty when unknown.
    pub(super) link: String,
}

/// A person or a number.
#[derive(Debug, Clone, Serialize)]
pub(in crate::edge::web) struct Party {
    /// Extension or number.
    pub(super) number: String,
    /// Name; empty when unknown.
    pub(super) name: String,
}

/// One line of a list of calls.
#[derive(Debug, Clone, Serialize)]
pub(in crate::edge::web) struct CallLine {
    id: String,
    date: String,
    time: String,
    iso: String,
    direction: &'static str,
    outcome: &'static str,
    outcome_text: String,
    bad: bool,
    client: Client,
    parties: Vec<Party>,
    asked: usize,
    talk: String,
    line: String,
    state: &'static str,
    reason: String,
    until: String,
    recorded: bool,
}

impl Eye<'_> {
    /// A word of the visitor's language.
    pub(super) fn say(&self, key: &str) -> String {
        say(self.language, key, &[])
    }

    /// The same with values put in.
    pub(super) fn say_with(&self, key: &str, values: &[(&str, &str)]) -> String {
        say(self.language, key, values)
    }

    fn format(&self, time: DateTime<Utc>, form: &str) -> String {
        fn in_zone<Z: chrono::TimeZone>(time: &DateTime<Z>, form: &str) -> String
        where
            Z::Offset: Display,
        {
            time.format(form).to_string()
        }
        match self.zone() {
            Some(zone) => in_zone(&time.with_timezone(&zone), form),
            None => in_zone(&time.with_timezone(&Local), form),
        }
    }

    fn zone(&self) -> Option<Tz> {
        self.app.settings.pbx.timezone
    }

    /// Name of the zone that times are shown in.
    pub(super) fn zone_name(&self, now: DateTime<Utc>) -> String {
        match self.zone() {
            Some(zone) => zone.name().to_owned(),
            None => self.format(now, "UTC%:z"),
        }
    }

    /// `20.11.2026`.
    pub(super) fn date(&self, time: DateTime<Utc>) -> String {
        self.format(time, if self.language == Language::Ru { "%d.%m.%Y" } else { "%Y-%m-%d" })
    }

    /// `11:42:07`.
    pub(super) fn time(&self, time: DateTime<Utc>) -> String {
        self.format(time, "%H:%M:%S")
    }

    /// Date and time.
    pub(super) fn moment(&self, time: DateTime<Utc>) -> String {
        format!("{} {}", self.date(time), self.time(time))
    }

    /// The first second of a local day written `2026-11-20`.
    pub(super) fn day_begins(&self, day: &str, days_later: i64) -> Option<DateTime<Utc>> {
        let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
        let midnight = (day + TimeDelta::days(days_later)).and_hms_opt(0, 0, 0)?;
        // In zones that change at midnight the day begins an hour later.
        let late = midnight + TimeDelta::hours(1);
        match self.zone() {
            Some(zone) => [midnight, late]
                .iter()
                .find_map(|at| at.and_local_timezone(zone).earliest())
                .map(|at| at.to_utc()),
            None => [midnight, late]
                .iter()
                .find_map(|at| at.and_local_timezone(Local).earliest())
                .map(|at| at.to_utc()),
        }
    }

    /// `2 h 03 min`, `4 d`: for people.
    pub(super) fn ago(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> String {
        let seconds = (now - since).num_seconds().max(0);
        let (key, n) = match seconds {
            0..60 => ("ago.seconds", seconds),
            60..3_600 => ("ago.minutes", seconds / 60),
            3_600..172_800 => ("ago.hours", seconds / 3_600),
            _ => ("ago.days", seconds / 86_400),
        };
        say(self.language, key, &[("n", &n.to_string())])
    }

    /// The client, by the directory's name.
    pub(super) fn client(&self, call: &Call) -> Client {
        let Some(phone) = call.client.as_deref().and_then(Phone::from_canonical) else {
            return Client::default();
        };
        let known = self.app.directory.find(&phone);
        Client {
            phone: readable(phone.as_str()),
            name: known.as_ref().map(|known| named(&known.name, &phone)).unwrap_or_default(),
            link: known.as_ref().and_then(|known| self.card(known)).unwrap_or_default(),
        }
    }

    fn card(&self, known: &Known) -> Option<String> {
        self.crm_link(known.kind.plural(), known.id)
    }

    /// The address of a card in the CRM; `plural` is `contacts`, `companies` or `leads`.
    pub(super) fn crm_link(&self, plural: &str, id: u64) -> Option<String> {
        let base = self.app.settings.amocrm.base_url.trim_end_matches('/');
        (!base.is_empty()).then(|| format!("{base}/{plural}/detail/{id}"))
    }

    /// An extension with its employee's name, or a number.
    pub(super) fn party(&self, party: &str) -> Party {
        let employee = self.app.settings.employees.get(party);
        let name = employee.map(|employee| match self.app.directory.user(employee.user) {
            Some(user) if employee.name.is_empty() => user.name,
            _ => employee.name.clone(),
        });
        Party { number: readable(party), name: name.unwrap_or_default() }
    }

    /// The line's name, else endpoint and number.
    pub(super) fn line(&self, call: &Call) -> String {
        let trunks = &self.app.settings.trunks;
        let names = [call.did.as_deref(), call.trunk.as_deref()];
        let named = names.iter().flatten().find_map(|name| trunks.get(*name)).map(|trunk| trunk.name.clone());
        match named.filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => names.iter().flatten().next().map(|name| readable(name)).unwrap_or_default(),
        }
    }

    /// What came of it, in words.
    pub(super) fn outcome(&self, call: &Call) -> String {
        let word = self.say(&format!("outcome.{}", word(call.outcome)));
        let more = match (call.missed_at, call.lost_after) {
            (Some(MissedAt::Ivr), _) if !call.menus.is_empty() => {
                Some(format!("{} {}", self.say("missed_at.ivr"), call.menu_path()))
            }
            (Some(place), _) => Some(self.say(&format!("missed_at.{}", word_of(&place)))),
            (None, Some(after)) => Some(self.say(&format!("lost_after.{}", word_of(&after)))),
            _ => None,
        };
        match more {
            Some(more) => format!("{word}, {more}"),
            None => word,
        }
    }

    /// A line of a list.
    pub(in crate::edge::web) fn call_line(&self, stored: &StoredCall) -> CallLine {
        let call = &stored.call;
        let talked = call.conversations.iter().filter(|one| one.accepted_at.is_some());
        let mut parties: Vec<Party> = Vec::new();
        for one in talked {
            let party = self.party(&one.party);
            if parties.last().is_none_or(|last| last.number != party.number) {
                parties.push(party);
            }
        }
        CallLine {
            id: stored.id.clone(),
            date: self.date(call.started_at),
            time: self.time(call.started_at),
            iso: call.started_at.to_rfc3339(),
            direction: direction(call.direction),
            outcome: word(call.outcome),
            outcome_text: self.outcome(call),
            bad: matches!(call.outcome, Outcome::Missed),
            client: self.client(call),
            asked: call.conversations.len(),
            parties,
            talk: if call.talk_seconds > 0 {
                clock_span(i64::from(call.talk_seconds))
            } else {
                String::new()
            },
            line: self.line(call),
            state: stored.state.as_str(),
            reason: stored.reason.clone(),
            until: stored.next_at.map(|at| self.time(at)).unwrap_or_default(),
            recorded: call.recordings.iter().any(|one| one.state == RecordingState::Ready),
        }
    }
}

/// `inbound`, `outbound`, `internal`.
pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Internal => "internal",
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Talked => "talked",
        Outcome::Missed => "missed",
        Outcome::NoAnswer => "no_answer",
        Outcome::Busy => "busy",
        Outcome::Failed => "failed",
        Outcome::NotDialed => "not_dialed",
    }
}

/// The contract's word of a plain enum.
pub(super) fn word_of<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

/// A card's name; none when it only repeats the number, as of cards that we made for callers not known.
fn named(name: &str, phone: &Phone) -> String {
    let is_number = name.chars().all(|sign| sign.is_ascii_digit() || "+-() ".contains(sign));
    let digits = || name.chars().filter(char::is_ascii_digit);
    let repeats = is_number && digits().eq(phone.as_str().chars().filter(char::is_ascii_digit));
    if repeats { String::new() } else { name.to_owned() }
}

/// `2:05`, `1:02:03`.
pub(super) fn clock_span(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `+79161234567` → `+7 916 123-45-67`; other numbers stay as they are.
pub(super) fn readable(number: &str) -> String {
    match number.strip_prefix("+7") {
        Some(rest) if rest.len() == 10 && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("+7 {} {}-{}-{}", &rest[..3], &rest[3..6], &rest[6..8], &rest[8..])
        }
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_the_number_is_no_name() {
        let phone = Phone::from_canonical("+79161234567").unwrap();
        assert_eq!(named("+7 (916) 123-45-67", &phone), "");
        assert_eq!(named("Анна 79161234567", &phone), "Анна 79161234567");
        assert_eq!(named("+79160000000", &phone), "+79160000000");
    }

    #[test]
    fn spans_and_numbers_are_readable() {
        assert_eq!(clock_span(5), "0:05");
        assert_eq!(clock_span(3_723), "1:02:03");
        assert_eq!(readable("+79161234567"), "+7 916 123-45-67");
        assert_eq!(readable("101"), "101");
        assert_eq!(readable("+4930123456"), "+4930123456");
    }
}
