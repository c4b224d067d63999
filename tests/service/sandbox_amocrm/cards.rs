//! Contacts, companies, leads and what hangs on them.

use perezvon::sandbox::amocrm::{Edit, Kind, Options};
use serde_json::{Value, json};

use super::{Desk, complaint, pair};

#[tokio::test]
async fn a_contact_is_made_and_read_back() {
    let desk = Desk::open().await;
    let phone = json!({"value": "+7 916 000-00-01", "enum_code": "MOB"});
    let fields = json!([{"field_code": "PHONE", "values": [phone]}]);
    let (status, body) =
        desk.post("/api/v4/contacts", json!([{"name": "Пётр", "custom_fields_values": fields}])).await;
    assert_eq!(status, 200, "{body}");
    let made = &body["_embedded"]["contacts"][0];
    assert_eq!(made["request_id"], "0");
    let (status, read) = desk.get(&format!("/api/v4/contacts/{}", made["id"])).await;
    assert_eq!(status, 200);
    let field = &read["custom_fields_values"][0];
    assert_eq!(field["field_code"], "PHONE");
    assert_eq!(field["values"][0]["value"], "+7 916 000-00-01");
    assert_eq!(field["values"][0]["enum_code"], "MOB");
}

#[tokio::test]
async fn an_empty_list_an_unknown_id_and_a_page_past_the_end_are_204() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/api/v4/contacts").await.0, 204);
    assert_eq!(desk.get("/api/v4/contacts/7").await.0, 204);
    desk.contact(&[]);
    assert_eq!(desk.get("/api/v4/contacts?page=1").await.0, 200);
    assert_eq!(desk.get("/api/v4/contacts?page=2").await.0, 204);
}

#[tokio::test]
async fn a_full_last_page_leads_to_an_empty_one() {
    let desk = Desk::open().await;
    desk.contact(&[]);
    desk.contact(&[]);
    let (_, body) = desk.get("/api/v4/contacts?limit=2").await;
    let next = body["_links"]["next"]["href"].as_str().unwrap();
    assert_eq!(desk.get(next.strip_prefix(&desk.handle.base_url()).unwrap()).await.0, 204);
    assert!(desk.get("/api/v4/contacts?limit=3").await.1["_links"]["next"].is_null());
}

#[tokio::test]
async fn more_than_250_are_refused_with_422() {
    let desk = Desk::open().await;
    let many: Vec<Value> = (0..251).map(|at| json!({"name": at.to_string()})).collect();
    let (status, body) = desk.post("/api/v4/contacts", json!(many)).await;
    assert_eq!((status, body["detail"].as_str()), (422, Some("Limit 250 per page")));
    assert_eq!(desk.get("/api/v4/contacts?limit=251").await.0, 422);
    assert!(desk.handle.contacts().is_empty());
}

#[tokio::test]
async fn an_empty_body_is_refused() {
    let desk = Desk::open().await;
    for body in [json!([]), json!({}), json!(null)] {
        let (status, body) = desk.post("/api/v4/contacts", body).await;
        assert_eq!((status, body["detail"].as_str()), (400, Some("Request data can not be empty")));
    }
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_the_whole_batch() {
    let desk = Desk::open().await;
    let (status, body) =
        desk.post("/api/v4/contacts", json!([{"name": "A"}, {"name": "B", "phone": "1"}])).await;
    assert_eq!(status, 400);
    assert_eq!(body["detail"], "Request validation failed");
    assert_eq!(body["validation-errors"][0]["request_id"], "1");
    assert_eq!(complaint(&body), pair("FieldNotExpected", "phone"));
    assert!(desk.handle.contacts().is_empty());
}

#[tokio::test]
async fn each_fault_of_a_contact_has_its_code_and_path() {
    let desk = Desk::open().await;
    let phone =
        |value: Value| json!([{"custom_fields_values": [{"field_code": "PHONE", "values": [value]}]}]);
    let value = "custom_fields_values.0.values.0";
    for (body, code, path) in [
        (json!([{"name": 5}]), "InvalidType", "name"),
        (json!([{"name": null}]), "NotNullable", "name"),
        (json!([{"responsible_user_id": "5"}]), "InvalidType", "responsible_user_id"),
        (json!([{"responsible_user_id": 5}]), "NotSupportedChoice", "responsible_user_id"),
        (json!([{"created_by": 5}]), "NotSupportedChoice", "created_by"),
        (json!([{"created_at": "2026-01-01"}]), "InvalidType", "created_at"),
        (json!([{"request_id": 1}]), "InvalidType", "request_id"),
        (json!([{"custom_fields_values": null}]), "NotNullable", "custom_fields_values"),
        (
            json!([{"custom_fields_values": [{"values": []}]}]),
            "FieldMissing",
            "custom_fields_values.0.field_id",
        ),
        (
            json!([{"custom_fields_values": [{"field_id": 1, "values": [{"value": "1"}]}]}]),
            "NotSupportedChoice",
            "custom_fields_values.0.field_id",
        ),
        (phone(json!({"value": 79160000001_u64})), "InvalidType", &format!("{value}.value")),
        (
            phone(json!({"value": "1", "enum_code": "CAR"})),
            "NotSupportedChoice",
            &format!("{value}.enum_code"),
        ),
        (phone(json!({"value": ""})), "NotBlank", &format!("{value}.value")),
        (phone(json!({"enum_code": "WORK"})), "FieldMissing", &format!("{value}.value")),
        (json!([{"tags_to_add": [{"id": 1}]}]), "NotSupportedChoice", "tags_to_add.0.id"),
        (json!({"name": "no list"}), "InvalidType", ""),
    ] {
        let (status, answer) = desk.post("/api/v4/contacts", body.clone()).await;
        assert_eq!((status, complaint(&answer)), (400, pair(code, path)), "{body}");
    }
    let position = json!([{"custom_fields_values": [
        {"field_code": "POSITION", "values": [{"value": "директор", "enum_code": "WORK"}]}
    ]}]);
    let (_, answer) = desk.post("/api/v4/contacts", position).await;
    assert_eq!(complaint(&answer), pair("FieldNotExpected", &format!("{value}.enum_code")));
    assert!(desk.handle.contacts().is_empty());
}

#[tokio::test]
async fn a_dismissed_user_cannot_be_responsible() {
    let desk = Desk::open().await;
    let gone = desk.handle.users()[1].id;
    let contact = desk.contact(&[]);
    desk.handle.set_user_active(gone, false);
    let change = json!({"responsible_user_id": gone});
    let (status, body) = desk.patch(&format!("/api/v4/contacts/{contact}"), change).await;
    assert_eq!((status, complaint(&body)), (400, pair("NotSupportedChoice", "responsible_user_id")));
}

#[tokio::test]
async fn a_change_of_phones_replaces_the_whole_list() {
    let desk = Desk::open().await;
    let contact = desk.contact(&["1111111", "2222222"]);
    let change = json!([{"id": contact, "custom_fields_values": [
        {"field_code": "PHONE", "values": [{"value": "3333333"}]}
    ]}]);
    let (status, body) = desk.patch("/api/v4/contacts", change).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(desk.handle.contacts()[0].phones, ["3333333"]);
    assert_eq!(
        complaint(&desk.patch("/api/v4/contacts", json!([{"name": "x"}])).await.1),
        pair("FieldMissing", "id")
    );
    assert_eq!(
        complaint(&desk.patch("/api/v4/contacts", json!([{"id": 1}])).await.1),
        pair("NotSupportedChoice", "id")
    );
}

#[tokio::test]
async fn tags_are_set_added_and_taken_away() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    let path = format!("/api/v4/contacts/{contact}");
    desk.patch(&path, json!({"_embedded": {"tags": [{"name": "a"}, {"name": "b"}]}})).await;
    desk.patch(&path, json!({"tags_to_add": [{"name": "c"}], "tags_to_delete": [{"name": "a"}]})).await;
    assert_eq!(desk.handle.contacts()[0].tags, ["b", "c"]);
}

#[tokio::test]
async fn a_search_takes_numbers_as_they_are_stored() {
    let desk = Desk::open().await;
    desk.contact(&["89160000001"]);
    assert_eq!(desk.get("/api/v4/contacts?query=%2B79160000001").await.0, 204);
    assert_eq!(desk.get("/api/v4/contacts?query=9160000001").await.0, 200);
    assert_eq!(desk.get("/api/v4/contacts?query=орлов").await.0, 200);
}

#[tokio::test]
async fn a_search_may_lag_while_lists_do_not() {
    let desk = Desk::open().await;
    let mut toggles = desk.handle.faults().toggles();
    toggles.search_lag = std::time::Duration::from_millis(300);
    desk.handle.faults().set_toggles(toggles);
    desk.contact(&["9160000001"]);
    assert_eq!(desk.get("/api/v4/contacts?query=9160000001").await.0, 204);
    assert_eq!(desk.get("/api/v4/contacts").await.0, 200);
    tokio::time::sleep(toggles.search_lag).await;
    assert_eq!(desk.get("/api/v4/contacts?query=9160000001").await.0, 200);
}

#[tokio::test]
async fn filters_that_are_unknown_are_passed_over() {
    let desk = Desk::open().await;
    let (one, other) = (desk.contact(&[]), desk.contact(&[]));
    desk.lead(one);
    let count =
        async |path: &str| desk.get(path).await.1["_embedded"]["leads"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&format!("/api/v4/leads?filter[contacts][]={other}")).await, 1);
    assert_eq!(desk.get("/api/v4/leads?filter[id][]=1&filter[id][]=2").await.0, 204);
    assert_eq!(desk.get("/api/v4/leads?filter[updated_at][to]=1").await.0, 204);
    let status = desk.first_status();
    let pipeline = *desk.handle.pipelines().keys().next().unwrap();
    let wanted = |status: u64| {
        format!(
            "/api/v4/leads?filter[statuses][0][pipeline_id]={pipeline}&filter[statuses][0][status_id]={status}"
        )
    };
    assert_eq!(count(&wanted(status)).await, 1);
    assert_eq!(count(&wanted(143)).await, 0);
}

#[tokio::test]
async fn a_deleted_contact_is_gone_from_lists_and_by_id() {
    let desk = Desk::open().await;
    let contact = desk.contact(&["9160000001"]);
    assert!(desk.handle.delete(Kind::Contact, contact));
    assert_eq!(desk.get("/api/v4/contacts").await.0, 204);
    assert_eq!(desk.get(&format!("/api/v4/contacts/{contact}")).await.0, 204);
    assert!(desk.handle.contacts()[0].is_deleted);
}

#[tokio::test]
async fn leads_in_the_bin_are_listed_only_when_asked_for() {
    let desk = Desk::open().await;
    let lead = desk.lead(desk.contact(&[]));
    assert_eq!(desk.get("/api/v4/leads?with=only_deleted").await.0, 204);
    desk.handle.delete(Kind::Lead, lead);
    assert_eq!(desk.get("/api/v4/leads").await.0, 204);
    let (_, body) = desk.get("/api/v4/leads?with=only_deleted").await;
    assert_eq!(body["_embedded"]["leads"][0]["id"], lead);
}

#[tokio::test]
async fn a_merged_contact_leaves_its_numbers_leads_and_notes_to_the_other() {
    let desk = Desk::open().await;
    let (kept, gone) = (desk.contact(&["1111111"]), desk.contact(&["2222222"]));
    let lead = desk.lead(gone);
    desk.post(
        &format!("/api/v4/contacts/{gone}/notes"),
        json!([{"note_type": "common", "params": {"text": "x"}}]),
    )
    .await;
    assert!(desk.handle.merge(Kind::Contact, kept, gone));
    let contact = desk.handle.contacts().into_iter().find(|one| one.id == kept).unwrap();
    assert_eq!((contact.phones.join(" "), contact.leads), ("1111111 2222222".into(), vec![lead]));
    assert_eq!(desk.handle.notes()[0].entity_id, kept);
    assert_eq!(desk.get(&format!("/api/v4/contacts/{gone}")).await.0, 204);
}

#[tokio::test]
async fn leads_of_a_contact_come_with_ids_only() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    let lead = desk.lead(contact);
    let path = format!("/api/v4/contacts/{contact}");
    assert!(desk.get(&path).await.1["_embedded"]["leads"].is_null());
    let (_, body) = desk.get(&format!("{path}?with=leads")).await;
    assert_eq!(body["_embedded"]["leads"][0]["id"], lead);
    assert!(body["_embedded"]["leads"][0]["status_id"].is_null());
}

#[tokio::test]
async fn a_lead_needs_a_status_of_its_pipeline() {
    let desk = Desk::open().await;
    let pipelines = desk.handle.pipelines();
    let mut lines = pipelines.iter();
    let ((main, (_, first)), (_, (_, second))) = (lines.next().unwrap(), lines.next().unwrap());
    for (body, path) in [
        (json!([{"pipeline_id": 1}]), "pipeline_id"),
        (json!([{"pipeline_id": main, "status_id": second[1]}]), "status_id"),
        (json!([{"status_id": first[0]}]), "status_id"),
        (json!([{"status_id": 5}]), "status_id"),
        (json!([{"_embedded": {"contacts": [{"id": 5}]}}]), "_embedded.contacts.0.id"),
        (json!([{"loss_reason_id": 3_200_001}]), "loss_reason_id"),
    ] {
        let (status, answer) = desk.post("/api/v4/leads", body.clone()).await;
        assert_eq!((status, complaint(&answer)), (400, pair("NotSupportedChoice", path)), "{body}");
    }
    let (_, answer) = desk.post("/api/v4/leads", json!([{"price": "100"}])).await;
    assert_eq!(complaint(&answer), pair("InvalidType", "price"));
    let (status, _) = desk.post("/api/v4/leads", json!([{"status_id": second[1]}, {}])).await;
    assert_eq!(status, 200);
    assert_eq!(
        desk.handle.leads()[1].status_id,
        first[1],
        "the first stage of the main pipeline is the default"
    );
}

#[tokio::test]
async fn a_complex_lead_answers_a_bare_list_with_marks_as_lists() {
    let desk = Desk::open().await;
    let lead = json!([{"name": "Звонок", "request_id": "call-1", "_embedded": {"contacts": [
        {"name": "Пётр", "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": "+79160000001"}]}]}
    ]}}]);
    let (status, body) = desk.post("/api/v4/leads/complex", lead).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body[0]["request_id"], json!(["call-1"]));
    assert_eq!(body[0]["company_id"], Value::Null);
    let contact = &desk.handle.contacts()[0];
    assert_eq!(
        (Some(contact.id), contact.leads.first().copied()),
        (body[0]["contact_id"].as_u64(), body[0]["id"].as_u64())
    );
    let two = json!([{"_embedded": {"contacts": [{"name": "A"}, {"name": "B"}]}}]);
    let (_, refused) = desk.post("/api/v4/leads/complex", two).await;
    assert_eq!(complaint(&refused), pair("TooManyElements", "_embedded.contacts"));
    let attached = json!([{"_embedded": {"contacts": [{"id": contact.id, "name": "Other"}]}}]);
    let (_, refused) = desk.post("/api/v4/leads/complex", attached).await;
    assert_eq!(complaint(&refused), pair("FieldNotExpected", "_embedded.contacts.0.name"));
}

#[tokio::test]
async fn cards_are_linked_and_unlinked() {
    let desk = Desk::open().await;
    let contact = desk.contact(&[]);
    let lead = desk.handle.add_lead("Окна", desk.first_status(), &[], desk.user());
    let row = json!([{"to_entity_id": contact, "to_entity_type": "contacts"}]);
    let path = format!("/api/v4/leads/{lead}");
    assert_eq!(desk.get(&format!("{path}/links")).await.0, 204);
    let (status, body) = desk.post(&format!("{path}/link"), row.clone()).await;
    assert_eq!((status, body["_total_items"].as_u64()), (200, Some(1)));
    assert_eq!(body["_embedded"]["links"][0]["metadata"]["main_contact"], true);
    assert_eq!(desk.handle.leads()[0].contacts, [contact]);
    assert_eq!(desk.post(&format!("{path}/unlink"), row).await.0, 204);
    let unknown = json!([{"to_entity_id": 5, "to_entity_type": "contacts"}]);
    let (_, refused) = desk.post(&format!("{path}/link"), unknown).await;
    assert_eq!(complaint(&refused), pair("NotSupportedChoice", "to_entity_id"));
}

#[tokio::test]
async fn closing_a_lead_sets_the_time_and_opening_clears_it() {
    let desk = Desk::open().await;
    let lead = desk.lead(desk.contact(&[]));
    let path = format!("/api/v4/leads/{lead}");
    desk.patch(&path, json!({"status_id": 143, "loss_reason_id": 3_200_003})).await;
    assert!(desk.handle.leads()[0].closed_at.is_some());
    let edit = Edit { status_id: Some(desk.first_status()), ..Edit::default() };
    assert!(desk.handle.edit(Kind::Lead, lead, edit));
    assert_eq!(desk.handle.leads()[0].closed_at, None);
}

#[tokio::test]
async fn users_pipelines_fields_and_account_are_there() {
    let desk = Desk::open().await;
    let (_, account) = desk.get("/api/v4/account?with=task_types,users").await;
    assert_eq!(account["_embedded"]["task_types"][0]["id"], 1);
    assert!(account["_embedded"]["users"].is_null(), "no users in v4");
    let (_, users) = desk.get("/api/v4/users?with=phone_number").await;
    assert_eq!(
        (users["_total_items"].as_u64(), users["_embedded"]["users"][0]["phone_number"].as_str()),
        (Some(3), Some("101"))
    );
    let (_, pipelines) = desk.get("/api/v4/leads/pipelines").await;
    let statuses = &pipelines["_embedded"]["pipelines"][0]["_embedded"]["statuses"];
    assert_eq!((statuses[0]["type"].as_u64(), statuses[4]["id"].as_u64()), (Some(1), Some(142)));
    let (_, fields) = desk.get("/api/v4/contacts/custom_fields").await;
    assert_eq!(fields["_embedded"]["custom_fields"][0]["code"], "PHONE");
    assert_eq!(
        desk.post("/api/v4/leads/custom_fields", json!([{"name": "Линия", "type": "text"}])).await.0,
        201
    );
}

#[tokio::test]
async fn the_same_seed_makes_the_same_people() {
    let people = async |seed| {
        let desk = Desk::with(Options { seed_contacts: 40, seed, ..Options::default() }).await;
        let contacts = desk.handle.contacts();
        assert_eq!(contacts.len() + desk.handle.companies().len(), 40);
        contacts.into_iter().map(|one| (one.name, one.phones)).collect::<Vec<_>>()
    };
    assert_eq!(people(7).await, people(7).await);
    assert_ne!(people(7).await, people(8).await);
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405() {
    let desk = Desk::open().await;
    let (status, body) = desk.get("/api/v4/example").await;
    assert_eq!(status, 404);
    assert!(body["detail"].as_str().unwrap().ends_with("/api/v4/example!"), "{body}");
    assert_eq!(desk.get("/api/v4/calls").await, (405, Value::String(String::new())));
    assert_eq!(desk.delete("/api/v4/contacts/1", None).await.0, 405);
    let far = format!("/api/v4/contacts?{}", "filter[id][]=10000000&".repeat(250));
    assert_eq!(desk.get(&far).await.0, 414);
}
