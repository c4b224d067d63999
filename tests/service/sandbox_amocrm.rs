//! The sandbox refuses what amoCRM refuses.

use perezvon::sandbox::amocrm::{Fault, Handle, Kind, Limits, Options, Rule, Sandbox, When};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A sandbox and a client with its token.
struct Desk {
    handle: Handle,
    client: reqwest::Client,
}

impl Desk {
    async fn open() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { handle: Sandbox::start(listener, options).unwrap(), client: reqwest::Client::new() }
    }

    async fn try_send(&self, method: &str, path: &str, body: Option<Value>) -> reqwest::Result<(u16, Value)> {
        let url = format!("{}{path}", self.handle.base_url());
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth(self.handle.token());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.try_send("GET", path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.try_send("POST", path, Some(body)).await.unwrap()
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.try_send("PATCH", path, Some(body)).await.unwrap()
    }

    async fn delete(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        self.try_send("DELETE", path, body).await.unwrap()
    }

    /// The id of the first user, the administrator.
    fn user(&self) -> u64 {
        self.handle.users()[0].id
    }

    /// A contact with these numbers, made at the screen.
    fn contact(&self, phones: &[&str]) -> u64 {
        self.handle.add_contact(Kind::Contact, "Пётр Орлов", phones, self.user())
    }

    /// A lead of a contact in the first stage.
    fn lead(&self, contact: u64) -> u64 {
        self.handle.add_lead("Окна", self.first_status(), &[(Kind::Contact, contact)], self.user())
    }

    fn first_status(&self) -> u64 {
        self.handle.pipelines().values().next().unwrap().1[1]
    }
}

/// Code and path of the first complaint about the first item.
fn complaint(body: &Value) -> (String, String) {
    let error = &body["validation-errors"][0]["errors"][0];
    (error["code"].as_str().unwrap_or_default().into(), error["path"].as_str().unwrap_or_default().into())
}

fn pair(code: &str, path: &str) -> (String, String) {
    (code.into(), path.into())
}

#[tokio::test]
async fn a_contact_is_made_and_read_back() {
    let desk = Desk::open().await;
    let (status, body) = desk
        .post(
            "/api/v4/contacts",
            json!([{"name": "Пётр", "custom_fields_values": [
                {"field_code": "PHONE", "values": [{"value": "+7 916 000-00-01", "enum_code": "MOB"}]}
            ]}]),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    let made = &body["_embedded"]["contacts"][0];
    assert_eq!(made["request_id"], "0");
    let (status, read) = desk.get(&format!("/api/v4/contacts/{}", made["id"])).await;
    assert_eq!(status, 200);
    assert_eq!(read["custom_fields_values"][0]["field_code"], "PHONE");
    assert_eq!(read["custom_fields_values"][0]["values"][0]["value"], "+7 916 000-00-01");
    assert_eq!(read["custom_fields_values"][0]["values"][0]["enum_code"], "MOB");
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
async fn a_call_lands_on_the_only_open_lead_else_on_the_contact() {
    let desk = Desk::open().await;
    let contact = desk.contact(&["8 (916) 000-00-01"]);
    let call = json!([{"direction": "inbound", "duration": 5, "source": "Perezvon", "phone": "+79160000001",
        "uniq": "a-1"}]);
    let place = async || {
        let (status, body) = desk.post("/api/v4/calls", call.clone()).await;
        assert_eq!(status, 200, "{body}");
        let call = &body["_embedded"]["calls"][0];
        (call["entity_type"].as_str().unwrap().to_owned(), call["entity_id"].as_u64().unwrap())
    };
    assert_eq!(place().await, ("contact".into(), contact));
    let lead = desk.lead(contact);
    assert_eq!(place().await, ("lead".into(), lead));
    desk.lead(contact);
    assert_eq!(place().await, ("contact".into(), contact));
    assert_eq!(desk.handle.calls().len(), 3, "the server does not look at uniq");
}

#[tokio::test]
async fn a_lost_reply_is_carried_out_all_the_same() {
    let desk = Desk::open().await;
    desk.handle.faults().set(Rule::new("/api/v4/contacts", Fault::LostReply, When::Next(1)).only("POST"));
    let lost = desk.try_send("POST", "/api/v4/contacts", Some(json!([{"name": "Пётр"}]))).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(desk.handle.contacts().len(), 1);
    assert_eq!(desk.handle.requests()[0].status, 0);
    assert_eq!(desk.get("/api/v4/contacts").await.0, 200);
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_the_whole_batch() {
    let desk = Desk::open().await;
    let (status, body) =
        desk.post("/api/v4/contacts", json!([{"name": "A"}, {"name": "B", "phone": "1"}])).await;
    assert_eq!(status, 400);
    assert_eq!(body["validation-errors"][0]["request_id"], "1");
    assert_eq!(complaint(&body), pair("FieldNotExpected", "phone"));
    assert!(desk.handle.contacts().is_empty());
}

#[tokio::test]
async fn the_eighth_request_of_a_second_is_429() {
    let desk = Desk::with(Options { limits: Limits::real(), ..Options::default() }).await;
    let mut last = (0, Value::Null);
    for _ in 0..8 {
        last = desk.get("/api/v4/account").await;
    }
    assert_eq!(last.0, 429);
    assert_eq!(last.1["retry_after"], 1);
}
