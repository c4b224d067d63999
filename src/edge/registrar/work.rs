//! Sending: mark, send; what the answers mean stands in [`answers`](super::answers).

use std::sync::atomic::Ordering;

use super::{
    Stop,
    ask::About,
    items::{concrete, key, new_call, new_contact, new_lead, new_task},
    job::{Job, result},
    round::Round,
};
use crate::{
    edge::{clock, store::ActionState},
    logic::{
        crm::{
            payload::{self, Target},
            request::Request,
        },
        rules::plan::Action,
    },
};

/// Notes and tasks of one request; after a lost answer [`payload::BATCH`].
const MANY: usize = 250;

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
    pub(super) fn kinds(self) -> &'static [&'static str] {
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
    pub(super) async fn change(
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
}
