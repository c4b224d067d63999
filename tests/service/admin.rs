//! Who may open the admin pages.

use perezvon::{edge::status::Health, settings::Secret};

use crate::{
    harness::sqlite_store,
    pages::{Site, site},
};

async fn locked() -> Site {
    site(sqlite_store().await, |settings| settings.admin.password = Secret::new("correct horse")).await
}

async fn sign_in(site: &Site, word: &str, next: &str) -> reqwest::Response {
    let words = [("username", "admin"), ("password", word), ("next", next)];
    site.client.post(format!("{}/sign-in", site.base)).form(&words).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_password_only_this_machine_comes_in() {
    let site = site(sqlite_store().await, |_| {}).await;
    assert_eq!(site.get("/").await.0, 200);
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("host", "evil.example"),
    ] {
        for path in ["/", "/calls", "/settings", "/api/v1/status", "/metrics"] {
            let answer =
                site.client.get(format!("{}{path}", site.base)).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{name}: {value} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_password_visitors_sign_in_and_stay() {
    let site = locked().await;
    let answer = site.client.get(format!("{}/calls?state=failed", site.base)).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/sign-in?next=%2Fcalls%3Fstate%3Dfailed");
    assert_eq!(sign_in(&site, "wrong", "/").await.status(), 401);
    let answer = sign_in(&site, "correct horse", "/calls?state=failed").await;
    assert_eq!(answer.headers()["location"], "/calls?state=failed");
    let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let get =
        |cookie: String| site.client.get(format!("{}/calls", site.base)).header("cookie", cookie).send();
    assert_eq!(get(cookie.to_owned()).await.unwrap().status(), 200);
    // A later end, or any other change, breaks the signature.
    let changed = cookie.replacen("perezvon=1", "perezvon=2", 1);
    assert_eq!(get(changed).await.unwrap().status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_live_through_a_restart_and_end_with_the_password() {
    let first = locked().await;
    let answer = sign_in(&first, "correct horse", "/").await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut app = first.app.clone();
    app.doors = perezvon::edge::web::Doors::default();
    assert_eq!(ask(app.clone(), &cookie).await, 200);
    let mut settings = (*app.settings).clone();
    settings.admin.password = Secret::new("another one");
    app.settings = settings.into();
    assert_eq!(ask(app, &cookie).await, 303);
}

/// Asks a router for the first page, as a peer of this machine.
async fn ask(app: perezvon::edge::web::App, cookie: &str) -> u16 {
    use tower::ServiceExt;
    let request = axum::http::Request::get("/")
        .header("host", "127.0.0.1")
        .header("cookie", cookie)
        .extension(axum::extract::ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 9))))
        .body(axum::body::Body::empty())
        .unwrap();
    perezvon::edge::web::router(app).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_site_after_signing_in() {
    let site = locked().await;
    assert_eq!(sign_in(&site, "correct horse", "//evil.example/").await.headers()["location"], "/");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_use_basic_and_get_no_redirects() {
    let site = locked().await;
    let status = format!("{}/api/v1/status", site.base);
    let refused = site.client.get(&status).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    let basic = |word: &'static str| site.client.get(&status).basic_auth("admin", Some(word)).send();
    assert_eq!(basic("correct horse").await.unwrap().status(), 200);
    assert_eq!(basic("wrong").await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_ends_after_ten_wrong_passwords() {
    let site = locked().await;
    for _ in 0..10 {
        assert_eq!(sign_in(&site, "guess", "/").await.status(), 401);
    }
    assert_eq!(sign_in(&site, "correct horse", "/").await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_open_but_reasons_are_not() {
    let site = locked().await;
    site.app.board.say("store", Health::Ok, "sqlite:/secret/place.db");
    let (status, text) = site.get("/healthz").await;
    assert_eq!(status, 200);
    assert!(text.contains("\"store\":\"ok\"") && !text.contains("/secret/"), "{text}");
    site.app.board.say("pbx", Health::Fault, "the database does not answer");
    assert_eq!(site.get("/healthz").await.0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_trust_nothing_from_elsewhere() {
    let site = site(sqlite_store().await, |_| {}).await;
    let answer = site.client.get(&site.base).send().await.unwrap();
    let rules = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(rules.contains("default-src 'none'") && !rules.contains("unsafe"), "{rules}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let page = answer.text().await.unwrap();
    assert!(!page.contains(" style=") && !page.contains("onclick"), "inline code would be refused");
    assert!(!page.contains("https://cdn") && !page.contains("//unpkg"));
}
