//! Sending: mark, send, read the ids, or know what the failure means for each item.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Stop,
    ask::About,
    hold,
    job::{Halt, Job, result},
    round::Round,
};
use crate::{
    edge::{
        amocrm::Failure,
        clock, metrics as counters,
        store::{ActionState, StoredAction},
    },
    logic::{
        crm::{
            answer::ValidationError,
            payload::{self, NewCall, NewContact, NewLead, NewTask, Target},
            request::Request,
        },
        directory::{EntityKind, Known, OpenLead},
        retry::{Retry, Waits},
        rules::plan::{Action, CallNote, Place},
    },
};

/// Notes and tasks of one request; after a lost answer [`payload::BATCH`].
const MANY: usize = 250;
/// Answers lost in a row after which the CRM as a whole is given a rest.
const LOSSES: u32 = 3;

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A contact and its lead at once.
    Complex,
    /// A contact alone.
    Contact,
    /// A lead of a card that exists.
    Lead,
    /// Calls on cards of one sort.
    Note(Target),
    /// Tasks.
    Task,
}

impl Work {
    /// The actions that it carries out.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Complex => &["contact", "lead"],
            Self::Contact => &["contact"],
            Self::Lead => &["lead"],
            Self::Note(_) => &["call"],
            Self::Task => &["task"],
        }
    }

    fn fits(self, job: &Job) -> bool {
        let card = |kind| match job.planned(kind) {
            Some(Action::CreateLead { client: place, .. })
            | Some(Action::WriteCall { place, .. })
            | Some(Action::MakeTask { place, .. }) => job.resolve(*place),
            _ => None,
        };
        let making = job.wants("contact") || job.wants("lead");
        match self {
            Self::Complex => job.wants("contact") && job.wants("lead"),
            Self::Contact => job.wants("contact") && !job.wants("lead"),
            Self::Lead => job.wants("lead") && !job.wants("contact") && card("lead").is_some(),
            Self::Note(target) => {
                job.wants("call") && !making && card("call").is_some_and(|(own, _)| own == target)
            }
            Self::Task => {
                job.wants("task") && job.state("call") == Some(ActionState::Done) && card("task").is_some()
            }
        }
    }
}

impl Round<'_> {
    /// Takes over what was made meanwhile by somebody else, for plans that were begun earlier.
    pub(super) async fn adopt(&mut self) -> Result<(), Stop> {
        let directory = &self.registrar.parts.directory;
        let mut found = Vec::new();
        for job in &mut self.jobs {
            let Some(known) = job.phone.as_ref().and_then(|phone| directory.find(phone)) else { continue };
            let lead = known.leads.first().map(|lead| ("lead", lead.id));
            for (kind, made) in [("contact", Some((known.kind.singular(), known.id))), ("lead", lead)] {
                let (true, Some((card, id))) = (job.wants(kind), made) else { continue };
                let action = job.action_mut(kind).expect("it is wanted");
                action.state = ActionState::Done;
                action.result = result(card, id, true);
                found.push(action.clone());
            }
        }
        if !found.is_empty() {
            self.registrar.parts.store.keep_actions(&found).await?;
        }
        Ok(())
    }

    /// Sends everything of one kind that this round can send.
    pub(super) async fn carry_out(&mut self, work: Work) -> Result<(), Stop> {
        loop {
            let picked = self.pick(work);
            if picked.is_empty() {
                return Ok(());
            }
            let request = self.request(work, &picked);
            let about = self.mark(work, &picked).await?;
            match self.registrar.ask(request, self.urgency, &about).await {
                Ok(reply) => self.take_answer(work, &picked, &reply.body).await?,
                Err(failure) => self.take_failure(work, &picked, failure).await?,
            }
        }
    }

    /// Calls of the next request.
    fn pick(&self, work: Work) -> Vec<usize> {
        let most = match work {
            Work::Complex | Work::Contact | Work::Lead => payload::BATCH,
            _ if self.registrar.losses.load(Ordering::Relaxed) > 0 => payload::BATCH,
            _ => MANY,
        };
        let fitting = |at: &usize| work.fits(&self.jobs[*at]);
        let mut picked: Vec<usize> = (0..self.jobs.len()).filter(fitting).collect();
        match picked.iter().position(|at| self.jobs[*at].alone) {
            Some(0) => picked.truncate(1),
            Some(first) => picked.truncate(first.min(most)),
            None => picked.truncate(most),
        }
        picked
    }

    fn request(&self, work: Work, picked: &[usize]) -> Request {
        let jobs = || picked.iter().map(|at| &self.jobs[*at]);
        match work {
            Work::Complex => {
                let pairs: Vec<_> =
                    jobs().filter_map(|job| Some((new_lead(job)?, Some(new_contact(job)?)))).collect();
                payload::complex_leads(&pairs)
            }
            Work::Contact => payload::contacts(&jobs().filter_map(new_contact).collect::<Vec<_>>()),
            Work::Lead => payload::leads(&jobs().filter_map(new_lead).collect::<Vec<_>>()),
            Work::Note(target) => {
                payload::call_notes(target, &jobs().filter_map(new_call).collect::<Vec<_>>())
            }
            Work::Task => payload::tasks(&jobs().filter_map(new_task).collect::<Vec<_>>()),
        }
    }

    /// Before a request leaves: whatever happens from here on, the CRM is asked before it is sent again.
    async fn mark(&mut self, work: Work, picked: &[usize]) -> Result<Vec<About>, Stop> {
        if !self.registrar.holds_lease() {
            return Err(Stop::LeaseLost);
        }
        let settled = clock::now() + self.registrar.waits.settle();
        self.change(work, picked, |job, kind| {
            let payload = concrete(job, kind);
            let action = job.action_mut(kind).expect("it was picked");
            action.state = ActionState::Sent;
            action.attempts += 1;
            action.next_at = settled;
            action.payload = payload.unwrap_or_else(|| action.payload.take());
        })
        .await?;
        let about = |at: &usize| {
            let job = &self.jobs[*at];
            let action = job.action(work.kinds()[work.kinds().len() - 1]);
            About { call_id: job.stored.id.clone(), action_id: action.map(|action| action.id), key: key(job) }
        };
        Ok(picked.iter().map(about).collect())
    }

    /// Changes the actions of the picked calls and keeps them, all at once.
    async fn change(
        &mut self,
        work: Work,
        picked: &[usize],
        mut change: impl FnMut(&mut Job, &'static str),
    ) -> Result<(), Stop> {
        let mut changed = Vec::new();
        for at in picked {
            let job = &mut self.jobs[*at];
            for kind in work.kinds() {
                change(job, kind);
                changed.extend(job.action(kind).cloned());
            }
        }
        self.registrar.parts.store.keep_actions(&changed).await?;
        Ok(())
    }

    /// The ids of what was made; what the answer leaves out stays in doubt.
    async fn take_answer(&mut self, work: Work, picked: &[usize], body: &Value) -> Result<(), Stop> {
        let ids = ids(work, body);
        let without_ids = "amoCRM answered without the new id";
        self.change(work, picked, |job, kind| {
            let own = ids.iter().find(|made| made.0 == key(job));
            let action = job.action_mut(kind).expect("it was picked");
            match own.and_then(|made| if kind == "contact" { made.2 } else { Some(made.1) }) {
                Some(id) => {
                    action.state = ActionState::Done;
                    action.reason.clear();
                    action.result = result(kind, id, false);
                    metrics::counter!(counters::ACTIONS, "kind" => kind, "state" => "done").increment(1);
                }
                None => {
                    let at = action.next_at;
                    job.wait(without_ids, at);
                }
            }
        })
        .await?;
        if matches!(work, Work::Complex | Work::Contact | Work::Lead) {
            for at in picked {
                if let Some(known) = self.now_known(&self.jobs[*at]) {
                    self.registrar.parts.directory.learn(known).await;
                }
            }
        }
        Ok(())
    }

    /// The client as the CRM now has him.
    fn now_known(&self, job: &Job) -> Option<Known> {
        let phone = job.phone.as_ref()?;
        let directory = &self.registrar.parts.directory;
        let now = clock::now().timestamp();
        let mut known = directory.find(phone).or_else(|| match job.planned("contact")? {
            Action::CreateContact { name, responsible, created_at, .. } => Some(Known {
                kind: EntityKind::Contact,
                id: super::job::made(job.action("contact")?)?,
                name: name.clone(),
                responsible: responsible.unwrap_or(0),
                created_at: *created_at,
                updated_at: now,
                phones: vec![phone.as_str().to_owned()],
                leads: Vec::new(),
            }),
            _ => None,
        })?;
        if let (Some(Action::CreateLead { pipeline, status, responsible, created_at, .. }), Some(id)) =
            (job.planned("lead"), job.action("lead").and_then(super::job::made))
            && !known.leads.iter().any(|lead| lead.id == id)
        {
            let main = directory.pipelines().into_iter().find(|pipeline| pipeline.main);
            let lead = OpenLead {
                id,
                pipeline: pipeline.or(main.map(|main| main.id)).unwrap_or(0),
                status: status.unwrap_or(0),
                responsible: responsible.unwrap_or(0),
                created_at: *created_at,
                updated_at: now,
            };
            known.leads.insert(0, lead);
        }
        Some(known)
    }

    /// What a failure means for each call of the request.
    async fn take_failure(&mut self, work: Work, picked: &[usize], failure: Failure) -> Result<(), Stop> {
        match &failure {
            Failure::MaybeSent(_) => {
                let (now, waits) = (clock::now(), self.registrar.waits);
                self.change(work, picked, |job, kind| {
                    let action = job.action_mut(kind).expect("it was picked");
                    action.next_at = settled(action, now, waits);
                    action.reason = failure.to_string();
                    let at = action.next_at;
                    job.wait(failure.to_string(), at);
                })
                .await?;
                let lost = self.registrar.losses.fetch_add(1, Ordering::Relaxed) + 1;
                if lost >= LOSSES { Err(Stop::Hold(failure)) } else { Ok(()) }
            }
            _ if hold::concerns_all(&failure) => {
                self.change(work, picked, |job, kind| unsent(job, kind, "")).await?;
                Err(Stop::Hold(failure))
            }
            Failure::Refused { errors, .. } => self.refused(work, picked, &failure, errors).await,
            _ => self.refused(work, picked, &failure, &[]).await,
        }
    }

    /// A batch is refused as a whole: who is named is mended or given up, the others go again without him.
    async fn refused(
        &mut self,
        work: Work,
        picked: &[usize],
        failure: &Failure,
        errors: &[ValidationError],
    ) -> Result<(), Stop> {
        let faults: Vec<Vec<&ValidationError>> = picked
            .iter()
            .enumerate()
            .map(|(index, at)| {
                let (index, key) = (index.to_string(), key(&self.jobs[*at]));
                errors.iter().filter(|error| error.request_id == key || error.request_id == index).collect()
            })
            .collect();
        let nobody_named = faults.iter().all(Vec::is_empty);
        let mut changed = Vec::new();
        for (at, own) in picked.iter().zip(faults) {
            let job = &mut self.jobs[*at];
            if own.is_empty() && picked.len() > 1 {
                job.alone |= nobody_named;
                work.kinds().iter().for_each(|kind| unsent(job, kind, ""));
            } else if own.iter().any(|error| names_a_user(error)) && !job.ownerless {
                job.ownerless = true;
                work.kinds().iter().for_each(|kind| unsent(job, kind, ""));
            } else {
                let reason = if own.is_empty() { failure.to_string() } else { told(&own) };
                for kind in work.kinds() {
                    let action = job.action_mut(kind).expect("it was picked");
                    action.state = ActionState::Failed;
                    action.reason.clone_from(&reason);
                    metrics::counter!(counters::ACTIONS, "kind" => *kind, "state" => "failed").increment(1);
                }
                job.halt = Some(Halt::Fail(format!("amoCRM: {reason}")));
            }
            changed.extend(work.kinds().iter().filter_map(|kind| job.action(kind).cloned()));
        }
        self.registrar.parts.store.keep_actions(&changed).await?;
        Ok(())
    }
}

/// Certainly not carried out: as if it had not been sent.
fn unsent(job: &mut Job, kind: &str, reason: &str) {
    let action = job.action_mut(kind).expect("it was picked");
    action.state = ActionState::Waiting;
    action.attempts -= 1;
    reason.clone_into(&mut action.reason);
}

/// When the CRM may be asked about a request whose answer was lost: later and later.
fn settled(action: &StoredAction, now: DateTime<Utc>, waits: Waits) -> DateTime<Utc> {
    let soonest = now + waits.settle();
    match waits.after(action.attempts.unsigned_abs(), now) {
        Retry::At(at) if action.attempts > 1 => at.max(soonest),
        _ => soonest,
    }
}

fn names_a_user(error: &ValidationError) -> bool {
    ["responsible_user_id", "created_by", "call_responsible"].iter().any(|field| error.path.ends_with(field))
}

fn told(errors: &[&ValidationError]) -> String {
    let one = |error: &&ValidationError| format!("{}: {} ({})", error.path, error.detail, error.code);
    errors.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The `request_id` of a call's part in any request.
fn key(job: &Job) -> String {
    job.stored.id.clone()
}

/// `(request_id, id, contact id)` of everything that was made.
fn ids(work: Work, body: &Value) -> Vec<(String, u64, Option<u64>)> {
    let list = match work {
        Work::Complex => {
            let made = payload::created_complex(body).into_iter();
            return made.map(|one| (one.request_id, one.lead, one.contact)).collect();
        }
        Work::Contact => "contacts",
        Work::Lead => "leads",
        Work::Note(_) => "notes",
        Work::Task => "tasks",
    };
    payload::created(body, list).into_iter().map(|one| (one.request_id, one.id, Some(one.id))).collect()
}

/// The action with the card that it is sent to, for the question whether it happened.
fn concrete(job: &Job, kind: &str) -> Option<Value> {
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

fn new_contact(job: &Job) -> Option<NewContact> {
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

fn new_lead(job: &Job) -> Option<NewLead> {
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

fn new_task(job: &Job) -> Option<NewTask> {
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
