//! One card of the CRM: a contact, a company or a lead.

use super::{
    handle::Edit,
    model::Kind,
    state::{Key, State},
};

/// The part that only leads have.
#[derive(Debug, Clone, Default)]
pub(super) struct Deal {
    pub(super) price: i64,
    pub(super) pipeline_id: u64,
    pub(super) status_id: u64,
    pub(super) loss_reason_id: Option<u64>,
    pub(super) closed_at: Option<i64>,
    pub(super) source_external_id: Option<String>,
}

/// One value of a custom field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub(super) value: serde_json::Value,
    pub(super) enum_id: Option<u64>,
}

/// The values a card holds of one custom field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeldField {
    pub(super) field_id: u64,
    pub(super) values: Vec<Held>,
}

/// A contact, company or lead.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) kind: Kind,
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) responsible_user_id: u64,
    pub(super) created_by: u64,
    pub(super) updated_by: u64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) fields: Vec<HeldField>,
    /// Ids of tags.
    pub(super) tags: Vec<u64>,
    pub(super) is_deleted: bool,
    pub(super) is_unsorted: bool,
    /// When the search index was told of it; lag counts from here.
    pub(super) indexed_from: std::time::Instant,
    pub(super) deal: Deal,
}

impl Card {
    pub(super) fn key(&self) -> Key {
        (self.kind, self.id)
    }

    /// Neither binned nor waiting in unsorted: lists and look-ups see it.
    pub(super) fn is_visible(&self) -> bool {
        !self.is_deleted && !self.is_unsorted
    }

    /// Won and lost leads are closed.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.deal.status_id, 142 | 143)
    }
}

/// Who does something, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) user: u64,
    pub(super) now: i64,
}

impl Origin {
    /// The administrator at the screen.
    pub(super) fn person(state: &State, now: i64) -> Self {
        Self { user: state.users.first().map_or(0, |user| user.id), now }
    }
}

impl State {
    /// A new card with nothing on it; not yet put in.
    pub(super) fn blank_card(&mut self, kind: Kind, origin: Origin) -> Card {
        let deal = match kind {
            Kind::Lead => {
                let (pipeline_id, status_id) = self.default_stage();
                Deal { pipeline_id, status_id, ..Deal::default() }
            }
            _ => Deal::default(),
        };
        Card {
            kind,
            id: self.next_id(),
            name: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            responsible_user_id: origin.user,
            created_by: origin.user,
            updated_by: origin.user,
            created_at: origin.now,
            updated_at: origin.now,
            fields: Vec::new(),
            tags: Vec::new(),
            is_deleted: false,
            is_unsorted: false,
            indexed_from: std::time::Instant::now(),
            deal,
        }
    }

    /// A finished new card enters the account: event and webhook follow, unless it waits in unsorted.
    pub(super) fn put_new(&mut self, card: Card) -> u64 {
        let (key, visible) = (card.key(), card.is_visible());
        let (author, at) = (card.created_by, card.updated_at);
        self.cards.insert(key, card);
        if visible {
            self.log_event(&format!("{}_added", key.0.singular()), key, author, at);
            self.hook_card("add", key, None);
        }
        key.1
    }

    /// A card was changed: the clock and the index are told, the webhook follows.
    pub(super) fn touched(&mut self, before: &Card, origin: Origin) {
        let Some(card) = self.cards.get_mut(&before.key()) else { return };
        card.updated_at = origin.now;
        card.updated_by = origin.user;
        card.indexed_from = std::time::Instant::now();
        let (key, moved) = (card.key(), card.deal.status_id != before.deal.status_id);
        let handed = card.responsible_user_id != before.responsible_user_id;
        if moved {
            self.log_event("lead_status_changed", key, origin.user, origin.now);
            self.hook_card("status", key, Some(before));
        }
        if handed {
            self.log_event("entity_responsible_changed", key, origin.user, origin.now);
            self.hook_card("responsible", key, Some(before));
        }
        self.hook_card("update", key, Some(before));
    }

    /// A person makes a contact or company.
    pub(super) fn add_person(
        &mut self,
        kind: Kind,
        name: &str,
        phones: &[String],
        responsible_user_id: u64,
        origin: Origin,
    ) -> u64 {
        let mut card = self.blank_card(kind, origin);
        name.clone_into(&mut card.name);
        card.responsible_user_id = responsible_user_id;
        self.set_phones(&mut card, phones);
        self.put_new(card)
    }

    /// A person makes a lead.
    pub(super) fn add_deal(
        &mut self,
        name: &str,
        status_id: u64,
        of: &[Key],
        responsible_user_id: u64,
        origin: Origin,
    ) -> u64 {
        let mut card = self.blank_card(Kind::Lead, origin);
        name.clone_into(&mut card.name);
        card.responsible_user_id = responsible_user_id;
        if let Some(pipeline_id) = self.pipeline_of(status_id, card.deal.pipeline_id) {
            card.deal.pipeline_id = pipeline_id;
            card.deal.status_id = status_id;
        }
        if !card.is_open() {
            card.deal.closed_at = Some(origin.now);
        }
        let key = card.key();
        for (at, other) in of.iter().enumerate() {
            self.join(key, *other, at == 0);
        }
        self.put_new(card)
    }

    /// A person changes a card.
    pub(super) fn edit_card(&mut self, kind: Kind, id: u64, edit: &Edit, now: i64) -> bool {
        let Some(before) = self.cards.get(&(kind, id)).filter(|card| !card.is_deleted).cloned() else {
            return false;
        };
        let mut card = before.clone();
        if let Some(name) = &edit.name {
            card.name.clone_from(name);
        }
        if let Some(phones) = &edit.phones {
            self.set_phones(&mut card, phones);
        }
        if let Some(user) = edit.responsible_user_id {
            card.responsible_user_id = user;
        }
        if let Some(status_id) = edit.status_id {
            self.move_deal(&mut card, status_id, now);
        }
        self.cards.insert(card.key(), card);
        let origin = Origin::person(self, now);
        self.touched(&before, origin);
        true
    }

    /// A lead goes to another status; closing and opening again set and clear `closed_at`.
    pub(super) fn move_deal(&self, card: &mut Card, status_id: u64, now: i64) {
        let Some(pipeline_id) = self.pipeline_of(status_id, card.deal.pipeline_id) else { return };
        let was_open = card.is_open();
        card.deal.pipeline_id = pipeline_id;
        card.deal.status_id = status_id;
        match (was_open, card.is_open()) {
            (true, false) => card.deal.closed_at = Some(now),
            (false, true) => (card.deal.closed_at, card.deal.loss_reason_id) = (None, None),
            _ => {}
        }
    }

    /// A person throws a card into the bin.
    pub(super) fn delete_card(&mut self, kind: Kind, id: u64, now: i64) -> bool {
        let Some(card) = self.cards.get_mut(&(kind, id)).filter(|card| !card.is_deleted) else {
            return false;
        };
        card.is_deleted = true;
        card.updated_at = now;
        let origin = Origin::person(self, now);
        self.log_event(&format!("{}_deleted", kind.singular()), (kind, id), origin.user, now);
        self.hook_card("delete", (kind, id), None);
        true
    }

    /// A person merges two cards of one kind.
    pub(super) fn merge_cards(&mut self, kind: Kind, kept: u64, gone: u64, now: i64) -> bool {
        let alive = |id| self.cards.get(&(kind, id)).filter(|card| !card.is_deleted).cloned();
        let (Some(before), Some(lost), true) = (alive(kept), alive(gone), kept != gone) else { return false };
        let (key, lost_key) = (before.key(), lost.key());
        self.take_fields(key, &lost);
        for (other, is_main) in self.neighbours(lost_key) {
            self.part(lost_key, other);
            self.join(key, other, is_main);
        }
        for note in self.notes.values_mut().filter(|note| (note.kind, note.entity_id) == lost_key) {
            note.entity_id = kept;
        }
        for task in self.tasks.values_mut().filter(|task| task.entity == Some(lost_key)) {
            task.entity = Some(key);
        }
        self.delete_card(kind, gone, now);
        let origin = Origin::person(self, now);
        self.log_event("entity_merged", key, origin.user, now);
        self.touched(&before, origin);
        true
    }

    fn take_fields(&mut self, key: Key, lost: &Card) {
        let Some(card) = self.cards.get_mut(&key) else { return };
        for theirs in &lost.fields {
            match card.fields.iter_mut().find(|own| own.field_id == theirs.field_id) {
                Some(own) => {
                    let fresh: Vec<Held> =
                        theirs.values.iter().filter(|value| !own.values.contains(value)).cloned().collect();
                    own.values.extend(fresh);
                }
                None => card.fields.push(theirs.clone()),
            }
        }
        for tag in &lost.tags {
            if !card.tags.contains(tag) {
                card.tags.push(*tag);
            }
        }
    }
}
