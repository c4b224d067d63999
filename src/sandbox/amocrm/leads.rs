//! Leads (reference 3.5).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    card::Card,
    contacts::select,
    fields::{self, CHANGES, ONLY_TAGS, STAMPS, TAG, VALUES},
    listing,
    model::Kind,
    pipelines::LOST,
    state::State,
    validation::{Batch, Complaints, Field, Shape, below, may, must, request_id},
};

/// Why leads are lost.
const LOSS_REASONS: [(u64, &str); 3] =
    [(3_200_001, "Дорого"), (3_200_002, "Пропала потребность"), (3_200_003, "Спам")];

/// Fields that only leads have.
pub(super) const DEAL: &[Field] = &[
    may("price", Shape::Int),
    may("status_id", Shape::Int),
    may("pipeline_id", Shape::Int),
    may("closed_at", Shape::Int),
    may("loss_reason_id", Shape::Int),
    may("visitor_uid", Shape::Text),
];

const EMBEDDED: &[Field] = &[may(
    "_embedded",
    Shape::Object(&[&[
        may("tags", Shape::List(&TAG)),
        may(
            "contacts",
            Shape::List(&Shape::Object(&[&[must("id", Shape::Int), may("is_main", Shape::Bool)]])),
        ),
        may("companies", Shape::Few(1, &Shape::Object(&[&[must("id", Shape::Int)]]))),
        may("source", SOURCE),
    ]]),
)];

/// Where a lead came from.
pub(super) const SOURCE: Shape =
    Shape::Object(&[&[must("external_id", Shape::Filled), must("type", Shape::Word(&["widget"]))]]);

const NEW_LEAD: Shape = Shape::Object(&[STAMPS, VALUES, DEAL, EMBEDDED]);
const CHANGED_LEAD: Shape = Shape::Object(&[STAMPS, VALUES, DEAL, ONLY_TAGS, CHANGES]);

/// `GET /leads`. There is no filter by contact: like every unknown one it is passed over (3.5, 2.4).
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let query = &ask.query;
    let (pipelines, prices) = (query.ids("filter[pipeline_id]"), query.range("filter[price]"));
    let (statuses, closed) = (wanted_statuses(ask), query.range("filter[closed_at]"));
    let found = select(state, ask, Kind::Lead, |card| {
        let deal = &card.deal;
        pipelines.as_ref().is_none_or(|ids| ids.contains(&deal.pipeline_id))
            && (statuses.is_empty() || statuses.contains(&(deal.pipeline_id, deal.status_id)))
            && prices.is_none_or(|(from, to)| (from..=to).contains(&deal.price))
            && closed.is_none_or(|(from, to)| deal.closed_at.is_some_and(|at| (from..=to).contains(&at)))
    });
    listing::listed(state, ask, "leads", &found, false, |card| state.card_json(card, ask))
}

/// `filter[statuses][0][pipeline_id]=…&filter[statuses][0][status_id]=…`: both parts are needed.
fn wanted_statuses(ask: &Ask) -> Vec<(u64, u64)> {
    let number = |at: usize, part: &str| -> Option<u64> {
        ask.query.get(&format!("filter[statuses][{at}][{part}]"))?.parse().ok()
    };
    (0..1000).map_while(|at| number(at, "pipeline_id").zip(number(at, "status_id"))).collect()
}

/// `GET /leads/{id}`: 204 when there is none.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let found = ask.id(1).and_then(|id| state.alive((Kind::Lead, id)));
    found.map_or_else(Answer::nothing, |card| Answer::ok(state.card_json(card, ask)))
}

/// `GET /leads/loss_reasons`.
pub(super) fn loss_reasons(state: &mut State, ask: &Ask) -> Answer {
    listing::listed(
        state,
        ask,
        "loss_reasons",
        &LOSS_REASONS,
        true,
        |(id, name)| json!({"id": id, "name": name, "sort": 100}),
    )
}

/// `POST /leads`: nothing is required; the first stage of the main pipeline is the default.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read(ask, &NEW_LEAD).and_then(|batch| {
        batch
            .each(|item, complaints| {
                check_lead(state, None, item, complaints);
                check_linked(state, item, complaints);
            })
            .finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let ids: Vec<u64> = items.iter().map(|item| state.create_lead(item, ask)).collect();
    fields::created(state, ask, Kind::Lead, &items, &ids)
}

/// `PATCH /leads`: a list, each with its id.
pub(super) fn change_many(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read(ask, &CHANGED_LEAD).and_then(|batch| {
        batch
            .each(|item, complaints| {
                fields::check_id(state, Kind::Lead, item, complaints);
                check_lead(state, item["id"].as_u64(), item, complaints);
            })
            .finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let mut done = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let id = item["id"].as_u64().unwrap_or_default();
        change(state, id, item, ask);
        done.push(fields::changed(state, Kind::Lead, id, Some(request_id(item, at))));
    }
    Answer::ok(json!({
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {"leads": done},
    }))
}

/// `PATCH /leads/{id}`: one bare object.
pub(super) fn change_one(state: &mut State, ask: &Ask) -> Answer {
    let Some(id) = ask.id(1).filter(|id| state.alive((Kind::Lead, *id)).is_some()) else {
        return Answer::problem(404, "Not Found", "Entity not found!");
    };
    let checked = Batch::read_single(ask, &CHANGED_LEAD).and_then(|batch| {
        batch.each(|item, complaints| check_lead(state, Some(id), item, complaints)).finish()
    });
    match checked {
        Ok(items) => {
            items.iter().for_each(|item| change(state, id, item, ask));
            Answer::ok(fields::changed(state, Kind::Lead, id, None))
        }
        Err(refusal) => refusal,
    }
}

fn change(state: &mut State, id: u64, item: &Value, ask: &Ask) {
    fields::change_card(state, Kind::Lead, id, item, ask.origin(), |state, card| {
        state.apply_deal(card, item, ask.now);
    });
}

/// Names of a lead must exist: users, fields, tags, pipeline, status, reason. `id` is the lead that is changed.
pub(super) fn check_lead(state: &State, id: Option<u64>, item: &Value, complaints: &mut Complaints) {
    fields::check_item(state, Kind::Lead, item, "", complaints);
    check_stage(state, id, item, complaints);
    if let Some(reason) = item["loss_reason_id"].as_u64() {
        let known = LOSS_REASONS.iter().any(|(own, _)| *own == reason);
        let lost = item["status_id"].as_u64() == Some(LOST)
            || id
                .and_then(|id| state.alive((Kind::Lead, id)))
                .is_some_and(|card| card.deal.status_id == LOST);
        // A reason goes with status 143 (3.5); on another status the stricter reading refuses it.
        if !known || !lost {
            complaints.choice("loss_reason_id");
        }
    }
}

fn check_stage(state: &State, id: Option<u64>, item: &Value, complaints: &mut Complaints) {
    let own = id.and_then(|id| state.alive((Kind::Lead, id))).map(|card| card.deal.pipeline_id);
    let named = item["pipeline_id"].as_u64();
    if item["pipeline_id"].is_i64() && named.and_then(|id| state.pipeline(id)).is_none() {
        return complaints.choice("pipeline_id");
    }
    let Some(status_id) = item["status_id"].as_i64() else { return };
    let status_id = u64::try_from(status_id).unwrap_or_default();
    let pipeline_id =
        named.or_else(|| state.pipeline_of(status_id, own.unwrap_or_else(|| state.default_stage().0)));
    let found = pipeline_id
        .and_then(|id| state.pipeline(id))
        .and_then(|line| line.statuses.iter().find(|status| status.id == status_id));
    // Nothing is put into the unsorted stage by hand (3.13, stricter reading).
    if found.is_none_or(|status| status.is_unsorted) {
        complaints.choice("status_id");
    }
}

fn check_linked(state: &State, item: &Value, complaints: &mut Complaints) {
    for kind in [Kind::Contact, Kind::Company] {
        let linked = item["_embedded"][kind.plural()].as_array().into_iter().flatten();
        for (at, other) in linked.enumerate() {
            let id = other["id"].as_i64().and_then(|id| u64::try_from(id).ok());
            if other["id"].is_i64() && id.is_none_or(|id| state.alive((kind, id)).is_none()) {
                complaints.choice(below("_embedded", &format!("{}.{at}.id", kind.plural())));
            }
        }
    }
}

impl State {
    fn create_lead(&mut self, item: &Value, ask: &Ask) -> u64 {
        let card = self.new_lead(item, ask);
        let key = card.key();
        let contacts = item["_embedded"]["contacts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let main = contacts.iter().position(|one| one["is_main"] == true).unwrap_or(0);
        for (at, contact) in contacts.iter().enumerate() {
            self.join(key, (Kind::Contact, contact["id"].as_u64().unwrap_or_default()), at == main);
        }
        for company in item["_embedded"]["companies"].as_array().into_iter().flatten() {
            self.join(key, (Kind::Company, company["id"].as_u64().unwrap_or_default()), false);
        }
        self.put_new(card)
    }

    /// A lead from an item that passed the checks; not yet put in.
    pub(super) fn new_lead(&mut self, item: &Value, ask: &Ask) -> Card {
        let mut card = self.blank_card(Kind::Lead, ask.origin());
        fields::apply(self, &mut card, item);
        if card.name.is_empty() {
            card.name = format!("Сделка #{}", card.id);
        }
        self.apply_deal(&mut card, item, ask.now);
        let stamp = fields::stamped(item, ask.origin());
        (card.updated_by, card.updated_at) = (stamp.user, stamp.now);
        card.deal.source_external_id = item["_embedded"]["source"]["external_id"].as_str().map(str::to_owned);
        card
    }

    fn apply_deal(&self, card: &mut Card, item: &Value, now: i64) {
        card.deal.price = item["price"].as_i64().unwrap_or(card.deal.price);
        if let Some(line) = item["pipeline_id"].as_u64().and_then(|id| self.pipeline(id))
            && line.id != card.deal.pipeline_id
        {
            card.deal.pipeline_id = line.id;
            card.deal.status_id = line.first_stage();
        }
        if let Some(status_id) = item["status_id"].as_u64() {
            self.move_deal(card, status_id, now);
        }
        if let Some(moment) = item["closed_at"].as_i64().filter(|_| !card.is_open()) {
            card.deal.closed_at = Some(moment);
        }
        card.deal.loss_reason_id = item["loss_reason_id"].as_u64().or(card.deal.loss_reason_id);
    }

    /// A lead as read.
    pub(super) fn lead_json(&self, card: &Card, ask: &Ask) -> Value {
        let deal = &card.deal;
        let mut body = self.common_json(card);
        for (name, value) in [
            ("price", json!(deal.price)),
            ("status_id", json!(deal.status_id)),
            ("pipeline_id", json!(deal.pipeline_id)),
            ("loss_reason_id", json!(deal.loss_reason_id)),
            ("closed_at", json!(deal.closed_at)),
            ("score", Value::Null),
            ("labor_cost", Value::Null),
        ] {
            body[name] = value;
        }
        let mut embedded = json!({
            "tags": self.tags_json(card), "companies": self.linked_json(card, Kind::Company),
        });
        if ask.query.lists("with", "contacts") {
            embedded["contacts"] = self.lead_contacts_json(card);
        }
        if ask.query.lists("with", "loss_reason") {
            let reason = LOSS_REASONS.iter().filter(|(id, _)| Some(*id) == deal.loss_reason_id);
            embedded["loss_reason"] = reason.map(|(id, name)| json!({"id": id, "name": name})).collect();
        }
        if ask.query.lists("with", "source")
            && let Some(external_id) = &deal.source_external_id
        {
            embedded["source"] = json!({"external_id": external_id, "type": "widget"});
        }
        body["_embedded"] = embedded;
        body
    }

    fn lead_contacts_json(&self, card: &Card) -> Value {
        self.neighbours(card.key())
            .into_iter()
            .filter(|(other, _)| other.0 == Kind::Contact && self.alive(*other).is_some())
            .map(|((kind, id), is_main)| {
                json!({"id": id, "is_main": is_main, "_links": {"self": {"href": self.href(kind, id)}}})
            })
            .collect()
    }
}
