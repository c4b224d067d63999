//! Cards, numbers, leads and their links, kept consistent with each other.

use super::{
    Counts, EntityKind, Known, Listed, OpenLead, Owner, packed,
    shards::{Pairs, Records},
};

/// The directory itself.
#[derive(Debug)]
pub struct Index {
    /// Number → key of a card.
    phones: Pairs,
    /// Key → card.
    cards: Records,
    /// Key of a card → open lead. Also of cards that are not here yet: leads and contacts come in any order.
    links: Pairs,
    /// Lead id → open lead and the cards it belongs to.
    leads: Records,
    companies: usize,
    contacts: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            phones: Pairs::new(),
            cards: Records::new(),
            links: Pairs::new(),
            leads: Records::new(),
            companies: 0,
            contacts: 0,
        }
    }
}

impl Index {
    /// Takes a card in, in place of what was known of it. Whether anything changed.
    pub fn put(&mut self, listed: &Listed) -> bool {
        let key = packed::key(listed.owner());
        let before = self.listed(listed.owner());
        if !self.cards.put(key, &packed::pack(listed)) {
            return false;
        }
        match &before {
            Some(before) => {
                for phone in before.phones.iter().filter(|phone| !listed.phones.contains(phone)) {
                    self.phones.remove(*phone, key);
                }
            }
            None => *self.count(listed.kind) += 1,
        }
        for phone in &listed.phones {
            self.phones.insert(*phone, key);
        }
        true
    }

    /// Drops a card. Whether it was there.
    pub fn remove(&mut self, owner: Owner) -> bool {
        let Some(listed) = self.listed(owner) else { return false };
        let key = packed::key(owner);
        for phone in &listed.phones {
            self.phones.remove(*phone, key);
        }
        *self.count(owner.0) -= 1;
        self.cards.remove(key)
    }

    /// Takes an open lead in; `owners` replace those known, none keeps them. Whether anything changed.
    pub fn put_lead(&mut self, lead: &OpenLead, owners: Option<&[Owner]>) -> bool {
        let before = self.owners_of(lead.id);
        let owners = owners.unwrap_or(&before).to_vec();
        for gone in before.iter().filter(|owner| !owners.contains(owner)) {
            self.links.remove(packed::key(*gone), lead.id);
        }
        for owner in &owners {
            self.links.insert(packed::key(*owner), lead.id);
        }
        self.leads.put(lead.id, &packed::pack_lead(lead, &owners))
    }

    /// Drops a lead that is closed or deleted. Whether it was there.
    pub fn remove_lead(&mut self, id: u64) -> bool {
        for owner in self.owners_of(id) {
            self.links.remove(packed::key(owner), id);
        }
        self.leads.remove(id)
    }

    /// A card tells all its leads: links those that are open here, unlinks all others. Gives the leads whose owners
    /// changed.
    pub fn set_leads(&mut self, owner: Owner, leads: &[u64]) -> Vec<u64> {
        let linked: Vec<u64> = self.links.of(packed::key(owner)).collect();
        let gone = linked.iter().filter(|id| !leads.contains(id));
        let come = leads.iter().filter(|id| !linked.contains(id));
        let changed: Vec<u64> =
            gone.chain(come).copied().filter(|id| self.leads.get(*id).is_some()).collect();
        for id in &changed {
            let Some((lead, mut owners)) = self.lead(*id) else { continue };
            match owners.iter().position(|known| *known == owner) {
                Some(place) => drop(owners.remove(place)),
                None => owners.push(owner),
            }
            self.put_lead(&lead, Some(&owners));
        }
        changed
    }

    /// The card that the number belongs to, by the rules of [`crate::logic::directory`].
    pub fn find(&self, number: u64) -> Option<Known> {
        let mut keys = self.phones.of(number);
        let first = keys.next()?;
        // Nearly every number stands on one card: nothing to weigh.
        let best = match keys.next() {
            None => first,
            Some(second) => [first, second].into_iter().chain(keys).min_by_key(|key| self.rank(*key))?,
        };
        self.known(best)
    }

    /// Every card with the number, best first.
    pub fn all(&self, number: u64) -> Vec<Known> {
        let mut keys: Vec<u64> = self.phones.of(number).collect();
        keys.sort_by_key(|key| self.rank(*key));
        keys.into_iter().filter_map(|key| self.known(key)).collect()
    }

    /// One card.
    pub fn get(&self, owner: Owner) -> Option<Known> {
        self.known(packed::key(owner))
    }

    /// One card without its leads.
    pub fn listed(&self, owner: Owner) -> Option<Listed> {
        Some(packed::unpack(owner, self.cards.get(packed::key(owner))?))
    }

    /// An open lead and the cards it belongs to.
    pub fn lead(&self, id: u64) -> Option<(OpenLead, Vec<Owner>)> {
        Some(packed::unpack_lead(id, self.leads.get(id)?))
    }

    /// Ids of the cards of one kind from `from` to `to`, both included.
    pub fn ids(&self, kind: EntityKind, from: u64, to: u64) -> Vec<u64> {
        let to = to.min(u64::MAX >> 1);
        let keys = self.cards.keys(packed::key((kind, from)), packed::key((kind, to)), usize::MAX);
        keys.into_iter().map(packed::owner).filter(|owner| owner.0 == kind).map(|owner| owner.1).collect()
    }

    /// Up to `limit` ids of open leads above `after`.
    pub fn lead_ids(&self, after: u64, limit: usize) -> Vec<u64> {
        self.leads.keys(after.saturating_add(1), u64::MAX, limit)
    }

    /// How much it holds.
    pub fn counts(&self) -> Counts {
        Counts {
            contacts: self.contacts as u64,
            companies: self.companies as u64,
            phones: self.phones.len() as u64,
            leads: self.leads.len() as u64,
        }
    }

    fn rank(&self, key: u64) -> (bool, EntityKind, i64, u64) {
        let (kind, id) = packed::owner(key);
        let created_at = self.cards.get(key).map_or(i64::MAX, packed::created_at);
        (self.links.of(key).next().is_none(), kind, created_at, id)
    }

    fn known(&self, key: u64) -> Option<Known> {
        let listed = packed::unpack(packed::owner(key), self.cards.get(key)?);
        let mut leads: Vec<OpenLead> = self.links.of(key).filter_map(|id| Some(self.lead(id)?.0)).collect();
        leads.sort_by_key(|lead| std::cmp::Reverse((lead.created_at, lead.id)));
        Some(Known {
            kind: listed.kind,
            id: listed.id,
            name: listed.name,
            responsible: listed.responsible,
            created_at: listed.created_at,
            updated_at: listed.updated_at,
            phones: listed.phones.iter().map(|phone| format!("+{phone}")).collect(),
            leads,
        })
    }

    fn owners_of(&self, lead: u64) -> Vec<Owner> {
        self.lead(lead).map(|(_, owners)| owners).unwrap_or_default()
    }

    fn count(&mut self, kind: EntityKind) -> &mut usize {
        match kind {
            EntityKind::Contact => &mut self.contacts,
            EntityKind::Company => &mut self.companies,
        }
    }
}
