//! Status + headers + body → what the caller must do next.
//!
//! The same status means different things by its body: a 403 with JSON is a missing right, a 403 with a page is
//! the gateway blocking our address; a 200 with a page is no answer of the API at all.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read;

/// The longest pause that an answer may impose; a longer one is taken for a mistake.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// One fault of one item of a refused batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationError {
    /// The `request_id` that was sent, or the item's index.
    pub request_id: String,
    /// `NotSupportedChoice`, `InvalidType`, `NotNullable`, `FieldMissing`, …
    pub code: String,
    /// Dotted path of the field, `custom_fields_values.0.field_id`.
    pub path: String,
    /// In words.
    pub detail: String,
}

/// An HTTP answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, when there is one (never seen from amoCRM, but allowed by HTTP).
    pub retry_after: Option<&'a str>,
    /// `Location` of a redirect.
    pub location: Option<&'a str>,
    /// Body, whole.
    pub body: &'a [u8],
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Carried out; here is the JSON.
    Done(Value),
    /// Carried out, and nothing to say: an empty list, an entity that does not exist, a link removed.
    Empty,
    /// 429, not carried out: everything must pause, for this long when the server said so.
    Pause(Option<Duration>),
    /// 401, not carried out: the token is not accepted.
    SignIn(String),
    /// 402, not carried out.
    Unpaid,
    /// 403 as JSON: the token's user lacks a right.
    Forbidden(String),
    /// 403 as a page: the gateway blocks our address.
    Blocked,
    /// A redirect, never followed: it would carry the token elsewhere.
    Moved(String),
    /// 4xx: the same request brings the same answer.
    Refused {
        /// amoCRM's words.
        detail: String,
        /// Which field of which item.
        errors: Vec<ValidationError>,
    },
    /// 5xx: a write may or may not have happened. After a 504 a smaller batch helps.
    Overload,
    /// 2xx with something else than JSON: a write may or may not have happened.
    NoJson,
}

/// Judges one answer.
pub fn judge(answer: Answer<'_>) -> Verdict {
    let json = serde_json::from_slice::<Value>(answer.body).ok().filter(|body| !body.is_string());
    let blank = answer.body.iter().all(u8::is_ascii_whitespace);
    let detail = || detail(json.as_ref(), answer.status);
    match (answer.status, &json) {
        (200..=299, Some(body)) if body.is_null() => Verdict::Empty,
        (200..=299, Some(body)) => Verdict::Done(body.clone()),
        (200..=299, None) if blank => Verdict::Empty,
        (200..=299, None) => Verdict::NoJson,
        (300..=399, _) => Verdict::Moved(answer.location.unwrap_or("nowhere").to_owned()),
        (429, _) => Verdict::Pause(pause(json.as_ref(), answer.retry_after)),
        (401, _) => Verdict::SignIn(detail()),
        (402, _) => Verdict::Unpaid,
        (403, Some(_)) => Verdict::Forbidden(detail()),
        (403, None) => Verdict::Blocked,
        // 408 comes from a gateway that gave up, as the 5xx do.
        (400..=499, _) if answer.status != 408 => {
            Verdict::Refused { detail: detail(), errors: validation_errors(json.as_ref()) }
        }
        _ => Verdict::Overload,
    }
}

fn pause(json: Option<&Value>, header: Option<&str>) -> Option<Duration> {
    let seconds = json
        .and_then(|body| read::number(&body["retry_after"]))
        .or_else(|| header.and_then(|text| text.trim().parse().ok()))?;
    Some(Duration::from_secs(seconds.max(1)).min(LONGEST_PAUSE))
}

/// The server's words, cut to a sensible length: `hint` of the token endpoint, `detail`, the first of `/calls`'
/// `errors`, or `title`.
pub fn detail(json: Option<&Value>, status: u16) -> String {
    let words = json.and_then(|body| {
        [
            &body["hint"],
            &body["detail"],
            &body["errors"][0]["title"],
            &body["errors"][0]["msg"],
            &body["title"],
        ]
        .into_iter()
        .find_map(|value| value.as_str().filter(|text| !text.is_empty()))
    });
    words.map_or_else(|| format!("HTTP {status} without a reason"), |text| text.chars().take(300).collect())
}

fn validation_errors(json: Option<&Value>) -> Vec<ValidationError> {
    let items = json.and_then(|body| body["validation-errors"].as_array()).map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .flat_map(|item| {
            let request_id = read::text(&item["request_id"]);
            item["errors"].as_array().into_iter().flatten().map(move |error| ValidationError {
                request_id: request_id.clone(),
                code: read::text(&error["code"]),
                path: read::text(&error["path"]),
                detail: read::text(&error["detail"]),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: &str = "<html><head><title>403 Forbidden</title></head><body>nginx</body></html>";

    fn verdict(status: u16, body: &str) -> Verdict {
        judge(Answer { status, retry_after: None, location: None, body: body.as_bytes() })
    }

    #[test]
    fn an_answer_with_json_is_done_and_one_without_is_empty() {
        assert_eq!(verdict(200, r#"{"id":1}"#), Verdict::Done(serde_json::json!({"id": 1})));
        assert_eq!(verdict(204, ""), Verdict::Empty);
        assert_eq!(verdict(202, " \n"), Verdict::Empty);
    }

    #[test]
    fn a_page_instead_of_json_is_no_answer() {
        assert_eq!(verdict(200, "<html>Technical works</html>"), Verdict::NoJson);
        assert_eq!(verdict(200, r#"{"id":1"#), Verdict::NoJson);
    }

    #[test]
    fn a_limit_says_how_long_in_the_body_in_a_header_or_not_at_all() {
        let body = r#"{"title":"Too Many Requests","status":429,"retry_after":300}"#;
        assert_eq!(verdict(429, body), Verdict::Pause(Some(Duration::from_secs(300))));
        assert_eq!(verdict(429, "<html>429</html>"), Verdict::Pause(None));
        let header = Answer { status: 429, retry_after: Some("7"), location: None, body: b"" };
        assert_eq!(judge(header), Verdict::Pause(Some(Duration::from_secs(7))));
        let absurd = r#"{"retry_after":"99999999"}"#;
        assert_eq!(verdict(429, absurd), Verdict::Pause(Some(LONGEST_PAUSE)));
    }

    #[test]
    fn a_missing_right_and_a_blocked_address_are_told_apart() {
        let body = r#"{"title":"Forbidden","status":403,"detail":"Invalid scope"}"#;
        assert_eq!(verdict(403, body), Verdict::Forbidden("Invalid scope".to_owned()));
        assert_eq!(verdict(403, NGINX), Verdict::Blocked);
    }

    #[test]
    fn sign_in_and_subscription_have_their_own_verdicts() {
        let body = r#"{"title":"Unauthorized","status":401,"detail":"Неверный логин или пароль"}"#;
        assert_eq!(verdict(401, body), Verdict::SignIn("Неверный логин или пароль".to_owned()));
        assert_eq!(verdict(402, r#"{"detail":"Payment required"}"#), Verdict::Unpaid);
    }

    #[test]
    fn a_refused_batch_names_item_field_and_code() {
        let body = r#"{"validation-errors":[{"request_id":"0","errors":[{"code":"NotSupportedChoice",
            "path":"responsible_user_id","detail":"The value you selected is not a valid choice."}]}],
            "title":"Bad Request","status":400,"detail":"Request validation failed"}"#;
        let Verdict::Refused { detail, errors } = verdict(400, body) else { panic!("not refused") };
        assert_eq!(detail, "Request validation failed");
        assert_eq!(errors[0].request_id, "0");
        assert_eq!(errors[0].code, "NotSupportedChoice");
        assert_eq!(errors[0].path, "responsible_user_id");
    }

    #[test]
    fn a_call_that_belongs_to_nobody_says_so() {
        let body = r#"{"_total_items":0,"errors":[{"title":"Entity not found"}],"_embedded":{"calls":[]}}"#;
        let Verdict::Refused { detail, .. } = verdict(400, body) else { panic!("not refused") };
        assert_eq!(detail, "Entity not found");
    }

    #[test]
    fn overload_is_not_a_refusal_and_a_redirect_is_not_followed() {
        assert_eq!(verdict(504, "<html>504</html>"), Verdict::Overload);
        assert_eq!(verdict(500, r#"{"title":"ErrInternalServer"}"#), Verdict::Overload);
        let moved = Answer { status: 302, retry_after: None, location: Some("https://evil/"), body: b"" };
        assert_eq!(judge(moved), Verdict::Moved("https://evil/".to_owned()));
    }
}
