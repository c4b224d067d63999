//! A finished call → what the CRM is asked to do, each with its reason.
//!
//! # Why call notes and not `POST /api/v4/calls`
//!
//! Calls are written as `call_in`/`call_out` notes (`POST /api/v4/{leads|contacts|companies}/notes`):
//!
//! * **Placement is ours.** `/calls` searches by the last ten digits on the server and drops the call (HTTP 400) when
//!   its search index does not know a contact made a second ago, or hands it to an unrelated company with the same
//!   number. We know the card: with exactly one open lead the call is written there, else on the contact or company.
//!   That is the rule `/calls` itself follows, so cards look the same.
//! * **Exactly once.** Neither way refuses a second call with the same `uniq`. After a lost answer a note is looked for
//!   on the one card it can stand on; with `/calls` every card of the number would have to be searched.
//! * **Batches.** 250 notes a request; a mixed batch of `/calls` has no confirmed answer.
//! * **Later rows.** A note can be changed (`PATCH`), a call of `/calls` only as the note it became.
//!
//! What it means for statistics: `/calls` stores the same two note types, and amoCRM's player, feed and call events
//! read notes; what is lost is only that the server looks for the client itself. Calls of numbers that the CRM does
//! not have are written nowhere by either way: then the call is skipped with the reason.

mod action;
mod again;
mod company;
mod note;

use serde::{Deserialize, Serialize};

pub use action::{Action, CallNote, Place};
pub use company::Company;
use company::say;

use crate::{
    logic::{
        call::{Call, Direction, Outcome},
        directory::{EntityKind, Known},
        template::{self, Shape, Values},
    },
    text,
};

/// An action and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// What.
    pub action: Action,
    /// The setting or rule that said so, a sentence.
    pub reason: String,
}

/// What the rules decided for one call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Why nothing is sent at all.
    pub skip: Option<String>,
    /// In order of sending.
    pub actions: Vec<Planned>,
    /// What was found or left undone, and why; sentences.
    pub remarks: Vec<String>,
}

impl Plan {
    fn skip(reason: String) -> Self {
        Self { skip: Some(reason), ..Self::default() }
    }

    fn act(&mut self, action: Action, reason: String) {
        self.actions.push(Planned { action, reason });
    }
}

/// What the call is in the CRM beside the talk itself.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The story.
    pub call: &'a Call,
    /// The store's key of the call: the mark in the CRM is made of it.
    pub key: &'a str,
    /// To whom the number belongs, as the CRM stands now.
    pub client: Option<&'a Known>,
    /// Signed address of the MP3, when a talk was recorded.
    pub link: Option<&'a str>,
}

/// Why a call is never sent, whatever the CRM knows; none when it is sent.
pub fn skip_reason(call: &Call, company: &Company<'_>) -> Option<String> {
    client_number(call, company).err()
}

/// Decides what one finished call does in the CRM.
pub fn plan(facts: &Facts<'_>, company: &Company<'_>) -> Plan {
    match client_number(facts.call, company) {
        Ok(phone) => plan_for(facts, phone, company),
        Err(reason) => Plan::skip(reason),
    }
}

/// The client's number, or why there is nothing to send.
fn client_number<'a>(call: &'a Call, company: &Company<'_>) -> Result<&'a str, String> {
    let language = company.language;
    if call.direction == Direction::Internal {
        return Err(say(language, "внутренний звонок", "an internal call"));
    }
    if call.outcome == Outcome::NotDialed {
        return Err(say(
            language,
            "сотрудник не снял трубку, клиенту не звонили",
            "the employee did not pick up, the client was never dialled",
        ));
    }
    let Some(phone) = &call.client else {
        return Err(say(
            language,
            "номер скрыт или не распознан: контакт не создаётся, звонок только учтён",
            "the number is hidden or cannot be read: no contact is made, the call is only counted",
        ));
    };
    if let Some(extension) = company.mobile_of(phone) {
        return Err(match language {
            crate::settings::Language::Ru => format!("мобильный сотрудника {extension}: [numbers] mobiles"),
            crate::settings::Language::En => format!("a mobile of employee {extension}: [numbers] mobiles"),
        });
    }
    Ok(phone)
}

fn plan_for(facts: &Facts<'_>, phone: &str, company: &Company<'_>) -> Plan {
    let mut plan = Plan::default();
    let owner = match facts.client {
        Some(known) => company.owner_of_known(facts.call, known),
        None => company.owner_of_new(facts.call),
    };
    let Some(client) = client_place(&mut plan, facts, phone, owner, company) else {
        let text = say(
            company.language,
            "номера нет в CRM, а создание контактов для таких звонков выключено: [base] create_contact",
            "the CRM does not have the number, and making contacts for such calls is off: [base] create_contact",
        );
        return Plan::skip(text);
    };
    let place = lead_place(&mut plan, facts, phone, client, owner, company);
    let note = note::call_note(facts, phone, company);
    let why = match place {
        Place::Lead(_) | Place::NewLead => {
            say(company.language, "у клиента одна открытая сделка", "the client has one open lead")
        }
        _ => say(company.language, "одной открытой сделки нет", "there is no single open lead"),
    };
    plan.act(Action::WriteCall { place, note }, why);
    task(&mut plan, facts, phone, place, owner, company);
    plan
}

/// The card of the client: the one that is there, or one to be made.
fn client_place(
    plan: &mut Plan,
    facts: &Facts<'_>,
    phone: &str,
    owner: Option<u64>,
    company: &Company<'_>,
) -> Option<Place> {
    let language = company.language;
    if let Some(known) = facts.client {
        let name = &known.name;
        plan.remarks.push(match known.kind {
            EntityKind::Contact => {
                say(language, format!("номер у контакта «{name}»"), format!("the number is contact {name}'s"))
            }
            EntityKind::Company => {
                say(language, format!("номер у компании «{name}»"), format!("the number is company {name}'s"))
            }
        });
        return Some(match known.kind {
            EntityKind::Contact => Place::Contact(known.id),
            EntityKind::Company => Place::Company(known.id),
        });
    }
    if !company.allows(company.settings.base.create_contact, facts.call.direction) {
        return None;
    }
    let reason = say(
        language,
        "номера нет в CRM: [base] create_contact",
        "the CRM does not have the number: [base] create_contact",
    );
    let action = Action::CreateContact {
        name: written(plan, facts, ("base.contact_name", Shape::Line), phone, company),
        phone: phone.to_owned(),
        responsible: owner,
        created_at: facts.call.started_at.timestamp(),
    };
    plan.act(action, reason);
    Some(Place::NewContact)
}

/// Where the call is written: on the one open lead, on a lead to be made, else on the client's card.
fn lead_place(
    plan: &mut Plan,
    facts: &Facts<'_>,
    phone: &str,
    client: Place,
    owner: Option<u64>,
    company: &Company<'_>,
) -> Place {
    let language = company.language;
    let open = facts.client.map_or(&[][..], |known| known.leads.as_slice());
    match open {
        [] => {}
        [lead] => {
            plan.remarks.push(say(
                language,
                format!("открытая сделка {} уже есть, новая не создаётся", lead.id),
                format!("lead {} is open already, no new one is made", lead.id),
            ));
            return Place::Lead(lead.id);
        }
        several => {
            plan.remarks.push(say(
                language,
                format!(
                    "открытых сделок {}: звонок пишется клиенту, как делает и сама amoCRM",
                    several.len()
                ),
                format!("{} open leads: the call goes to the client, as amoCRM itself does", several.len()),
            ));
            return client;
        }
    }
    let base = &company.settings.base;
    if !company.allows(base.create_lead, facts.call.direction) {
        plan.remarks.push(say(
            language,
            "сделка не создаётся: [base] create_lead",
            "no lead is made: [base] create_lead",
        ));
        return client;
    }
    let action = Action::CreateLead {
        name: written(plan, facts, ("base.lead_name", Shape::Line), phone, company),
        client,
        pipeline: base.pipeline,
        status: base.status,
        responsible: owner,
        created_at: facts.call.started_at.timestamp(),
    };
    let reason = say(
        language,
        "у клиента нет открытой сделки: [base] create_lead",
        "the client has no open lead: [base] create_lead",
    );
    plan.act(action, reason);
    Place::NewLead
}

/// The text of a template; the number when it gives none, or fails.
fn written(
    plan: &mut Plan,
    facts: &Facts<'_>,
    (key, shape): (&str, Shape),
    phone: &str,
    company: &Company<'_>,
) -> String {
    let settings = company.settings;
    let source = match key {
        "base.contact_name" => &settings.base.contact_name,
        "base.lead_name" => &settings.base.lead_name,
        _ => &settings.tasks.text,
    };
    match template::render(source, shape, &Values::of(facts, company)) {
        Ok(text) if !text.is_empty() => text,
        Ok(_) => phone.to_owned(),
        Err(fault) => {
            let fault = fault.say(company.language);
            plan.remarks.push(text::say(
                company.language,
                "template.left_out",
                &[("key", key), ("fault", &fault)],
            ));
            phone.to_owned()
        }
    }
}

/// A task for a missed call.
fn task(
    plan: &mut Plan,
    facts: &Facts<'_>,
    phone: &str,
    place: Place,
    owner: Option<u64>,
    company: &Company<'_>,
) {
    let tasks = &company.settings.tasks;
    if facts.call.outcome != Outcome::Missed || !tasks.missed {
        return;
    }
    let due = company.due(facts.call.ended_at, tasks.due, owner).unwrap_or_else(|| {
        plan.remarks.push(text::say(company.language, "plan.no_hours", &[]));
        facts.call.ended_at + tasks.due.chrono()
    });
    let action = Action::MakeTask {
        place,
        text: written(plan, facts, ("tasks.text", Shape::Text), phone, company),
        task_type: tasks.task_type,
        responsible: owner,
        complete_till: due.timestamp(),
    };
    let reason = say(company.language, "звонок пропущен: [tasks] missed", "a missed call: [tasks] missed");
    plan.act(action, reason);
}
