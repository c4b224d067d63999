//! A call's actions as items of requests.

use serde_json::Value;

use super::job::Job;
use crate::logic::{
    crm::payload::{NewCall, NewContact, NewLead, NewTask, Target},
    rules::plan::{Action, CallNote, Place},
};

/// The `request_id` of a call's part in any request.
pub(super) fn key(job: &Job) -> String {
    job.stored.id.clone()
}

/// The action with the card that it is sent to, for the question whether it happened.
pub(super) fn concrete(job: &Job, kind: &str) -> Option<Value> {
    let card = |place: &Place| {
        job.resolve(*place).map(|(target, id)| match target {
            Target::Lead => Place::Lead(id),
            Target::Contact => Place::Contact(id),
            Target::Company => Place::Company(id),
        })
    };
    let mut action = job.planned(kind)?.clone();
    match &mut action {
        Action::CreateContact { .. } => {}
        Action::CreateLead { client: place, .. }
        | Action::WriteCall { place, .. }
        | Action::MakeTask { place, .. } => *place = card(place).unwrap_or(*place),
    }
    serde_json::to_value(action).ok()
}

pub(super) fn new_contact(job: &Job) -> Option<NewContact> {
    let Action::CreateContact { name, phone, responsible, created_at } = job.planned("contact")? else {
        return None;
    };
    Some(NewContact {
        request_id: key(job),
        name: name.clone(),
        responsible: responsible.filter(|_| !job.ownerless),
        phones: vec![phone.clone()],
        created_at: *created_at,
        tags: Vec::new(),
    })
}

pub(super) fn new_lead(job: &Job) -> Option<NewLead> {
    let Action::CreateLead { name, client, pipeline, status, responsible, created_at } =
        job.planned("lead")?
    else {
        return None;
    };
    let card = job.resolve(*client);
    let of = |target| card.filter(|(own, _)| *own == target).map(|(_, id)| id);
    Some(NewLead {
        request_id: key(job),
        name: name.clone(),
        pipeline: *pipeline,
        status: *status,
        responsible: responsible.filter(|_| !job.ownerless),
        created_at: *created_at,
        tags: Vec::new(),
        contact: of(Target::Contact),
        company: of(Target::Company),
    })
}

/// The call of a job as amoCRM is told it.
pub(super) fn new_call(job: &Job) -> Option<NewCall> {
    let Action::WriteCall { place, note } = job.planned("call")? else { return None };
    let CallNote {
        inbound,
        uniq,
        phone,
        duration,
        status,
        result,
        user,
        party,
        responsible,
        link,
        source,
        created_at,
    } = note.clone();
    Some(NewCall {
        request_id: key(job),
        entity_id: job.resolve(*place)?.1,
        inbound,
        uniq,
        duration,
        source,
        phone,
        link,
        status: Some(status),
        result,
        user: user.filter(|_| !job.ownerless),
        party,
        responsible: responsible.filter(|_| !job.ownerless),
        created_at,
    })
}

pub(super) fn new_task(job: &Job) -> Option<NewTask> {
    let Action::MakeTask { place, text, task_type, responsible, complete_till } = job.planned("task")? else {
        return None;
    };
    let (target, target_id) = job.resolve(*place)?;
    Some(NewTask {
        request_id: key(job),
        text: text.clone(),
        complete_till: *complete_till,
        task_type: *task_type,
        responsible: responsible.filter(|_| !job.ownerless),
        target,
        target_id,
    })
}
