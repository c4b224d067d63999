//! Notes, calls, tasks, incoming leads, pop-ups, events.

use perezvon::sandbox::amocrm::Kind;
use serde_json::{Value, json};

use super::{Desk, complaint, pair};

fn call(phone: &str) -> Value {
    json!({"direction": "inbound", "duration": 5, "source": "Perezvon", "phone": phone, "uniq": "a-1"})
}

#[tokio::test]
async fn a_call_lands_on_the_only_open_lead_else_on_the_contact() {
    let desk = Desk::open().await;
    let contact = desk.contact(&["8 (916) 000-00-01"]);
    let place = async || {
        let (status, body) = desk.post("/api/v4/calls", json!([call("+79160000001")])).await;
        assert_eq!(status, 200, "{body}");
        let call = &body["_embedded"]["calls"][0];
        (call["entity_type"].as_str().unwrap().to_owned(), call["entity_id"].as_u64().unwrap())
    };
    assert_eq!(place().await, ("contact".into(), contact));
    let lead = desk.lead(contact);
    assert_eq!(place().await, ("lead".into(), lead));
    let second = desk.lead(contact);
    assert_eq!(place().await, ("contact".into(), contact));
    desk.patch(&format!("/api/v4/leads/{second}"), json!({"status_id": 142})).await;
    assert_eq!(place().await, ("lead".into(), lead));
    assert_eq!(desk.handle.calls().len(), 4, "the server does not look at uniq");
}

#[tokio::test]
async fn a_call_of_a_number_nobody_has_is_400_and_not_kept() {
    let desk = Desk::open().await;
    desk.contact(&["9160000001"]);
    let (status, body) = desk.post("/api/v4/calls", json!([call("+79160000002")])).await;
    assert_eq!(status, 400);
    assert_eq!(body["_total_items"], 0);
    assert_eq!(body["errors"][0]["title"], "Entity not found");
    let (status, body) = desk.post("/api/v4/calls", json!([call("+79160000002"), call("89160000001")])).await;
    assert_eq!((status, body["_total_items"].as_u64()), (200, Some(1)));
    assert_eq!(body["errors"][0]["request_id"], "0");
    assert_eq!(desk.handle.calls().len(), 1);
}

#[tokio::test]
async fn the_oldest_of_several_cards_takes_the_call() {
    let desk = Desk::open().await;
    let company = desk.handle.add_contact(Kind::Company, "ООО", &["9160000001"], desk.user());
    desk.contact(&["+79160000001"]);
    let (_, body) = desk.post("/api/v4/calls", json!([call("+79160000001")])).await;
    assert_eq!(body["_embedded"]["calls"][0]["entity_id"], company);
    assert_eq!(body["_embedded"]["calls"][0]["entity_type"], "company");
}

#[tokio::test]
async fn each_fault_of_a_call_has_its_code_and_path() {
    let desk = Desk::open().await;
    desk.contact(&["9160000001"]);
    for (key, value, code) in [
        ("link", json!(null), "NotNullable"),
        ("call_result", json!(null), "NotNullable"),
        ("call_status", json!(null), "NotNullable"),
        ("call_status", json!(8), "NotSupportedChoice"),
        ("call_status", json!("4"), "InvalidType"),
        ("duration", json!("5"), "InvalidType"),
        ("direction", json!("in"), "NotSupportedChoice"),
        ("source", json!(""), "NotBlank"),
        ("phone", json!(79160000001_u64), "InvalidType"),
        ("call_responsible", json!(5), "NotSupportedChoice"),
        ("disposition", json!("x"), "FieldNotExpected"),
    ] {
        let mut body = call("9160000001");
        body[key] = value;
        let (status, answer) = desk.post("/api/v4/calls", json!([body])).await;
        assert_eq!((status, complaint(&answer)), (400, pair(code, key)));
    }
    for key in ["direction", "duration", "source", "phone"] {
        let mut body = call("9160000001");
        body.as_object_mut().unwrap().remove(key);
        let (_, answer) = desk.post("/api/v4/calls", json!([body])).await;
        assert_eq!(complaint(&answer), pair("FieldMissing", key));
    }
    assert!(desk.handle.calls().is_empty());
}

#[tokio::test]
async fn a_call_note_is_written_and_found_by_type() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    let params = json!({"duration": 5, "source": "Perezvon", "uniq": "a-1", "call_responsible": "Иван"});
    let note = json!([{"entity_id": contact, "note_type": "call_in", "params": params, "created_at": 1_700_000_000}]);
    let (status, body) = desk.post("/api/v4/contacts/notes", note).await;
    assert_eq!(status, 200, "{body}");
    let path = format!("/api/v4/contacts/{contact}/notes?filter[note_type][]=call_in");
    let (_, read) = desk.get(&path).await;
    let note = &read["_embedded"]["notes"][0];
    assert_eq!(
        (note["params"]["uniq"].as_str(), note["created_at"].as_i64()),
        (Some("a-1"), Some(1_700_000_000))
    );
    assert!(note["params"].as_object().unwrap().contains_key("link"), "reading gives nulls");
    assert_eq!(desk.get(&path.replace("call_in", "call_out")).await.0, 204);
    assert_eq!(desk.get("/api/v4/leads/notes").await.0, 204);
}

#[tokio::test]
async fn each_fault_of_a_note_has_its_code_and_path() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    for (note_type, params, code, path) in [
        ("call_in", json!({"source": "x"}), "FieldMissing", "params.duration"),
        ("call_in", json!({"duration": 1, "source": " "}), "NotBlank", "params.source"),
        ("call_in", json!({"duration": 1, "source": "x", "link": null}), "NotNullable", "params.link"),
        ("call_out", json!({"duration": 1, "source": "x", "text": "x"}), "FieldNotExpected", "params.text"),
        ("sms_in", json!({"text": "x", "phone": "1", "uniq": "1"}), "FieldNotExpected", "params.uniq"),
        ("common", json!({}), "FieldMissing", "params.text"),
        ("fax", json!({}), "NotSupportedChoice", "note_type"),
    ] {
        let body = json!([{"entity_id": contact, "note_type": note_type, "params": params}]);
        let (status, answer) = desk.post("/api/v4/contacts/notes", body).await;
        assert_eq!((status, complaint(&answer)), (400, pair(code, path)), "{note_type} {params}");
    }
    let (_, answer) = desk
        .post(
            "/api/v4/contacts/notes",
            json!([{"entity_id": 5, "note_type": "common", "params": {"text": "x"}}]),
        )
        .await;
    assert_eq!(complaint(&answer), pair("NotSupportedChoice", "entity_id"));
    let (_, answer) =
        desk.post("/api/v4/contacts/notes", json!([{"note_type": "common", "params": {"text": "x"}}])).await;
    assert_eq!(complaint(&answer), pair("FieldMissing", "entity_id"));
    assert_eq!(desk.post("/api/v4/contacts/5/notes", json!([{"note_type": "common"}])).await.0, 404);
}

#[tokio::test]
async fn notes_are_never_deleted_and_call_notes_never_changed() {
    let desk = Desk::open().await;
    desk.contact(&["9160000001"]);
    desk.post("/api/v4/calls", json!([call("9160000001")])).await;
    let id = desk.handle.notes()[0].id;
    let path = format!("/api/v4/contacts/notes/{id}");
    assert_eq!(desk.delete(&path, None).await.0, 405);
    let (status, body) = desk.patch(&path, json!({"params": {"duration": 9, "source": "x"}})).await;
    assert_eq!((status, complaint(&body)), (400, pair("NotSupportedChoice", "note_type")));
}

#[tokio::test]
async fn a_task_is_made_found_and_done() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    let task = json!([{"text": "Перезвонить", "complete_till": 1_900_000_000, "entity_id": contact,
        "entity_type": "contacts", "responsible_user_id": desk.user(), "request_id": "t"}]);
    let (status, body) = desk.post("/api/v4/tasks", task).await;
    assert_eq!((status, body["_embedded"]["tasks"][0]["request_id"].as_str()), (200, Some("t")));
    let find = format!(
        "/api/v4/tasks?filter[entity_type]=contacts&filter[entity_id][]={contact}&filter[is_completed]=0"
    );
    let (_, read) = desk.get(&find).await;
    let task = &read["_embedded"]["tasks"][0];
    assert_eq!(task["result"], json!([]), "an empty result is a list");
    let done = json!({"is_completed": true, "result": {"text": "дозвонился"}});
    assert_eq!(desk.patch(&format!("/api/v4/tasks/{}", task["id"]), done).await.0, 200);
    assert_eq!(desk.get(&find).await.0, 204);
    assert_eq!(desk.get("/api/v4/tasks").await.1["_embedded"]["tasks"][0]["result"]["text"], "дозвонился");
    let (status, body) = desk.delete(&format!("/api/v4/tasks/{}", task["id"]), None).await;
    assert_eq!((status, body["detail"].as_str()), (403, Some("Invalid scope")));
}

#[tokio::test]
async fn each_fault_of_a_task_has_its_code_and_path() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    for (body, code, path) in [
        (json!([{"text": "x"}]), "FieldMissing", "complete_till"),
        (json!([{"complete_till": 1}]), "FieldMissing", "text"),
        (
            json!([{"text": "x", "complete_till": 1, "task_type_id": 77}]),
            "NotSupportedChoice",
            "task_type_id",
        ),
        (json!([{"text": "x", "complete_till": 1, "entity_id": contact}]), "FieldMissing", "entity_type"),
        (
            json!([{"text": "x", "complete_till": 1, "entity_id": contact, "entity_type": "leads"}]),
            "NotSupportedChoice",
            "entity_id",
        ),
        (json!([{"text": "x", "complete_till": "завтра"}]), "InvalidType", "complete_till"),
    ] {
        let (status, answer) = desk.post("/api/v4/tasks", body.clone()).await;
        assert_eq!((status, complaint(&answer)), (400, pair(code, path)), "{body}");
    }
}

fn incoming(duration: i64) -> Value {
    json!([{"source_uid": "call-1", "source_name": "Perezvon", "_embedded": {
        "contacts": [{"name": "Новый", "custom_fields_values": [
            {"field_code": "PHONE", "values": [{"value": "+79160000009"}]}
        ]}]},
        "metadata": {"from": "Perezvon", "phone": "+79160000009", "called_at": 1_700_000_000, "duration": duration,
            "link": "https://example.com/a.mp3", "service_code": "perezvon", "is_call_event_needed": true}}])
}

#[tokio::test]
async fn people_in_unsorted_are_hidden_until_they_are_taken_in() {
    let desk = Desk::open().await;
    let (status, body) = desk.post("/api/v4/leads/unsorted/sip", incoming(5)).await;
    assert_eq!(status, 200, "{body}");
    let made = &body["_embedded"]["unsorted"][0];
    assert_eq!(desk.get("/api/v4/contacts?query=9160000009").await.0, 204);
    assert_eq!(desk.post("/api/v4/calls", json!([call("+79160000009")])).await.0, 400);
    let (_, read) = desk.get("/api/v4/leads/unsorted?filter[category][]=sip").await;
    assert_eq!(read["_embedded"]["unsorted"][0]["metadata"]["phone"], 79160000009_u64, "a number on reading");
    let uid = made["uid"].as_str().unwrap();
    let accept = json!({"user_id": desk.user(), "status_id": desk.first_status()});
    assert_eq!(desk.post(&format!("/api/v4/leads/unsorted/{uid}/accept"), accept).await.0, 200);
    assert_eq!(desk.get("/api/v4/contacts?query=9160000009").await.0, 200);
    assert_eq!(desk.handle.leads()[0].status_id, desk.first_status());
    assert_eq!(desk.handle.unsorted()[0].metadata["from"], "+79160000009", "the swap quirk");
    assert_eq!(desk.get("/api/v4/leads/unsorted/summary").await.1["accepted"], 1);
}

#[tokio::test]
async fn unsorted_refuses_what_it_must() {
    let desk = Desk::open().await;
    assert_eq!(desk.post("/api/v4/leads/unsorted", incoming(5)).await.0, 405);
    let mut body = incoming(5);
    body[0]["metadata"].as_object_mut().unwrap().remove("link");
    let (_, answer) = desk.post("/api/v4/leads/unsorted/sip", body).await;
    assert_eq!(complaint(&answer), pair("FieldMissing", "metadata.link"));
    let mut toggles = desk.handle.faults().toggles();
    toggles.unsorted_off = true;
    desk.handle.faults().set_toggles(toggles);
    let (_, answer) = desk.post("/api/v4/leads/unsorted/sip", incoming(5)).await;
    assert_eq!(complaint(&answer), pair("NotSupportedChoice", "pipeline_id"));
}

#[tokio::test]
async fn the_same_incoming_lead_is_tagged_or_refused() {
    let desk = Desk::open().await;
    for _ in 0..2 {
        assert_eq!(desk.post("/api/v4/leads/unsorted/sip", incoming(5)).await.0, 200);
    }
    assert!(desk.handle.leads().iter().all(|lead| lead.tags == ["дубль"]));
    let mut toggles = desk.handle.faults().toggles();
    toggles.refuse_same_unsorted = true;
    desk.handle.faults().set_toggles(toggles);
    assert_eq!(desk.post("/api/v4/leads/unsorted/sip", incoming(5)).await.0, 400);
    assert_eq!(desk.post("/api/v4/leads/unsorted/sip", incoming(6)).await.0, 200);
}

#[tokio::test]
async fn a_declined_lead_is_thrown_away() {
    let desk = Desk::open().await;
    let (_, body) = desk.post("/api/v4/leads/unsorted/sip", incoming(5)).await;
    let uid = body["_embedded"]["unsorted"][0]["uid"].as_str().unwrap().to_owned();
    let path = format!("/api/v4/leads/unsorted/{uid}/decline");
    assert_eq!(desk.delete(&path, Some(json!({"user_id": desk.user()}))).await.0, 200);
    assert_eq!(desk.delete(&path, None).await.0, 404);
    assert!(desk.handle.leads()[0].is_deleted && desk.handle.contacts()[0].is_deleted);
}

#[tokio::test]
async fn a_pop_up_shows_the_card_of_the_number() {
    let desk = Desk::open().await;
    let contact = desk.contact(&["8-916-000-00-01"]);
    let popup =
        json!({"add": [{"type": "phone_call", "phone_number": "+79160000001", "users": [desk.user()]}]});
    let (status, body) = desk.post("/api/v2/events", popup).await;
    let item = &body["_embedded"]["items"][0];
    assert_eq!(
        (status, item["element_id"].as_u64(), item["element_type"].as_u64()),
        (200, Some(contact), Some(1))
    );
    let unknown = json!({"add": [{"type": "phone_call", "phone_number": "+79160000002"}]});
    assert!(desk.post("/api/v2/events", unknown).await.1["_embedded"]["items"][0]["element_id"].is_null());
    assert_eq!(desk.handle.popups().len(), 2);
    let nobody = json!({"add": [{"type": "phone_call", "phone_number": "1", "users": [5]}]});
    assert_eq!(desk.post("/api/v2/events", nobody).await.0, 400);
}

#[tokio::test]
async fn the_log_of_events_tells_of_calls() {
    let desk = Desk::open().await;
    let contact = desk.contact(&["9160000001"]);
    desk.post("/api/v4/calls", json!([call("9160000001")])).await;
    let (_, body) = desk.get("/api/v4/events?filter[type]=incoming_call,outgoing_call").await;
    let event = &body["_embedded"]["events"][0];
    assert_eq!((event["type"].as_str(), event["entity_id"].as_u64()), (Some("incoming_call"), Some(contact)));
    assert!(event["id"].is_string());
    assert_eq!(event["value_after"][0]["note"]["id"], desk.handle.notes()[0].id);
    assert_eq!(desk.get("/api/v4/events?filter[type]=entity_merged").await.0, 204);
    assert_eq!(desk.get("/api/v4/events?limit=250").await.0, 422);
}
