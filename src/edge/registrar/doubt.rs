//! A request whose answer is missing: did it happen? The CRM is asked by our marks before anything is sent again.
//!
//! | what | mark |
//! |---|---|
//! | contact | anybody with the number: then none needs to be made |
//! | lead | an open one of that client, or one that began in the call's second, by now closed |
//! | call | `uniq` among the call notes of the card |
//! | task | text and time on the card, unless it is another call's task |

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::TimeDelta;
use serde_json::Value;

use super::{
    Stop,
    ask::About,
    job::{Halt, Job, made, result},
    round::Round,
};
use crate::{
    edge::{clock, store::ActionState},
    logic::{
        crm::{
            payload::{Target, uniqs_of_notes},
            read,
            request::Request,
        },
        directory::Known,
        retry,
        rules::plan::Action,
    },
    settings::Language,
};

/// Cards of one question; longer addresses are cut.
const CARDS: usize = 50;
/// Pages of 250 that are read for one question.
const PAGES: u32 = 40;

impl Round<'_> {
    /// Settles every action that may have happened; those whose time has not come yet wait.
    pub(super) async fn settle(&mut self) -> Result<(), Stop> {
        let now = clock::now();
        let language = self.language();
        for job in &mut self.jobs {
            let sent = job.actions.iter().filter(|action| action.state == ActionState::Sent);
            if let Some(at) = sent.map(|action| action.next_at).filter(|at| *at > now).max() {
                job.wait(asks_at(language, at), at);
            }
        }
        self.settle_cards().await?;
        self.settle_notes().await?;
        self.settle_tasks().await
    }

    fn doubtful(&self, kind: &str) -> Vec<usize> {
        let sent = |at: &usize| {
            let job = &self.jobs[*at];
            job.open() && job.state(kind) == Some(ActionState::Sent)
        };
        (0..self.jobs.len()).filter(sent).collect()
    }

    /// Contacts and leads.
    async fn settle_cards(&mut self) -> Result<(), Stop> {
        let mut doubtful = self.doubtful("contact");
        doubtful.extend(self.doubtful("lead"));
        doubtful.sort_unstable();
        doubtful.dedup();
        if doubtful.is_empty() {
            return Ok(());
        }
        let directory = self.registrar.parts.directory.clone();
        if directory.catch_up(self.urgency).await.map_err(Stop::Hold)?.is_none() {
            self.search(&doubtful).await?;
        }
        for at in doubtful.into_iter().filter(|at| self.jobs[*at].open()).collect::<Vec<_>>() {
            let known = self.jobs[at].phone.as_ref().and_then(|phone| directory.find(phone));
            if self.jobs[at].state("contact") == Some(ActionState::Sent) {
                let card = known.as_ref().map(|known| (known.kind.singular(), known.id));
                self.conclude(at, "contact", card);
            }
            if self.jobs[at].state("lead") == Some(ActionState::Sent) {
                let lead = match &known {
                    Some(known) => self.lead_of(at, known).await?,
                    None => None,
                };
                self.conclude(at, "lead", lead.map(|id| ("lead", id)));
            }
            self.keep(at).await?;
        }
        Ok(())
    }

    /// The lead that we made for a client, or an open one that does as well.
    async fn lead_of(&self, at: usize, known: &Known) -> Result<Option<u64>, Stop> {
        let job = &self.jobs[at];
        let payload = job.action("lead").map(|action| &action.payload);
        let began = payload.and_then(|payload| payload["created_at"].as_i64());
        let ours = known.leads.iter().find(|lead| Some(lead.created_at) == began);
        if let Some(lead) = ours.or_else(|| known.leads.first()) {
            return Ok(Some(lead.id));
        }
        let name = payload.map(|payload| read::text(&payload["name"])).unwrap_or_default();
        let about = [about(job, "lead")];
        let card = self.registrar.read_card(known.kind, known.id, self.urgency, &about).await?;
        Ok(card.and_then(|(_, leads)| {
            let ours =
                |(lead, own): &&(read::Lead, String)| Some(lead.lead.created_at) == began && *own == name;
            leads.iter().find(ours).map(|(lead, _)| lead.lead.id)
        }))
    }

    /// Calls: the notes of the card are read until our mark is found.
    async fn settle_notes(&mut self) -> Result<(), Stop> {
        for (target, jobs) in self.by_card("call") {
            for chunk in jobs.chunks(CARDS) {
                let found = self.marks(target, chunk).await?;
                for (at, _) in chunk {
                    let note = uniq(&self.jobs[*at]).and_then(|uniq| found.get(&uniq).copied());
                    self.conclude(*at, "call", note.map(|id| ("call", id)));
                    self.keep(*at).await?;
                }
            }
        }
        Ok(())
    }

    async fn marks(&self, target: Target, chunk: &[(usize, u64)]) -> Result<HashMap<String, u64>, Stop> {
        let wanted: HashSet<String> = chunk.iter().filter_map(|(at, _)| uniq(&self.jobs[*at])).collect();
        let mut list = Request::get(format!("/api/v4/{}/notes", target.plural()))
            .with("filter[note_type][]", "call_in")
            .with("filter[note_type][]", "call_out")
            .with("order[id]", "desc")
            .with("limit", 250);
        for id in cards(chunk) {
            list = list.with("filter[entity_id][]", id);
        }
        let mut found = HashMap::new();
        for page in 1..=PAGES {
            let body = self.question(list.clone().with("page", page), chunk, "call").await?;
            found.extend(uniqs_of_notes(&body).into_iter().filter(|(uniq, _)| wanted.contains(uniq)));
            if found.len() == wanted.len() || !read::has_next(&body) {
                break;
            }
        }
        Ok(found)
    }

    /// Tasks: text and time on the card.
    async fn settle_tasks(&mut self) -> Result<(), Stop> {
        for (target, jobs) in self.by_card("task") {
            let clients: Vec<String> =
                jobs.iter().map(|(at, _)| self.jobs[*at].client().to_owned()).collect();
            let known = self.registrar.parts.store.actions_for(&clients, &["task"]).await?;
            let mut taken: HashSet<u64> = known.iter().filter_map(|(_, action)| made(action)).collect();
            for chunk in jobs.chunks(CARDS) {
                let tasks = self.tasks(target, chunk).await?;
                for (at, card) in chunk {
                    let payload = self.jobs[*at].action("task").map(|action| action.payload.clone());
                    let is_ours = |task: &&Value| {
                        let payload = payload.as_ref().unwrap_or(&Value::Null);
                        read::number(&task["entity_id"]) == Some(*card)
                            && task["text"] == payload["text"]
                            && read::number(&task["complete_till"]) == read::number(&payload["complete_till"])
                    };
                    let ours = tasks
                        .iter()
                        .filter(is_ours)
                        .filter_map(|task| read::number(&task["id"]))
                        .find(|id| !taken.contains(id));
                    taken.extend(ours);
                    self.conclude(*at, "task", ours.map(|id| ("task", id)));
                    self.keep(*at).await?;
                }
            }
        }
        Ok(())
    }

    async fn tasks(&self, target: Target, chunk: &[(usize, u64)]) -> Result<Vec<Value>, Stop> {
        let mut list = Request::get("/api/v4/tasks")
            .with("filter[entity_type]", target.plural())
            .with("order[id]", "desc")
            .with("limit", 250);
        for id in cards(chunk) {
            list = list.with("filter[entity_id][]", id);
        }
        let mut tasks = Vec::new();
        for page in 1..=PAGES {
            let body = self.question(list.clone().with("page", page), chunk, "task").await?;
            tasks.extend(read::embedded(&body, "tasks").iter().cloned());
            if !read::has_next(&body) {
                break;
            }
        }
        Ok(tasks)
    }

    async fn question(&self, list: Request, chunk: &[(usize, u64)], kind: &str) -> Result<Value, Stop> {
        let about: Vec<About> = chunk.iter().map(|(at, _)| about(&self.jobs[*at], kind)).collect();
        let reply = self.registrar.ask(list, self.urgency, &about).await.map_err(Stop::Hold)?;
        Ok(reply.body)
    }

    /// Doubtful actions of a kind with the ids of the cards they were sent to, by the sort of card.
    fn by_card(&self, kind: &str) -> BTreeMap<Target, Vec<(usize, u64)>> {
        let mut cards: BTreeMap<Target, Vec<(usize, u64)>> = BTreeMap::new();
        for at in self.doubtful(kind) {
            let payload = self.jobs[at].action(kind).map(|action| action.payload.clone());
            let action = payload.and_then(|payload| serde_json::from_value(payload).ok());
            let Some(Action::WriteCall { place, .. } | Action::MakeTask { place, .. }) = action else {
                continue;
            };
            let Some((target, id)) = self.jobs[at].resolve(place) else { continue };
            cards.entry(target).or_default().push((at, id));
        }
        cards
    }

    /// It happened, and here is its id; or it did not, and may be sent again, unless that was tried often enough.
    fn conclude(&mut self, at: usize, kind: &str, found: Option<(&str, u64)>) {
        let language = self.language();
        let job = &mut self.jobs[at];
        let Some(action) = job.action_mut(kind) else { return };
        match found {
            Some((card, id)) => {
                action.state = ActionState::Done;
                action.result = result(card, id, true);
            }
            None if action.attempts.unsigned_abs() >= retry::MOST_ATTEMPTS => {
                action.state = ActionState::Failed;
                let reason = gave_up(language, action.attempts, &action.reason);
                job.halt = Some(Halt::Fail(reason));
            }
            None => action.state = ActionState::Waiting,
        }
    }

    async fn keep(&self, at: usize) -> Result<(), Stop> {
        self.registrar.parts.store.keep_actions(&self.jobs[at].actions).await?;
        Ok(())
    }
}

fn cards(chunk: &[(usize, u64)]) -> Vec<u64> {
    let mut ids: Vec<u64> = chunk.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn uniq(job: &Job) -> Option<String> {
    let uniq = read::text(&job.action("call")?.payload["note"]["uniq"]);
    (!uniq.is_empty()).then_some(uniq)
}

pub(super) fn about(job: &Job, kind: &str) -> About {
    About {
        call_id: job.stored.id.clone(),
        action_id: job.action(kind).map(|action| action.id),
        key: job.stored.id.clone(),
    }
}

fn asks_at(language: Language, at: chrono::DateTime<chrono::Utc>) -> String {
    let time = (at + TimeDelta::zero()).format("%T UTC");
    match language {
        Language::Ru => format!("ответ amoCRM потерян; в {time} спросим, дошёл ли запрос"),
        Language::En => format!("amoCRM's answer was lost; at {time} we ask whether the request arrived"),
    }
}

fn gave_up(language: Language, attempts: i32, reason: &str) -> String {
    match language {
        Language::Ru => format!("после {attempts} попыток сдались: {reason}"),
        Language::En => format!("given up after {attempts} attempts: {reason}"),
    }
}
