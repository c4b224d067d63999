//! The sign-in form, signing out, and the page for those who may not come in.

use axum::{
    Form, Router,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    access::{self, Visitor},
    pages::{self, Look},
    session::Doors,
};

/// Its routes; open to everybody.
pub(super) fn router() -> Router<App> {
    Router::new().route("/sign-in", get(form).post(enter)).route("/sign-out", post(leave))
}

#[derive(Debug, Deserialize)]
struct Wish {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Words {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn form(State(app): State<App>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    if app.settings.admin.password.is_empty() {
        return Redirect::to("/").into_response();
    }
    show(&app, &headers, &wish.next, "", StatusCode::OK)
}

fn show(app: &App, headers: &HeaderMap, next: &str, trouble: &str, status: StatusCode) -> Response {
    let look = Look::of(app, headers, None);
    let page = pages::render(&look, "sign_in.html", json!({ "next": inside(next), "trouble": trouble }));
    (status, page).into_response()
}

async fn enter(State(app): State<App>, headers: HeaderMap, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let from = access::client(&parts, &app.settings.http.trusted_proxies);
    let form = <Form<Words> as axum::extract::FromRequest<App>>::from_request(
        Request::from_parts(parts, body),
        &app,
    );
    let Ok(Form(words)) = form.await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !app.doors.may_try(from) {
        return show(&app, &headers, &words.next, "sign_in.too_many", StatusCode::TOO_MANY_REQUESTS);
    }
    if !access::is_admin(&app, &words.username, &words.password) {
        app.doors.failed(from);
        tracing::warn!(from = ?from, "a wrong password was given on the sign-in page");
        return show(&app, &headers, &words.next, "sign_in.wrong", StatusCode::UNAUTHORIZED);
    }
    let secure = app.settings.http.public_url.starts_with("https://");
    let cookie = app.doors.begin(&app, secure).await;
    ([(header::SET_COOKIE, cookie)], Redirect::to(inside(&words.next))).into_response()
}

/// A visitor can be sent back to a page of ours only, never to another site.
fn inside(next: &str) -> &str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if ours { next } else { "/" }
}

async fn leave() -> Response {
    ([(header::SET_COOKIE, Doors::end())], Redirect::to("/sign-in")).into_response()
}

/// For visitors from elsewhere when there is no password: says what to set.
pub(super) fn elsewhere(app: &App, headers: &HeaderMap) -> Response {
    let look = Look::of(app, headers, None::<&Visitor>);
    let port = app.settings.http.listen.port();
    (StatusCode::FORBIDDEN, pages::render(&look, "elsewhere.html", json!({ "port": port }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(inside("/calls?state=failed"), "/calls?state=failed");
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/\t/evil.example"] {
            assert_eq!(inside(bad), "/", "{bad:?}");
        }
    }
}
