//! A call and what the CRM knows of its client → the fields of templates.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use minijinja::Value;

use super::filters::Moment;
use crate::logic::{
    call::{Call, Conversation, Direction, LostAfter, MissedAt, Outcome},
    directory::{EntityKind, Known},
    hours::Calendar,
    phone::Phone,
    rules::plan::{Company, Facts},
};

/// The fields of one call; a field that the call does not have is left out, so that templates render it empty.
#[derive(Debug, Clone)]
pub struct Values(pub(super) Value);

impl Values {
    /// Of a call.
    pub fn of(facts: &Facts<'_>, company: &Company<'_>) -> Self {
        let call = facts.call;
        let phone = call.client.as_deref().and_then(Phone::from_canonical);
        let mut root = Group::default();
        root.put("phone", phone.as_ref().map(Phone::as_str));
        root.group("client", client(phone.as_ref(), facts.client, company));
        for (name, kind) in [("contact", EntityKind::Contact), ("company", EntityKind::Company)] {
            let known = facts.client.filter(|known| known.kind == kind);
            root.group(name, known.map_or_else(Group::default, card));
        }
        root.group("lead", facts.client.map_or_else(Group::default, lead));
        root.group("call", story(call, company));
        root.put("did", call.did.as_deref());
        root.group("trunk", trunk(call, company));
        let one = call.last_talked().or_else(|| call.conversations.last());
        root.group("employee", one.map_or_else(Group::default, |one| employee(one, company)));
        root.list("employees", employees(call, company));
        root.list("conversations", call.conversations.iter().map(|one| conversation(one, company)).collect());
        let calendar = Calendar::of_company(company.settings, company.zone);
        root.put("working_time", Some(calendar.is_working(call.started_at)));
        let mut recording = Group::default();
        recording.put("link", facts.link);
        root.group("recording", recording);
        Self(root.into_value())
    }

    /// Names of all fields there are, `trunk.name`, for tests: the catalogue must have them all.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let keys = |value: &Value| -> Vec<String> {
            let map = value.kind() == minijinja::value::ValueKind::Map;
            let keys = map.then(|| value.try_iter().ok()).flatten();
            keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
        };
        for name in keys(&self.0) {
            let inner = keys(&self.0.get_attr(&name).unwrap_or_default());
            match inner.as_slice() {
                [] => names.push(name),
                inner => names.extend(inner.iter().map(|field| format!("{name}.{field}"))),
            }
        }
        names
    }
}

/// Some fields of one name.
#[derive(Default)]
struct Group(BTreeMap<&'static str, Value>);

impl Group {
    fn put(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name, value.into());
        }
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.put(name, Some(text).filter(|text| !text.is_empty()));
    }

    fn at(&mut self, name: &'static str, at: Option<DateTime<Utc>>, company: &Company<'_>) {
        let moment = |at: DateTime<Utc>| Value::from_object(Moment(at.with_timezone(&company.zone)));
        self.put(name, at.map(moment));
    }

    fn group(&mut self, name: &'static str, group: Self) {
        if !group.0.is_empty() {
            self.put(name, Some(group.into_value()));
        }
    }

    fn list(&mut self, name: &'static str, items: Vec<Self>) {
        let items: Vec<Value> = items.into_iter().map(Self::into_value).collect();
        self.put(name, Some(items));
    }

    fn into_value(self) -> Value {
        Value::from_object(self.0)
    }
}

fn client(phone: Option<&Phone>, known: Option<&Known>, company: &Company<'_>) -> Group {
    let mut group = Group::default();
    if let Some(phone) = phone {
        group.put("phone", Some(phone.as_str()));
        group.put("phone_pretty", Some(phone.pretty().unwrap_or_else(|| phone.as_str().to_owned())));
        group.put("phone_national", Some(company.phones.national(phone)));
    }
    group.put("known", Some(known.is_some()));
    if let Some(known) = known {
        group.text("name", &known.name);
        group.put("kind", Some(known.kind.singular()));
        group.put("id", Some(known.id));
        group.put("responsible", Some(known.responsible).filter(|user| *user != 0));
    }
    group.put("open_leads", Some(known.map_or(0, |known| known.leads.len())));
    group
}

fn card(known: &Known) -> Group {
    let mut group = Group::default();
    group.put("id", Some(known.id));
    group.text("name", &known.name);
    group
}

/// The newest open lead.
fn lead(known: &Known) -> Group {
    let mut group = Group::default();
    if let Some(lead) = known.leads.first() {
        group.put("id", Some(lead.id));
        group.put("pipeline", Some(lead.pipeline));
        group.put("status", Some(lead.status));
        group.put("responsible", Some(lead.responsible).filter(|user| *user != 0));
    }
    group
}

fn story(call: &Call, company: &Company<'_>) -> Group {
    let mut group = Group::default();
    group.put("id", Some(call.id.as_str()));
    group.put("direction", Some(direction(call.direction)));
    group.put("kind", kind(call));
    group.put("outcome", Some(call.outcome.as_str()));
    group.put("missed_at", call.missed_at.map(missed_at));
    group.put("lost_after", call.lost_after.map(lost_after));
    group.text("menu", &call.menu_path());
    group.at("started_at", Some(call.started_at), company);
    group.at("answered_at", call.answered_at, company);
    group.at("ended_at", Some(call.ended_at), company);
    group.put("talk_seconds", Some(call.talk_seconds));
    let waited = call.answered_at.unwrap_or(call.ended_at) - call.started_at;
    group.put("wait_seconds", Some(waited.num_seconds().max(0)));
    group
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Internal => "internal",
    }
}

/// The kinds that rules speak of; none for calls among employees.
fn kind(call: &Call) -> Option<&'static str> {
    match (call.direction, call.outcome) {
        (Direction::Inbound, Outcome::Talked) => Some("inbound"),
        (Direction::Inbound, _) => Some("missed"),
        (Direction::Outbound, Outcome::Talked) => Some("outbound"),
        (Direction::Outbound, _) => Some("unanswered"),
        (Direction::Internal, _) => None,
    }
}

const fn missed_at(at: MissedAt) -> &'static str {
    match at {
        MissedAt::Ringing => "ringing",
        MissedAt::Unreachable => "unreachable",
        MissedAt::Queue => "queue",
        MissedAt::Ivr => "ivr",
        MissedAt::Voicemail => "voicemail",
    }
}

const fn lost_after(after: LostAfter) -> &'static str {
    match after {
        LostAfter::Transfer => "transfer",
        LostAfter::Park => "park",
    }
}

/// The line: named by the company number that was dialled, else by the trunk.
fn trunk(call: &Call, company: &Company<'_>) -> Group {
    let mut group = Group::default();
    group.put("id", call.trunk.as_deref());
    group.put("name", company.line_name(call));
    group
}

/// Who a conversation was with: the employee whose phone or mobile it was, or the outside number.
fn employee(one: &Conversation, company: &Company<'_>) -> Group {
    let mut group = Group::default();
    let extension = company.extension_of(one);
    group.text("extension", extension);
    if let Some(employee) = company.settings.employees.get(extension) {
        group.text("name", &employee.name);
        group.put("user", Some(employee.user));
    }
    group
}

fn conversation(one: &Conversation, company: &Company<'_>) -> Group {
    let mut group = employee(one, company);
    group.text("number", &one.party);
    group.put("talked", Some(one.accepted_at.is_some()));
    group.put("talk_seconds", Some(one.talk_seconds));
    group.at("started_at", Some(one.requested_at), company);
    group.at("ended_at", Some(one.ended_at), company);
    group
}

/// Each who was asked, once, in order of the first time.
fn employees(call: &Call, company: &Company<'_>) -> Vec<Group> {
    let mut extensions: Vec<&str> = Vec::new();
    for one in &call.conversations {
        let extension = company.extension_of(one);
        if !extensions.contains(&extension) {
            extensions.push(extension);
        }
    }
    let of = |extension: &&str| {
        let all = || call.conversations.iter().filter(|one| company.extension_of(one) == *extension);
        let mut group = all().next().map_or_else(Group::default, |first| conversation(first, company));
        group.put("talked", Some(all().any(|one| one.accepted_at.is_some())));
        group.put("talk_seconds", Some(all().map(|one| one.talk_seconds).sum::<u32>()));
        group.at("ended_at", all().map(|one| one.ended_at).max(), company);
        group
    };
    extensions.iter().map(of).collect()
}
