//! What tests and the demo may see of the account behind the API's back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    card::Card,
    handle::Handle,
    model::{CallNote, Contact, Kind, Lead, Link, Logged, Note, Popup, Task, Unsorted},
    state::State,
};

impl Handle {
    /// All contacts, the deleted and the hidden too.
    pub fn contacts(&self) -> Vec<Contact> {
        self.people(Kind::Contact)
    }

    /// All companies.
    pub fn companies(&self) -> Vec<Contact> {
        self.people(Kind::Company)
    }

    fn people(&self, kind: Kind) -> Vec<Contact> {
        let state = self.desk.state();
        state.cards_of(kind).map(|card| state.contact_view(card)).collect()
    }

    /// All leads.
    pub fn leads(&self) -> Vec<Lead> {
        let state = self.desk.state();
        state.cards_of(Kind::Lead).map(|card| state.lead_view(card)).collect()
    }

    /// All notes, oldest first.
    pub fn notes(&self) -> Vec<Note> {
        self.desk.state().notes.values().cloned().collect()
    }

    /// All call notes, oldest first.
    pub fn calls(&self) -> Vec<CallNote> {
        self.desk.state().notes.values().filter_map(CallNote::of).collect()
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> Vec<Task> {
        self.desk.state().tasks.values().cloned().collect()
    }

    /// All links, each once.
    pub fn links(&self) -> Vec<Link> {
        self.desk
            .state()
            .links
            .iter()
            .filter(|((from, to), _)| rank(from.0) < rank(to.0))
            .map(|((from, to), is_main)| Link { from: *from, to: *to, is_main: *is_main })
            .collect()
    }

    /// All incoming leads, decided ones too.
    pub fn unsorted(&self) -> Vec<Unsorted> {
        self.desk.state().unsorted.clone()
    }

    /// All pop-ups, oldest first.
    pub fn popups(&self) -> Vec<Popup> {
        self.desk.state().popups.clone()
    }

    /// The latest requests (10,000 at most), oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        self.desk.state().log.latest.iter().cloned().collect()
    }

    /// How many requests came since the start or the last [`Handle::forget_requests`].
    pub fn request_count(&self) -> u64 {
        self.desk.state().log.count
    }

    /// Empties the log of requests and sets the count to 0.
    pub fn forget_requests(&self) {
        self.desk.state().log = super::state::RequestLog::default();
    }

    /// Pipelines with their statuses: pipeline id → (name, status ids in order).
    pub fn pipelines(&self) -> BTreeMap<u64, (String, Vec<u64>)> {
        let state = self.desk.state();
        let pipelines = state.pipelines.iter();
        pipelines
            .map(|line| {
                (line.id, (line.name.clone(), line.statuses.iter().map(|status| status.id).collect()))
            })
            .collect()
    }

    /// Webhook subscriptions: destination, and whether the CRM has disabled it.
    pub fn webhooks(&self) -> Vec<(String, bool)> {
        let state = self.desk.state();
        state.hooks.iter().map(|hook| (hook.destination.clone(), hook.disabled)).collect()
    }
}

/// Lead before contact before company, so that each pair is given once.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Lead => 0,
        Kind::Contact => 1,
        Kind::Company => 2,
    }
}

impl State {
    pub(super) fn contact_view(&self, card: &Card) -> Contact {
        let other = if card.kind == Kind::Contact { Kind::Company } else { Kind::Contact };
        Contact {
            kind: card.kind,
            id: card.id,
            name: card.name.clone(),
            phones: self.phones_of(card),
            responsible_user_id: card.responsible_user_id,
            created_by: card.created_by,
            created_at: card.created_at,
            updated_at: card.updated_at,
            tags: self.tag_names(card),
            fields: self.field_views(card),
            is_deleted: card.is_deleted,
            is_unsorted: card.is_unsorted,
            leads: self.linked(card.key(), Kind::Lead),
            others: self.linked(card.key(), other),
        }
    }

    pub(super) fn lead_view(&self, card: &Card) -> Lead {
        Lead {
            id: card.id,
            name: card.name.clone(),
            price: card.deal.price,
            pipeline_id: card.deal.pipeline_id,
            status_id: card.deal.status_id,
            responsible_user_id: card.responsible_user_id,
            created_by: card.created_by,
            created_at: card.created_at,
            updated_at: card.updated_at,
            closed_at: card.deal.closed_at,
            tags: self.tag_names(card),
            fields: self.field_views(card),
            is_deleted: card.is_deleted,
            is_unsorted: card.is_unsorted,
            contacts: self.linked(card.key(), Kind::Contact),
            companies: self.linked(card.key(), Kind::Company),
        }
    }

    fn field_views(&self, card: &Card) -> Vec<(String, Value)> {
        let mut views = Vec::new();
        for held in &card.fields {
            let Some(field) = self.field(card.kind, held.field_id) else { continue };
            let name = field.code.clone().unwrap_or_else(|| field.id.to_string());
            views.extend(held.values.first().map(|value| (name, value.value.clone())));
        }
        views
    }
}

impl CallNote {
    /// The call a note tells of; none when it is another note.
    pub(super) fn of(note: &Note) -> Option<Self> {
        if !note.is_call() {
            return None;
        }
        let text = |key: &str| match &note.params[key] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        Some(Self {
            id: note.id,
            kind: note.kind,
            entity_id: note.entity_id,
            inbound: note.note_type == "call_in",
            uniq: text("uniq"),
            phone: text("phone"),
            duration: note.params["duration"].as_i64().unwrap_or_default(),
            link: text("link"),
            source: text("source"),
            call_status: note.params["call_status"].as_i64(),
            call_result: text("call_result"),
            call_responsible: text("call_responsible"),
            responsible_user_id: note.responsible_user_id,
            created_at: note.created_at,
        })
    }
}
