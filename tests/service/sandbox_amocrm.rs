//! The sandbox refuses what amoCRM refuses.

mod cards;
mod feed;
mod screen;
mod trouble;

use perezvon::sandbox::amocrm::{Handle, Kind, Options, Sandbox};
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
        read(request.send().await?).await
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

    /// The status of a plain read with another token.
    async fn with_token(&self, token: &str) -> u16 {
        let url = format!("{}/api/v4/account", self.handle.base_url());
        self.client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    }

    /// Asks the token endpoint.
    async fn token(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/oauth2/access_token", self.handle.base_url());
        read(self.client.post(url).json(body).send().await.unwrap()).await.unwrap()
    }

    /// The body that exchanges a code.
    fn grant(&self, code: &str) -> Value {
        let own = self.handle.integration();
        json!({"client_id": own.client_id, "client_secret": own.client_secret, "redirect_uri": own.redirect_uri,
            "grant_type": "authorization_code", "code": code})
    }

    /// The body that exchanges a refresh token.
    fn refresh(&self, token: &str) -> Value {
        let own = self.handle.integration();
        json!({"client_id": own.client_id, "client_secret": own.client_secret, "redirect_uri": own.redirect_uri,
            "grant_type": "refresh_token", "refresh_token": token})
    }

    async fn page(&self, path: &str, language: &str) -> String {
        let url = format!("{}{path}", self.handle.base_url());
        let answer =
            self.client.get(url).header("cookie", format!("language={language}")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    }

    async fn page_status(&self, path: &str) -> u16 {
        self.client.get(format!("{}{path}", self.handle.base_url())).send().await.unwrap().status().as_u16()
    }

    /// Sends a page's form.
    async fn submit(&self, path: &str, form: &[(&str, &str)]) {
        let url = format!("{}{path}", self.handle.base_url());
        let answer = self.client.post(url).form(form).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
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

async fn read(answer: reqwest::Response) -> reqwest::Result<(u16, Value)> {
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// Code and path of the first complaint about the first item.
fn complaint(body: &Value) -> (String, String) {
    let error = &body["validation-errors"][0]["errors"][0];
    (error["code"].as_str().unwrap_or_default().into(), error["path"].as_str().unwrap_or_default().into())
}

fn pair(code: &str, path: &str) -> (String, String) {
    (code.into(), path.into())
}
