//! One call in hand.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    edge::{
        clock,
        store::{ActionState, CallState, StoredAction, StoredCall, Turn},
    },
    logic::{
        crm::{payload::Target, read},
        directory::EntityKind,
        phone::Phone,
        rules::plan::{Action, Place, Plan},
    },
    settings::Language,
    text::say,
};

/// Why a call goes no further in this round.
#[derive(Debug, Clone)]
pub(super) enum Halt {
    /// It is looked at again then.
    Wait {
        /// For what.
        reason: String,
        /// Until when.
        at: DateTime<Utc>,
    },
    /// It is not sent at all.
    Skip,
    /// A person must look at it.
    Fail(String),
}

/// A call, its actions, and how far this round has come with it.
pub(super) struct Job {
    pub(super) stored: StoredCall,
    pub(super) actions: Vec<StoredAction>,
    /// As decided in this round; none before.
    pub(super) plan: Option<Plan>,
    pub(super) phone: Option<Phone>,
    /// Signed address of the MP3.
    pub(super) link: Option<String>,
    /// What a person should know though all went well.
    pub(super) remark: Option<String>,
    pub(super) halt: Option<Halt>,
    /// It waits for its MP3.
    pub(super) converting: bool,
    /// To be sent by itself: a batch with it was refused and nobody was named.
    pub(super) alone: bool,
    /// A user in it was refused: it is sent without one.
    pub(super) ownerless: bool,
}

impl Job {
    pub(super) fn new(stored: StoredCall, actions: Vec<StoredAction>) -> Self {
        let phone = stored.call.client.as_deref().and_then(Phone::from_canonical);
        Self {
            stored,
            actions,
            plan: None,
            phone,
            link: None,
            remark: None,
            halt: None,
            converting: false,
            alone: false,
            ownerless: false,
        }
    }

    /// Whether this round still works on it.
    pub(super) fn open(&self) -> bool {
        self.halt.is_none()
    }

    /// The number, or an empty word for calls that are skipped anyway.
    pub(super) fn client(&self) -> &str {
        self.stored.call.client.as_deref().unwrap_or_default()
    }

    pub(super) fn action(&self, kind: &str) -> Option<&StoredAction> {
        self.actions.iter().find(|action| action.kind == kind)
    }

    pub(super) fn action_mut(&mut self, kind: &str) -> Option<&mut StoredAction> {
        self.actions.iter_mut().find(|action| action.kind == kind)
    }

    pub(super) fn state(&self, kind: &str) -> Option<ActionState> {
        self.action(kind).map(|action| action.state)
    }

    /// Whether it stands in the CRM, or may.
    pub(super) fn begun(&self, kind: &str) -> bool {
        matches!(self.state(kind), Some(ActionState::Sent | ActionState::Done))
    }

    /// Whether this kind is planned and still to be sent.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.open()
            && self.plan.as_ref().is_some_and(|plan| plan.action(kind).is_some())
            && self.state(kind) == Some(ActionState::Waiting)
    }

    /// Waits; an earlier reason stays.
    pub(super) fn wait(&mut self, reason: impl Into<String>, at: DateTime<Utc>) {
        self.halt.get_or_insert_with(|| Halt::Wait { reason: reason.into(), at });
    }

    /// The card that a place means, once it exists.
    pub(super) fn resolve(&self, place: Place) -> Option<(Target, u64)> {
        match place {
            Place::Lead(id) => Some((Target::Lead, id)),
            Place::Contact(id) => Some((Target::Contact, id)),
            Place::Company(id) => Some((Target::Company, id)),
            Place::NewLead => Some((Target::Lead, made(self.action("lead")?)?)),
            Place::NewContact => {
                let action = self.action("contact")?;
                let company = action.result["kind"] == EntityKind::Company.singular();
                Some((if company { Target::Company } else { Target::Contact }, made(action)?))
            }
        }
    }

    /// What is planned of this kind.
    pub(super) fn planned(&self, kind: &str) -> Option<&Action> {
        self.plan.as_ref()?.action(kind).map(|planned| &planned.action)
    }

    /// Actions to be kept for the plan: new ones, and waiting ones with what is planned now; and ids of those that the
    /// plan does without.
    pub(super) fn reconcile(&self) -> (Vec<StoredAction>, Vec<i64>) {
        let Some(plan) = &self.plan else { return Default::default() };
        let now = clock::now();
        let mut kept = Vec::new();
        for (position, planned) in plan.actions.iter().enumerate() {
            let kind = planned.action.kind();
            if self.begun(kind) {
                continue;
            }
            let payload = serde_json::to_value(&planned.action).unwrap_or_default();
            let known = self.action(kind).cloned();
            let mut action = known.unwrap_or_else(|| StoredAction {
                id: 0,
                call_id: self.stored.id.clone(),
                position: i32::try_from(position).unwrap_or(i32::MAX),
                kind: kind.to_owned(),
                dedupe_key: format!("{}:{kind}", self.stored.id),
                payload: Value::Null,
                state: ActionState::Waiting,
                reason: String::new(),
                attempts: 0,
                next_at: now,
                result: Value::Null,
                created_at: now,
                updated_at: now,
            });
            if action.payload != payload || action.state == ActionState::Failed {
                if action.state == ActionState::Failed {
                    action.attempts = 0;
                }
                action.state = ActionState::Waiting;
                action.payload = payload;
                kept.push(action);
            }
        }
        let needless =
            |action: &&StoredAction| plan.action(&action.kind).is_none() && !self.begun(&action.kind);
        (kept, self.actions.iter().filter(needless).map(|action| action.id).collect())
    }

    /// Its next state in the store.
    pub(super) fn turn(&self, language: Language) -> Turn {
        let (state, reason, next_at) = match &self.halt {
            Some(Halt::Wait { reason, at }) => (CallState::Waiting, reason.clone(), Some(*at)),
            Some(Halt::Skip) => {
                let why = self.plan.as_ref().and_then(|plan| plan.skip.clone());
                (CallState::Skipped, why.unwrap_or_default(), None)
            }
            Some(Halt::Fail(reason)) => (CallState::Failed, reason.clone(), None),
            None if self.complete() => (CallState::Registered, self.summary(language), None),
            // Left over by a round that ended early: soon again, but not in a hot loop.
            None => (CallState::Waiting, String::new(), Some(clock::now() + TimeDelta::seconds(2))),
        };
        Turn {
            id: self.stored.id.clone(),
            fingerprint: self.stored.fingerprint.clone(),
            state,
            reason,
            next_at,
            plan: self.plan.clone(),
        }
    }

    /// Where it stands in the CRM, in a few words: what was made, and on which card the call is.
    fn summary(&self, language: Language) -> String {
        let mut words = Vec::new();
        for kind in ["contact", "lead", "task"] {
            let Some(action) = self.action(kind).filter(|action| action.state == ActionState::Done) else {
                continue;
            };
            let id = made(action).unwrap_or_default().to_string();
            let key = if action.result["found"] == true { "registered.found." } else { "registered.made." };
            words.push(say(language, &format!("{key}{kind}"), &[("id", &id)]));
        }
        if let Some(Action::WriteCall { place, .. }) = self.planned("call")
            && let Some((target, id)) = self.resolve(*place)
            && !matches!(place, Place::NewLead | Place::NewContact)
        {
            let key = format!("registered.on.{}", target.plural());
            words.push(say(language, &key, &[("id", &id.to_string())]));
        }
        words.extend(self.link.as_ref().map(|_| "MP3".to_owned()));
        words.extend(self.remark.clone());
        words.join(", ")
    }

    fn complete(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| {
            plan.actions.iter().all(|planned| self.state(planned.action.kind()) == Some(ActionState::Done))
        })
    }
}

/// The id that an action made.
pub(super) fn made(action: &StoredAction) -> Option<u64> {
    read::number(&action.result["id"])
}

/// What is kept of something that was made, or found made.
pub(super) fn result(kind: &str, id: u64, found: bool) -> Value {
    if found { json!({"kind": kind, "id": id, "found": true}) } else { json!({"kind": kind, "id": id}) }
}
