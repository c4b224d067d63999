//! Before something is made: is the client in the CRM after all?

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;

use super::{
    Registrar, Stop,
    ask::About,
    job::made,
    round::{Round, makes},
};
use crate::{
    edge::{
        clock,
        directory::LookupFailure,
        store::{ActionState, StoredAction},
    },
    logic::{
        crm::{
            read::{self, Entity, Lead},
            request::{Request, Urgency},
        },
        directory::{EntityKind, Known},
        phone::Phone,
    },
    settings::Language,
};

/// How long amoCRM may take to search one number.
const SEARCH: Duration = Duration::from_secs(15);
/// What we made so recently is believed to be there until the CRM denies it.
const RECENT: TimeDelta = TimeDelta::minutes(15);

impl Round<'_> {
    /// Makes sure that nobody whom a plan would create is there already: by what changed in the CRM since the last
    /// sync, or, before its first full one, by searching each number; and by what our own calls made a moment ago.
    pub(super) async fn know_clients(&mut self) -> Result<(), Stop> {
        let unsure: Vec<usize> = (0..self.jobs.len())
            .filter(|at| {
                let job = &self.jobs[*at];
                job.open() && makes(job, &self.planned(job))
            })
            .collect();
        if unsure.is_empty() {
            return Ok(());
        }
        let directory = &self.registrar.parts.directory;
        let phones: Vec<&Phone> = unsure.iter().filter_map(|at| self.jobs[*at].phone.as_ref()).collect();
        if !directory.catch_up_on(&phones, self.urgency).await.map_err(Stop::Hold)? {
            self.search(&unsure).await?;
        }
        self.recall(&unsure).await
    }

    /// One by one; for old calls the first sync is waited for, which answers all of them.
    pub(super) async fn search(&mut self, jobs: &[usize]) -> Result<(), Stop> {
        let mut searched = HashSet::new();
        for at in jobs {
            let Some(phone) = self.jobs[*at].phone.clone() else { continue };
            if self.urgency == Urgency::Background {
                let reason = match self.language() {
                    Language::Ru => "ждёт первой загрузки справочника из amoCRM",
                    Language::En => "waits for the directory's first sync",
                };
                self.jobs[*at].wait(reason, clock::now() + TimeDelta::seconds(5));
            } else if searched.insert(phone.as_str().to_owned()) {
                match self.registrar.parts.directory.lookup_again(&phone, SEARCH).await {
                    Ok(_) => {}
                    Err(LookupFailure::Failed(failure)) => return Err(Stop::Hold(failure)),
                    Err(timeout @ LookupFailure::Timeout) => {
                        self.jobs[*at].wait(timeout.to_string(), clock::now() + TimeDelta::seconds(5));
                    }
                }
            }
        }
        Ok(())
    }

    /// What calls of the same clients made, or may have made: a search may not find it yet.
    async fn recall(&mut self, unsure: &[usize]) -> Result<(), Stop> {
        let clients: Vec<String> = unsure.iter().map(|at| self.jobs[*at].client().to_owned()).collect();
        let makings = self.registrar.parts.store.actions_for(&clients, &["contact", "lead"]).await?;
        for at in unsure {
            let job = &self.jobs[*at];
            let of_client =
                || makings.iter().filter(|(client, _)| client == job.client()).map(|(_, action)| action);
            let doubt = of_client()
                .filter(|action| action.state == ActionState::Sent && action.call_id != job.stored.id)
                .map(|action| action.next_at)
                .max();
            if let Some(until) = doubt {
                let reason = self.same_number();
                self.jobs[*at].wait(reason, until.max(clock::now()) + TimeDelta::seconds(1));
                continue;
            }
            let (contact, lead) = (recent(of_client(), "contact"), recent(of_client(), "lead"));
            let about = [About { call_id: job.stored.id.clone(), action_id: None, key: String::new() }];
            let Some(phone) = job.phone.clone() else { continue };
            self.registrar.remember(&phone, contact, lead, self.urgency, &about).await?;
        }
        Ok(())
    }
}

/// Kind and id of the newest card of this kind that was made moments ago.
fn recent<'a>(mut actions: impl Iterator<Item = &'a StoredAction>, kind: &str) -> Option<(String, u64)> {
    let since = clock::now() - RECENT;
    let action = actions.find(|action| {
        action.kind == kind && action.state == ActionState::Done && action.updated_at > since
    })?;
    Some((action.result["kind"].as_str()?.to_owned(), made(action)?))
}

impl Registrar {
    /// Reads what we made a moment ago, when the directory does not show it: by id, which no index delays.
    async fn remember(
        &self,
        phone: &Phone,
        contact: Option<(String, u64)>,
        lead: Option<(String, u64)>,
        urgency: Urgency,
        about: &[About],
    ) -> Result<(), Stop> {
        let directory = &self.parts.directory;
        if let (None, Some((kind, id))) = (directory.find(phone), contact) {
            let company = kind == EntityKind::Company.singular();
            let kind = if company { EntityKind::Company } else { EntityKind::Contact };
            if let Some((known, _)) = self.read_card(kind, id, urgency, about).await?
                && known.phones.iter().any(|own| own == phone.as_str())
            {
                directory.learn(known).await;
            }
        }
        if let (Some(known), Some((_, id))) = (directory.find(phone), lead)
            && known.leads.is_empty()
            && let Some((known, _)) = self.read_card(known.kind, known.id, urgency, about).await?
            && known.leads.iter().any(|open| open.id == id)
        {
            directory.learn(known).await;
        }
        Ok(())
    }

    /// A card by its id with its leads, open ones in [`Known`], all of them beside it; none when it is gone.
    pub(super) async fn read_card(
        &self,
        kind: EntityKind,
        id: u64,
        urgency: Urgency,
        about: &[About],
    ) -> Result<Option<(Known, Vec<(Lead, String)>)>, Stop> {
        let card = Request::get(format!("/api/v4/{}/{id}", kind.plural())).with("with", "leads");
        let reply = self.ask(card, urgency, about).await.map_err(Stop::Hold)?;
        let Some(entity) = read::entity(kind, &reply.body).filter(|entity| !entity.deleted) else {
            return Ok(None);
        };
        let mut leads = Vec::new();
        for ids in entity.leads.clone().unwrap_or_default().chunks(50) {
            let mut list = Request::get("/api/v4/leads").with("limit", 250);
            for id in ids {
                list = list.with("filter[id][]", id);
            }
            let reply = self.ask(list, urgency, about).await.map_err(Stop::Hold)?;
            leads.extend(read::embedded(&reply.body, "leads").iter().filter_map(|item| {
                let lead = read::lead(item)?;
                ids.contains(&lead.lead.id).then(|| (lead, read::text(&item["name"])))
            }));
        }
        Ok(Some((self.known(entity, &leads), leads)))
    }

    fn known(&self, entity: Entity, leads: &[(Lead, String)]) -> Known {
        let mut open: Vec<_> =
            leads.iter().filter(|(lead, _)| lead.open).map(|(lead, _)| lead.lead.clone()).collect();
        open.sort_by_key(|lead| std::cmp::Reverse((lead.created_at, lead.id)));
        let canonical =
            |raw: &String| self.parts.phones.canonical(raw).map(|phone| phone.as_str().to_owned());
        Known {
            kind: entity.kind,
            id: entity.id,
            name: entity.name,
            responsible: entity.responsible,
            created_at: entity.created_at,
            updated_at: entity.updated_at,
            phones: entity.phones.iter().filter_map(canonical).collect(),
            leads: open,
        }
    }
}
