//! Limits, faults, tokens.

use std::time::{Duration, Instant};

use perezvon::sandbox::amocrm::{Fault, Limits, Options, Rule, When};
use serde_json::{Value, json};

use super::Desk;

#[tokio::test]
async fn the_eighth_request_of_a_second_is_429_with_the_pause_in_the_body() {
    let desk = Desk::with(Options { limits: Limits::real(), ..Options::default() }).await;
    for _ in 0..7 {
        assert_eq!(desk.get("/api/v4/account").await.0, 200);
    }
    let (status, body) = desk.get("/api/v4/account").await;
    assert_eq!((status, body["retry_after"].as_u64()), (429, Some(1)));
}

#[tokio::test]
async fn a_gateway_may_say_429_in_html() {
    let limits = Limits { per_second: Some(1), html: true, ..Limits::real() };
    let desk = Desk::with(Options { limits, ..Options::default() }).await;
    desk.get("/api/v4/account").await;
    let (status, body) = desk.get("/api/v4/account").await;
    assert_eq!(status, 429);
    assert!(body.as_str().unwrap().contains("<html>"));
}

#[tokio::test]
async fn stubbornness_blocks_the_address_for_a_while_and_the_token_endpoint_with_it() {
    let limits = Limits {
        per_second: Some(1),
        block_after: 2,
        block_length: Duration::from_millis(1500),
        ..Limits::real()
    };
    let desk = Desk::with(Options { limits, ..Options::default() }).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(desk.get("/api/v4/account").await.0);
    }
    assert_eq!(seen, [200, 429, 429, 403, 403]);
    let (status, body) = desk.token(&desk.grant("x")).await;
    assert_eq!(status, 403);
    assert!(body.as_str().unwrap().contains("nginx"), "{body}");
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(desk.get("/api/v4/account").await.0, 200);
}

#[tokio::test]
async fn a_lost_reply_is_carried_out_all_the_same() {
    let desk = Desk::open().await;
    let contacts = |fault| Rule::new("/api/v4/contacts", fault, When::Next(1)).only("POST");
    desk.handle.faults().set(contacts(Fault::LostReply));
    let create = || desk.try_send("POST", "/api/v4/contacts", Some(json!([{"name": "Пётр"}])));
    assert!(create().await.is_err());
    assert_eq!(desk.handle.contacts().len(), 1);
    assert_eq!(desk.handle.requests()[0].status, 0);
    desk.handle.faults().set(contacts(Fault::Dropped));
    assert!(create().await.is_err());
    desk.handle.faults().set(contacts(Fault::GatewayTimeoutAfterCommit));
    assert_eq!(create().await.unwrap().0, 504);
    assert_eq!(create().await.unwrap().0, 200);
    assert_eq!(desk.handle.contacts().len(), 3);
    assert_eq!(desk.handle.request_count(), 4);
}

#[tokio::test]
async fn each_fault_answers_as_in_life() {
    let desk = Desk::open().await;
    for (fault, status, word) in [
        (Fault::Unpaid, 402, "Payment required"),
        (Fault::ServerError, 500, "ErrInternalServer"),
        (Fault::BadGateway, 502, "<html>"),
        (Fault::GatewayTimeout, 504, "<html>"),
        (Fault::TooManyRequests, 429, "retry_after"),
        (Fault::TooManyRequestsHtml, 429, "<html>"),
        (Fault::Forbidden, 403, "Forbidden"),
        (Fault::Blocked, 403, "nginx"),
        (Fault::Unauthorized, 401, "Invalid user name or password"),
        (Fault::Html, 200, "<html>"),
    ] {
        let id = desk.handle.faults().set(Rule::new("/api/v4/*", fault, When::Always));
        let (seen, body) = desk.get("/api/v4/account").await;
        assert!(seen == status && body.to_string().contains(word), "{fault:?}: {seen} {body}");
        desk.handle.faults().remove(id);
    }
    assert_eq!(desk.get("/api/v4/account").await.0, 200);
}

#[tokio::test]
async fn an_answer_may_be_late() {
    let desk = Desk::open().await;
    desk.handle.faults().set(Rule::new("*", Fault::Delay(Duration::from_millis(200)), When::Next(1)));
    let start = Instant::now();
    assert_eq!(desk.get("/api/v4/account").await.0, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_bad_or_revoked_token_is_401() {
    let desk = Desk::open().await;
    assert_eq!(desk.with_token("rubbish").await, 401);
    assert_eq!(desk.with_token(&desk.handle.token()).await, 200);
    desk.handle.revoke_tokens();
    let (status, body) = desk.get("/api/v4/account").await;
    assert_eq!((status, body["detail"].as_str()), (401, Some("Invalid user name or password")));
}

#[tokio::test]
async fn a_code_works_once_and_gives_a_pair() {
    let desk = Desk::open().await;
    let code = desk.handle.grant_code();
    let (status, body) = desk.token(&desk.grant(&code)).await;
    assert_eq!(
        (status, body["expires_in"].as_u64(), body["token_type"].as_str()),
        (200, Some(86400), Some("Bearer"))
    );
    let access = body["access_token"].as_str().unwrap();
    assert_eq!(desk.with_token(access).await, 200);
    desk.handle.expire_access_tokens();
    assert_eq!(desk.with_token(access).await, 401);
    let (status, body) = desk.token(&desk.grant(&code)).await;
    assert_eq!((status, body["hint"].as_str()), (400, Some("Authorization code has been revoked")));
}

#[tokio::test]
async fn each_fault_at_the_token_endpoint_has_its_hint() {
    let desk = Desk::with(Options { code_life: Duration::ZERO, ..Options::default() }).await;
    let code = desk.handle.grant_code();
    let with = |key: &str, value: &str| {
        let mut body = desk.grant(&code);
        body[key] = json!(value);
        body
    };
    for (body, hint) in [
        (desk.grant(&code), "Authorization code has expired"),
        (desk.grant("rubbish"), "Cannot decrypt the authorization code"),
        (with("client_id", "x"), "Check the `client_id` parameter"),
        (with("client_secret", "x"), "Check the `client_secret` parameter"),
        (with("redirect_uri", "https://other.example"), "Redirect URI is not associated with client"),
    ] {
        let (status, answer) = desk.token(&body).await;
        assert_eq!((status, answer["hint"].as_str()), (400, Some(hint)));
        assert_eq!(answer["title"], "Некорректный запрос");
    }
    let (status, answer) = desk.token(&desk.refresh("rubbish")).await;
    assert_eq!((status, answer["hint"].as_str()), (400, Some("Invalid refresh token")));
}

fn refresh_of(body: &Value) -> String {
    body["refresh_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[tokio::test]
async fn an_old_refresh_token_works_until_the_new_one_is_used() {
    let desk = Desk::open().await;
    let first = refresh_of(&desk.token(&desk.grant(&desk.handle.grant_code())).await.1);
    let lost = refresh_of(&desk.token(&desk.refresh(&first)).await.1);
    let second = refresh_of(&desk.token(&desk.refresh(&first)).await.1);
    refresh_of(&desk.token(&desk.refresh(&second)).await.1);
    for dead in [first, lost] {
        let (status, body) = desk.token(&desk.refresh(&dead)).await;
        assert_eq!((status, body["hint"].as_str()), (401, Some("Token has been revoked")));
    }
}

#[tokio::test]
async fn strict_rotation_kills_the_old_refresh_token_at_once() {
    let desk = Desk::open().await;
    let mut toggles = desk.handle.faults().toggles();
    toggles.strict_rotation = true;
    desk.handle.faults().set_toggles(toggles);
    let first = refresh_of(&desk.token(&desk.grant(&desk.handle.grant_code())).await.1);
    assert_eq!(desk.token(&desk.refresh(&first)).await.0, 200);
    assert_eq!(desk.token(&desk.refresh(&first)).await.0, 401);
}
