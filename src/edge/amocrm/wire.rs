//! HTTP itself: one request out, one judged answer back, measured.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Failure, Hold, SOON,
    gate::{Gate, Passage},
};
use crate::{
    logic::crm::{
        answer::{self, Answer, Verdict},
        host::Host,
        request::{Method, Request, Urgency},
    },
    settings::Secret,
};

const CONNECT: Duration = Duration::from_secs(5);
/// amoCRM's gateway drops idle connections; ours must be the first to let go, or a request meets a closed door.
const IDLE: Duration = Duration::from_secs(20);
const GRANT: Duration = Duration::from_secs(15);

/// One account over HTTP, at its pace.
pub(super) struct Wire {
    client: reqwest::Client,
    host: Host,
    gate: Gate,
}

/// An answer of the token endpoint.
pub(super) struct GrantAnswer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn new(host: Host, per_second: f64, timeout: Duration) -> Result<Self, Failure> {
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("perezvon/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token to whoever it names.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .pool_idle_timeout(IDLE)
            .tcp_keepalive(IDLE)
            .build()
            .map_err(|error| Failure::NotConnected(chain(&error)))?;
        Ok(Self { client, host, gate: Gate::new(per_second) })
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn waiting(&self) -> usize {
        self.gate.waiting()
    }

    /// A 429 came.
    pub(super) fn stalled(&self, told: Option<Duration>) -> Failure {
        metrics::counter!("perezvon_amocrm_pauses_total").increment(1);
        Failure::TryAgain { after: self.gate.stall(told), why: Hold::RateLimit }
    }

    /// A block page came.
    pub(super) fn silenced(&self) -> Failure {
        metrics::counter!("perezvon_amocrm_blocks_total").increment(1);
        Failure::Blocked { after: self.gate.silence() }
    }

    /// Sends a request in its turn; gives status and verdict.
    pub(super) async fn ask(
        &self,
        request: &Request,
        token: &Secret,
        urgency: Urgency,
    ) -> Result<(u16, Verdict), Failure> {
        let passage = self.wait(urgency).await?;
        let mut builder = self
            .client
            .request(method(request.method), format!("{}{}", self.host.base(), request.path))
            .query(&request.query)
            .bearer_auth(token.expose());
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let began = Instant::now();
        let answered = answered(builder).await;
        drop(passage);
        let status = answered.as_ref().map_or(0, |answered| answered.status);
        measure(request.method, &request.path, status, began.elapsed());
        let answered = answered.map_err(|error| lost(request.method, &error))?;
        let verdict = answer::judge(Answer {
            status,
            retry_after: answered.retry_after.as_deref(),
            location: answered.location.as_deref(),
            body: &answered.body,
        });
        if !matches!(verdict, Verdict::Pause(_) | Verdict::Blocked) {
            self.gate.answered();
        }
        Ok((status, verdict))
    }

    /// `POST /oauth2/access_token`. Goes before everything else: nothing can be sent without it.
    pub(super) async fn post_grant(&self, body: &Value) -> Result<GrantAnswer, Failure> {
        const PATH: &str = "/oauth2/access_token";
        let passage = self.wait(Urgency::Ringing).await?;
        let builder = self.client.post(format!("{}{PATH}", self.host.base())).timeout(GRANT).json(body);
        let began = Instant::now();
        let answered = answered(builder).await;
        drop(passage);
        let status = answered.as_ref().map_or(0, |answered| answered.status);
        measure(Method::Post, PATH, status, began.elapsed());
        let answered = answered.map_err(|error| lost(Method::Post, &error))?;
        Ok(GrantAnswer { status, body: answered.body })
    }

    async fn wait(&self, urgency: Urgency) -> Result<Passage<'_>, Failure> {
        let began = Instant::now();
        let passed = self.gate.pass(urgency).await;
        metrics::histogram!("perezvon_amocrm_wait_seconds", "urgency" => word(urgency))
            .record(began.elapsed());
        passed
    }
}

struct Answered {
    status: u16,
    retry_after: Option<String>,
    location: Option<String>,
    body: Vec<u8>,
}

async fn answered(builder: reqwest::RequestBuilder) -> Result<Answered, reqwest::Error> {
    let response = builder.send().await?;
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    Ok(Answered {
        status: response.status().as_u16(),
        retry_after: header("retry-after"),
        location: header("location"),
        body: response.bytes().await?.into(),
    })
}

/// A request that brought no whole answer: sent or not is what matters.
fn lost(method: Method, error: &reqwest::Error) -> Failure {
    if error.is_connect() || error.is_builder() {
        return Failure::NotSent(chain(error));
    }
    match method {
        Method::Get => Failure::TryAgain { after: SOON, why: Hold::Lost(chain(error)) },
        _ => Failure::MaybeSent(chain(error)),
    }
}

/// The innermost reason tells most; the URL, with a number in its query, is left out.
fn chain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return if error.is_connect() { "connecting takes too long" } else { "no answer in time" }.to_owned();
    }
    let mut reason: &dyn Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

fn measure(method: Method, path: &str, status: u16, took: Duration) {
    let endpoint = endpoint(path);
    metrics::histogram!("perezvon_amocrm_request_seconds", "endpoint" => endpoint.clone()).record(took);
    let status = if status == 0 { "lost".to_owned() } else { status.to_string() };
    metrics::counter!(
        "perezvon_amocrm_requests_total", "method" => verb(method), "endpoint" => endpoint, "status" => status
    )
    .increment(1);
}

/// `/api/v4/leads/17/notes` → `/api/v4/leads/{id}/notes`: few enough to be a label.
fn endpoint(path: &str) -> String {
    let part = |part: &str| if part.parse::<u64>().is_ok() { "{id}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

const fn verb(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

const fn word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Ringing => "ringing",
        Urgency::Live => "live",
        Urgency::Person => "person",
        Urgency::Background => "background",
    }
}
