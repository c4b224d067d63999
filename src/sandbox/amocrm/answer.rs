//! What the API answers, in its own shapes (reference 2.2 and 2.3).

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// An answer before it goes out.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Nothing,
    Hal(Value),
    Problem(Value),
    Html(String),
}

impl Answer {
    /// 200 with hal+json.
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, content: Content::Hal(body) }
    }

    /// 201 with hal+json.
    pub(super) fn created(body: Value) -> Self {
        Self { status: 201, content: Content::Hal(body) }
    }

    /// 204: an empty list, an unknown id, a thing undone.
    pub(super) fn nothing() -> Self {
        Self { status: 204, content: Content::Nothing }
    }

    /// Any status with problem JSON of its own making.
    pub(super) fn problem_of(status: u16, body: Value) -> Self {
        Self { status, content: Content::Problem(body) }
    }

    /// The four generic keys.
    pub(super) fn problem(status: u16, title: &str, detail: &str) -> Self {
        Self::problem_of(status, problem_body(status, title, detail))
    }

    /// 400 with a detail.
    pub(super) fn bad_request(detail: &str) -> Self {
        Self::problem(400, "Bad Request", detail)
    }

    /// 400 for a body that is no JSON or holds nothing (2.2).
    pub(super) fn empty_request() -> Self {
        Self::bad_request("Request data can not be empty")
    }

    /// 404 for a path that is not there; the live detail ends with "!" (7a).
    pub(super) fn no_such_path(method: &str, url: &str) -> Self {
        Self::problem(404, "Not Found", &format!("Cannot {method} {url}!"))
    }

    /// 405: live answers had no body (2.2).
    pub(super) fn wrong_method() -> Self {
        Self { status: 405, content: Content::Nothing }
    }

    /// 401 (2.2).
    pub(super) fn unauthorized() -> Self {
        Self::problem(401, "Unauthorized", "Invalid user name or password")
    }

    /// 422 for more than a request may carry (2.2).
    pub(super) fn too_many_items(limit: usize) -> Self {
        Self::problem(422, "Unprocessable Entity", &format!("Limit {limit} per page"))
    }

    /// A gateway's own page.
    pub(super) fn gateway_page(status: u16) -> Self {
        let reason =
            StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("Error");
        Self { status, content: Content::Html(nginx_page(status, reason)) }
    }

    /// 200 with a page where JSON should be.
    pub(super) fn html_instead() -> Self {
        let page =
            "<!DOCTYPE html><html><head><title>amoCRM</title></head><body>Технические работы</body></html>";
        Self { status: 200, content: Content::Html(page.into()) }
    }

    /// 429 as problem JSON; the seconds stand in the body, not in a header (2.1).
    pub(super) fn too_many_requests(retry_after: u32) -> Self {
        let mut body = problem_body(
            429,
            "Too Many Requests",
            "You have sent too many requests in a given amount of time. Please try again later.",
        );
        body["retry_after"] = json!(retry_after);
        Self::problem_of(429, body)
    }
}

fn problem_body(status: u16, title: &str, detail: &str) -> Value {
    json!({
        "title": title,
        "type": format!("https://httpstatus.es/{status}"),
        "status": status,
        "detail": detail,
    })
}

fn nginx_page(status: u16, reason: &str) -> String {
    format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (kind, body) = match self.content {
            Content::Nothing => (None, String::new()),
            Content::Hal(body) => (Some("application/hal+json"), body.to_string()),
            Content::Problem(body) => (Some("application/problem+json"), body.to_string()),
            Content::Html(page) => (Some("text/html; charset=utf-8"), page),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(kind) = kind {
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        }
        response
    }
}
