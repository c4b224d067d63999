//! One round: calls that are due together go through the same steps together, and share requests.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;

use super::{
    Registrar, Stop,
    job::{Halt, Job},
    lane::Lane,
    sound::Sound,
    work::Work,
};
use crate::{
    edge::{
        clock, metrics as counters,
        store::{ActionState, CallState, StoreError, StoredAction, StoredCall},
    },
    logic::{
        crm::{payload::Target, request::Urgency},
        rules::plan::{Company, Facts, Plan, plan, skip_reason},
    },
    settings::Language,
};

/// If nothing else does, this brings a call back whose MP3 takes long.
const LONG: TimeDelta = TimeDelta::seconds(30);

/// Calls in hand, and what is known for all of them.
pub(super) struct Round<'a> {
    pub(super) registrar: &'a Arc<Registrar>,
    pub(super) urgency: Urgency,
    pub(super) jobs: Vec<Job>,
    active_users: Option<BTreeSet<u64>>,
}

impl Registrar {
    /// Brings calls as far as they get.
    pub(super) async fn deliver(self: &Arc<Self>, lane: Lane, calls: Vec<StoredCall>) -> Result<(), Stop> {
        let mut round = Round::gather(self, lane, calls).await?;
        round.skip_unsent();
        let ended = round.go().await;
        match &ended {
            Err(Stop::Hold(failure)) => {
                let (until, why) = self.hold(failure);
                round.jobs.iter_mut().for_each(|job| job.wait(why.clone(), until));
            }
            // Another node may have them in hand; an answer that is lost to us it finds in the CRM.
            Err(Stop::LeaseLost) => return ended,
            Err(Stop::Store(_)) | Ok(()) => {}
        }
        round.finish().await?;
        match ended {
            Err(Stop::Hold(_)) => Ok(()),
            other => other,
        }
    }

    /// Only skips what is never sent; needs no CRM.
    pub(super) async fn skip_unsent(
        self: &Arc<Self>,
        lane: Lane,
        calls: Vec<StoredCall>,
    ) -> Result<(), StoreError> {
        let mut round = Round::new(self, lane);
        round.jobs = calls.into_iter().map(|call| Job::new(call, Vec::new())).collect();
        round.skip_unsent();
        round.jobs.retain(|job| !job.open());
        round.finish().await
    }
}

impl<'a> Round<'a> {
    fn new(registrar: &'a Arc<Registrar>, lane: Lane) -> Self {
        let users = registrar.parts.directory.users();
        let active = users.iter().filter(|user| user.active).map(|user| user.id).collect();
        Self {
            registrar,
            urgency: lane.urgency(),
            jobs: Vec::new(),
            active_users: (!users.is_empty()).then_some(active),
        }
    }

    async fn gather(
        registrar: &'a Arc<Registrar>,
        lane: Lane,
        calls: Vec<StoredCall>,
    ) -> Result<Self, StoreError> {
        let mut round = Self::new(registrar, lane);
        let keys: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
        let mut actions: HashMap<String, Vec<StoredAction>> = HashMap::new();
        for action in registrar.parts.store.actions_of_calls(&keys).await? {
            actions.entry(action.call_id.clone()).or_default().push(action);
        }
        round.jobs = calls
            .into_iter()
            .map(|call| {
                let own = actions.remove(&call.id).unwrap_or_default();
                Job::new(call, own)
            })
            .collect();
        Ok(round)
    }

    async fn go(&mut self) -> Result<(), Stop> {
        self.settle().await?;
        self.listen().await;
        self.know_clients().await?;
        // A second call of one number is planned when the first has made the client's card.
        while self.plan_next() {
            self.keep_plans().await?;
            self.adopt().await?;
            for work in [Work::Complex, Work::Contact, Work::Lead] {
                self.carry_out(work).await?;
            }
        }
        for target in [Target::Lead, Target::Contact, Target::Company] {
            self.carry_out(Work::Note(target)).await?;
        }
        self.carry_out(Work::Task).await?;
        self.change_notes().await
    }

    pub(super) fn company(&self) -> Company<'_> {
        let parts = &self.registrar.parts;
        Company {
            settings: &parts.settings,
            phones: &parts.phones,
            active_users: self.active_users.as_ref(),
            language: parts.language,
            zone: parts.settings.zone(),
        }
    }

    pub(super) fn language(&self) -> Language {
        self.registrar.parts.language
    }

    /// Calls that are never sent leave at once; one that stands in the CRM already stays there.
    fn skip_unsent(&mut self) {
        let reasons: Vec<Option<String>> = {
            let company = self.company();
            let reason = |job: &Job| skip_reason(&job.stored.call, &company);
            self.jobs.iter().map(|job| reason(job).filter(|_| !job.begun("call"))).collect()
        };
        for (job, reason) in self.jobs.iter_mut().zip(reasons) {
            if reason.is_some() {
                job.plan = Some(Plan { skip: reason, ..Plan::default() });
                job.halt = Some(Halt::Skip);
            }
        }
    }

    /// Recordings of all calls, side by side.
    async fn listen(&mut self) {
        let patience = match self.urgency {
            Urgency::Background => Duration::from_secs(20),
            // Longer ones go on, and other calls first.
            _ => Duration::from_millis(700),
        };
        let open: Vec<usize> = (0..self.jobs.len()).filter(|at| self.jobs[*at].open()).collect();
        let sounds = open.iter().map(|at| self.registrar.sound(&self.jobs[*at].stored, patience));
        let sounds = join_all(sounds).await;
        let converting = match self.language() {
            Language::Ru => "запись разговора переводится в MP3",
            Language::En => "the recording is being turned into MP3",
        };
        for (at, sound) in open.into_iter().zip(sounds) {
            let job = &mut self.jobs[at];
            match sound {
                Sound::Link(link) => job.link = Some(link),
                Sound::Without(remark) => job.remark = remark,
                Sound::Converting => {
                    job.converting = true;
                    job.wait(converting, clock::now() + LONG);
                }
                Sound::Later { reason, at } => job.wait(reason, at),
            }
        }
    }

    /// What a call would do as things stand, over what was begun.
    pub(super) fn planned(&self, job: &Job) -> Plan {
        let client = job.phone.as_ref().and_then(|phone| self.registrar.parts.directory.find(phone));
        let facts = Facts {
            call: &job.stored.call,
            key: &job.stored.id,
            client: client.as_ref(),
            link: job.link.as_deref(),
        };
        plan(&facts, &self.company()).over(job.stored.plan.as_ref(), |kind| job.begun(kind))
    }

    /// Plans the calls that can be planned now: of each client only the first that makes a card or a lead.
    fn plan_next(&mut self) -> bool {
        let mut making: HashSet<String> = HashSet::new();
        let mut any = false;
        for at in 0..self.jobs.len() {
            let job = &self.jobs[at];
            if !job.open() || job.plan.is_some() {
                continue;
            }
            let plan = self.planned(job);
            if makes(job, &plan) {
                if let Some(until) = self.in_doubt(job) {
                    let reason = self.same_number();
                    self.jobs[at].wait(reason, until);
                    continue;
                }
                if !making.insert(job.client().to_owned()) {
                    continue;
                }
            }
            any = true;
            let job = &mut self.jobs[at];
            if plan.skip.is_some() {
                job.halt = Some(Halt::Skip);
            }
            job.plan = Some(plan);
        }
        any
    }

    pub(super) fn same_number(&self) -> String {
        match self.language() {
            Language::Ru => "другой звонок этого номера ещё проверяется в amoCRM",
            Language::En => "another call of this number is still being checked in amoCRM",
        }
        .to_owned()
    }

    /// Until when another call of this client in this round may have made his card.
    fn in_doubt(&self, job: &Job) -> Option<DateTime<Utc>> {
        self.jobs
            .iter()
            .filter(|other| other.client() == job.client() && other.stored.id != job.stored.id)
            .flat_map(|other| &other.actions)
            .filter(|action| matches!(action.kind.as_str(), "contact" | "lead"))
            .filter(|action| action.state == ActionState::Sent)
            .map(|action| action.next_at + TimeDelta::seconds(1))
            .max()
    }

    /// Keeps the actions of fresh plans before anything is sent.
    async fn keep_plans(&mut self) -> Result<(), Stop> {
        let store = &self.registrar.parts.store;
        let (mut kept, mut needless, mut touched) = (Vec::new(), Vec::new(), Vec::new());
        for (at, job) in self.jobs.iter().enumerate().filter(|(_, job)| job.open()) {
            let (own, gone) = job.reconcile();
            if !own.is_empty() || !gone.is_empty() {
                touched.push(at);
            }
            kept.extend(own);
            needless.extend(gone);
        }
        if touched.is_empty() {
            return Ok(());
        }
        store.keep_actions(&kept).await?;
        if !needless.is_empty() {
            store.drop_actions(&needless).await?;
        }
        let keys: Vec<String> = touched.iter().map(|at| self.jobs[*at].stored.id.clone()).collect();
        let fresh = store.actions_of_calls(&keys).await?;
        for at in touched {
            let job = &mut self.jobs[at];
            job.actions = fresh.iter().filter(|action| action.call_id == job.stored.id).cloned().collect();
        }
        Ok(())
    }

    /// Writes what became of every call.
    async fn finish(&self) -> Result<(), StoreError> {
        let turns: Vec<_> = self.jobs.iter().map(|job| job.turn(self.language())).collect();
        self.registrar.parts.store.turn_calls(&turns).await?;
        let converting = self.jobs.iter().filter(|job| job.converting).map(|job| &job.stored.id);
        let ready = self.registrar.converted_meanwhile(converting);
        if !ready.is_empty() {
            self.registrar.hurry(&ready).await;
        }
        for (job, turn) in self.jobs.iter().zip(&turns).filter(|(_, turn)| turn.state != CallState::Waiting) {
            if turn.state == CallState::Registered && self.urgency == Urgency::Live {
                let took = clock::now() - job.stored.call.ended_at;
                metrics::histogram!(counters::REGISTER_SECONDS).record(took.as_seconds_f64());
            }
            let client = job.phone.as_ref().map(|phone| phone.masked()).unwrap_or_default();
            tracing::info!(
                call = job.stored.id,
                client,
                state = turn.state.as_str(),
                reason = turn.reason,
                "call"
            );
        }
        Ok(())
    }
}

/// Whether carrying out this plan makes a card or a lead that is not there yet.
pub(super) fn makes(job: &Job, plan: &Plan) -> bool {
    ["contact", "lead"]
        .into_iter()
        .any(|kind| plan.action(kind).is_some() && job.state(kind) != Some(ActionState::Done))
}
