//! A plan made again for a call whose delivery has begun: late rows, a pause, a crash.

use super::{Action, Plan, Planned};

impl Plan {
    /// The action of a kind (see [`Action::kind`]).
    pub fn action(&self, kind: &str) -> Option<&Planned> {
        self.actions.iter().find(|planned| planned.action.kind() == kind)
    }

    /// Whether it makes a contact or a lead.
    pub fn makes_something(&self) -> bool {
        self.actions
            .iter()
            .any(|planned| matches!(planned.action, Action::CreateContact { .. } | Action::CreateLead { .. }))
    }

    /// This fresh plan over the one before: what was begun (by kind) stays as it was decided, the rest is as fresh as
    /// it can be. A call that stands in the CRM keeps its card and takes the fresh facts.
    #[must_use]
    pub fn over(self, before: Option<&Self>, begun: impl Fn(&str) -> bool) -> Self {
        let Some(before) = before else { return self };
        if !before.actions.iter().any(|planned| begun(planned.action.kind())) {
            return self;
        }
        if self.skip.is_some() {
            // It stands in the CRM already; nothing can be taken back.
            return before.clone();
        }
        let mut actions = Vec::new();
        for kind in ["contact", "lead", "call", "task"] {
            let kept = before.action(kind).filter(|_| begun(kind));
            let fresh = self.action(kind);
            let merged = match (kept, fresh) {
                (Some(kept), Some(fresh)) => keep_card(kept, fresh),
                (kept, fresh) => match kept.or(fresh) {
                    Some(planned) => planned.clone(),
                    None => continue,
                },
            };
            actions.push(merged);
        }
        Self { skip: None, actions, remarks: before.remarks.clone() }
    }
}

/// What was begun, with the fresh story of a call.
fn keep_card(kept: &Planned, fresh: &Planned) -> Planned {
    match (&kept.action, &fresh.action) {
        (Action::WriteCall { place, .. }, Action::WriteCall { note, .. }) => Planned {
            action: Action::WriteCall { place: *place, note: note.clone() },
            reason: kept.reason.clone(),
        },
        _ => kept.clone(),
    }
}
