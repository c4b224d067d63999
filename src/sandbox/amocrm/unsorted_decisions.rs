//! Taking incoming leads in, or turning them away (reference 3.13).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    model::{Kind, Unsorted},
    state::{Key, State},
    validation::{Batch, Shape, may},
};

const ACCEPT: Shape = Shape::Object(&[&[may("user_id", Shape::Int), may("status_id", Shape::Int)]]);
const DECLINE: Shape = Shape::Object(&[&[may("user_id", Shape::Int)]]);

/// `POST /leads/unsorted/{uid}/accept`: people become visible, the lead goes to the status.
pub(super) fn accept(state: &mut State, ask: &Ask) -> Answer {
    let (at, item) = match decision(state, ask, &ACCEPT) {
        Ok(decision) => decision,
        Err(refusal) => return refusal,
    };
    let one = state.unsorted[at].clone();
    let status_id = item["status_id"].as_u64();
    let stage = state.pipeline(one.pipeline_id).and_then(|line| match status_id {
        None => Some(line.first_stage()),
        Some(id) => line.statuses.iter().find(|status| status.id == id && !status.is_unsorted).map(|_| id),
    });
    let Some(stage) = stage else { return Answer::bad_request("Invalid status_id") };
    state.take_in(&one, stage, item["user_id"].as_u64(), ask);
    state.unsorted[at].decided = Some((ask.now, true));
    state.hook_unsorted("accept", &one.uid, ask.user);
    Answer::ok(decided_json(state, at))
}

/// `DELETE /leads/unsorted/{uid}/decline`: what came with it is thrown away.
pub(super) fn decline(state: &mut State, ask: &Ask) -> Answer {
    let (at, _) = match decision(state, ask, &DECLINE) {
        Ok(decision) => decision,
        Err(refusal) => return refusal,
    };
    let one = state.unsorted[at].clone();
    for key in members(&one) {
        if let Some(card) = state.cards.get_mut(&key).filter(|card| card.is_unsorted) {
            card.is_deleted = true;
            card.updated_at = ask.now;
        }
    }
    state.unsorted[at].decided = Some((ask.now, false));
    state.hook_unsorted("decline", &one.uid, ask.user);
    Answer::ok(decided_json(state, at))
}

/// `POST /leads/unsorted/{uid}/link`: only chats can be linked, and none are kept here.
pub(super) fn link(_state: &mut State, _ask: &Ask) -> Answer {
    Answer::bad_request("Only unsorted of category chats can be linked")
}

/// `GET /leads/unsorted/summary`.
pub(super) fn summary(state: &mut State, ask: &Ask) -> Answer {
    let (uids, pipelines) = (ask.query.all("filter[uid]"), ask.query.ids("filter[pipeline_id]"));
    let created = ask.query.range("filter[created_at]");
    let found: Vec<&Unsorted> = state
        .unsorted
        .iter()
        .filter(|one| uids.as_ref().is_none_or(|uids| uids.contains(&one.uid.as_str())))
        .filter(|one| pipelines.as_ref().is_none_or(|ids| ids.contains(&one.pipeline_id)))
        .filter(|one| created.is_none_or(|(from, to)| (from..=to).contains(&one.created_at)))
        .collect();
    let decided: Vec<(i64, bool)> =
        found.iter().filter_map(|one| one.decided.map(|(at, taken)| (at - one.created_at, taken))).collect();
    let waited: i64 = decided.iter().map(|(seconds, _)| *seconds).sum();
    let total = |category: &str| found.iter().filter(|one| one.category == category).count();
    Answer::ok(json!({
        "total": found.len(),
        "accepted": decided.iter().filter(|(_, taken)| *taken).count(),
        "declined": decided.iter().filter(|(_, taken)| !*taken).count(),
        "average_sort_time": waited / i64::try_from(decided.len().max(1)).unwrap_or(1),
        "categories": {
            "sip": {"total": total("sip")}, "forms": {"total": total("forms")},
            "chats": {"total": 0}, "mail": {"total": 0},
        },
    }))
}

/// The undecided request of the path, and the body, which may be absent.
fn decision(state: &State, ask: &Ask, shape: &Shape) -> Result<(usize, Value), Answer> {
    let at = state
        .unsorted
        .iter()
        .position(|one| one.uid == ask.word(2) && one.decided.is_none())
        .ok_or_else(|| Answer::problem(404, "Not Found", "Unsorted not found!"))?;
    if ask.body.is_empty() {
        return Ok((at, Value::Null));
    }
    let items = Batch::read_single(ask, shape)?
        .each(|item, complaints| {
            if item["user_id"]
                .as_i64()
                .is_some_and(|id| u64::try_from(id).map_or(true, |id| !state.is_active_user(id)))
            {
                complaints.choice("user_id");
            }
        })
        .finish()?;
    Ok((at, items.into_iter().next().unwrap_or_default()))
}

fn members(one: &Unsorted) -> Vec<Key> {
    let contacts = one.contacts.iter().map(|id| (Kind::Contact, *id));
    let companies = one.companies.iter().map(|id| (Kind::Company, *id));
    contacts.chain(companies).chain([(Kind::Lead, one.lead)]).collect()
}

fn decided_json(state: &State, at: usize) -> Value {
    let one = &state.unsorted[at];
    json!({
        "uid": one.uid, "pipeline_id": one.pipeline_id, "category": one.category, "created_at": one.created_at,
        "_embedded": state.unsorted_embedded(one),
    })
}

impl State {
    fn take_in(&mut self, one: &Unsorted, stage: u64, user: Option<u64>, ask: &Ask) {
        for key in members(one) {
            let Some(card) = self.cards.get_mut(&key).filter(|card| card.is_unsorted) else { continue };
            card.is_unsorted = false;
            card.updated_at = ask.now;
            card.indexed_from = std::time::Instant::now();
            card.responsible_user_id = user.unwrap_or(card.responsible_user_id);
            if key.0 == Kind::Lead {
                card.deal.status_id = stage;
            }
            self.log_event(&format!("{}_added", key.0.singular()), key, ask.user, ask.now);
            self.hook_card("add", key, None);
        }
        self.swap_sides(&one.uid);
    }

    /// After taking in, `from` and `phone` are shown exchanged (3.13, the swap quirk).
    fn swap_sides(&mut self, uid: &str) {
        let Some(one) = self.unsorted.iter_mut().find(|one| one.uid == uid && one.category == "sip") else {
            return;
        };
        let (from, phone) = (one.metadata["from"].take(), one.metadata["phone"].take());
        one.metadata["from"] = phone;
        one.metadata["phone"] = from;
    }
}
