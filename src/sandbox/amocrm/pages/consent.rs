//! The consent page of OAuth (reference 1.2).

use axum::{
    Form,
    extract::{Query, State as Shared},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::page;
use crate::sandbox::amocrm::handle::Desk;

/// `redirect_uri` and `scope` are no parameters: both stand in the integration's settings.
#[derive(Deserialize)]
pub(super) struct Request {
    client_id: Option<String>,
    state: Option<String>,
    #[serde(default)]
    decision: String,
}

/// Asks the administrator.
pub(super) async fn show(
    Shared(desk): Shared<Desk>,
    Query(request): Query<Request>,
    headers: HeaderMap,
) -> Response {
    if !is_known(&desk, &request) {
        return (StatusCode::BAD_REQUEST, "Unknown client_id").into_response();
    }
    page(&desk, &headers, "consent.html", |state, _| {
        json!({
            "here": "", "client_id": request.client_id, "state": request.state,
            "redirect_uri": state.options.integration.redirect_uri,
        })
    })
}

/// Sends the browser back with a code, or with a refusal.
pub(super) async fn decide(Shared(desk): Shared<Desk>, Form(request): Form<Request>) -> Response {
    if !is_known(&desk, &request) {
        return (StatusCode::BAD_REQUEST, "Unknown client_id").into_response();
    }
    let options = desk.state().options.clone();
    let Ok(mut url) = reqwest::Url::parse(&options.integration.redirect_uri) else {
        return (StatusCode::BAD_REQUEST, "Bad redirect_uri of the integration").into_response();
    };
    let state = request.state.unwrap_or_default();
    let client_id = options.integration.client_id;
    if request.decision == "allow" {
        let code = desk.change(|state, now| state.oauth_code(now));
        let referer = format!("{}.amocrm.ru", options.subdomain);
        url.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &state)
            .append_pair("referer", &referer)
            .append_pair("client_id", &client_id);
    } else {
        url.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("client_id", &client_id)
            .append_pair("state", &state);
    }
    Redirect::to(url.as_str()).into_response()
}

fn is_known(desk: &Desk, request: &Request) -> bool {
    request.client_id.as_ref() == Some(&desk.state().options.integration.client_id)
}
