//! What a browser sees.

use std::{net::SocketAddr, path::Path, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::{
    edge::{
        directory::Directory,
        recordings::Library,
        status::{Board, Health},
        store::{ActionState, CallState, Store, StoredAction, StoredRequest, Turn},
        web,
    },
    logic::{
        call::{Call, CallRows},
        directory::{EntityKind, Known},
        phone::Phones,
        rules::plan::{Action, Plan, Planned},
    },
    settings::{Language, Secret, Settings, Trunk},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::{FreshStore, sqlite_store, stores};

/// A running web server over a store of its own.
pub(crate) struct Site {
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    /// What the handlers share.
    pub(crate) app: web::App,
    /// Does not follow redirects.
    pub(crate) client: reqwest::Client,
    _fresh: FreshStore,
    _stop: tokio_util::sync::DropGuard,
}

/// Starts one; `change` sets what the test is about.
pub(crate) async fn site(fresh: FreshStore, change: impl FnOnce(&mut Settings)) -> Site {
    // Fails only when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut settings = Settings::default();
    settings.ui.language = Some(Language::En);
    change(&mut settings);
    let phones = Arc::new(Phones::new(&settings.numbers).unwrap());
    let app = web::App {
        store: fresh.store.clone(),
        board: Arc::new(Board::default()),
        directory: Directory::empty(),
        amocrm: None,
        library: Arc::new(Library::new(&settings, Secret::new("a key for links in tests"))),
        phones,
        language: settings.language(),
        metrics: None,
        wake: Arc::default(),
        doors: web::Doors::default(),
        settings: Arc::new(settings),
    };
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(web::run(listener, app.clone(), stop.clone()));
    // A connection that the server is closing after a refused body is not one to ask on again.
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
    let client = client.build().unwrap();
    Site { base, app, client, _fresh: fresh, _stop: stop.drop_guard() }
}

impl Site {
    /// A page's status and text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The text of a page that opens.
    pub(crate) async fn page(&self, path: &str) -> String {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }
}

/// A call of the corpus, moved to a time.
pub(crate) fn corpus_call(name: &str, at: DateTime<Utc>) -> (Call, CallRows) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls");
    let read = |suffix: &str| std::fs::read_to_string(folder.join(format!("{name}{suffix}"))).unwrap();
    let mut call: Call = serde_json::from_str(&read(".call.json")).unwrap();
    let rows: CallRows = serde_json::from_str(&read(".json")).unwrap();
    let shift = at - call.started_at;
    call.started_at += shift;
    call.ended_at += shift;
    call.answered_at = call.answered_at.map(|time| time + shift);
    for one in &mut call.conversations {
        one.requested_at += shift;
        one.accepted_at = one.accepted_at.map(|time| time + shift);
        one.ended_at += shift;
    }
    (call, rows)
}

/// Keeps a call in a state, as the registrar would.
pub(crate) async fn keep(
    store: &Store,
    call: &Call,
    rows: &CallRows,
    state: CallState,
    reason: &str,
    plan: Option<Plan>,
) {
    store.put_call(call, rows).await.unwrap();
    let stored = store.call(&call.id).await.unwrap().unwrap();
    let turn = Turn {
        id: stored.id,
        fingerprint: stored.fingerprint,
        state,
        reason: reason.to_owned(),
        next_at: (state == CallState::Waiting).then(|| call.ended_at + TimeDelta::minutes(2)),
        plan,
    };
    store.turn_calls(&[turn]).await.unwrap();
}

fn morning() -> DateTime<Utc> {
    "2026-11-20T06:40:00Z".parse().unwrap()
}

async fn one_call(site: &Site, state: CallState, reason: &str) -> Call {
    let (call, rows) = corpus_call("asterisk-22/attended_transfer_refer", morning());
    keep(&site.app.store, &call, &rows, state, reason, None).await;
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_service_says_what_to_do() {
    let site = site(sqlite_store().await, |_| {}).await;
    let home = site.page("/").await;
    assert!(home.contains("[pbx] database_url") && home.contains("No calls yet"), "{home}");
    assert!(site.page("/calls").await.contains("[pbx] database_url"));
    assert!(site.page("/settings").await.contains("PEREZVON__AGI__DEADLINE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_says_how_it_is() {
    let site = site(sqlite_store().await, |_| {}).await;
    site.app.board.say("agi", Health::Ok, "listens on <4573>");
    site.app.board.say("amocrm", Health::Fault, "the token was refused; make a new one");
    let home = site.page("/").await;
    assert!(home.contains("listens on &lt;4573&gt;"), "texts are escaped: {home}");
    assert!(home.contains("Something does not work") && home.contains("make a new one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_by_state_date_and_number() {
    for fresh in stores().await {
        let engine = fresh.engine;
        let site = site(fresh, |settings| settings.pbx.timezone = Some(chrono_tz::Europe::Moscow)).await;
        let call = one_call(&site, CallState::Failed, "the CRM refused it").await;
        let (other, rows) = corpus_call("asterisk-22/inbound_missed", morning() - TimeDelta::days(1));
        keep(&site.app.store, &other, &rows, CallState::Skipped, "internal", None).await;
        let shows = |page: &str, call: &Call| page.contains(&format!("/calls/{}\"", call.id));
        let all = site.page("/calls").await;
        assert!(shows(&all, &call) && shows(&all, &other), "{engine}: {all}");
        for path in ["/calls?state=failed", "/calls?from=2026-11-20", "/calls?from=2026-11-20&to=2026-11-20"]
        {
            let page = site.page(path).await;
            assert!(shows(&page, &call) && !shows(&page, &other), "{engine}: {path}");
        }
        let page = site.page("/calls?phone=000000000").await;
        assert!(!shows(&page, &call) && page.contains("No calls fit"), "{engine}");
        let digits: String = call.client.clone().unwrap().chars().skip(2).collect();
        assert!(shows(&site.page(&format!("/calls?phone=8{digits}")).await, &call), "{engine}: 8 for +7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_has_pages_and_shows_each_call_once() {
    let site = site(sqlite_store().await, |_| {}).await;
    let (first, _) = corpus_call("asterisk-22/inbound_answered", morning());
    for n in 0..120 {
        let mut call = first.clone();
        call.id = format!("{}.{n}", 1_700_000_000 + n);
        call.linkedids = vec![call.id.clone()];
        call.started_at += TimeDelta::seconds(n);
        site.app.store.put_call(&call, &CallRows::default()).await.unwrap();
    }
    let (mut path, mut seen) = ("/calls".to_owned(), Vec::new());
    loop {
        let page = site.page(&path).await;
        seen.extend(page.match_indices("href=\"/calls/17").map(|(at, _)| page[at + 13..at + 30].to_owned()));
        let Some(at) = page.find(">Older") else { break };
        let start = page[..at].rfind("href=\"").unwrap() + 6;
        path = page[start..at - 1].replace("&amp;", "&").replace("&#x2f;", "/");
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (120, 120));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_call_tells_everything() {
    let site = site(sqlite_store().await, |settings| {
        settings.amocrm.base_url = "https://example.amocrm.ru".to_owned();
        settings.pbx.timezone = Some(chrono_tz::Europe::Moscow);
    })
    .await;
    let (call, rows) = corpus_call("asterisk-22/attended_transfer_refer", morning());
    fill_story(&site, &call, &rows, CallState::Failed).await;
    let page = site.page(&format!("/calls/{}", call.id)).await;
    for told in [
        "the CRM refused it",
        "nobody in the CRM has the number",
        "/api/v4/contacts",
        "2026-11-20 09:40:00",
        "Try again",
        "BRIDGE_ENTER",
    ] {
        assert!(page.contains(told) || page.replace("&#x2f;", "/").contains(told), "{told} is not in {page}");
    }
    assert_eq!(page.matches("class=\"lane\"").count(), call.conversations.len());
    let api: serde_json::Value =
        serde_json::from_str(&site.page(&format!("/api/v1/calls/{}", call.id)).await).unwrap();
    assert_eq!(api["call"]["call"]["id"], call.id);
    assert_eq!(api["requests"].as_array().unwrap().len(), 2);
}

/// A contact and a task for it, as planned.
fn contact_and_task(call: &Call) -> (Action, Action) {
    let phone = call.client.clone().unwrap_or_default();
    let contact = Action::CreateContact {
        name: phone.clone(),
        phone,
        responsible: Some(12),
        created_at: call.started_at.timestamp(),
    };
    let task = Action::MakeTask {
        place: perezvon::logic::rules::plan::Place::NewContact,
        text: "Call back".to_owned(),
        task_type: 1,
        responsible: Some(12),
        complete_till: call.ended_at.timestamp() + 3600,
    };
    (contact, task)
}

/// Plan, actions and requests of a call, for the story and for screenshots.
pub(crate) async fn fill_story(site: &Site, call: &Call, rows: &CallRows, state: CallState) {
    let (contact, task) = contact_and_task(call);
    let plan = Plan {
        skip: None,
        actions: vec![
            Planned { action: contact.clone(), reason: "nobody in the CRM has the number".to_owned() },
            Planned { action: task.clone(), reason: "the call was missed".to_owned() },
        ],
        remarks: vec!["extension 103 has no CRM user".to_owned()],
    };
    let (reason, second) = match state {
        CallState::Failed => ("the CRM refused it: task_type does not exist", ActionState::Failed),
        _ => ("", ActionState::Done),
    };
    keep(&site.app.store, call, rows, state, reason, Some(plan)).await;
    let action = |position: i32, action: &Action, state: ActionState, reason: &str, result| StoredAction {
        id: 0,
        call_id: call.id.clone(),
        position,
        kind: action.kind().to_owned(),
        dedupe_key: format!("{}-{position}", call.id),
        payload: serde_json::to_value(action).unwrap(),
        state,
        reason: reason.to_owned(),
        attempts: 1 + position,
        next_at: call.ended_at,
        result,
        created_at: call.ended_at,
        updated_at: call.ended_at,
    };
    let actions = [
        action(0, &contact, ActionState::Done, "", json!({ "id": 31_415_926 })),
        action(1, &task, second, reason, json!(null)),
    ];
    site.app.store.keep_actions(&actions).await.unwrap();
    site.app.store.keep_requests(&two_requests(call)).await.unwrap();
}

/// One that went well and one that was refused.
fn two_requests(call: &Call) -> [StoredRequest; 2] {
    let request = |path: &str, status: u16, body: &str, answer: &str| StoredRequest {
        call_id: call.id.clone(),
        action_id: None,
        sent_at: call.ended_at + TimeDelta::seconds(2),
        method: "POST".to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        status,
        answer: answer.to_owned(),
        took_ms: 184,
    };
    [
        request(
            "/api/v4/contacts",
            200,
            r#"[{"name":"x"}]"#,
            r#"{"_embedded":{"contacts":[{"id":31415926}]}}"#,
        ),
        request("/api/v4/tasks", 400, r#"[{"task_type_id":9}]"#, r#"{"title":"Bad Request","status":400}"#),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_rows_cannot_put_markup_on_a_page() {
    let site = site(sqlite_store().await, |settings| {
        settings.trunks.insert("evil".to_owned(), Trunk { name: "<script>1</script>".to_owned() });
    })
    .await;
    let (mut call, mut rows) = corpus_call("asterisk-22/inbound_answered", morning());
    call.trunk = Some("evil".to_owned());
    call.did = None;
    rows.cdr[0].lastdata = "<script>2</script>".to_owned();
    rows.cdr[0].src = "\"><script>3</script>".to_owned();
    let phone = call.client.clone().unwrap();
    let known = Known {
        kind: EntityKind::Contact,
        id: 5,
        name: "<script>4</script>".to_owned(),
        responsible: 1,
        created_at: 0,
        updated_at: 0,
        phones: vec![phone],
        leads: Vec::new(),
    };
    site.app.directory.learn(known).await;
    keep(&site.app.store, &call, &rows, CallState::Failed, "<script>5</script>", None).await;
    for path in ["/".to_owned(), "/calls".to_owned(), format!("/calls/{}", call.id)] {
        let page = site.page(&path).await;
        for n in 1..=5 {
            assert!(!page.contains(&format!("<script>{n}")), "{path}: {n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn try_again_makes_the_call_wait_and_wakes_the_registrar() {
    for fresh in stores().await {
        let site = site(fresh, |_| {}).await;
        let call = one_call(&site, CallState::Failed, "the CRM refused it").await;
        let path = format!("{}/calls/{}/retry", site.base, call.id);
        // Without our token, or from another site's page, nothing happens.
        let foreign = site.client.post(&path).form(&[("token", "guessed")]).send().await.unwrap();
        assert_eq!(foreign.status(), 403);
        let page = site.page(&format!("/calls/{}", call.id)).await;
        let start = page.find("name=\"token\" value=\"").unwrap() + 20;
        let token = &page[start..start + page[start..].find('"').unwrap()];
        let other_site = site.client.post(&path).header("origin", "https://evil.example");
        assert_eq!(other_site.form(&[("token", token)]).send().await.unwrap().status(), 403);
        assert_eq!(site.app.store.call(&call.id).await.unwrap().unwrap().state, CallState::Failed);
        let woken = site.app.wake.notified();
        let ours = site.client.post(&path).header("origin", &site.base).form(&[("token", token)]);
        assert_eq!(ours.send().await.unwrap().status(), 303);
        assert_eq!(site.app.store.call(&call.id).await.unwrap().unwrap().state, CallState::Waiting);
        tokio::time::timeout(std::time::Duration::from_secs(5), woken).await.expect("woken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_speak_the_language_that_the_visitor_chose() {
    let site = site(sqlite_store().await, |_| {}).await;
    let answer = site.client.get(format!("{}/language/ru", site.base)).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page =
        site.client.get(&site.base).header("cookie", cookie).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<html lang=\"ru\">") && page.contains("Обзор"), "{page}");
    assert!(site.page("/").await.contains("Overview"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_there_is_not_found() {
    let site = site(sqlite_store().await, |_| {}).await;
    assert_eq!(site.get("/calls/17.1").await.0, 404);
    assert_eq!(site.get("/api/v1/calls/17.1").await.0, 404);
    assert_eq!(site.get("/nothing/here").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_gives_calls_by_pages_and_refuses_unknown_filters() {
    let site = site(sqlite_store().await, |_| {}).await;
    let call = one_call(&site, CallState::Registered, "").await;
    let page: serde_json::Value = serde_json::from_str(&site.page("/api/v1/calls?limit=1").await).unwrap();
    assert_eq!(page["calls"][0]["id"], call.id);
    assert_eq!(page["calls"][0]["state"], "registered");
    assert_eq!(page["before"], json!(null));
    assert_eq!(site.get("/api/v1/calls?stat=failed").await.0, 400);
    let status: serde_json::Value = serde_json::from_str(&site.page("/api/v1/status").await).unwrap();
    assert_eq!(status["calls"]["registered"], 1);
}
