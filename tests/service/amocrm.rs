//! Each answer of amoCRM has its own right behaviour; one pace, one token for everybody.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use perezvon::{
    edge::{
        amocrm::{Amocrm, Failure, Hold},
        status::{Board, Health},
        store::Store,
    },
    logic::crm::{
        payload::{self, NewContact},
        request::{Request, Urgency},
    },
    sandbox::amocrm::{Fault, Handle, Kind, Limits, Options, Rule, Sandbox, Toggles, When},
    settings::{self, Secret, Span},
};
use tokio::net::TcpListener;

use crate::harness::{sqlite_store, stores};

async fn sandbox(options: Options) -> Handle {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Sandbox::start(listener, options).unwrap()
}

fn with_token(handle: &Handle) -> settings::Amocrm {
    settings::Amocrm {
        base_url: handle.base_url(),
        token: Secret::new(handle.token()),
        requests_per_second: 40.0,
        timeout: Span::secs(3),
        ..settings::Amocrm::default()
    }
}

fn with_oauth(handle: &Handle) -> settings::Amocrm {
    let integration = handle.integration();
    settings::Amocrm {
        token: Secret::default(),
        client_id: integration.client_id,
        client_secret: Secret::new(integration.client_secret),
        redirect_uri: integration.redirect_uri,
        ..with_token(handle)
    }
}

fn client(settings: &settings::Amocrm, store: &Store) -> Arc<Amocrm> {
    Amocrm::new(settings, store.clone(), Arc::default()).unwrap()
}

fn contact(name: &str) -> Request {
    payload::contacts(&[NewContact {
        request_id: "1".to_owned(),
        name: name.to_owned(),
        responsible: None,
        phones: vec!["+79161234567".to_owned()],
        tags: Vec::new(),
        created_at: 1_700_000_000,
    }])
}

async fn read(amocrm: &Amocrm) -> Result<u16, Failure> {
    amocrm.send(Request::get("/api/v4/contacts"), Urgency::Live).await.map(|reply| reply.status)
}

async fn write(amocrm: &Amocrm) -> Result<u16, Failure> {
    amocrm.send(contact("Анна"), Urgency::Live).await.map(|reply| reply.status)
}

/// A fresh sandbox whose next request suffers; what a read and a write bring.
async fn suffer(fault: Fault) -> (Handle, Result<u16, Failure>, Result<u16, Failure>) {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let settings = with_token(&handle);
    handle.faults().set(Rule::new("/api/*", fault, When::Always));
    let read = read(&client(&settings, &store.store)).await;
    let write = write(&client(&settings, &store.store)).await;
    (handle, read, write)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_contact_comes_back_and_an_empty_list_is_empty() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let amocrm = client(&with_token(&handle), &store.store);
    assert!(amocrm.send(Request::get("/api/v4/contacts"), Urgency::Live).await.unwrap().is_empty());
    let reply = amocrm.send(contact("Анна"), Urgency::Live).await.unwrap();
    let created = payload::created(&reply.body, "contacts");
    assert_eq!(created[0].id, handle.contacts()[0].id);
    assert_eq!(amocrm.account().await.unwrap().subdomain, "sandbox");
    assert_eq!(amocrm.users().await.unwrap().len(), 3);
    let pipelines = amocrm.pipelines().await.unwrap();
    assert!(pipelines.iter().any(|pipeline| pipeline.main) && pipelines[0].statuses.len() > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_server_makes_reads_wait_and_writes_doubtful() {
    for fault in [Fault::ServerError, Fault::BadGateway, Fault::GatewayTimeout, Fault::Html, Fault::Dropped] {
        let (_, read, write) = suffer(fault).await;
        assert!(matches!(read, Err(Failure::TryAgain { .. })), "{fault:?}: {read:?}");
        assert!(matches!(write, Err(Failure::MaybeSent(_))), "{fault:?}: {write:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_told_apart_from_a_request_that_never_left() {
    let (handle, _, write) = suffer(Fault::LostReply).await;
    assert!(matches!(write, Err(Failure::MaybeSent(_))), "{write:?}");
    assert_eq!(handle.contacts().len(), 1, "it did happen");
    let store = sqlite_store().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = settings::Amocrm { base_url: format!("http://{nobody}"), ..with_token(&handle) };
    let amocrm = client(&settings, &store.store);
    assert!(matches!(self::write(&amocrm).await, Err(Failure::NotSent(_))));
    assert!(matches!(read(&amocrm).await, Err(Failure::NotSent(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_left_after_the_timeout() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    handle.faults().set(Rule::new("/api/*", Fault::Delay(Duration::from_secs(30)), When::Always));
    let settings = settings::Amocrm { timeout: Span::millis(300), ..with_token(&handle) };
    let began = Instant::now();
    assert!(matches!(write(&client(&settings, &store.store)).await, Err(Failure::MaybeSent(_))));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscription_right_and_token_each_have_their_failure() {
    let (_, read, write) = suffer(Fault::Unpaid).await;
    assert_eq!((read, write), (Err(Failure::Unpaid), Err(Failure::Unpaid)));
    let (_, read, _) = suffer(Fault::Forbidden).await;
    assert!(matches!(read, Err(Failure::Forbidden(_))), "{read:?}");
    let (handle, read, _) = suffer(Fault::Unauthorized).await;
    assert!(matches!(read, Err(Failure::SignIn(_))), "{read:?}");
    assert_eq!(handle.request_count(), 2, "a long-lived token is not tried twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_field() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let bad = Request::post("/api/v4/contacts", serde_json::json!([{"name": "А", "responsible_user_id": 1}]));
    let refused = client(&with_token(&handle), &store.store).send(bad, Urgency::Live).await;
    let Err(Failure::Refused { status: 400, errors, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(errors[0].code, "NotSupportedChoice");
    assert_eq!(errors[0].path, "responsible_user_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_stalls_everybody_as_json_and_as_a_page() {
    for fault in [Fault::TooManyRequests, Fault::TooManyRequestsHtml] {
        let store = sqlite_store().await;
        let handle = sandbox(Options::default()).await;
        let amocrm = client(&with_token(&handle), &store.store);
        handle.faults().set(Rule::new("/api/*", fault, When::Next(1)));
        let began = Instant::now();
        let limited = read(&amocrm).await;
        assert!(matches!(limited, Err(Failure::TryAgain { why: Hold::RateLimit, .. })), "{limited:?}");
        assert_eq!(amocrm.send(Request::get("/api/v4/account"), Urgency::Ringing).await.unwrap().status, 200);
        assert!(began.elapsed() >= Duration::from_millis(990), "{fault:?}: even a ringing phone waits");
        assert_eq!(handle.request_count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_block_page_nothing_more_is_sent() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let board = Arc::new(Board::default());
    let amocrm = Amocrm::new(&with_token(&handle), store.store.clone(), Arc::clone(&board)).unwrap();
    handle.faults().set(Rule::new("*", Fault::Blocked, When::Next(1)));
    for _ in 0..3 {
        let blocked = read(&amocrm).await;
        assert!(matches!(blocked, Err(Failure::Blocked { .. })), "{blocked:?}");
    }
    assert_eq!(handle.request_count(), 1);
    assert_eq!(board.all()["amocrm"].health, Health::Fault);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_s_limit_is_never_overstepped() {
    let store = sqlite_store().await;
    let handle = sandbox(Options { limits: Limits::real(), ..Options::default() }).await;
    let settings = settings::Amocrm { requests_per_second: 6.0, ..with_token(&handle) };
    let amocrm = client(&settings, &store.store);
    let urgencies = [Urgency::Ringing, Urgency::Live, Urgency::Person, Urgency::Background];
    let tasks: Vec<_> = (0..24)
        .map(|number| {
            let amocrm = Arc::clone(&amocrm);
            let urgency = urgencies[number % 4];
            tokio::spawn(async move { amocrm.send(Request::get("/api/v4/account"), urgency).await })
        })
        .collect();
    let began = Instant::now();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(2900), "24 requests at 6 a second");
    assert!(handle.requests().iter().all(|request| request.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ringing_phone_does_not_wait_behind_a_sync() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let settings = settings::Amocrm { requests_per_second: 6.0, ..with_token(&handle) };
    let amocrm = client(&settings, &store.store);
    for _ in 0..60 {
        let amocrm = Arc::clone(&amocrm);
        tokio::spawn(async move { amocrm.send(Request::get("/api/v4/leads"), Urgency::Background).await });
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for _ in 0..2 {
        let began = Instant::now();
        amocrm.send(Request::get("/api/v4/account"), Urgency::Ringing).await.unwrap();
        assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    }
    assert!(amocrm.waiting() > 30, "the sync still waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_signs_in_once_and_refreshes_by_itself() {
    for fresh in stores().await {
        let handle = sandbox(Options::default()).await;
        let amocrm = client(&with_oauth(&handle), &fresh.store);
        assert!(matches!(read(&amocrm).await, Err(Failure::SignIn(_))), "{}", fresh.engine);
        assert!(amocrm.consent_url("state").unwrap().contains("client_id="));
        amocrm.exchange_code(&handle.grant_code(), None).await.unwrap();
        assert_eq!(read(&amocrm).await, Ok(204));
        handle.expire_access_tokens();
        assert_eq!(read(&amocrm).await, Ok(204), "refreshed after a 401");
        let restarted = client(&with_oauth(&handle), &fresh.store);
        assert_eq!(read(&restarted).await, Ok(204), "the new pair was kept");
        handle.revoke_tokens();
        assert!(matches!(read(&amocrm).await, Err(Failure::SignIn(_))));
        handle.forget_requests();
        assert!(matches!(read(&amocrm).await, Err(Failure::SignIn(_))));
        let grants = handle.requests().iter().filter(|request| request.path.contains("oauth2")).count();
        assert_eq!(grants, 0, "a dead refresh token is not offered again and again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_redirect_address_may_be_pasted_and_strangers_are_refused() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let amocrm = client(&with_oauth(&handle), &store.store);
    let pasted = format!("http://127.0.0.1:8573/amocrm/oauth?code={}&state=s1", handle.grant_code());
    let wrong = amocrm.exchange_code(&pasted, Some("s2")).await;
    assert!(matches!(wrong, Err(Failure::SignIn(_))), "{wrong:?}");
    let evil = amocrm.exchange_code("https://x/?code=1&referer=evil.com", None).await;
    assert!(matches!(evil, Err(Failure::SignIn(_))), "{evil:?}");
    amocrm.exchange_code(&pasted, Some("s1")).await.unwrap();
    assert_eq!(read(&amocrm).await, Ok(204));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_answer_was_lost_is_asked_again_with_the_old_token() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    let amocrm = client(&with_oauth(&handle), &store.store);
    amocrm.exchange_code(&handle.grant_code(), None).await.unwrap();
    handle.expire_access_tokens();
    handle.faults().set(Rule::new("/oauth2/access_token", Fault::LostReply, When::Next(1)));
    assert_eq!(read(&amocrm).await, Ok(204));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_does_not_cut_a_refresh_short() {
    let store = sqlite_store().await;
    let handle = sandbox(Options::default()).await;
    // The strict reading: the old refresh token dies at once, so a pair that is not kept is an account lost.
    handle.faults().set_toggles(Toggles { strict_rotation: true, ..Toggles::default() });
    let amocrm = client(&with_oauth(&handle), &store.store);
    amocrm.exchange_code(&handle.grant_code(), None).await.unwrap();
    handle.expire_access_tokens();
    handle.faults().set(Rule::new("/oauth2/*", Fault::Delay(Duration::from_millis(500)), When::Next(1)));
    assert!(tokio::time::timeout(Duration::from_millis(200), read(&amocrm)).await.is_err());
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(read(&amocrm).await, Ok(204));
    let restarted = client(&with_oauth(&handle), &store.store);
    assert_eq!(read(&restarted).await, Ok(204));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_with_an_expired_token_refresh_it_once() {
    for fresh in stores().await {
        let handle = sandbox(Options::default()).await;
        handle.faults().set_toggles(Toggles { strict_rotation: true, ..Toggles::default() });
        let first = client(&with_oauth(&handle), &fresh.store);
        first.exchange_code(&handle.grant_code(), None).await.unwrap();
        let second = client(&with_oauth(&handle), &Store::connect(&fresh.url).unwrap());
        assert_eq!(read(&second).await, Ok(204));
        handle.expire_access_tokens();
        handle.forget_requests();
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let amocrm = Arc::clone(if number % 2 == 0 { &first } else { &second });
                tokio::spawn(async move { read(&amocrm).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(204), "{}", fresh.engine);
        }
        let grants = handle.requests().iter().filter(|request| request.path.contains("oauth2")).count();
        assert_eq!(grants, 1, "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_sent_to_no_stranger() {
    let store = sqlite_store().await;
    for base_url in ["", "https://evil.com", "http://company.amocrm.ru", "https://company.amocrm.ru.evil.com"]
    {
        let settings = settings::Amocrm {
            base_url: base_url.to_owned(),
            token: Secret::new("t"),
            ..settings::Amocrm::default()
        };
        let refused = Amocrm::new(&settings, store.store.clone(), Arc::default());
        assert!(matches!(refused, Err(Failure::NotConnected(_))), "{base_url}");
    }
}

/// Runs the program with settings for this sandbox.
async fn perezvon(folder: &std::path::Path, settings: &str, arguments: &[&str]) -> (i32, String) {
    let place = folder.join("perezvon.toml");
    // Written once: another process of the test may be reading it.
    if !place.exists() {
        std::fs::write(&place, settings).unwrap();
    }
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_perezvon"))
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .await
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_signs_in_looks_and_syncs_from_the_command_line() {
    let handle = sandbox(Options { seed_contacts: 30, ..Options::default() }).await;
    handle.add_contact(Kind::Contact, "Анна Круглова", &["8 (916) 123-45-67"], handle.users()[0].id);
    let folder = tempfile::tempdir().unwrap();
    let integration = handle.integration();
    let settings = format!(
        "[store]\nurl = \"sqlite:perezvon.db\"\n[amocrm]\nbase_url = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = \"{}\"\nredirect_uri = \"{}\"\n",
        handle.base_url(),
        integration.client_id,
        integration.client_secret,
        integration.redirect_uri
    );
    let run = async |arguments: &[&str]| perezvon(folder.path(), &settings, arguments).await;
    let (code, said) = run(&["amocrm", "status"]).await;
    assert!(code == 1 && said.contains("perezvon amocrm login"), "{said}");
    let (code, said) = run(&["amocrm", "login", "--code", &handle.grant_code()]).await;
    assert!(code == 0 && said.contains("administrator"), "{said}");
    for (what, word) in
        [("users", "Борис Кузнецов"), ("pipelines", "Продажи"), ("status", &handle.base_url())]
    {
        let (code, said) = run(&["amocrm", what]).await;
        assert!(code == 0 && said.contains(word), "{what}: {said}");
    }
    let (code, said) = run(&["directory", "sync", "--json"]).await;
    let counts: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert!(code == 0 && counts["contacts"].as_u64().unwrap() >= 2, "{said}");
    let (code, said) = run(&["directory", "show", "+7 916 123 45 67"]).await;
    assert!(code == 0 && said.contains("Анна Круглова"), "{said}");
    assert_eq!(run(&["directory", "show", "+7 999 000 00 00"]).await.0, 1);
    assert_eq!(run(&["directory", "show", "101"]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_with_an_expired_token_refresh_it_once() {
    let handle = sandbox(Options::default()).await;
    handle.faults().set_toggles(Toggles { strict_rotation: true, ..Toggles::default() });
    for fresh in stores().await {
        let folder = tempfile::tempdir().unwrap();
        let integration = handle.integration();
        let url = match &fresh.url {
            settings::StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            settings::StoreUrl::Mysql(url) => url.clone(),
        };
        let settings = format!(
            "[store]\nurl = \"{url}\"\n[amocrm]\nbase_url = \"{}\"\nclient_id = \"{}\"\n\
             client_secret = \"{}\"\nredirect_uri = \"{}\"\n",
            handle.base_url(),
            integration.client_id,
            integration.client_secret,
            integration.redirect_uri
        );
        let run = async |arguments: &[&str]| perezvon(folder.path(), &settings, arguments).await;
        assert_eq!(run(&["amocrm", "login", "--code", &handle.grant_code()]).await.0, 0, "{}", fresh.engine);
        handle.expire_access_tokens();
        handle.forget_requests();
        handle.faults().set(Rule::new("/oauth2/*", Fault::Delay(Duration::from_millis(700)), When::Always));
        let arguments: &[&str] = &["amocrm", "pipelines"];
        let all = futures::future::join_all([run(arguments), run(arguments), run(arguments)]).await;
        handle.faults().clear();
        assert!(all.iter().all(|ended| ended.0 == 0), "{}: {all:?}", fresh.engine);
        let grants = handle.requests().iter().filter(|request| request.path.contains("oauth2")).count();
        assert_eq!(grants, 1, "{}", fresh.engine);
    }
}
