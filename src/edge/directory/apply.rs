//! What amoCRM answered → memory and store.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Directory;
use crate::{
    edge::{amocrm::Failure, store::DirectoryChanges},
    logic::{
        crm::{
            read::{self, Entity, Lead},
            request::{Request, Urgency},
        },
        directory::{EntityKind, Listed, Owner},
    },
};

/// Ids asked for at once: amoCRM cuts long addresses.
const IDS: usize = 50;

/// What applying a list of cards brought to light.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Leads of the cards that are not among the open ones here: closed, or newer than the last sync.
    pub(super) unknown_leads: BTreeSet<u64>,
    /// Cards whose number came to another card: perhaps merged into it.
    pub(super) doubts: BTreeSet<Owner>,
}

impl Directory {
    /// Takes cards in; those without a phone are none of ours.
    pub(super) async fn apply_cards(&self, entities: Vec<Entity>) -> Applied {
        let mut changes = DirectoryChanges::default();
        let mut applied = Applied::default();
        let mut phones_seen = Vec::new();
        for entity in entities {
            let leads = entity.leads.clone();
            let listed = self.listed(entity);
            let mut index = self.index_mut();
            let Some(listed) = listed.as_ref().ok().filter(|listed| !listed.phones.is_empty()) else {
                let owner = listed.map_or_else(|owner| owner, |listed| listed.owner());
                if index.remove(owner) {
                    changes.gone_cards.push(owner);
                }
                continue;
            };
            let owner = listed.owner();
            let before = index.listed(owner);
            if index.put(listed) {
                if let Some(before) = before {
                    let come = listed.phones.iter().filter(|phone| !before.phones.contains(phone));
                    let others = come.flat_map(|phone| index.all(*phone));
                    let same_kind = others.filter(|other| other.kind == owner.0 && other.id != owner.1);
                    applied.doubts.extend(same_kind.map(|other| (other.kind, other.id)));
                }
                phones_seen.extend_from_slice(&listed.phones);
                changes.cards.push(listed.clone());
            }
            if let Some(leads) = leads {
                applied.unknown_leads.extend(leads.iter().filter(|id| index.lead(**id).is_none()));
                let relinked = index.set_leads(owner, &leads);
                changes.leads.extend(relinked.into_iter().filter_map(|id| index.lead(id)));
            }
        }
        self.live.no_longer_unknown(&phones_seen);
        self.keep(changes).await;
        applied
    }

    /// `Err` is a card in the trash.
    fn listed(&self, entity: Entity) -> Result<Listed, Owner> {
        if entity.deleted {
            return Err((entity.kind, entity.id));
        }
        let mut phones: Vec<u64> = Vec::new();
        for phone in entity.phones.iter().flat_map(|typed| self.numbers(typed)) {
            if !phones.contains(&phone) {
                phones.push(phone);
            }
        }
        Ok(Listed {
            kind: entity.kind,
            id: entity.id,
            name: entity.name,
            responsible: entity.responsible,
            created_at: entity.created_at,
            updated_at: entity.updated_at,
            phones,
        })
    }

    /// The numbers of one typed value; people write two into one field.
    pub(super) fn numbers(&self, typed: &str) -> Vec<u64> {
        let Some(phones) = &self.phones else { return Vec::new() };
        match phones.canonical(typed) {
            Some(phone) => vec![phone.number()],
            None => {
                let parts = typed.split([',', ';', '/', '|', '\n']);
                parts.filter_map(|part| Some(phones.canonical(part)?.number())).collect()
            }
        }
    }

    /// Takes leads in; closed and deleted ones leave.
    pub(super) async fn apply_leads(&self, leads: Vec<Lead>) {
        let mut changes = DirectoryChanges::default();
        for lead in leads {
            let mut index = self.index_mut();
            if !lead.open {
                if index.remove_lead(lead.lead.id) {
                    changes.gone_leads.push(lead.lead.id);
                }
                continue;
            }
            let companies = lead.companies.iter().map(|id| (EntityKind::Company, *id));
            let owners: Option<Vec<Owner>> = lead.contacts.as_ref().map(|contacts| {
                contacts.iter().map(|id| (EntityKind::Contact, *id)).chain(companies).collect()
            });
            if index.put_lead(&lead.lead, owners.as_deref()) {
                changes.leads.extend(index.lead(lead.lead.id));
            }
        }
        self.keep(changes).await;
    }

    /// Reads cards by id again: those that are gone are forgotten.
    pub(super) async fn reread_cards(
        &self,
        kind: EntityKind,
        ids: impl IntoIterator<Item = u64>,
        urgency: Urgency,
    ) -> Result<(), Failure> {
        let ids: Vec<u64> = ids.into_iter().collect();
        let read = |item: &Value| read::entity(kind, item);
        for batch in ids.chunks(IDS) {
            let (found, absent) =
                self.by_ids(kind.plural(), "leads", batch, urgency, read, |entity| entity.id).await?;
            let applied = self.apply_cards(found).await;
            self.reread_leads(applied.unknown_leads, urgency).await?;
            for id in absent {
                self.forget(kind, id).await;
            }
        }
        Ok(())
    }

    /// Reads leads by id again: closed, deleted and absent ones leave.
    pub(super) async fn reread_leads(
        &self,
        ids: impl IntoIterator<Item = u64>,
        urgency: Urgency,
    ) -> Result<(), Failure> {
        let ids: Vec<u64> = ids.into_iter().collect();
        for batch in ids.chunks(IDS) {
            let (found, absent) =
                self.by_ids("leads", "contacts", batch, urgency, read::lead, |lead| lead.lead.id).await?;
            self.apply_leads(found).await;
            let gone: Vec<u64> = absent.into_iter().filter(|id| self.index_mut().remove_lead(*id)).collect();
            self.keep(DirectoryChanges { gone_leads: gone, ..DirectoryChanges::default() }).await;
        }
        Ok(())
    }

    /// Items by id, and the ids that are certainly gone. A list may lag behind a creation, and the filter may be
    /// ignored altogether: what it does not bring is asked for one by one.
    async fn by_ids<T>(
        &self,
        path: &str,
        with: &str,
        ids: &[u64],
        urgency: Urgency,
        read: impl Fn(&Value) -> Option<T>,
        id_of: impl Fn(&T) -> u64,
    ) -> Result<(Vec<T>, Vec<u64>), Failure> {
        let amocrm = self.amocrm()?;
        let mut request = Request::get(format!("/api/v4/{path}")).with("with", with).with("limit", 250);
        for id in ids {
            request = request.with("filter[id][]", id);
        }
        let reply = amocrm.send(request, urgency).await?;
        let items = read::embedded(&reply.body, path).iter().filter_map(&read);
        let mut found: Vec<T> = items.filter(|item| ids.contains(&id_of(item))).collect();
        let mut absent = Vec::new();
        let missing: Vec<u64> =
            ids.iter().copied().filter(|id| !found.iter().any(|item| id_of(item) == *id)).collect();
        for id in missing {
            let single = Request::get(format!("/api/v4/{path}/{id}")).with("with", with);
            match amocrm.send(single, urgency).await {
                Ok(reply) => match read(&reply.body) {
                    Some(item) => found.push(item),
                    None => absent.push(id),
                },
                Err(Failure::Refused { status: 404, .. }) => absent.push(id),
                Err(failure) => return Err(failure),
            }
        }
        Ok((found, absent))
    }
}
