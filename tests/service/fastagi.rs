//! Sessions over real sockets, as Asterisk and others open them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use perezvon::{
    edge::{amocrm::Amocrm, directory::Directory, fastagi, routing::Routing, status::Board},
    logic::{
        directory::{EntityKind, Known},
        phone::Phones,
    },
    settings::{Employee, Secret, Settings, Span},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{FreshStore, sqlite_store},
    pages::{Site, site},
};

/// A FastAGI server of ours.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _store: Option<FreshStore>,
}

impl Server {
    /// Knows one client, `+79161234567`, and asks no CRM.
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let settings = settings(change);
        let directory = Directory::empty();
        directory.learn(ivan()).await;
        Self::over(settings, directory, None).await
    }

    /// Knows nobody, and asks a CRM that takes connections and never answers.
    async fn with_silent_crm(change: impl FnOnce(&mut Settings)) -> Self {
        let crm = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = settings(change);
        settings.amocrm.base_url = format!("http://{}", crm.local_addr().unwrap());
        settings.amocrm.token = Secret::new("token");
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok(connection) = crm.accept().await {
                held.push(connection);
            }
        });
        let fresh = sqlite_store().await;
        let board = Arc::new(Board::default());
        let amocrm = Amocrm::new(&settings.amocrm, fresh.store.clone(), Arc::clone(&board)).unwrap();
        let phones = Arc::new(Phones::new(&settings.numbers).unwrap());
        let directory =
            Directory::open(&settings, fresh.store.clone(), Some(amocrm), phones, board).await.unwrap();
        Self::over(settings, directory, Some(fresh)).await
    }

    async fn over(settings: Settings, directory: Arc<Directory>, store: Option<FreshStore>) -> Self {
        let listener = fastagi::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let phones = Arc::new(Phones::new(&settings.numbers).unwrap());
        let routing = Arc::new(Routing::new(Arc::new(settings), phones, directory));
        let stop = CancellationToken::new();
        let task = tokio::spawn(fastagi::run(listener, routing, Arc::new(Board::default()), stop.clone()));
        Self { address, stop, task, _store: store }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ask(&self, environment: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(environment.as_bytes()).await.unwrap();
        obey(stream).await
    }
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    settings.employees.insert("101".to_owned(), Employee::new(7, "Анна"));
    change(&mut settings);
    settings
}

fn ivan() -> Known {
    Known {
        kind: EntityKind::Contact,
        id: 123,
        name: "Иван Петров".to_owned(),
        responsible: 7,
        created_at: 1,
        updated_at: 1,
        phones: vec!["+79161234567".to_owned()],
        leads: Vec::new(),
    }
}

fn environment(script: &str, phone: &str) -> String {
    format!(
        "agi_network: yes\nagi_network_script: {script}\nagi_request: agi://127.0.0.1/{script}\n\
         agi_channel: PJSIP/trunk-00000000\nagi_language: en\nagi_type: PJSIP\nagi_uniqueid: 1795167864.29\n\
         agi_version: 22.10.1\nagi_callerid: {phone}\nagi_calleridname: unknown\nagi_callingpres: 0\n\
         agi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\nagi_dnid: 74951234567\nagi_rdnis: unknown\n\
         agi_context: from-trunk\nagi_extension: 74951234567\nagi_priority: 4\nagi_enhanced: 0.0\n\
         agi_accountcode: \nagi_threadid: 140569429165760\n\n"
    )
}

/// As Asterisk: carries out each line, answers it, and closes when the other side has.
async fn obey(mut stream: TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            return String::from_utf8(text).unwrap();
        }
        for _ in buffer[..count].iter().filter(|byte| **byte == b'\n') {
            // The answer may meet a closed socket.
            let _ = stream.write_all(b"200 result=1\n").await;
        }
        text.extend_from_slice(&buffer[..count]);
    }
}

fn all_empty(status: &str) -> String {
    format!(
        "SET VARIABLE CRM_NAME \"\"\nSET VARIABLE CRM_EXTEN \"\"\nSET VARIABLE CRM_RESPONSIBLE \"\"\n\
         SET VARIABLE CRM_ENTITY \"\"\nSET VARIABLE CRM_STATUS \"{status}\"\n"
    )
}

const FOUND: &str = "SET VARIABLE CRM_NAME \"Иван Петров\"\nSET VARIABLE CRM_EXTEN \"101\"\n\
    SET VARIABLE CRM_RESPONSIBLE \"7\"\nSET VARIABLE CRM_ENTITY \"contact/123\"\n\
    SET VARIABLE CALLERID(name) \"Иван Петров\"\nSET VARIABLE CRM_STATUS \"found\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_known_client_comes_with_name_and_extension() {
    let server = Server::start(|_| ()).await;
    assert_eq!(server.ask(&environment("route", "79161234567")).await, FOUND);
    let asked = environment("route?phone=8%20(916)%20123-45-67", "101");
    assert_eq!(server.ask(&asked).await, FOUND);
    let name = server.ask(&environment("name", "+7 916 123-45-67")).await;
    assert!(name.contains("CRM_NAME \"Иван Петров\"") && name.contains("CRM_EXTEN \"\""), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn extensions_and_hidden_numbers_are_nobody() {
    let server = Server::start(|_| ()).await;
    for phone in ["101", "unknown", "*43"] {
        assert_eq!(server.ask(&environment("route", phone)).await, all_empty("unknown"), "{phone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_callers_at_once_wait_for_nobody() {
    let server = Server::start(|_| ()).await;
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..512 {
        let address = server.address;
        callers.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(environment("route", "79161234567").as_bytes()).await.unwrap();
            let text = obey(stream).await;
            (text, began.elapsed())
        });
    }
    while let Some(caller) = callers.join_next().await {
        let (text, took) = caller.unwrap();
        assert_eq!(text, FOUND);
        // A connection that does not fit the backlog comes back after a whole second.
        assert!(took < Duration::from_millis(950), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_closed_connections_cost_others_nothing() {
    let server = Server::start(|_| ()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(server.connect().await);
        drop(server.connect().await);
    }
    let began = Instant::now();
    assert_eq!(server.ask(&environment("route", "79161234567")).await, FOUND);
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    // They get their variables at the deadline, too.
    assert_eq!(obey(silent.pop().unwrap()).await, all_empty("timeout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_may_come_byte_by_byte() {
    let server = Server::start(|settings| settings.agi.deadline = Span::secs(20)).await;
    let mut stream = server.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in environment("route", "79161234567").bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(obey(stream).await, FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_in_the_middle_does_not_end_the_session() {
    let server = Server::start(|_| ()).await;
    let text = environment("route", "79161234567").replace("agi_dnid", "HANGUP\nagi_dnid");
    assert_eq!(server.ask(&text).await, FOUND);

    let mut stream = server.connect().await;
    stream.write_all(environment("route", "79161234567").as_bytes()).await.unwrap();
    stream.write_all(b"HANGUP\n").await.unwrap();
    assert_eq!(obey(stream).await, FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_crm_ends_at_the_deadline_with_all_variables() {
    let server = Server::with_silent_crm(|settings| settings.agi.deadline = Span::millis(300)).await;
    for (script, least, most) in
        [("route", 250, 600), ("route?budget=100", 80, 240), ("route?budget=9000", 250, 600)]
    {
        let began = Instant::now();
        let text = server.ask(&environment(script, "79261112233")).await;
        let took = began.elapsed().as_millis();
        assert_eq!(text, all_empty("timeout"), "{script}");
        assert!((least..most).contains(&took), "{script}: {took} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_environment_counts_against_the_deadline() {
    let server = Server::start(|_| ()).await;
    let mut stream = server.connect().await;
    let began = Instant::now();
    stream.write_all(b"agi_network: yes\nagi_callerid: 7916").await.unwrap();
    assert_eq!(obey(stream).await, all_empty("timeout"));
    assert!((250..600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_callers_get_an_empty_answer_at_once() {
    let server = Server::start(|settings| {
        settings.agi.max_sessions = 2;
        settings.agi.deadline = Span::secs(5);
    })
    .await;
    let _held = [server.connect().await, server.connect().await];
    sleep(Duration::from_millis(50)).await;
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(server.ask(&environment("route", "79161234567")).await, all_empty("error"));
        assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asterisk_that_does_not_read_takes_no_place() {
    let server = Server::start(|settings| settings.agi.max_sessions = 1).await;
    let mut frozen = server.connect().await;
    frozen.write_all(environment("route", "79161234567").as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(server.ask(&environment("route", "79161234567")).await, FOUND);
    assert_eq!(obey(frozen).await, FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_endless_clients_get_an_error() {
    let server = Server::start(|_| ()).await;
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await, all_empty("error"));
    let endless = format!("agi_network: yes\nagi_x: {}", "x".repeat(100_000));
    assert_eq!(server.ask(&endless).await, all_empty("error"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_last_caller_have_an_answer() {
    let server = Server::start(|_| ()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"agi_network: yes\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.cancel();
    sleep(Duration::from_millis(50)).await;
    let rest = environment("route", "79161234567").replace("agi_network: yes\n", "");
    stream.write_all(rest.as_bytes()).await.unwrap();
    assert_eq!(obey(stream).await, FOUND);
    timeout(Duration::from_secs(3), server.task).await.expect("stops").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

async fn site_that_knows_ivan(change: impl FnOnce(&mut Settings)) -> Site {
    let site = site(sqlite_store().await, |settings| {
        settings.employees.insert("101".to_owned(), Employee::new(7, "Анна"));
        change(settings);
    })
    .await;
    site.app.directory.learn(ivan()).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_the_same_answer() {
    let site = site_that_knows_ivan(|_| ()).await;
    let text = site.page("/route?phone=%2B7%20916%20123-45-67&did=74951234567").await;
    let route: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (key, value) in [
        ("status", "found"),
        ("name", "Иван Петров"),
        ("exten", "101"),
        ("responsible", "7"),
        ("entity", "contact/123"),
    ] {
        assert_eq!(route[key], value, "{text}");
    }
    assert_eq!(
        site.page("/route?format=plain&phone=89161234567").await,
        "found|Иван Петров|101|7|contact/123"
    );
    for phone in ["", "101", "unknown", "%00%ff"] {
        assert_eq!(site.page(&format!("/route?format=plain&phone={phone}")).await, "unknown||||", "{phone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_from_elsewhere_gets_no_name() {
    let site = site_that_knows_ivan(|settings| settings.admin.password = Secret::new("пароль")).await;
    let address = format!("{}/route?format=plain&phone=79161234567", site.base);
    // Somebody behind a proxy on this machine.
    let elsewhere = || site.client.get(&address).header("X-Forwarded-For", "203.0.113.9");
    let answer = elsewhere().send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (403, "error||||"));
    let admin = elsewhere().basic_auth("admin", Some("пароль")).send().await.unwrap();
    assert!(admin.text().await.unwrap().starts_with("found|"));
    // A page on the internet that makes a browser here ask.
    let lured = site.client.get(&address).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(lured.status().as_u16(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_from_asterisks_host_is_allowed() {
    let site = site_that_knows_ivan(|settings| {
        settings.agi.allow = vec!["192.0.2.10".parse().unwrap()];
        settings.http.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    for (from, status) in [("192.0.2.10", 200), ("192.0.2.11", 403)] {
        let address = format!("{}/route?phone=79161234567", site.base);
        let answer = site.client.get(&address).header("X-Forwarded-For", from).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{from}");
    }
}

#[test]
fn lookup_prints_what_the_dialplan_would_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("perezvon.toml");
    let text = format!(
        "ui.language = \"ru\"\nstore.url = \"sqlite:{}\"\n[numbers.mobiles]\n\"+79031112233\" = \"101\"\n\
         [employees]\n\"101\" = {{ user = 7, name = \"Анна\" }}\n",
        folder.path().join("store.db").display()
    );
    std::fs::write(&config, text).unwrap();
    let lookup = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_perezvon"));
        let output = command.arg("--config").arg(&config).arg("lookup").args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = lookup(&["8 (903) 111-22-33"]);
    assert!(
        text.contains("CRM_STATUS       unknown\n") && text.contains("мобильный сотрудника 101"),
        "{text}"
    );
    let facts: serde_json::Value =
        serde_json::from_str(&lookup(&["101", "--did", "74951234567", "--json"])).unwrap();
    assert_eq!((&facts["status"], &facts["did"]), (&"unknown".into(), &"74951234567".into()));
}
