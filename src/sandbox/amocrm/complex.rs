//! `POST /leads/complex`: a lead with its contact and company in one request (reference 3.5).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    contacts::{NEW_COMPANY, NEW_CONTACT},
    fields::{self, STAMPS, TAG, VALUES},
    leads::{DEAL, SOURCE, check_lead},
    model::Kind,
    state::State,
    unsorted_metadata,
    validation::{Batch, Complaints, Field, Shape, below, may, request_id},
};

/// Leads of one request (UNVERIFIED in 3.5, the stricter reading).
const MOST_LEADS: usize = 50;

const EMBEDDED: &[Field] = &[may(
    "_embedded",
    Shape::Object(&[&[
        may("tags", Shape::List(&TAG)),
        may("contacts", Shape::Few(1, &Shape::AnyObject)),
        may("companies", Shape::Few(1, &Shape::AnyObject)),
        may("source", SOURCE),
        may("metadata", Shape::AnyObject),
    ]]),
)];

const COMPLEX_LEAD: Shape = Shape::Object(&[STAMPS, VALUES, DEAL, EMBEDDED]);

/// An existing card is attached by its id alone; anything beside it is refused (stricter reading).
const ATTACHED: Shape = Shape::Object(&[&[may("id", Shape::Int), may("is_main", Shape::Bool)]]);

/// The answer is a bare list, and `request_id` in it a list too.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let checked = Batch::read_most(ask, &COMPLEX_LEAD, MOST_LEADS).and_then(|batch| {
        batch
            .each(|item, complaints| {
                check_lead(state, None, item, complaints);
                check_people(state, item, complaints);
                unsorted_metadata::check_metadata_of_complex(state, item, complaints);
            })
            .finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let made = items.iter().enumerate().map(|(at, item)| state.create_complex(item, at, ask));
    Answer::ok(Value::Array(made.collect()))
}

/// The contact and the company inside a lead: new ones of their own shape, or existing ones by id.
pub(super) fn check_people(state: &State, item: &Value, complaints: &mut Complaints) {
    for kind in [Kind::Contact, Kind::Company] {
        let people = item["_embedded"][kind.plural()].as_array().into_iter().flatten();
        for (at, person) in people.enumerate() {
            let path = below("_embedded", &format!("{}.{at}", kind.plural()));
            check_person(state, kind, person, &path, complaints);
        }
    }
}

pub(super) fn check_person(
    state: &State,
    kind: Kind,
    person: &Value,
    path: &str,
    complaints: &mut Complaints,
) {
    if person.get("id").is_none() {
        complaints.check(person, if kind == Kind::Contact { &NEW_CONTACT } else { &NEW_COMPANY }, path);
        fields::check_item(state, kind, person, path, complaints);
        return;
    }
    complaints.check(person, &ATTACHED, path);
    let id = person["id"].as_i64().and_then(|id| u64::try_from(id).ok());
    if person["id"].is_i64() && id.is_none_or(|id| state.alive((kind, id)).is_none()) {
        complaints.choice(below(path, "id"));
    }
}

impl State {
    fn create_complex(&mut self, item: &Value, at: usize, ask: &Ask) -> Value {
        let metadata = &item["_embedded"]["metadata"];
        let hidden = !metadata.is_null();
        let mut card = self.new_lead(item, ask);
        if hidden {
            card.deal.status_id =
                self.pipeline(card.deal.pipeline_id).map_or(0, |line| line.unsorted_stage());
            card.is_unsorted = true;
        }
        let key = card.key();
        let contact = self.person_of(Kind::Contact, &item["_embedded"]["contacts"][0], ask, hidden);
        let company = self.person_of(Kind::Company, &item["_embedded"]["companies"][0], ask, hidden);
        if let Some(id) = contact {
            self.join(key, (Kind::Contact, id), true);
        }
        if let Some(id) = company {
            self.join(key, (Kind::Company, id), false);
        }
        if let Some((contact, company)) = contact.zip(company) {
            self.join((Kind::Contact, contact), (Kind::Company, company), false);
        }
        let pipeline_id = card.deal.pipeline_id;
        let id = self.put_new(card);
        if hidden {
            self.put_unsorted_of_complex(metadata, pipeline_id, id, (contact, company), ask.now);
        }
        json!({
            "id": id, "contact_id": contact, "company_id": company,
            "request_id": [request_id(item, at)], "merged": false,
        })
    }

    /// The person inside a lead: attached when it has an id, else made; none when there is none.
    pub(super) fn person_of(&mut self, kind: Kind, person: &Value, ask: &Ask, hidden: bool) -> Option<u64> {
        if person.is_null() {
            return None;
        }
        match person["id"].as_u64() {
            Some(id) => Some(id),
            None => Some(self.create_person(kind, person, ask, hidden)),
        }
    }
}
