//! Actions → JSON that amoCRM accepts.
//!
//! What amoCRM refuses decides the shapes: a key with `null` (`NotNullable`), a key it does not know
//! (`FieldNotExpected`), a `request_id` that is no string. So absent values are left out, and every batch item
//! carries its own `request_id`, by which the created id is found in the answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{read, request::Request};

/// The most items of one create that amoCRM answers in time; up to 250 are allowed.
pub const BATCH: usize = 50;

/// What a note, task or call hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A contact.
    Contact,
    /// A company.
    Company,
    /// A lead.
    Lead,
}

impl Target {
    /// Path segment and `entity_type`.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
            Self::Lead => "leads",
        }
    }
}

/// A contact to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewContact {
    /// Comes back beside the id.
    pub request_id: String,
    /// Shown name.
    pub name: String,
    /// CRM user; none leaves the token's user.
    pub responsible: Option<u64>,
    /// Numbers as `+E.164`; stored as work phones.
    pub phones: Vec<String>,
    /// Unix seconds: when the call began.
    pub created_at: i64,
    /// Made when missing.
    pub tags: Vec<String>,
}

/// A lead to be made, alone or with its contact ([`complex_leads`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLead {
    /// Comes back beside the id.
    pub request_id: String,
    /// Shown name.
    pub name: String,
    /// None means the main pipeline.
    pub pipeline: Option<u64>,
    /// None means the pipeline's first status.
    pub status: Option<u64>,
    /// CRM user; none leaves the token's user.
    pub responsible: Option<u64>,
    /// Unix seconds: when the call began; with the client's card it is the mark of a lead whose answer was lost.
    pub created_at: i64,
    /// Made when missing.
    pub tags: Vec<String>,
    /// Existing contact that it belongs to.
    pub contact: Option<u64>,
    /// Existing company that it belongs to.
    pub company: Option<u64>,
}

/// `call_status` of a call, as amoCRM numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Left a message.
    LeftMessage,
    /// Asked to call back later.
    CallBack,
    /// Not in.
    NotIn,
    /// Talked.
    Talked,
    /// Wrong number.
    WrongNumber,
    /// Nobody answered.
    NoAnswer,
    /// Busy.
    Busy,
}

impl CallStatus {
    /// 1 to 7.
    pub const fn code(self) -> u8 {
        match self {
            Self::LeftMessage => 1,
            Self::CallBack => 2,
            Self::NotIn => 3,
            Self::Talked => 4,
            Self::WrongNumber => 5,
            Self::NoAnswer => 6,
            Self::Busy => 7,
        }
    }
}

/// A call as the CRM keeps it, by [`call_notes`] (on a card of our choice) or [`calls`] (amoCRM chooses).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCall {
    /// Comes back beside the id.
    pub request_id: String,
    /// The card of a note; [`calls`] does not send it.
    pub entity_id: u64,
    /// Client called, or was called.
    pub inbound: bool,
    /// Our mark. The server does not look at it; by it we find what a lost answer left.
    pub uniq: String,
    /// Talk seconds.
    pub duration: u32,
    /// Name of the service, never blank.
    pub source: String,
    /// The client's number.
    pub phone: String,
    /// The recording, opened by the user's browser.
    pub link: Option<String>,
    /// What came of it.
    pub status: Option<CallStatus>,
    /// A few words.
    pub result: Option<String>,
    /// CRM user who talked or was called, shown as the author.
    pub user: Option<u64>,
    /// Name or extension shown when there is no user.
    pub party: Option<String>,
    /// CRM user who may manage the event.
    pub responsible: Option<u64>,
    /// Unix seconds: its place in the history.
    pub created_at: i64,
}

/// A task to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Comes back beside the id.
    pub request_id: String,
    /// What is to be done.
    pub text: String,
    /// Unix seconds.
    pub complete_till: i64,
    /// 1 is "follow up".
    pub task_type: u64,
    /// CRM user.
    pub responsible: Option<u64>,
    /// What it hangs on.
    pub target: Target,
    /// Its id.
    pub target_id: u64,
}

/// A JSON object that leaves out what is absent.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    fn maybe(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

fn tags(names: &[String]) -> Option<Value> {
    (!names.is_empty()).then(|| names.iter().map(|name| json!({"name": name})).collect())
}

fn contact(contact: &NewContact) -> Object {
    let phones: Value =
        contact.phones.iter().map(|phone| json!({"value": phone, "enum_code": "WORK"})).collect();
    let fields = json!([{"field_code": "PHONE", "values": phones}]);
    Object::default()
        .with("name", contact.name.as_str())
        .maybe("responsible_user_id", contact.responsible)
        .with("created_at", contact.created_at)
        .maybe("custom_fields_values", (!contact.phones.is_empty()).then_some(fields))
        .with("request_id", contact.request_id.as_str())
        .maybe("_embedded", tags(&contact.tags).map(|tags| json!({"tags": tags})))
}

fn lead(lead: &NewLead, embedded_contact: Option<Value>) -> Object {
    let existing = lead.contact.map(|id| json!({"id": id}));
    let embedded = Object::default()
        .maybe("tags", tags(&lead.tags))
        .maybe("contacts", embedded_contact.or(existing).map(|contact| json!([contact])))
        .maybe("companies", lead.company.map(|id| json!([{"id": id}])));
    Object::default()
        .with("name", lead.name.as_str())
        .maybe("pipeline_id", lead.pipeline)
        .maybe("status_id", lead.status)
        .maybe("responsible_user_id", lead.responsible)
        .with("created_at", lead.created_at)
        .with("request_id", lead.request_id.as_str())
        .maybe("_embedded", (!embedded.0.is_empty()).then_some(embedded))
}

/// `POST /api/v4/contacts`.
pub fn contacts(items: &[NewContact]) -> Request {
    Request::post("/api/v4/contacts", items.iter().map(|item| Value::from(contact(item))).collect())
}

/// `POST /api/v4/leads`, of existing contacts and companies.
pub fn leads(items: &[NewLead]) -> Request {
    Request::post("/api/v4/leads", items.iter().map(|item| Value::from(lead(item, None))).collect())
}

/// `POST /api/v4/leads/complex`: each lead with its new contact, in one request.
pub fn complex_leads(items: &[(NewLead, Option<NewContact>)]) -> Request {
    let body = items.iter().map(|(new_lead, new_contact)| {
        let embedded = new_contact.as_ref().map(|new_contact| {
            let mut object = contact(new_contact);
            // The answer's `request_id` is the lead's.
            object.0.remove("request_id");
            Value::from(object)
        });
        Value::from(lead(new_lead, embedded))
    });
    Request::post("/api/v4/leads/complex", body.collect())
}

fn call_facts(call: &NewCall) -> Object {
    // A user's id shows the user's name, any string shows itself.
    let responsible = call.user.map(Value::from).or_else(|| call.party.clone().map(Value::from));
    Object::default()
        .with("uniq", call.uniq.as_str())
        .with("duration", call.duration)
        .with("source", call.source.as_str())
        .with("phone", call.phone.as_str())
        .maybe("link", call.link.as_deref())
        .maybe("call_result", call.result.as_deref())
        .maybe("call_status", call.status.map(CallStatus::code))
        .maybe("call_responsible", responsible)
}

/// `POST /api/v4/{target}/notes` with `call_in` and `call_out`: each call stands on the card that we chose.
pub fn call_notes(target: Target, items: &[NewCall]) -> Request {
    let body = items.iter().map(|call| {
        let note = Object::default()
            .with("entity_id", call.entity_id)
            .with("note_type", if call.inbound { "call_in" } else { "call_out" })
            .with("params", call_facts(call))
            .maybe("created_by", call.user)
            .maybe("responsible_user_id", call.responsible)
            .with("created_at", call.created_at)
            .with("request_id", call.request_id.as_str());
        Value::from(note)
    });
    Request::post(format!("/api/v4/{}/notes", target.plural()), body.collect())
}

/// `PATCH /api/v4/{target}/notes/{id}`: a call note is told anew, with all its facts.
pub fn call_note_change(target: Target, note: u64, call: &NewCall) -> Request {
    let body = Object::default()
        .with("note_type", if call.inbound { "call_in" } else { "call_out" })
        .with("params", call_facts(call))
        .maybe("responsible_user_id", call.responsible);
    Request::patch(format!("/api/v4/{}/notes/{note}", target.plural()), body.into())
}

/// `POST /api/v4/calls`: amoCRM finds the card by the number's last ten digits, and drops what has none.
pub fn calls(items: &[NewCall]) -> Request {
    let body = items.iter().map(|call| {
        let facts = call_facts(call)
            .with("direction", if call.inbound { "inbound" } else { "outbound" })
            .maybe("created_by", call.user)
            .maybe("responsible_user_id", call.responsible)
            .with("created_at", call.created_at)
            .with("request_id", call.request_id.as_str());
        Value::from(facts)
    });
    Request::post("/api/v4/calls", body.collect())
}

/// `POST /api/v4/tasks`.
pub fn tasks(items: &[NewTask]) -> Request {
    let body = items.iter().map(|task| {
        let object = Object::default()
            .with("text", task.text.as_str())
            .with("complete_till", task.complete_till)
            .with("task_type_id", task.task_type)
            .maybe("responsible_user_id", task.responsible)
            .with("entity_id", task.target_id)
            .with("entity_type", task.target.plural())
            .with("request_id", task.request_id.as_str());
        Value::from(object)
    });
    Request::post("/api/v4/tasks", body.collect())
}

/// An item that a create answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The one that was sent.
    pub request_id: String,
    /// The new id.
    pub id: u64,
}

/// What `POST` of contacts, leads, notes or tasks made; `name` is the key under `_embedded`.
pub fn created(body: &Value, name: &str) -> Vec<Created> {
    let read = |item: &Value| {
        Some(Created { request_id: read::text(&item["request_id"]), id: read::number(&item["id"])? })
    };
    read::embedded(body, name).iter().filter_map(read).collect()
}

/// A lead that `POST /api/v4/leads/complex` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedComplex {
    /// The one that was sent with the lead.
    pub request_id: String,
    /// Lead id.
    pub lead: u64,
    /// Contact id, new or given.
    pub contact: Option<u64>,
    /// Company id.
    pub company: Option<u64>,
    /// Duplicate control joined it to a lead that was there.
    pub merged: bool,
}

/// What `POST /api/v4/leads/complex` made: a bare list, `request_id` a list of one.
pub fn created_complex(body: &Value) -> Vec<CreatedComplex> {
    let read = |item: &Value| {
        let request_id = item["request_id"].get(0).unwrap_or_else(|| &item["request_id"]);
        Some(CreatedComplex {
            request_id: read::text(request_id),
            lead: read::number(&item["id"])?,
            contact: read::number(&item["contact_id"]),
            company: read::number(&item["company_id"]),
            merged: read::flag(&item["merged"]),
        })
    };
    body.as_array().into_iter().flatten().filter_map(read).collect()
}

/// Call notes of a card that carry our marks: `(uniq, note id)`. Asked before a call is written again.
pub fn uniqs_of_notes(body: &Value) -> Vec<(String, u64)> {
    let read = |note: &Value| {
        let uniq = read::text(&note["params"]["uniq"]);
        (!uniq.is_empty()).then_some((uniq, read::number(&note["id"])?))
    };
    read::embedded(body, "notes").iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> NewCall {
        NewCall {
            request_id: "c1".to_owned(),
            entity_id: 7,
            inbound: true,
            uniq: "1700000000.1".to_owned(),
            duration: 42,
            source: "Perezvon".to_owned(),
            phone: "+79161234567".to_owned(),
            link: None,
            status: Some(CallStatus::Talked),
            result: None,
            user: None,
            party: Some("101".to_owned()),
            responsible: Some(5),
            created_at: 1_700_000_000,
        }
    }

    fn holds_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(holds_null),
            Value::Object(items) => items.values().any(holds_null),
            _ => false,
        }
    }

    #[test]
    fn a_call_note_stands_on_its_card_without_nulls() {
        let request = call_notes(Target::Lead, &[call()]);
        assert_eq!(request.path, "/api/v4/leads/notes");
        let body = request.body.unwrap();
        assert!(!holds_null(&body));
        assert_eq!(
            body,
            json!([{"entity_id": 7, "note_type": "call_in", "responsible_user_id": 5, "request_id": "c1",
                "created_at": 1_700_000_000,
                "params": {"uniq": "1700000000.1", "duration": 42, "source": "Perezvon",
                    "phone": "+79161234567", "call_status": 4, "call_responsible": "101"}}])
        );
    }

    #[test]
    fn an_outbound_call_says_so_and_names_its_user_by_id() {
        let outbound =
            NewCall { inbound: false, user: Some(9), link: Some("https://l".to_owned()), ..call() };
        let body = calls(std::slice::from_ref(&outbound)).body.unwrap();
        assert_eq!(body[0]["direction"], "outbound");
        assert_eq!(body[0]["call_responsible"], 9);
        assert_eq!(body[0]["link"], "https://l");
        assert!(body[0].get("entity_id").is_none());
        let note = call_notes(Target::Contact, &[outbound]).body.unwrap();
        assert_eq!((&note[0]["note_type"], &note[0]["created_by"]), (&json!("call_out"), &json!(9)));
    }

    #[test]
    fn a_lead_and_its_new_contact_are_one_item() {
        let new_lead = NewLead {
            request_id: "l1".to_owned(),
            name: "Звонок".to_owned(),
            pipeline: None,
            status: None,
            responsible: Some(5),
            created_at: 1_700_000_000,
            tags: vec!["звонок".to_owned()],
            contact: None,
            company: None,
        };
        let new_contact = NewContact {
            request_id: "l1".to_owned(),
            name: "+7916".to_owned(),
            responsible: Some(5),
            phones: vec!["+79161234567".to_owned()],
            created_at: 1_700_000_000,
            tags: Vec::new(),
        };
        let body = complex_leads(&[(new_lead.clone(), Some(new_contact))]).body.unwrap();
        assert!(!holds_null(&body));
        let contact = &body[0]["_embedded"]["contacts"][0];
        assert_eq!(contact["custom_fields_values"][0]["values"][0]["value"], "+79161234567");
        assert!(contact.get("request_id").is_none());
        assert_eq!(body[0]["_embedded"]["tags"], json!([{"name": "звонок"}]));
        let of_existing = leads(&[NewLead { contact: Some(3), tags: Vec::new(), ..new_lead }]).body.unwrap();
        assert_eq!(of_existing[0]["_embedded"], json!({"contacts": [{"id": 3}]}));
    }

    #[test]
    fn created_ids_are_found_by_request_id() {
        let body =
            json!({"_embedded": {"contacts": [{"id": 1, "request_id": "a"}, {"id": "2", "request_id": 3}]}});
        let ids: Vec<_> =
            created(&body, "contacts").into_iter().map(|made| (made.request_id, made.id)).collect();
        assert_eq!(ids, [("a".to_owned(), 1), ("3".to_owned(), 2)]);
        let complex =
            json!([{"id": 1, "contact_id": 2, "company_id": null, "request_id": ["x"], "merged": false}]);
        let made = created_complex(&complex).remove(0);
        assert_eq!(
            (made.request_id.as_str(), made.lead, made.contact, made.company),
            ("x", 1, Some(2), None)
        );
    }
}
