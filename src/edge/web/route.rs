//! `GET /route`: the FastAGI answer for dialplans that use CURL().
//!
//! Answers this machine, the hosts of `[agi] allow`, and whoever signs in as the admin: names of clients are nobody
//! else's business. Whatever happens the body is a complete answer in the form asked for, within `[agi] deadline`, as
//! CURL() hands the dialplan the body and nothing else.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    App,
    access::{self, Proof},
};
use crate::{
    edge::routing::Routing,
    logic::{agi::Question, rules::route::Route},
};

/// Its routes.
pub(super) fn router(app: &App) -> Router<App> {
    let routing =
        Routing::new(Arc::clone(&app.settings), Arc::clone(&app.phones), Arc::clone(&app.directory));
    Router::new().route("/route", get(answer)).layer(Extension(routing))
}

async fn answer(
    State(app): State<App>,
    Extension(routing): Extension<Routing>,
    request: Request,
) -> Response {
    let opened = Instant::now();
    let (parts, _) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let (status, route) = if may_ask(&app, &parts).await {
        (StatusCode::OK, ask(routing, Question::of_query(query), opened).await)
    } else {
        let reason = "this address may not ask: add it to [agi] allow, or sign in as the admin";
        (StatusCode::FORBIDDEN, Route::error(reason))
    };
    if query.split('&').any(|pair| pair == "format=plain") {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (status, kind, plain(&route)).into_response()
    } else {
        (status, Json(route)).into_response()
    }
}

/// `status|name|exten|responsible|entity`: what CUT() takes apart. No value holds a pipe.
fn plain(route: &Route) -> String {
    [route.status.as_str(), &route.name, &route.exten, &route.responsible, &route.entity].join("|")
}

async fn ask(routing: Routing, question: Question, opened: Instant) -> Route {
    let limit = routing.settings().agi.deadline.0;
    let budget = question.budget.map_or(limit, |budget| budget.min(limit));
    // A task of its own: should it panic, the dialplan still hears "error".
    let answer = tokio::spawn(async move {
        let caller = routing.caller(question.phone.as_deref());
        routing.answer(&caller, budget.saturating_sub(opened.elapsed())).await
    });
    answer.await.unwrap_or_else(|_| Route::error("the look-up died"))
}

async fn may_ask(app: &App, parts: &Parts) -> bool {
    let from = access::client(parts, &app.settings.http.trusted_proxies);
    let pbx = from.is_some_and(|from| app.settings.agi.is_own(from) && !from.is_loopback());
    pbx || from.is_some_and(|from| from.is_loopback())
        && access::asks_for_this_machine(&parts.headers, &parts.uri)
        || matches!(access::proof(app, parts).await, Proof::Admin(_))
}
