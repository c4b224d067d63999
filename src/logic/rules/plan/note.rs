//! A call in amoCRM's words.

use super::{CallNote, Company, Facts, company::say};
use crate::logic::{
    call::{Call, Conversation, Direction, MissedAt, Outcome},
    crm::payload::CallStatus,
};

/// Our mark of a call in the CRM; never changes for a call.
fn mark(key: &str) -> String {
    format!("perezvon-{key}")
}

/// What is written for a call of a client.
pub(super) fn call_note(facts: &Facts<'_>, phone: &str, company: &Company<'_>) -> CallNote {
    let call = facts.call;
    let one = call.last_talked().or_else(|| call.conversations.last());
    let owner = facts.client.and_then(|known| company.active(known.responsible));
    let fallback = owner.or_else(|| company.default_user());
    CallNote {
        inbound: call.direction == Direction::Inbound,
        uniq: mark(facts.key),
        phone: phone.to_owned(),
        duration: call.talk_seconds,
        status: status(call),
        result: result(call, company)
            .into_iter()
            .chain(cut(call, company))
            .reduce(|one, other| format!("{one}; {other}")),
        user: match one {
            Some(one) => company.user_of(one),
            None => fallback,
        },
        party: one.map(|one| shown(one, company)),
        responsible: company.employee_of(call).or(fallback),
        link: facts.link.map(str::to_owned),
        source: company.settings.base.source.clone(),
        created_at: call.started_at.timestamp(),
    }
}

/// "Wrong number" is never claimed: a line that refused does not know whether the number was wrong.
fn status(call: &Call) -> CallStatus {
    match (call.outcome, call.missed_at) {
        (Outcome::Talked, _) => CallStatus::Talked,
        (Outcome::Busy, _) => CallStatus::Busy,
        (Outcome::Missed, Some(MissedAt::Voicemail)) => CallStatus::LeftMessage,
        (Outcome::Missed | Outcome::NoAnswer | Outcome::Failed | Outcome::NotDialed, _) => {
            CallStatus::NoAnswer
        }
    }
}

/// Who talked, in turn; or who did not answer, or why nobody was asked.
fn result(call: &Call, company: &Company<'_>) -> Option<String> {
    let language = company.language;
    let talks: Vec<String> = call
        .conversations
        .iter()
        .filter(|one| one.accepted_at.is_some())
        .map(|one| format!("{} {}:{:02}", shown(one, company), one.talk_seconds / 60, one.talk_seconds % 60))
        .collect();
    if talks.len() > 1 {
        return Some(talks.join(" → "));
    }
    if talks.len() == 1 {
        return None;
    }
    match (call.outcome, call.missed_at) {
        (Outcome::Missed, Some(MissedAt::Voicemail)) => Some(say(language, "голосовая почта", "voicemail")),
        (Outcome::Missed, Some(MissedAt::Ivr)) => {
            let path = call.menu_path();
            let text = say(language, "положил трубку в голосовом меню", "hung up in the menu");
            Some(if path.is_empty() { text } else { format!("{text} {path}") })
        }
        (Outcome::Missed, at) => Some(unanswered(call, at, company)),
        (Outcome::Failed, _) => {
            Some(say(language, "линия или номер отказали", "the line or the number refused"))
        }
        _ => None,
    }
}

/// The PBX never told the end.
fn cut(call: &Call, company: &Company<'_>) -> Option<String> {
    let text = || {
        say(company.language, "АТС остановилась посреди звонка", "the PBX stopped in the middle of the call")
    };
    call.cut.then(text)
}

fn unanswered(call: &Call, at: Option<MissedAt>, company: &Company<'_>) -> String {
    const SHOWN: usize = 5;
    let mut asked: Vec<String> = Vec::new();
    for one in &call.conversations {
        let name = shown(one, company);
        if !asked.contains(&name) {
            asked.push(name);
        }
    }
    if asked.is_empty() {
        return match at {
            Some(MissedAt::Queue) => say(company.language, "не дождался в очереди", "gave up in the queue"),
            _ => say(company.language, "ни один телефон не звонил", "no phone rang"),
        };
    }
    let more = asked.len().saturating_sub(SHOWN);
    let mut names = asked[..asked.len() - more].join(", ");
    if more > 0 {
        names.push_str(&say(company.language, format!(" и ещё {more}"), format!(" and {more} more")));
    }
    say(company.language, format!("не ответили: {names}"), format!("did not answer: {names}"))
}

/// `101 Anna`, `101`, or the number that it was forwarded to.
fn shown(one: &Conversation, company: &Company<'_>) -> String {
    let extension = company.extension_of(one);
    match company.settings.employees.get(extension) {
        Some(employee) if !employee.name.is_empty() => format!("{extension} {}", employee.name),
        _ => extension.to_owned(),
    }
}
