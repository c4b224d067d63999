//! The way in: limits, faults, sign-in, then the work, then the log and the webhooks.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{
    body::{Bytes, to_bytes},
    extract::{ConnectInfo, Request, State as Shared},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    answer::Answer,
    ask::{Ask, Query},
    faults::Fault,
    handle::Desk,
    limits::Verdict,
    model::Logged,
    oauth, routes,
    socket::Peer,
    state::State,
};
use crate::edge::clock;

/// Longest body taken.
const LONGEST_BODY: usize = 8 << 20;

/// Longest path and query; longer ones are cut on the way in life (2.4), here they are refused.
const LONGEST_TARGET: usize = 4096;

/// A request before anybody has looked at it.
struct Knock {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    address: IpAddr,
}

/// Everything that is not a page comes here.
pub(super) async fn enter(
    Shared(desk): Shared<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return Answer::gateway_page(413).into_response();
    };
    let knock = Knock {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        address: peer.address.ip(),
    };
    // As in life: what was asked is carried out though whoever asked is gone.
    let carried_out = tokio::spawn(async move {
        let answer = pass(&desk, &knock).await;
        keep_log(&desk, &knock, answer.as_ref(), started.elapsed());
        answer
    });
    match carried_out.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
        Some(answer) => answer.into_response(),
        None => {
            peer.cut();
            Answer::nothing().into_response()
        }
    }
}

/// The answer; none when the connection is to be closed without one.
async fn pass(desk: &Desk, knock: &Knock) -> Option<Answer> {
    if let Some(refusal) = held_back(&mut desk.state(), knock) {
        return Some(refusal);
    }
    let (delay, fault) = desk.faults.strike(&knock.method, &knock.path);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let retry_after = desk.state().options.limits.retry_after;
    match fault {
        None | Some(Fault::Delay(_)) => Some(work(desk, knock)),
        Some(Fault::LostReply) => {
            work(desk, knock);
            None
        }
        Some(Fault::GatewayTimeoutAfterCommit) => {
            work(desk, knock);
            Some(Answer::gateway_page(504))
        }
        Some(Fault::Dropped) => None,
        Some(fault) => Some(failed(fault, retry_after)),
    }
}

fn failed(fault: Fault, retry_after: u32) -> Answer {
    match fault {
        Fault::Unpaid => Answer::problem(402, "Payment Required", "Payment required"),
        Fault::BadGateway => Answer::gateway_page(502),
        Fault::GatewayTimeout => Answer::gateway_page(504),
        Fault::TooManyRequests => Answer::too_many_requests(retry_after),
        Fault::TooManyRequestsHtml => Answer::gateway_page(429),
        Fault::Forbidden => Answer::problem(403, "Forbidden", "Forbidden"),
        Fault::Blocked => Answer::gateway_page(403),
        Fault::Unauthorized => Answer::unauthorized(),
        Fault::Html => Answer::html_instead(),
        _ => Answer::problem_of(
            500,
            serde_json::json!({
                "title": "ErrInternalServer",
                "status": 500,
                "detail": "Our team has been notified",
                "trace_id": "5f1c0e7a9d2b4c68",
            }),
        ),
    }
}

/// Limits: a refusal, or none.
fn held_back(state: &mut State, knock: &Knock) -> Option<Answer> {
    if knock.path.len() + knock.query.len() > LONGEST_TARGET {
        return Some(Answer::gateway_page(414));
    }
    let limits = state.options.limits;
    let integration = bearer(&knock.headers).and_then(|token| state.oauth.client_of(token));
    match state.limiter.check(knock.address, integration, &limits, Instant::now()) {
        Verdict::Pass => None,
        Verdict::Blocked => Some(Answer::gateway_page(403)),
        Verdict::TooMany if limits.html => Some(Answer::gateway_page(429)),
        Verdict::TooMany => Some(Answer::too_many_requests(limits.retry_after)),
    }
}

fn work(desk: &Desk, knock: &Knock) -> Answer {
    desk.change(|state, now| answer(state, knock, now))
}

fn answer(state: &mut State, knock: &Knock, now: i64) -> Answer {
    let mut ask = Ask {
        method: knock.method.clone(),
        path: knock.path.clone(),
        segments: Vec::new(),
        query: Query::parse(&knock.query),
        body: knock.body.clone(),
        content_type: header_text(&knock.headers, "content-type").to_owned(),
        user: 0,
        now,
    };
    if knock.path == "/oauth2/access_token" {
        return oauth::token(state, &ask);
    }
    let Some(user) = bearer(&knock.headers).and_then(|token| state.oauth.user_of(token, now)) else {
        return Answer::unauthorized();
    };
    ask.user = user;
    if let Ok(other) = header_text(&knock.headers, "x-context-user-id").parse()
        && state.is_active_user(other)
    {
        ask.user = other;
    }
    routes::answer(state, ask)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn keep_log(desk: &Desk, knock: &Knock, answer: Option<&Answer>, took: Duration) {
    let path =
        if knock.query.is_empty() { knock.path.clone() } else { format!("{}?{}", knock.path, knock.query) };
    desk.state().log.keep(Logged {
        at: clock::now().timestamp(),
        method: knock.method.clone(),
        path,
        status: answer.map_or(0, |answer| answer.status),
        ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
}
