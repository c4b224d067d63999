//! Every request of the delivery goes through here and is kept for `explain`.

use std::{sync::atomic::Ordering, time::Instant};

use serde_json::Value;

use super::Registrar;
use crate::{
    edge::{
        amocrm::{Failure, Reply},
        clock,
        store::StoredRequest,
    },
    logic::crm::{
        read,
        request::{Method, Request, Urgency},
    },
};

/// For whom a request is sent.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) call_id: String,
    pub(super) action_id: Option<i64>,
    /// The `request_id` of its part.
    pub(super) key: String,
}

impl Registrar {
    /// Sends a request and keeps it with its answer, each call with its own part.
    pub(super) async fn ask(
        &self,
        request: Request,
        urgency: Urgency,
        about: &[About],
    ) -> Result<Reply, Failure> {
        let Some(amocrm) = &self.parts.amocrm else {
            return Err(Failure::NotConnected("no account is set".to_owned()));
        };
        let (sent_at, began) = (clock::now(), Instant::now());
        let answer = amocrm.send(request.clone(), urgency).await;
        let took_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let kept: Vec<StoredRequest> = about
            .iter()
            .map(|about| StoredRequest {
                call_id: about.call_id.clone(),
                action_id: about.action_id,
                sent_at,
                method: method(request.method).to_owned(),
                path: path(&request),
                body: request.body.as_ref().map(|body| part(body, &about.key)).unwrap_or_default(),
                status: answer.as_ref().map_or_else(status, |reply| reply.status),
                answer: match &answer {
                    Ok(reply) if reply.is_empty() => String::new(),
                    Ok(reply) => part(&reply.body, &about.key),
                    Err(failure) => failure.to_string(),
                },
                took_ms,
            })
            .collect();
        if let Err(error) = self.parts.store.keep_requests(&kept).await {
            tracing::warn!(%error, "a request could not be kept for explain");
        }
        if answer.is_ok() {
            self.losses.store(0, Ordering::Relaxed);
            self.lift();
        }
        answer
    }
}

/// The item of a batch with this `request_id`, or all of it.
fn part(body: &Value, key: &str) -> String {
    let embedded = body["_embedded"].as_object().and_then(|lists| lists.values().find_map(Value::as_array));
    let items = body.as_array().or(embedded);
    let own = items.and_then(|items| items.iter().find(|item| is_of(item, key)));
    own.unwrap_or(body).to_string()
}

fn is_of(item: &Value, key: &str) -> bool {
    let id = &item["request_id"];
    read::text(id.get(0).unwrap_or(id)) == key
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn path(request: &Request) -> String {
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if query.is_empty() { request.path.clone() } else { format!("{}?{}", request.path, query.join("&")) }
}

/// The HTTP status behind a failure; 0 when there was none.
fn status(failure: &Failure) -> u16 {
    match failure {
        Failure::Refused { status, .. } => *status,
        Failure::SignIn(_) => 401,
        Failure::Unpaid => 402,
        Failure::Forbidden(_) | Failure::Blocked { .. } => 403,
        _ => 0,
    }
}
