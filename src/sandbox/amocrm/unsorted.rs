//! Incoming leads that wait for a manager (reference 3.13).

use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    ask::Ask,
    complex::check_person,
    fields::{ONLY_TAGS, STAMPS, VALUES, check_item},
    leads::{DEAL, check_lead},
    listing,
    model::{Kind, Unsorted},
    state::State,
    unsorted_metadata::metadata_shape,
    validation::{Batch, Complaints, Shape, below, may, must, request_id},
};

const NEW_UNSORTED: Shape = Shape::Object(&[&[
    must("source_uid", Shape::Filled),
    must("source_name", Shape::Filled),
    must("metadata", Shape::AnyObject),
    may("pipeline_id", Shape::Int),
    may("created_at", Shape::Int),
    may("request_id", Shape::Text),
    may(
        "_embedded",
        Shape::Object(&[&[
            may("leads", Shape::Few(1, &Shape::Object(&[STAMPS, VALUES, DEAL, ONLY_TAGS]))),
            may("contacts", Shape::List(&Shape::AnyObject)),
            may("companies", Shape::List(&Shape::AnyObject)),
        ]]),
    ),
]]);

/// `GET /leads/unsorted`: those not yet decided.
pub(super) fn list(state: &mut State, ask: &Ask) -> Answer {
    let query = &ask.query;
    let (uids, categories) = (query.all("filter[uid]"), query.all("filter[category]"));
    let pipelines = query.ids("filter[pipeline_id]");
    let mut found: Vec<&Unsorted> = state
        .unsorted
        .iter()
        .filter(|one| one.decided.is_none())
        .filter(|one| uids.as_ref().is_none_or(|uids| uids.contains(&one.uid.as_str())))
        .filter(|one| categories.as_ref().is_none_or(|list| list.contains(&one.category.as_str())))
        .filter(|one| pipelines.as_ref().is_none_or(|ids| ids.contains(&one.pipeline_id)))
        .collect();
    if let Some((_, down)) = query.order(&["created_at", "updated_at"]) {
        found.sort_by_key(|one| one.created_at);
        if down {
            found.reverse();
        }
    }
    listing::listed(state, ask, "unsorted", &found, false, |one| unsorted_json(state, one))
}

/// `GET /leads/unsorted/{uid}`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let found = state.unsorted.iter().find(|one| one.uid == ask.word(2) && one.decided.is_none());
    found.map_or_else(Answer::nothing, |one| Answer::ok(unsorted_json(state, one)))
}

/// `POST /leads/unsorted/sip` and `/forms`.
pub(super) fn create(state: &mut State, ask: &Ask) -> Answer {
    let category = ask.word(2).to_owned();
    let checked = Batch::read(ask, &NEW_UNSORTED).and_then(|batch| {
        batch.each(|item, complaints| check_unsorted(state, &category, item, complaints)).finish()
    });
    let items = match checked {
        Ok(items) => items,
        Err(refusal) => return refusal,
    };
    let made: Vec<Value> = items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let uid = state.create_unsorted(&category, item, ask);
            created_json(state, &uid, &request_id(item, at))
        })
        .collect();
    Answer::ok(json!({
        "_total_items": made.len(),
        "_links": {"self": {"href": format!("{}{}", state.base, ask.path)}},
        "_embedded": {"unsorted": made},
    }))
}

fn check_unsorted(state: &State, category: &str, item: &Value, complaints: &mut Complaints) {
    if item["metadata"].is_object() {
        complaints.check(&item["metadata"], &metadata_shape(category), "metadata");
    }
    let pipeline = item["pipeline_id"].as_i64().map(|id| u64::try_from(id).unwrap_or_default());
    let unknown = pipeline.is_some_and(|id| state.pipeline(id).is_none());
    if unknown || state.toggles().unsorted_off {
        complaints.choice("pipeline_id");
    }
    let lead = &item["_embedded"]["leads"][0];
    if lead.is_object() {
        check_item(state, Kind::Lead, lead, "_embedded.leads.0", complaints);
        let mut own = Complaints::default();
        check_lead(state, None, lead, &mut own);
        if !own.is_empty() {
            complaints.choice("_embedded.leads.0");
        }
    }
    for kind in [Kind::Contact, Kind::Company] {
        let people = item["_embedded"][kind.plural()].as_array().into_iter().flatten();
        for (at, person) in people.enumerate() {
            let path = below("_embedded", &format!("{}.{at}", kind.plural()));
            check_person(state, kind, person, &path, complaints);
        }
    }
    if category == "sip"
        && state.toggles().refuse_same_unsorted
        && state.same_sip(&item["metadata"]).is_some()
    {
        complaints.add("NotUnique", "metadata", "The request already exists.");
    }
}

impl State {
    fn create_unsorted(&mut self, category: &str, item: &Value, ask: &Ask) -> String {
        let same = if category == "sip" { self.same_sip(&item["metadata"]) } else { None };
        let pipeline_id = item["pipeline_id"].as_u64().unwrap_or_else(|| self.default_stage().0);
        let mut lead = self.new_lead(&item["_embedded"]["leads"][0], ask);
        lead.is_unsorted = true;
        lead.deal.pipeline_id = pipeline_id;
        lead.deal.status_id = self.pipeline(pipeline_id).map_or(0, |line| line.unsorted_stage());
        let key = lead.key();
        self.put_new(lead);
        let people = |state: &mut Self, kind: Kind| -> Vec<u64> {
            let people = item["_embedded"][kind.plural()].as_array().map(Vec::as_slice).unwrap_or_default();
            people.iter().filter_map(|person| state.person_of(kind, person, ask, true)).collect()
        };
        let (contacts, companies) = (people(self, Kind::Contact), people(self, Kind::Company));
        for id in &contacts {
            self.join(key, (Kind::Contact, *id), false);
        }
        for id in &companies {
            self.join(key, (Kind::Company, *id), false);
        }
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let uid = self.random_hex(40);
        self.unsorted.push(Unsorted {
            uid: uid.clone(),
            category: category.to_owned(),
            source_uid: text("source_uid"),
            source_name: text("source_name"),
            pipeline_id,
            metadata: item["metadata"].clone(),
            lead: key.1,
            contacts,
            companies,
            created_at: item["created_at"].as_i64().unwrap_or(ask.now),
            decided: None,
        });
        self.after_unsorted(&uid, same, ask);
        uid
    }

    /// The mark of a duplicate on both, the call in the card when asked for, the webhook.
    fn after_unsorted(&mut self, uid: &str, same: Option<u64>, ask: &Ask) {
        let Some(own) = self.unsorted.iter().find(|one| one.uid == uid).cloned() else { return };
        if let Some(other) = same {
            let tag = self.tag_id(Kind::Lead, "дубль");
            for id in [own.lead, other] {
                if let Some(card) =
                    self.cards.get_mut(&(Kind::Lead, id)).filter(|card| !card.tags.contains(&tag))
                {
                    card.tags.push(tag);
                }
            }
        }
        if own.metadata["is_call_event_needed"] == true {
            let mut params = Map::new();
            for name in ["uniq", "duration", "link", "phone", "call_responsible"] {
                params.extend(own.metadata.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            params.insert("source".into(), json!(own.source_name));
            let stamps = json!({"created_at": own.metadata["called_at"]});
            self.put_note((Kind::Lead, own.lead), "call_in", Value::Object(params), &stamps, ask);
        }
        self.hook_unsorted("add", uid, ask.user);
    }

    /// An undecided or decided request with the same call; answers its lead.
    fn same_sip(&self, metadata: &Value) -> Option<u64> {
        let fields = ["from", "phone", "duration", "called_at", "service_code"];
        self.unsorted
            .iter()
            .filter(|one| one.category == "sip")
            .find(|one| fields.iter().all(|name| one.metadata[name] == metadata[name]))
            .map(|one| one.lead)
    }

    /// The incoming lead that `leads/complex` makes when it is given metadata.
    pub(super) fn put_unsorted_of_complex(
        &mut self,
        metadata: &Value,
        pipeline_id: u64,
        lead: u64,
        (contact, company): (Option<u64>, Option<u64>),
        now: i64,
    ) {
        let uid = self.random_hex(40);
        let category = metadata["category"].as_str().unwrap_or("sip").to_owned();
        self.unsorted.push(Unsorted {
            uid: uid.clone(),
            category,
            source_uid: String::new(),
            source_name: String::new(),
            pipeline_id,
            metadata: metadata.clone(),
            lead,
            contacts: contact.into_iter().collect(),
            companies: company.into_iter().collect(),
            created_at: now,
            decided: None,
        });
        self.hook_unsorted("add", &uid, 0);
    }

    /// Leads, contacts and companies of a request, by id and address.
    pub(super) fn unsorted_embedded(&self, one: &Unsorted) -> Value {
        let of = |kind: Kind, ids: &[u64]| -> Value {
            let links = ids.iter();
            links.map(|id| json!({"id": id, "_links": {"self": {"href": self.href(kind, *id)}}})).collect()
        };
        json!({
            "leads": of(Kind::Lead, &[one.lead]),
            "contacts": of(Kind::Contact, &one.contacts),
            "companies": of(Kind::Company, &one.companies),
        })
    }
}

fn created_json(state: &State, uid: &str, mark: &str) -> Value {
    let Some(one) = state.unsorted.iter().find(|one| one.uid == uid) else { return Value::Null };
    json!({
        "uid": uid, "account_id": state.account_id, "request_id": mark, "_links": links(state, uid),
        "_embedded": state.unsorted_embedded(one),
    })
}

fn links(state: &State, uid: &str) -> Value {
    json!({"self": {"href": format!("{}/api/v4/leads/unsorted/{uid}", state.base)}})
}

/// As read, types are sloppy: the phone is a number, the duration is text (3.13).
fn unsorted_json(state: &State, one: &Unsorted) -> Value {
    let mut metadata = one.metadata.clone();
    if let Some(object) = metadata.as_object_mut() {
        object.remove("is_call_event_needed");
        object.remove("category");
        let digits: Option<String> = object
            .get("phone")
            .and_then(Value::as_str)
            .map(|phone| phone.chars().filter(char::is_ascii_digit).collect());
        if let Some(number) = digits.and_then(|digits| digits.parse::<u64>().ok()) {
            object.insert("phone".into(), json!(number));
        }
        if let Some(duration) = object.get("duration").and_then(Value::as_i64) {
            object.insert("duration".into(), json!(duration.to_string()));
        }
    }
    json!({
        "uid": one.uid, "source_uid": one.source_uid, "source_name": one.source_name, "category": one.category,
        "pipeline_id": one.pipeline_id, "created_at": one.created_at, "metadata": metadata,
        "account_id": state.account_id, "_links": links(state, &one.uid),
        "_embedded": state.unsorted_embedded(one),
    })
}
