//! Webhooks, and the pages as a person opens them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Form, Router, http::StatusCode, routing::post};
use perezvon::sandbox::amocrm::{Edit, Kind, Options};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Desk, complaint, pair};

type Posts = Arc<Mutex<Vec<HashMap<String, String>>>>;

/// Somebody who awaits webhooks and answers them in a fixed way.
async fn subscriber(status: StatusCode) -> (String, Posts) {
    let posts = Posts::default();
    let kept = posts.clone();
    let app = Router::new().route(
        "/hook",
        post(move |Form(form): Form<HashMap<String, String>>| async move {
            kept.lock().unwrap().push(form);
            status
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, posts)
}

async fn wait_for(posts: &Posts, count: usize) -> Vec<HashMap<String, String>> {
    for _ in 0..200 {
        if posts.lock().unwrap().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    posts.lock().unwrap().clone()
}

#[tokio::test]
async fn a_changed_contact_is_told_as_a_form_with_brackets() {
    let desk = Desk::open().await;
    let (destination, posts) = subscriber(StatusCode::OK).await;
    let hook =
        json!({"destination": destination, "settings": ["add_contact", "update_contact", "delete_company"]});
    let (status, body) = desk.post("/api/v4/webhooks", hook).await;
    assert_eq!((status, body["settings"]["add_contact"].as_u64()), (200, Some(1)));
    let contact = desk.contact(&["+79160000001"]);
    let first = &wait_for(&posts, 1).await[0];
    assert_eq!(first["contacts[add][0][id]"], contact.to_string());
    assert_eq!(first["contacts[add][0][type]"], "contact");
    assert_eq!(first["contacts[add][0][custom_fields][0][code]"], "PHONE");
    assert_eq!(first["contacts[add][0][custom_fields][0][values][0][value]"], "+79160000001");
    assert_eq!(first["account[subdomain]"], "sandbox");
    desk.handle.edit(Kind::Contact, contact, Edit { name: Some("Павел".into()), ..Edit::default() });
    assert_eq!(wait_for(&posts, 2).await[1]["contacts[update][0][name]"], "Павел");
    let company = desk.handle.add_contact(Kind::Company, "ООО", &[], desk.user());
    desk.handle.delete(Kind::Company, company);
    let third = &wait_for(&posts, 3).await[2];
    assert_eq!(third["contacts[delete][0][type]"], "company", "companies come under contacts");
}

#[tokio::test]
async fn a_webhook_is_repeated_until_it_is_taken() {
    let desk = Desk::with(Options { hook_speed: 30_000, ..Options::default() }).await;
    let (destination, posts) = subscriber(StatusCode::BAD_GATEWAY).await;
    desk.post("/api/v4/webhooks", json!({"destination": destination, "settings": ["add_contact"]})).await;
    desk.contact(&[]);
    assert_eq!(wait_for(&posts, 5).await.len(), 5);
    let (destination, posts) = subscriber(StatusCode::NOT_FOUND).await;
    desk.post("/api/v4/webhooks", json!({"destination": destination, "settings": ["add_company"]})).await;
    desk.handle.add_contact(Kind::Company, "ООО", &[], desk.user());
    wait_for(&posts, 3).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(posts.lock().unwrap().len(), 3, "the last two attempts are only for 499 and 5xx");
}

#[tokio::test]
async fn a_hook_that_keeps_failing_is_disabled_until_it_is_saved_again() {
    let desk = Desk::open().await;
    let (destination, posts) = subscriber(StatusCode::NOT_FOUND).await;
    let hook = json!({"destination": destination, "settings": ["add_contact"]});
    desk.post("/api/v4/webhooks", hook.clone()).await;
    for _ in 0..101 {
        desk.contact(&[]);
    }
    wait_for(&posts, 101).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(desk.handle.webhooks(), [(destination.clone(), true)]);
    desk.post("/api/v4/webhooks", hook).await;
    assert_eq!(desk.handle.webhooks(), [(destination.clone(), false)]);
    assert_eq!(desk.delete("/api/v4/webhooks", Some(json!({"destination": destination}))).await.0, 204);
    assert_eq!(desk.get("/api/v4/webhooks").await.0, 204);
}

#[tokio::test]
async fn a_subscription_needs_an_address_and_known_words() {
    let desk = Desk::open().await;
    let (_, body) =
        desk.post("/api/v4/webhooks", json!({"destination": "here", "settings": ["add_lead"]})).await;
    assert_eq!(complaint(&body), pair("NotSupportedChoice", "destination"));
    let bad = json!({"destination": "https://example.com/", "settings": ["add_leads"]});
    assert_eq!(
        complaint(&desk.post("/api/v4/webhooks", bad).await.1),
        pair("NotSupportedChoice", "settings.0")
    );
}

#[tokio::test]
async fn every_page_opens_in_both_languages() {
    let desk = Desk::with(Options { seed_contacts: 30, ..Options::default() }).await;
    let contact = desk.contact(&["+79160000001"]);
    let lead = desk.lead(contact);
    let call = json!([{"direction": "inbound", "duration": 65, "source": "Perezvon", "phone": "+79160000001",
        "call_status": 4, "link": "https://pbx.example.com/a.mp3", "call_responsible": desk.user()}]);
    assert_eq!(desk.post("/api/v4/calls", call).await.0, 200);
    let card = format!("/leads/detail/{lead}");
    for path in ["/", "/leads/", "/contacts/", "/companies/", "/todo/", "/unsorted/", "/switches", &card] {
        for (language, word) in [("ru", "Песочница amoCRM"), ("en", "amoCRM sandbox")] {
            let page = desk.page(path, language).await;
            assert!(page.contains(word), "{path} {language}: {page}");
        }
    }
    let page = desk.page(&card, "en").await;
    assert!(page.contains("src=\"https:&#x2f;&#x2f;pbx.example.com&#x2f;a.mp3\""), "{page}");
    assert!(
        page.contains("1:05") && page.contains("Incoming call") && page.contains("Анна Смирнова"),
        "{page}"
    );
}

#[tokio::test]
async fn a_name_with_markup_stays_text() {
    let desk = Desk::open().await;
    desk.handle.add_contact(Kind::Contact, "<script>alert(1)</script>", &[], desk.user());
    assert!(!desk.page("/contacts/", "ru").await.contains("<script>alert"));
}

#[tokio::test]
async fn the_consent_page_sends_a_code_to_the_registered_address() {
    let desk = Desk::open().await;
    let own = desk.handle.integration();
    let page = desk.page(&format!("/oauth?client_id={}&state=s1", own.client_id), "ru").await;
    assert!(page.contains(&own.client_id));
    let decide = async |decision: &str| {
        let form = [("client_id", own.client_id.as_str()), ("state", "s1"), ("decision", decision)];
        let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer =
            plain.post(format!("{}/oauth", desk.handle.base_url())).form(&form).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let target = decide("allow").await;
    assert!(
        target.starts_with(&own.redirect_uri) && target.contains("state=s1") && target.contains("referer=")
    );
    let code = target.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(desk.token(&desk.grant(&code)).await.0, 200);
    assert!(decide("deny").await.contains("error=access_denied"));
    assert_eq!(desk.page_status("/oauth?client_id=other").await, 400);
}

#[tokio::test]
async fn a_fault_is_switched_on_and_off_by_hand() {
    let desk = Desk::open().await;
    let form = [("fault", "fault_unpaid"), ("path", "/api/v4/account"), ("often", "next"), ("number", "1")];
    desk.submit("/switches/add", &form).await;
    assert!(desk.page("/switches", "en").await.contains("402: unpaid"));
    assert_eq!(desk.get("/api/v4/account").await.0, 402);
    assert_eq!(desk.get("/api/v4/account").await.0, 200);
    let id = desk.handle.faults().rules()[0].id.to_string();
    desk.submit("/switches/remove", &[("id", &id)]).await;
    assert!(desk.handle.faults().rules().is_empty());
}

#[tokio::test]
async fn a_person_saves_merges_and_deletes_cards_at_the_screen() {
    let desk = Desk::open().await;
    let (kept, gone) = (desk.contact(&["1"]), desk.contact(&["2222222"]));
    let save = [("name", "Павел"), ("phones", "+7 916 000\r\n8 916 111")];
    desk.submit(&format!("/screen/contacts/{kept}/save"), &save).await;
    assert_eq!(desk.handle.contacts()[0].phones, ["+7 916 000", "8 916 111"]);
    desk.submit(&format!("/screen/contacts/{kept}/merge"), &[("other", &gone.to_string())]).await;
    assert!(desk.handle.contacts()[1].is_deleted);
    desk.submit(&format!("/screen/contacts/{kept}/delete"), &[]).await;
    assert!(desk.handle.contacts()[0].is_deleted);
}
