//! What the answer to a request means for each call in it: ids, or a failure.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Stop, hold,
    items::key,
    job::{Halt, Job, made, result},
    round::Round,
    work::Work,
};
use crate::{
    edge::{
        amocrm::Failure,
        clock, metrics as counters,
        store::{ActionState, StoredAction},
    },
    logic::{
        crm::{answer::ValidationError, payload},
        directory::{EntityKind, Known, OpenLead},
        retry::{Retry, Waits},
        rules::plan::Action,
    },
};

/// Answers lost in a row after which the CRM as a whole is given a rest.
const LOSSES: u32 = 3;

impl Round<'_> {
    /// The ids of what was made; what the answer leaves out stays in doubt.
    pub(super) async fn take_answer(
        &mut self,
        work: Work,
        picked: &[usize],
        body: &Value,
    ) -> Result<(), Stop> {
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
                id: made(job.action("contact")?)?,
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
            (job.planned("lead"), job.action("lead").and_then(made))
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
    pub(super) async fn take_failure(
        &mut self,
        work: Work,
        picked: &[usize],
        failure: Failure,
    ) -> Result<(), Stop> {
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
